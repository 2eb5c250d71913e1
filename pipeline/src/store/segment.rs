//! One writer's part of the index, to which it appends. It must not know who reads it, or when it is folded.

use std::io::Write;
use std::path::PathBuf;

use super::index::Entry;
use super::{INDEX, Store, StoreError};
use crate::beneath::{Below, Held, touch, unique_name};

/// One writer's segment, locked while it lives.
#[derive(Debug)]
pub(super) struct Segment {
    held: Held,
    name: Below,
    path: PathBuf,
}

impl Segment {
    /// A new segment of this process.
    pub(super) fn create(store: &Store) -> Result<Segment, StoreError> {
        let name = store.name([INDEX, &format!("{}.log", unique_name())])?;
        let held = store.made()?.create_locked(&name)?;
        Ok(Segment { held, path: store.path_of(&name), name })
    }

    /// Shows other hosts that its writer lives.
    pub(super) fn touch(&self) {
        // One that cannot be touched for a day is as good as dead to others.
        let _ = touch(self.held.file());
    }

    /// Ends it: hosts that cannot ask its lock may fold it from now on.
    pub(super) fn close(self, store: &Store) -> Result<(), StoreError> {
        Ok(store.made()?.create(&store.closed(&self.name)?).map(drop)?)
    }

    /// Appends entries and syncs them.
    pub(super) fn append<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> Result<(), StoreError> {
        let bytes: Vec<u8> = entries.flat_map(Entry::encode).collect();
        self.held.file().write_all(&bytes).map_err(StoreError::io("write", &self.path))?;
        self.held.file().sync_data().map_err(StoreError::io("sync", &self.path))
    }
}
