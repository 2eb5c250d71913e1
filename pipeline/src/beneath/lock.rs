//! Locks on plain files beneath a folder: they tell the living from the dead, and keep writers apart. They are made
//! and never written. It must not know what is locked.

use std::fs::File;
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, fstat};

use super::resolve::{FileKind, Reach};
use super::{Below, Error, Folder, resolve};
use crate::signals;

/// How often one who waits looks again: whoever waits can be told to stop meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// With others who hold it so.
    Shared,
    /// Alone.
    Alone,
}

/// A lock, held as long as this lives.
#[derive(Debug)]
pub struct Held(pub(super) Flock<File>);

impl Held {
    /// Takes the lock of an open file if nobody has it.
    pub(super) fn now(file: File, how: Lock) -> Result<Held, (File, Errno)> {
        let how = match how {
            Lock::Shared => FlockArg::LockSharedNonblock,
            Lock::Alone => FlockArg::LockExclusiveNonblock,
        };
        Flock::lock(file, how).map(Held)
    }

    /// The file that is locked.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Whether the file is still what its name in that folder stands for.
    pub(super) fn is_still(&self, folder: &Folder, part: &str) -> bool {
        let identity = |stat: nix::sys::stat::FileStat| (stat.st_dev, stat.st_ino);
        match (fstat(&*self.0), resolve::stat(folder.fd(), part)) {
            (Ok(held), Ok(named)) => identity(held) == identity(named),
            _ => false,
        }
    }
}

impl Folder {
    /// A file to be locked, made if it is not there; never truncated, never written.
    pub(super) fn lock_file(&self, name: &Below) -> Result<File, Error> {
        let mode = Mode::from_bits_truncate(0o666);
        // For writing, because that is what a network file system wants of who locks.
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened =
            self.only(name, FileKind::File).and_then(|_| resolve::open(self.fd(), name, flags, mode, Reach::Mounts));
        let plain = opened.and_then(|fd| super::folder::plain(File::from(fd)));
        plain.map(|(file, _)| file).map_err(Error::new("open", &self.path_of(name)))
    }

    /// The lock of that name, if nobody holds it otherwise.
    pub fn lock_if_free(&self, name: &Below, how: Lock) -> Result<Option<Held>, Error> {
        match Held::now(self.lock_file(name)?, how) {
            Ok(held) => Ok(Some(held)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(Error::new("lock", &self.path_of(name))(error.into())),
        }
    }

    /// The lock of a file that is there, if nobody holds it otherwise. It is opened to be read, as others may who may
    /// not write it.
    pub fn lock_existing(&self, name: &Below, how: Lock) -> Result<Option<Held>, Error> {
        match Held::now(self.file(name)?, how) {
            Ok(held) => Ok(Some(held)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(Error::new("lock", &self.path_of(name))(error.into())),
        }
    }

    /// A new file, locked. Nothing may lie under its name.
    pub fn create_locked(&self, name: &Below) -> Result<Held, Error> {
        let held = Held::now(self.create(name)?, Lock::Alone);
        held.map_err(|(_, error)| Error::new("lock", &self.path_of(name))(error.into()))
    }

    /// The lock of that name, after whoever holds it.
    ///
    /// # Errors
    /// Of the kind [`io::ErrorKind::Interrupted`] where the user wants to stop while it waits.
    pub fn lock(&self, name: &Below, how: Lock) -> Result<Held, Error> {
        loop {
            if let Some(held) = self.lock_if_free(name, how)? {
                return Ok(held);
            }
            if signals::asked() {
                let interrupted = io::Error::new(io::ErrorKind::Interrupted, "interrupted while waiting for the lock");
                return Err(Error::new("lock", &self.path_of(name))(interrupted));
            }
            std::thread::sleep(PAUSE);
        }
    }
}
