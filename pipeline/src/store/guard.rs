//! Who may use a store at the same time: writers add side by side; who takes results away does so alone. It
//! must not know what is added or taken.

use super::{Store, StoreError, generation};
use crate::beneath::{Held, Lock};

/// Name of the file that is locked.
const LOCK: &str = "lock";

/// The right to add, or to take away, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Guard {
    _held: Held,
}

impl Store {
    /// The right to add results, after whoever takes some away.
    pub(super) fn adding(&self) -> Result<Guard, StoreError> {
        let held = self.made()?.lock(&self.name([LOCK])?, Lock::Shared)?;
        Ok(Guard { _held: held })
    }

    /// The right to keep a generation of an experiment, after whoever keeps one now.
    pub(super) fn keeping(&self, experiment: &str) -> Result<Guard, StoreError> {
        let root = self.made()?;
        root.make_folder(&self.name([generation::FOLDER])?)?;
        let held = root.lock(&self.name([generation::FOLDER, &format!("{experiment}+lock")])?, Lock::Alone)?;
        Ok(Guard { _held: held })
    }

    /// The right to take results away: nobody adds any meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if somebody does now.
    pub(super) fn taking_away(&self) -> Result<Guard, StoreError> {
        self.prepare()?;
        match self.made()?.lock_if_free(&self.name([LOCK])?, Lock::Alone)? {
            Some(held) => Ok(Guard { _held: held }),
            None => Err(StoreError::Busy { path: self.root().display().to_string() }),
        }
    }
}
