//! Named origins: what was imported, each a folder of its own with its experiment and its store, so that
//! nothing of it is ever taken for one's own result. It must not know archives.
//!
//! ```text
//! .septet/origins/NAME/
//!   origin.json       where it came from
//!   FILE              the experiment
//!   .septet/          its results
//! ```

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ArchiveError;
use crate::store::{STORE_FOLDER, Store, StoreError};
use crate::workspace::Workspace;
use reports::spec::Id;

/// Name of the file that says where an origin came from.
pub(super) const ORIGIN_FILE: &str = "origin.json";

/// Where imported results came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Version of this file.
    pub format: u32,
    /// Name under which it was imported.
    pub name: String,
    /// Digest of the archive's contents, 16 hexadecimal digits.
    pub archive: String,
    /// Name of the experiment's file.
    pub file: String,
}

impl Origin {
    /// The name of an origin.
    ///
    /// # Errors
    /// A text that cannot name a folder.
    pub fn name(text: &str) -> Result<Id, ArchiveError> {
        Id::new(text).filter(|id| !id.as_str().starts_with('.')).ok_or_else(|| {
            ArchiveError::unfit(format!("under the origin '{text}'"), "use letters, digits, '.', '_' and '-'")
        })
    }

    /// Folder of an origin.
    pub(super) fn folder(store: &Store, name: &Id) -> PathBuf {
        store.root().join("origins").join(name.as_str())
    }

    /// What is known of an origin; absent if there is none of that name.
    pub fn read(store: &Store, name: &Id) -> Result<Option<Origin>, ArchiveError> {
        let path = Origin::folder(store, name).join(ORIGIN_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ArchiveError::io("read", &path)(error)),
        };
        let origin = serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(&path, error))?;
        Ok(Some(origin))
    }

    /// The experiment and the store of an origin.
    pub fn workspace(store: &Store, name: &Id) -> Result<Option<Workspace>, ArchiveError> {
        let Some(origin) = Origin::read(store, name)? else { return Ok(None) };
        let folder = Origin::folder(store, name);
        Ok(Some(Workspace::load(&folder.join(&origin.file), Some(&folder.join(STORE_FOLDER)))?))
    }
}
