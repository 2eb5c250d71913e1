//! The store's files, beneath its open folder: reading, writing whole or not at all, taking away. What the user named
//! as a store may be a link; what lies beside an experiment, and everything in a store, may not. It must not know what
//! is in files.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::{STORE_FOLDER, Store, StoreError};
use crate::beneath::{self, Below, Folder, Listed, Odd, Stage};

/// Folder of unfinished writes.
pub(crate) const TMP: &str = "tmp";

/// Where a store is, and so how its folder is opened.
#[derive(Clone, Debug)]
pub(super) enum StorePlace {
    /// Where the user said.
    Named(PathBuf),
    /// In its usual place in a folder.
    Beside(PathBuf),
    /// Beneath an open folder.
    Beneath(Folder, Below),
}

impl StorePlace {
    /// The path, as the user is told it.
    pub(super) fn shown(&self) -> PathBuf {
        match self {
            StorePlace::Named(path) => path.clone(),
            StorePlace::Beside(folder) => folder.join(STORE_FOLDER),
            StorePlace::Beneath(folder, name) => folder.path_of(name),
        }
    }

    fn open(&self) -> Result<Option<Folder>, StoreError> {
        Ok(match self {
            StorePlace::Named(path) => Folder::open_if_there(path)?,
            StorePlace::Beside(beside) => match Folder::open_if_there(beside)? {
                Some(folder) => folder.folder_if_there(&folder.name([STORE_FOLDER])?).map_err(unfollowed)?,
                None => None,
            },
            StorePlace::Beneath(folder, name) => folder.folder_if_there(name)?,
        })
    }

    fn make(&self) -> Result<Folder, StoreError> {
        Ok(match self {
            StorePlace::Named(path) => Folder::make(path)?,
            StorePlace::Beside(beside) => {
                let folder = Folder::open(beside)?;
                folder.make_folder(&folder.name([STORE_FOLDER])?).map_err(unfollowed)?
            }
            StorePlace::Beneath(folder, name) => folder.make_folder(name)?,
        })
    }
}

/// A store beside an experiment that is a link may lead anywhere, if the experiment is somebody else's.
fn unfollowed(error: beneath::Error) -> StoreError {
    match Odd::in_error(&error.source).is_some_and(Odd::is_link) {
        true => StoreError::Linked { path: error.path },
        false => error.into(),
    }
}

/// A store's folder, opened once.
#[derive(Clone, Debug, Default)]
pub(super) struct Root(Arc<OnceLock<Folder>>);

impl Store {
    /// The store's folder; nothing where nothing was ever written to it.
    pub(crate) fn folder(&self) -> Result<Option<Folder>, StoreError> {
        if let Some(folder) = self.open.0.get() {
            return Ok(Some(folder.clone()));
        }
        let found = self.place.open()?;
        Ok(found.map(|folder| self.open.0.get_or_init(|| folder).clone()))
    }

    /// The store's folder, made if it is missing.
    pub(super) fn made(&self) -> Result<Folder, StoreError> {
        match self.folder()? {
            Some(folder) => Ok(folder),
            None => {
                let folder = self.place.make()?;
                Ok(self.open.0.get_or_init(|| folder).clone())
            }
        }
    }

    /// A name in it.
    ///
    /// # Errors
    /// Parts that name nothing below it.
    pub(crate) fn name<const N: usize>(&self, parts: [&str; N]) -> Result<Below, StoreError> {
        Below::of(parts).map_err(|wrong| {
            let source = std::io::Error::from(Odd::Name(wrong));
            StoreError::io("use", &self.root().join(parts.join("/")))(source)
        })
    }

    /// Where something lies, as the user is told it.
    pub(crate) fn path_of(&self, name: &Below) -> PathBuf {
        self.root().join(name.as_str())
    }

    /// Whether something lies there.
    pub(crate) fn has(&self, name: &Below) -> bool {
        self.folder().ok().flatten().is_some_and(|folder| folder.has(name))
    }

    /// The content of a file; nothing where it is not there.
    pub(crate) fn read(&self, name: &Below, bytes_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.folder()? {
            Some(folder) => Ok(folder.read_if_there(name, bytes_max)?),
            None => Ok(None),
        }
    }

    /// The content of a file that must be there.
    pub(crate) fn read_there(&self, name: &Below, bytes_max: u64) -> Result<Vec<u8>, StoreError> {
        let absent = || StoreError::io("read", &self.path_of(name))(std::io::ErrorKind::NotFound.into());
        self.read(name, bytes_max)?.ok_or_else(absent)
    }

    /// What lies in a folder, in order of name; nothing where it is not there.
    pub(crate) fn list(&self, name: &Below) -> Result<Vec<Listed>, StoreError> {
        let Some(folder) = self.folder()? else { return Ok(Vec::new()) };
        let Some(folder) = folder.folder_if_there(name)? else { return Ok(Vec::new()) };
        let mut listed = folder.list()?;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Names of the folders in a folder, in order.
    pub(crate) fn subfolders(&self, name: &Below) -> Result<Vec<String>, StoreError> {
        let folders = self.list(name)?.into_iter().filter(|entry| entry.kind == beneath::FileKind::Folder);
        Ok(folders.filter_map(|entry| entry.name.into_string().ok()).collect())
    }

    /// Writes a file so that readers see the old content or the new one, synced. Folders above it are made.
    pub(crate) fn put(&self, name: &Below, bytes: &[u8]) -> Result<(), StoreError> {
        let root = self.made()?;
        let parent = match name.parent() {
            Some(above) => root.make_folder(&above)?,
            None => root,
        };
        let target = parent.name([name.last()])?;
        let stage = Stage::make(&self.tmp()?)?;
        let staged = stage.folder().name(["file"])?;
        stage.folder().write_new(&staged, bytes)?;
        if stage.folder().rename(&staged, &parent, &target)? {
            return Ok(parent.sync()?);
        }
        // The folder is on another file system than unfinished work.
        let mut replacement = parent.replacing(&target)?;
        replacement.write(bytes)?;
        Ok(replacement.finish_synced()?)
    }

    /// Writes a file unless it has these bytes already; not synced, for what can be made again.
    pub(crate) fn put_again(&self, name: &Below, bytes: &[u8]) -> Result<(), StoreError> {
        self.made()?.replace_if_different(name, bytes)?;
        Ok(())
    }

    /// Removes a file; whether it was there.
    pub(crate) fn remove(&self, name: &Below) -> Result<bool, StoreError> {
        match self.folder()? {
            Some(folder) => Ok(folder.remove_file(name)?),
            None => Ok(false),
        }
    }

    /// Moves a file or folder within the store to where nothing is. Folders above it are made.
    pub(crate) fn put_elsewhere(&self, from: &Below, to: &Below) -> Result<(), StoreError> {
        self.take_in(&self.made()?, from, to)
    }

    /// Moves a file or folder into the store, to where nothing is. Folders above it are made.
    pub(crate) fn take_in(&self, folder: &Folder, from: &Below, to: &Below) -> Result<(), StoreError> {
        let root = self.made()?;
        let parent = match to.parent() {
            Some(above) => root.make_folder(&above)?,
            None => root,
        };
        folder.move_to(from, &parent, &parent.name([to.last()])?)?;
        Ok(parent.sync()?)
    }

    /// The folder of unfinished writes, made if it is missing.
    pub(super) fn tmp(&self) -> Result<Folder, StoreError> {
        let root = self.made()?;
        Ok(root.make_folder(&root.name([TMP])?)?)
    }

    /// Clears what dead processes left unfinished: those of other hosts only where the time of the file system is known.
    /// A store that cannot be written to has what it has.
    pub(super) fn clear_unfinished(&self, now_ns: Option<i128>) -> Result<(), StoreError> {
        let Some(root) = self.folder()? else { return Ok(()) };
        for place in [vec![TMP], vec![super::RESULTS, TMP]] {
            if let Some(tmp) = root.folder_if_there(&root.name([&place.join("/")])?)? {
                beneath::clear_abandoned(&tmp, now_ns)?;
            }
        }
        Ok(())
    }

    /// A folder for unfinished work; makes the store if it is not there.
    pub(crate) fn stage(&self) -> Result<Stage, StoreError> {
        self.prepare()?;
        let stage = Stage::make(&self.tmp()?)?;
        self.clear_unfinished(Some(stage.touched_ns()?))?;
        Ok(stage)
    }

    /// A stage on the file system of the results, so that a rename makes a result of what lies there. Tried, since
    /// two folders may be on two file systems although nothing else says so, and before anything is measured.
    pub(crate) fn stage_for_results(&self) -> Result<Stage, StoreError> {
        let stage = self.stage()?;
        let root = self.made()?;
        let results = root.make_folder(&root.name([super::RESULTS])?)?;
        let probe = stage.folder().name(["probe"])?;
        let trial = results.name([&format!(".{}", beneath::unique_name())])?;
        stage.folder().new_folder(&probe, 0o777)?;
        let renamed = stage.folder().rename(&probe, &results, &trial)?;
        match renamed {
            true => {
                results.remove_folder(&trial)?;
                Ok(stage)
            }
            false => Ok(Stage::make(&results.make_folder(&results.name([TMP])?)?)?),
        }
    }

    /// A store beneath an open folder, also where the file that says its format is damaged.
    pub(crate) fn beneath_damaged(folder: &Folder, name: &Below) -> Result<Store, StoreError> {
        Store::at_damaged(StorePlace::Beneath(folder.clone(), name.clone()))
    }

    /// A store beneath an open folder.
    pub(crate) fn beneath(folder: &Folder, name: &Below) -> Result<Store, StoreError> {
        Store::at(StorePlace::Beneath(folder.clone(), name.clone()))
    }
}
