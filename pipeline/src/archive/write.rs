//! Writes the one file: tar of plain files in a given order, in zstd. Nothing of this machine gets into it: no
//! time, owner, mode or order of its folders. It must not know what the files are.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::ArchiveError;
use super::bag::{self, Content, Piece};
use super::digest::hex;
use crate::beneath;

/// Most of an archive is compressed already; more effort finds nothing.
const LEVEL: i32 = 3;

/// A written archive.
#[derive(Debug)]
pub struct Packed {
    /// The size of the archive, bytes.
    pub bytes: u64,
    /// The archive's SHA-256, hex.
    pub sha256: String,
}

/// Writes an archive, whole or not at all.
pub fn write(
    out: &Path,
    name: &str,
    tags: &[(&'static str, Vec<u8>)],
    pieces: &[Piece],
) -> Result<Packed, ArchiveError> {
    let staged = beneath::replacing_output(out)?;
    let writing = || ArchiveError::io("write", out);
    let file = Digesting { file: BufWriter::with_capacity(1 << 20, staged.file()), bytes: 0, sha256: Sha256::new() };
    let encoder = zstd::stream::write::Encoder::new(file, LEVEL);
    let mut encoder = encoder.map_err(writing())?;
    encoder.include_checksum(true).map_err(writing())?;
    let mut tar = tar::Builder::new(encoder);
    for (tag, bytes) in tags {
        append(&mut tar, &format!("{name}/{tag}"), bytes.len() as u64, &mut &bytes[..])?;
    }
    for piece in pieces {
        let path = format!("{name}/{}/{}", bag::PAYLOAD, piece.name);
        match &piece.content {
            Content::Bytes(bytes) => append(&mut tar, &path, bytes.len() as u64, &mut &bytes[..])?,
            Content::File(file) => {
                let mut open = beneath::open_plain_file(file)?;
                let len = open.metadata().map_err(ArchiveError::io("look at", file))?.len();
                append(&mut tar, &path, len, &mut open)?;
            }
        }
    }
    let mut buffered = tar.into_inner().and_then(|encoder| encoder.finish()).map_err(writing())?;
    buffered.flush().map_err(writing())?;
    let packed = Packed { bytes: buffered.bytes, sha256: hex(&buffered.sha256.clone().finalize()) };
    drop(buffered);
    // An archive is made to be given away.
    staged.publish()?;
    staged.finish_synced()?;
    Ok(packed)
}

/// A file that is digested while it is written.
struct Digesting<W> {
    file: W,
    bytes: u64,
    sha256: Sha256,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    len: u64,
    content: &mut dyn Read,
) -> Result<(), ArchiveError> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(len);
    header.set_path(path).map_err(|error| ArchiveError::unfit(path, format!("{error}; shorten its name")))?;
    header.set_cksum();
    // A file that changed its length meanwhile would shift everything behind it.
    let mut counted = Exactly { reader: content.take(len), left: len };
    tar.append(&header, &mut counted).map_err(ArchiveError::io("archive", Path::new(path)))
}

/// A reader that must give so many bytes.
struct Exactly<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
