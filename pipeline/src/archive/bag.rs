//! The bag around the payload: BagIt 1.0 (RFC 8493) with SHA-256. Makes its tag files and reads them back. It
//! must not know what the payload means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ArchiveError;
use super::digest::{Digested, DigestedFiles};

/// Folder of the payload.
pub const PAYLOAD: &str = "data";
/// What a bag begins with.
const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// Digests of the payload.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// Digests of the tag files.
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// All tag files, in the order in which they are written.
pub const TAGS: [&str; 4] = ["bagit.txt", "bag-info.txt", MANIFEST, TAG_MANIFEST];

/// A file of the payload.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The file's name below the payload's folder.
    pub name: String,
    /// The file's content.
    pub content: Content,
}

/// Where a content is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file that does not change.
    File(PathBuf),
}

impl Piece {
    /// A file of these bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Piece {
        Piece { name: name.into(), content: Content::Bytes(bytes.into()) }
    }

    /// A copy of a file.
    pub fn copy(name: impl Into<String>, path: impl Into<PathBuf>) -> Piece {
        Piece { name: name.into(), content: Content::File(path.into()) }
    }
}

/// Digests of pieces, in their order.
pub fn digest_pieces(pieces: &[Piece]) -> Result<Vec<Digested>, ArchiveError> {
    let digest = |piece: &Piece| match &piece.content {
        Content::Bytes(bytes) => Ok(Digested::of(bytes)),
        Content::File(path) => Digested::of_file(path).map_err(ArchiveError::io("read", path)),
    };
    pieces.par_iter().map(digest).collect()
}

/// The tag files of a payload, as [`TAGS`]. `info` is what is said about the bag, in order.
pub fn tags(pieces: &[Piece], digests: &[Digested], info: &[(&str, String)]) -> Vec<(&'static str, Vec<u8>)> {
    let bytes: u64 = digests.iter().map(|digested| digested.len).sum();
    let about = about(info, bytes, pieces.len());
    let manifest: String = pieces
        .iter()
        .zip(digests)
        .map(|(piece, digested)| format!("{}  {PAYLOAD}/{}\n", digested.sha256, piece.name))
        .collect();
    let mut tags: Vec<(&'static str, Vec<u8>)> =
        TAGS.into_iter().zip([DECLARATION.to_string(), about, manifest].map(String::into_bytes)).collect();
    let digests: String =
        tags.iter().map(|(name, bytes)| format!("{}  {name}\n", Digested::of(bytes).sha256)).collect();
    tags.push((TAG_MANIFEST, digests.into_bytes()));
    tags
}

/// `bag-info.txt` of a payload of so many bytes and files.
pub fn about(info: &[(&str, String)], bytes: u64, files: usize) -> String {
    let mut about: String = info.iter().map(|(label, value)| format!("{label}: {value}\n")).collect();
    about.push_str(&format!("Payload-Oxum: {bytes}.{files}\n"));
    about
}

/// Whether a file is of the payload, by its name below the bag.
pub fn is_payload(name: &str) -> bool {
    name.starts_with("data/")
}

/// Every way in which a bag's files are not what its tag files say, in words; empty if there is none.
/// `found` are the files that are there, by name below the bag.
pub fn differences(folder: &Path, found: &DigestedFiles) -> Result<Vec<String>, ArchiveError> {
    let read = |name: &str| -> Result<String, ArchiveError> {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).map_err(ArchiveError::io("read", &path))?;
        // What is not UTF-8 names no file that is here.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut differences = Vec::new();
    for tag in TAGS.into_iter().filter(|tag| !found.contains_key(*tag)) {
        differences.push(format!("{tag} is missing"));
    }
    if !differences.is_empty() {
        return Ok(differences);
    }
    if read("bagit.txt")? != DECLARATION {
        differences.push("bagit.txt declares no bag of version 1.0 in UTF-8".to_string());
    }
    let tags = found.iter().filter(|(name, _)| !is_payload(name) && *name != TAG_MANIFEST);
    compare(TAG_MANIFEST, &read(TAG_MANIFEST)?, tags, &mut differences);
    let payload = found.iter().filter(|(name, _)| is_payload(name));
    compare(MANIFEST, &read(MANIFEST)?, payload.clone(), &mut differences);
    let oxum = format!("{}.{}", payload.clone().map(|(_, file)| file.len).sum::<u64>(), payload.count());
    if !read("bag-info.txt")?.lines().any(|line| line.strip_prefix("Payload-Oxum: ") == Some(&oxum)) {
        differences.push(format!("bag-info.txt does not say that the payload is {oxum} (bytes.files)"));
    }
    Ok(differences)
}

/// Holds a manifest against the files that it should name.
fn compare<'a>(
    manifest: &str,
    text: &str,
    files: impl Iterator<Item = (&'a String, &'a Digested)>,
    differences: &mut Vec<String>,
) {
    let mut named = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let known = line.split_once("  ").is_some_and(|(digest, name)| named.insert(name, digest).is_none());
        if !known {
            differences.push(format!("line {number} of {manifest} is no digest and name, or names a file again"));
        }
    }
    for (name, digested) in files {
        match named.remove(name.as_str()) {
            Some(digest) if digest == digested.sha256 => {}
            Some(_) => differences.push(format!("{name} is not what {manifest} says")),
            None => differences.push(format!("{name} is not in {manifest}")),
        }
    }
    differences.extend(named.into_keys().map(|name| format!("{name} is missing, {manifest} names it")));
}
