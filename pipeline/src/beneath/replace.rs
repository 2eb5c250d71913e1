//! A file that takes another one's place by one rename: readers see the old content or the new one, and a file that
//! has other names keeps its content under them. It must not know what is in files.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;

use nix::errno::Errno;

use super::lock::{Held, Lock};
use super::resolve::{FileKind, Odd};
use super::{Below, Error, Folder};

/// End of the name of a file that is being written beside the one that it will replace.
pub const UNFINISHED: &str = ".unfinished";

/// A new content of a file, not in its place yet. Removed when it is dropped before it is finished; what a killed
/// process leaves, `.NAME.unfinished`, is removed by the next that writes the same file.
#[derive(Debug)]
pub struct Replacement {
    folder: Folder,
    staged: Below,
    target: Below,
    held: Held,
    finished: bool,
}

impl Folder {
    /// Begins to replace a file, or to make it; after whoever else writes the same one. Folders above it are made.
    pub fn replacing(&self, name: &Below) -> Result<Replacement, Error> {
        let folder = match name.parent() {
            Some(above) => self.make_folder(&above)?,
            None => self.clone(),
        };
        let target = folder.name([name.last()])?;
        folder.only(&target, FileKind::File).map_err(Error::new("write", &self.path_of(name)))?;
        let staged = folder.name([&format!(".{}{UNFINISHED}", name.last())])?;
        loop {
            match folder.create(&staged) {
                Ok(file) => match Held::now(file, Lock::Alone) {
                    Ok(held) if held.is_still(&folder, staged.as_str()) => {
                        return Ok(Replacement { folder, staged, target, held, finished: false });
                    }
                    // Taken for a dead one's, and removed before it was locked.
                    Ok(_) | Err((_, Errno::EWOULDBLOCK)) => {}
                    Err((_, error)) => return Err(Error::new("lock", &folder.path_of(&staged))(error.into())),
                },
                Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                    folder.clear_unfinished(&staged)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes what stands where a file is to be written: of a dead process at once, of a living one when it is done.
    fn clear_unfinished(&self, staged: &Below) -> Result<(), Error> {
        match self.look(staged)?.map(|look| look.kind) {
            None => return Ok(()),
            Some(FileKind::File) => {}
            // Nothing of ours: a folder is told, anything else goes without being opened.
            Some(FileKind::Folder) => {
                let odd = Odd::Itself { found: FileKind::Folder, wanted: FileKind::File };
                return Err(Error::new("write", &self.path_of(staged))(odd.into()));
            }
            Some(_) => return self.remove_file(staged).map(drop),
        }
        let held = self.lock(staged, Lock::Alone)?;
        if held.is_still(self, staged.as_str()) {
            self.remove_file(staged)?;
        }
        Ok(())
    }

    /// Writes a file unless it has these bytes already, and says whether it did. Not synced: for what can be made
    /// again, such as pages.
    pub fn replace_if_different(&self, name: &Below, bytes: &[u8]) -> Result<bool, Error> {
        let same_len =
            self.look(name)?.is_some_and(|look| look.kind == FileKind::File && look.len == bytes.len() as u64);
        if same_len && self.read(name, bytes.len() as u64)? == bytes {
            return Ok(false);
        }
        let mut replacement = self.replacing(name)?;
        replacement.write(bytes)?;
        replacement.finish()?;
        Ok(true)
    }
}

impl Replacement {
    /// The file, to be written.
    pub fn file(&self) -> &File {
        &self.held.0
    }

    /// Writes more of it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file().write_all(bytes).map_err(Error::new("write", &self.folder.path_of(&self.target)))
    }

    /// Lets everybody read it.
    pub fn publish(&self) -> Result<(), Error> {
        let everybody = std::fs::Permissions::from_mode(0o644);
        self.file().set_permissions(everybody).map_err(Error::new("publish", &self.folder.path_of(&self.target)))
    }

    /// Puts it into its place.
    pub fn finish(mut self) -> Result<(), Error> {
        match self.folder.rename(&self.staged, &self.folder, &self.target)? {
            true => self.finished = true,
            false => {
                return Err(Error::new("rename to", &self.folder.path_of(&self.target))(Errno::EXDEV.into()));
            }
        }
        Ok(())
    }

    /// Puts the new file in place, synced first, and its folder after it.
    pub fn finish_synced(self) -> Result<(), Error> {
        self.file().sync_all().map_err(Error::new("sync", &self.folder.path_of(&self.target)))?;
        let folder = self.folder.clone();
        self.finish()?;
        folder.sync()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is cleared by the next that writes the same file.
            let _ = self.folder.remove_file(&self.staged);
        }
    }
}
