//! Who may use a store at the same time: writers add side by side; who takes results away does so alone. Between hosts
//! a lock may tell nothing: there each shows what it does by a folder for unfinished work, first, and then looks for the
//! other one's. It must not know what is added or taken.

use std::time::Duration;

use super::{Store, StoreError, generation};
use crate::beneath::{Held, Lock, Stage};
use crate::signals;

/// Name of the file that is locked.
const LOCK: &str = "lock";

/// The right to add, or to take away, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Guard {
    _held: Held,
    /// What other hosts see of it.
    _shown: Option<Stage>,
}

/// How the folder begins by which other hosts see that results are taken away.
const TAKING: &str = "taking";
/// How often one who waits for another host looks again.
const PAUSE: Duration = Duration::from_millis(200);

impl Store {
    /// The right to add results, after whoever takes some away.
    pub(super) fn adding(&self) -> Result<Guard, StoreError> {
        let held = self.made()?.lock(&self.name([LOCK])?, Lock::Shared)?;
        Ok(Guard { _held: held, _shown: None })
    }

    /// Waits for whoever takes results away on another host; `shown` is what it sees of this one.
    pub(super) fn await_takers(&self, shown: &Stage) -> Result<(), StoreError> {
        while !shown.others(Some(TAKING))?.is_empty() {
            if signals::asked() {
                let interrupted = std::io::ErrorKind::Interrupted.into();
                return Err(StoreError::io("wait for another host that deletes from", self.root())(interrupted));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The right to keep a generation of an experiment, after whoever keeps one now.
    pub(super) fn keeping(&self, experiment: &str) -> Result<Guard, StoreError> {
        let root = self.made()?;
        root.make_folder(&self.name([generation::FOLDER])?)?;
        let held = root.lock(&self.name([generation::FOLDER, &format!("{experiment}+lock")])?, Lock::Alone)?;
        Ok(Guard { _held: held, _shown: None })
    }

    /// The right to take results away: nobody adds any meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if somebody does now, [`StoreError::BusyElsewhere`] if on another host.
    pub(super) fn taking_away(&self) -> Result<Guard, StoreError> {
        self.prepare()?;
        let busy = || StoreError::Busy { path: self.root().display().to_string() };
        let held = self.made()?.lock_if_free(&self.name([LOCK])?, Lock::Alone)?.ok_or_else(busy)?;
        let shown = Stage::make_for(TAKING, &self.tmp()?)?;
        let mut others = shown.others(None)?;
        // Some stages lie on the file system of the results.
        let root = self.made()?;
        if let Some(tmp) = root.folder_if_there(&self.name([super::RESULTS, "tmp"])?)? {
            others.extend(Stage::make_for(TAKING, &tmp)?.others(None)?);
        }
        match others.first() {
            Some(other) => Err(StoreError::BusyElsewhere {
                path: self.root().display().to_string(),
                stage: self.root().join("tmp").join(other.as_str()).display().to_string(),
            }),
            None => Ok(Guard { _held: held, _shown: Some(shown) }),
        }
    }
}
