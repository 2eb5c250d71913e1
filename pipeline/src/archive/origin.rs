//! Named origins: what was imported, each a folder of its own with its experiment and its store, so that
//! nothing of it is ever taken for one's own result. It must not know archives.
//!
//! ```text
//! .septet/origins/NAME/
//!   origin.json       where it came from
//!   FILE              the experiment
//!   .septet/          its results
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ArchiveError;
use crate::beneath::Below;
use crate::store::{STORE_FOLDER, Store, StoreError};
use crate::workspace::Workspace;
use reports::spec::Id;

/// Name of the file that says where an origin came from.
pub(super) const ORIGIN_FILE: &str = "origin.json";
/// Most bytes of it.
const BYTES_MAX: u64 = 1 << 16;

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

    /// Folder of an origin, in the store.
    pub(super) fn folder(store: &Store, name: &Id) -> Result<Below, StoreError> {
        store.name(["origins", name.as_str()])
    }

    /// Where the experiment of an origin is, by its path.
    pub(super) fn file(&self, store: &Store, name: &Id) -> Result<PathBuf, StoreError> {
        let folder = Origin::folder(store, name)?;
        Ok(store.path_of(&store.name([folder.as_str(), &self.file])?))
    }

    /// The stores of all origins, by name, as far as they can be opened.
    pub fn stores(store: &Store) -> Result<Vec<(String, Store)>, StoreError> {
        let mut stores = Vec::new();
        for name in store.subfolders(&store.name(["origins"])?)? {
            let Ok(id) = Origin::name(&name) else { continue };
            let Some(root) = store.folder()? else { continue };
            let folder = root.folder(&store.name(["origins", id.as_str()])?)?;
            let theirs = Store::beneath_damaged(&folder, &folder.name([STORE_FOLDER])?);
            match theirs {
                Ok(theirs) => stores.push((name, theirs)),
                Err(error) if error.is_unread() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(stores)
    }

    /// What is known of an origin; absent if there is none of that name.
    pub fn read(store: &Store, name: &Id) -> Result<Option<Origin>, ArchiveError> {
        let file = store.name([Origin::folder(store, name)?.as_str(), ORIGIN_FILE])?;
        let Some(bytes) = store.read(&file, BYTES_MAX)? else { return Ok(None) };
        let origin =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(&store.path_of(&file), error))?;
        Ok(Some(origin))
    }

    /// The experiment and the store of an origin.
    pub fn workspace(store: &Store, name: &Id) -> Result<Option<Workspace>, ArchiveError> {
        let Some(origin) = Origin::read(store, name)? else { return Ok(None) };
        let folder = store.folder()?.map(|root| root.folder(&Origin::folder(store, name)?).map_err(StoreError::from));
        let Some(folder) = folder.transpose()? else { return Ok(None) };
        let theirs = Store::beneath(&folder, &folder.name([STORE_FOLDER])?)?;
        Ok(Some(Workspace::beneath(&folder, &folder.name([&origin.file])?, theirs)?))
    }
}
