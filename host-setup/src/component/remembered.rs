//! What was read out of files, remembered as long as this process lives and a file is the same: programs share most of
//! their libraries. It must not know what was read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::digests::{Identity, identity, is_settled};
use super::kept;
use super::looks::identity_of;
use crate::plain;

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
        self.asked(path, |_| None, |file, _| read(file))
    }

    /// The same, known by name beyond this process's life as well.
    pub(super) fn of_kept(&self, what: &str, path: &Path, read: impl FnOnce(File) -> io::Result<T>) -> io::Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let read_and_note = |file: File, settled: Option<Identity>| {
            let value = read(file)?;
            if let Some(identity) = settled {
                kept::note(what, identity, &value);
            }
            Ok(value)
        };
        self.asked(path, |identity| kept::of(what, identity), read_and_note)
    }

    /// `read` is told what a file is known by that did not change lately.
    fn asked(
        &self,
        path: &Path,
        kept: impl FnOnce(&Identity) -> Option<T>,
        read: impl FnOnce(File, Option<Identity>) -> io::Result<T>,
    ) -> io::Result<T> {
        let seen = identity_of(path)?;
        if let Some(value) = self.lock().get(&seen).cloned() {
            return Ok(value);
        }
        if let Some(value) = kept(&seen) {
            self.remember(seen, &value);
            return Ok(value);
        }
        let file = plain::open(path)?;
        let about = file.metadata()?;
        let settled = is_settled(&about).then(|| identity(&about));
        let value = read(file, settled)?;
        if let Some(identity) = settled {
            self.remember(identity, &value);
        }
        Ok(value)
    }

    fn remember(&self, identity: Identity, value: &T) {
        let mut all = self.lock();
        if all.len() >= FILES_MAX {
            all.clear();
        }
        all.insert(identity, value.clone());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Identity, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// What is kept is taken for the same file only: of any change of it nothing is known.
    #[test]
    fn what_is_kept_is_of_one_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let put = |text: &str| {
            std::fs::write(&path, text).expect("a file");
            while !is_settled(&std::fs::metadata(&path).expect("its metadata")) {
                std::thread::yield_now();
            }
        };
        let text = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text)
        };
        let unread = |_: File| Err(io::Error::other("it was read again"));
        put("one");
        // Each is another process's memory.
        let asked = |read: &dyn Fn(File) -> io::Result<String>| Remembered::new().of_kept("test", &path, read).ok();
        assert_eq!(asked(&text).as_deref(), Some("one"));
        assert_eq!(asked(&unread).as_deref(), Some("one"));
        assert_eq!(Remembered::<String>::new().of_kept("another question", &path, unread).ok(), None);
        put("two");
        assert_eq!(asked(&unread), None);
        assert_eq!(asked(&text).as_deref(), Some("two"));
    }
}
