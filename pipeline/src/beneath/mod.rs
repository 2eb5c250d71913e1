//! Files beneath an open folder: everything that septet reads, writes, renames, removes and locks in a store, a
//! report or a folder for unfinished work goes through here. What lies there may be somebody else's, so names are
//! parsed and never joined, no link is followed, and only plain files are read. It must not know what is in files.
//!
//! The folder itself is what the user named, so that links on the way to it are followed, once, when it is opened.

mod change;
mod destination;
mod folder;
mod lock;
mod name;
mod output;
mod replace;
mod resolve;
mod stage;

use std::io;
use std::path::Path;

pub use change::Moved;
pub use destination::Destination;
pub use folder::{Folder, Listed, Look, Nearby, Spot};
pub use lock::{Held, Lock};
pub use name::{Below, NameError};
pub use output::{
    append_line, create_beside, followed, open_input, open_plain_file, plain_file, replacing_output, write_output,
};
pub use replace::{Replacement, UNFINISHED};
pub use resolve::{FileKind, Odd};
pub use stage::{Stage, clear_abandoned};
pub(crate) use stage::{is_of_another_host, is_untouched, touch, unique_name};

/// Why a file or folder could not be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {path}: {source}")]
pub struct Error {
    /// Completes "failed to ... PATH".
    pub doing: &'static str,
    /// What was touched.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}

impl Error {
    fn new(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.display().to_string();
        move |source| Error { doing, path, source }
    }

    /// Whether what was asked for is not there.
    pub fn is_absent(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether this user, or anybody, may not write there.
    pub fn is_refusal(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        matches!(self.source.kind(), PermissionDenied | ReadOnlyFilesystem)
    }
}

/// What was asked for, or nothing where it is not there.
fn if_there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}
