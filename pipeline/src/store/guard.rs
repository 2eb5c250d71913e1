//! Who may use a store at the same time: writers add side by side; who takes results away does so alone. It
//! must not know what is added or taken.

use std::fs::{File, OpenOptions};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{Store, StoreError};

/// The right to add, or to take away, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Guard {
    _lock: Flock<File>,
}

impl Store {
    /// The right to add results, after whoever takes some away.
    pub(super) fn adding(&self) -> Result<Guard, StoreError> {
        let path = self.root().join("lock");
        let lock = Flock::lock(open(&path)?, FlockArg::LockShared);
        lock.map(|lock| Guard { _lock: lock }).map_err(|(_, error)| StoreError::io("lock", &path)(error.into()))
    }

    /// The right to take results away: nobody adds any meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if somebody does now.
    pub(super) fn taking_away(&self) -> Result<Guard, StoreError> {
        self.prepare()?;
        let path = self.root().join("lock");
        match Flock::lock(open(&path)?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Guard { _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(StoreError::Busy { path: self.root().display().to_string() }),
            Err((_, error)) => Err(StoreError::io("lock", &path)(error.into())),
        }
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(StoreError::io("open", path))
}
