//! Where something is to be written, before anything is: its folder is made by the first who writes. It must not know
//! what is written.

use std::path::{Path, PathBuf};

use super::{Below, Error, Folder};

/// A folder that may not be there yet.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Where the user said: it may be a link.
    Named(PathBuf),
    /// Beneath the current folder, without following a link: where nobody said anything.
    Usual(Below),
    /// Here.
    Open(Folder),
}

impl Destination {
    /// The folder; nothing where it is not there.
    pub fn folder_if_there(&self) -> Result<Option<Folder>, Error> {
        match self {
            Destination::Named(path) => Folder::open_if_there(path),
            Destination::Usual(name) => Folder::open(Path::new(""))?.folder_if_there(name),
            Destination::Open(folder) => Ok(Some(folder.clone())),
        }
    }

    /// The folder, made if it is missing.
    pub fn make(&self) -> Result<Folder, Error> {
        match self {
            Destination::Named(path) => Folder::make(path),
            Destination::Usual(name) => Folder::open(Path::new(""))?.make_folder(name),
            Destination::Open(folder) => Ok(folder.clone()),
        }
    }
}
