//! Renaming and removing beneath a folder. A removal never leaves the folder's file system, never follows a link, and
//! is of bounded depth. It must not know why something goes.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::resolve::{self, FileKind, Odd, Reach};
use super::{Below, Error, Folder, UNFINISHED};

/// Folders in folders that a removal goes down, or a copy.
const DEPTH_MAX: usize = 32;

/// How something came to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// By one rename.
    Renamed,
    /// The file system would not rename it: it was copied, synced, and removed where it was.
    Copied,
}

impl Folder {
    /// Renames a file or folder, which replaces a file of the new name. False where the file system would have to
    /// copy: the places are on two of them, or on two layers of one.
    pub fn rename(&self, from: &Below, folder: &Folder, to: &Below) -> Result<bool, Error> {
        let renamed = self.in_parent(from, |old, old_last| {
            folder.in_parent(to, |new, new_last| match renameat(old, old_last, new, new_last) {
                Ok(()) => Ok(true),
                Err(Errno::EXDEV) => Ok(false),
                Err(error) => Err(error.into()),
            })
        });
        renamed.map_err(Error::new("rename to", &folder.path_of(to)))
    }

    /// Moves a file or folder, by copying it where it cannot be renamed: what is under the new name is whole. The
    /// folder above the new name must be there, and nothing under it.
    pub fn move_to(&self, from: &Below, folder: &Folder, to: &Below) -> Result<Moved, Error> {
        if self.rename(from, folder, to)? {
            return Ok(Moved::Renamed);
        }
        let above = match to.parent() {
            Some(above) => folder.folder(&above)?,
            None => folder.clone(),
        };
        let staged = above.name([&format!(".{}{UNFINISHED}", to.last())])?;
        above.remove_tree(&staged)?;
        self.copy(from, &above, &staged, DEPTH_MAX)?;
        above.sync()?;
        if !above.rename(&staged, folder, to)? {
            return Err(Error::new("rename to", &folder.path_of(to))(Errno::EXDEV.into()));
        }
        above.sync()?;
        self.remove_tree(from)?;
        Ok(Moved::Copied)
    }

    /// Copies plain files and folders of them, synced.
    fn copy(&self, from: &Below, folder: &Folder, to: &Below, depth: usize) -> Result<(), Error> {
        let shown = self.path_of(from);
        let found = self.look(from)?.map(|look| look.kind);
        if found != Some(FileKind::Folder) {
            let mut source = self.file(from)?;
            let mut target = folder.create(to)?;
            io::copy(&mut source, &mut target).map_err(Error::new("copy", &shown))?;
            return target.sync_all().map_err(Error::new("sync", &folder.path_of(to)));
        }
        if depth == 0 {
            return Err(Error::new("copy", &shown)(Odd::Deep.into()));
        }
        let (source, target) = (self.folder(from)?, folder.new_folder(to, 0o777)?);
        for entry in source.list()? {
            let Some(name) = entry.below() else {
                return Err(Error::new("copy", &shown)(Odd::Name(super::NameError::Empty).into()));
            };
            source.copy(&name, &target, &name, depth - 1)?;
        }
        target.sync()
    }

    /// Removes a file, or a link itself. Nothing is done where it is not there; whether it was.
    pub fn remove_file(&self, name: &Below) -> Result<bool, Error> {
        let removed = self.in_parent(name, |fd, last| Ok(unlinkat(fd, last, UnlinkatFlags::NoRemoveDir)?));
        absent_is_fine(removed).map_err(Error::new("remove", &self.path_of(name)))
    }

    /// Removes an empty folder. Nothing is done where it is not there; whether it was.
    pub fn remove_folder(&self, name: &Below) -> Result<bool, Error> {
        let removed = self.in_parent(name, |fd, last| Ok(unlinkat(fd, last, UnlinkatFlags::RemoveDir)?));
        absent_is_fine(removed).map_err(Error::new("remove the folder", &self.path_of(name)))
    }

    /// Removes a folder with all that lies in it, or a file. Whether it was there.
    pub fn remove_tree(&self, name: &Below) -> Result<bool, Error> {
        let removed = self.in_parent(name, |fd, last| remove(fd, OsStr::new(last), DEPTH_MAX));
        absent_is_fine(removed).map_err(Error::new("remove", &self.path_of(name)))
    }

    /// Removes all that lies in it but what has one of these names.
    pub(super) fn clear_but(&self, kept: &[&str]) -> Result<(), Error> {
        for entry in self.list()? {
            if !kept.iter().any(|kept| entry.name == *kept) {
                remove(self.fd(), &entry.name, DEPTH_MAX)
                    .map_err(Error::new("remove", &self.shown().join(&entry.name)))?;
            }
        }
        Ok(())
    }
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes one part of a folder, whatever it is: a link itself, and a folder after what lies in it.
fn remove(at: impl AsFd, part: &OsStr, depth: usize) -> io::Result<()> {
    match unlinkat(&at, part, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR | Errno::EPERM) => {}
        other => return Ok(other?),
    }
    if FileKind::of(&resolve::stat(&at, part)?) != FileKind::Folder {
        return Err(Errno::EPERM.into());
    }
    if depth == 0 {
        return Err(Odd::Deep.into());
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let folder = match resolve::open_text(at.as_fd(), part, flags, Mode::empty(), Reach::OneFileSystem) {
        Err(Errno::EXDEV) => return Err(Odd::Mount.into()),
        other => other?,
    };
    for name in names(&folder)? {
        remove(&folder, &name, depth - 1)?;
    }
    Ok(unlinkat(&at, part, UnlinkatFlags::RemoveDir)?)
}

fn names(folder: &OwnedFd) -> io::Result<Vec<std::ffi::OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in nix::dir::Dir::from_fd(File::from(folder.try_clone()?).into())? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_os_string();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}
