//! A bag that lies unpacked in a folder, read like an archive: plain files only, each reached without following a
//! link. It must not know what the files mean, or write any.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::ArchiveError;
use super::unpack::refused;
use crate::beneath::{Below, FileKind, Folder, Odd};

/// What makes a folder a bag.
const MARK: &str = "bagit.txt";

/// A bag in a folder.
#[derive(Debug)]
pub struct Bag(Folder);

/// The bag in a folder: the folder itself, or the only one in it.
pub fn bag(archive: &Path) -> Result<Bag, ArchiveError> {
    let folder = Folder::open(archive)?;
    if is_bag(&folder)? {
        return Ok(Bag(folder));
    }
    if let [only] = &folder.list()?[..]
        && only.kind == FileKind::Folder
        && let Some(name) = only.below()
    {
        let inside = folder.folder(&name)?;
        if is_bag(&inside)? {
            return Ok(Bag(inside));
        }
    }
    Err(refused(archive, format!("it is a folder without {MARK}: no archive of septet lies unpacked in it")))
}

fn is_bag(folder: &Folder) -> Result<bool, ArchiveError> {
    Ok(folder.has(&folder.name([MARK])?))
}

/// The files of a bag, and the bytes that they take on the disk.
#[derive(Debug)]
pub struct Members {
    /// Names below the bag, in order.
    pub names: Vec<(String, Below)>,
    /// Bytes.
    pub bytes: u64,
}

impl Bag {
    /// Every file.
    ///
    /// # Errors
    /// What is neither a file nor a folder.
    pub fn members(&self, archive: &Path, files_max: usize) -> Result<Members, ArchiveError> {
        let mut members = Members { names: Vec::new(), bytes: 0 };
        let mut open = vec![String::new()];
        while let Some(below) = open.pop() {
            let folder = match below.is_empty() {
                true => None,
                false => Some(self.0.folder(&self.0.name([&below])?)?),
            };
            for listed in folder.as_ref().unwrap_or(&self.0).list()? {
                let Some(part) = listed.text() else { return Err(refused(archive, "a name in it is not UTF-8")) };
                let name = if below.is_empty() { part.to_string() } else { format!("{below}/{part}") };
                match listed.kind {
                    FileKind::Folder => open.push(name),
                    FileKind::File => {
                        let at = self.0.name([&name]).map_err(|_| odd(archive, &name, "is no plain name"))?;
                        members.bytes += self.file(archive, &name, &at)?.1;
                        members.names.push((name, at));
                    }
                    kind => return Err(odd(archive, &name, &format!("is {kind}; archives hold plain files only"))),
                }
                if members.names.len() + open.len() > files_max {
                    return Err(refused(archive, format!("it holds more than {files_max} files")));
                }
            }
        }
        members.names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(members)
    }

    /// A file, and the bytes that it takes on the disk.
    pub fn file(&self, archive: &Path, name: &str, at: &Below) -> Result<(File, u64), ArchiveError> {
        let file = self.0.file(at).map_err(|error| match Odd::in_error(&error.source) {
            Some(what) => odd(archive, name, &format!("cannot be read: {what}")),
            None => error.into(),
        })?;
        let meta = file.metadata().map_err(ArchiveError::io("look at", archive))?;
        Ok((file, meta.blocks() * 512))
    }

    /// Whether a file is there, and its beginning.
    pub fn head(&self, name: &str, bytes_max: u64) -> Option<Vec<u8>> {
        self.0.read(&self.0.name([name]).ok()?, bytes_max).ok()
    }

    /// Whether anything is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.name([name]).is_ok_and(|name| self.0.has(&name))
    }
}

fn odd(archive: &Path, name: &str, what: &str) -> ArchiveError {
    refused(archive, format!("'{}' {what}", name.escape_debug()))
}
