//! How an archive is packed, by its first bytes: zstd as Septet packs it, gzip or nothing as others do, or something
//! else, which is named for what it is. It must not know what the files in it mean.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use super::ArchiveError;
use super::unpack::refused;
use crate::beneath::{self, Odd};
use crate::store::bounded;

/// Largest window of zstd that is given memory, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;
/// A block of tar, which every kind can be told by.
const HEAD_BYTES: usize = 512;
/// Where a tar says that it is one.
const USTAR: std::ops::Range<usize> = 257..262;

/// What a tar is packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Zstandard, which Septet uses.
    Zstd,
    /// gzip.
    Gzip,
    /// Not compressed.
    Plain,
}

/// Marks of what people take for an archive of Septet, and what to do with it.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "a zip file: unpack it, and name the folder that holds bagit.txt"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"\xfd7zXZ\x00", "packed by xz: `xz -d` unpacks it to a tar, which can be read"),
    (b"BZh", "packed by bzip2: `bzip2 -d` unpacks it to a tar, which can be read"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file: unpack it, and name the folder that holds bagit.txt"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF file"),
    (b"<", "a web page or XML, not what was to be fetched"),
];

/// A plain file, opened without waiting for anybody.
pub fn open(archive: &Path) -> Result<File, ArchiveError> {
    match beneath::open_plain_file(archive) {
        Err(error) if Odd::in_error(&error.source).is_some() => {
            Err(refused(archive, "it is neither a plain file nor a folder"))
        }
        other => Ok(other?),
    }
}

/// The tar in a file, and what it is packed in.
///
/// # Errors
/// What is no such thing, by its name.
pub fn tar_of(archive: &Path, mut file: File) -> Result<(Box<dyn Read>, Packing), ArchiveError> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let read = file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).and_then(|_| file.rewind());
    read.map_err(ArchiveError::io("read", archive))?;
    let unreadable = |error: io::Error| ArchiveError::damaged(archive, format!("it is no sound zstd: {error}"));
    if is_zstd(&head) {
        let decoder = bounded::decoder(file, WINDOW_LOG_MAX).map_err(unreadable)?;
        return Ok((Box::new(decoder), Packing::Zstd));
    }
    if head.starts_with(b"\x1f\x8b") {
        return Ok((Box::new(flate2::read::MultiGzDecoder::new(file)), Packing::Gzip));
    }
    if head.get(USTAR) == Some(b"ustar") {
        return Ok((Box::new(file), Packing::Plain));
    }
    let known = FOREIGN.iter().find(|(mark, _)| head.starts_with(mark)).map(|(_, name)| *name);
    let name = match known {
        _ if head.is_empty() => "empty",
        Some(name) => name,
        None => "no archive: neither zstd, gzip nor tar begins so",
    };
    Err(refused(archive, format!("it is {name}")))
}

/// A frame of zstd, or one that readers skip.
fn is_zstd(head: &[u8]) -> bool {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        [first, 0x2a, 0x4d, 0x18, ..] => first & 0xf0 == 0x50,
        _ => false,
    }
}
