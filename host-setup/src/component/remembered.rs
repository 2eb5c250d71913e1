//! What was read out of files, remembered as long as this process lives and a file is the same: programs share most of
//! their libraries. It must not know what was read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::digests::{Identity, identity, is_settled};

/// Files that are remembered at most; beyond it all are forgotten.
const FILES_MAX: usize = 10_000;

/// What was read, by file.
pub(super) struct Remembered<T>(Mutex<BTreeMap<Identity, T>>);

impl<T: Clone> Remembered<T> {
    /// Nothing is remembered yet.
    pub(super) const fn new() -> Remembered<T> {
        Remembered(Mutex::new(BTreeMap::new()))
    }

    /// What `read` makes of a file, or made of it before. One that is known is not opened.
    pub(super) fn of(&self, path: &Path, read: impl FnOnce(File) -> io::Result<T>) -> io::Result<T> {
        let known = self.lock().get(&identity(&fs::metadata(path)?)).cloned();
        if let Some(value) = known {
            return Ok(value);
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        let value = read(file)?;
        if is_settled(&about) {
            let mut all = self.lock();
            if all.len() >= FILES_MAX {
                all.clear();
            }
            all.insert(identity(&about), value.clone());
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Identity, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
