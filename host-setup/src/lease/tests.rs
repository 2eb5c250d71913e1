//! The core of the lease over a tree in memory that fails, rounds and is written to by others.

use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;

use super::{Entry, Record, Restored, change, restore};
use crate::lease::tree::Tree;

#[derive(Clone, Default)]
struct Memory {
    files: BTreeMap<String, String>,
    /// Writes left until the machine dies.
    writes_left: Option<usize>,
    /// What a file holds at most, as with hugepages.
    limit: Option<u64>,
}

impl Tree for Memory {
    fn read(&self, path: &str) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("dead"))?;
        }
        let number: u64 = value.parse().map_err(io::Error::other)?;
        let kept = self.limit.map_or(number, |limit| number.min(limit));
        self.files.insert(path.into(), kept.to_string());
        Ok(())
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn target(&self, _: &str) -> Option<String> {
        None
    }
}

#[derive(Default)]
struct Notes {
    entries: Vec<Entry>,
    /// Entries left until the medium is full.
    left: Option<usize>,
}

impl Record for Notes {
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("full"))?;
        }
        self.entries.push(entry.clone());
        Ok(())
    }
}

fn tree() -> Memory {
    let files = (0..4).map(|file| (file.to_string(), (file * 10).to_string())).collect();
    Memory { files, ..Memory::default() }
}

proptest! {
    /// Whatever fails, and wherever it stops: every file holds its first value again.
    #[test]
    fn everything_is_given_back(
        changes in prop::collection::vec((0usize..4, 0u64..60), 0..12),
        writes_left in prop::option::of(0usize..12),
        notes_left in prop::option::of(0usize..24),
        limit in prop::option::of(30u64..60),
    ) {
        let before = tree();
        let mut memory = Memory { writes_left, limit, ..before.clone() };
        let mut notes = Notes { left: notes_left, ..Notes::default() };
        for (file, value) in changes {
            if change(&mut memory, &mut notes, &file.to_string(), &value.to_string()).is_err() {
                break;
            }
        }
        memory.writes_left = None;
        let outcomes = restore(&mut memory, &notes.entries, &mut |_| {});
        prop_assert!(outcomes.iter().all(|outcome| *outcome == Restored::Back), "{:?}", outcomes);
        prop_assert_eq!(&memory.files, &before.files);
        // Again, as after a kill in the middle of restoring.
        restore(&mut memory, &notes.entries, &mut |_| {});
        prop_assert_eq!(memory.files, before.files);
    }

    #[test]
    fn what_others_changed_is_left_alone(ours in 1u64..9, theirs in 11u64..19) {
        let mut memory = tree();
        let mut notes = Notes::default();
        change(&mut memory, &mut notes, "0", &ours.to_string()).unwrap();
        memory.files.insert("0".into(), theirs.to_string());
        let outcomes = restore(&mut memory, &notes.entries, &mut |_| {});
        prop_assert_eq!(outcomes, vec![Restored::ChangedByOthers { path: "0".into(), value: theirs.to_string() }]);
        prop_assert_eq!(memory.read("0").unwrap(), theirs.to_string());
    }
}

#[test]
fn nothing_is_written_that_is_so_already() {
    let mut memory = Memory { writes_left: Some(0), ..tree() };
    let mut notes = Notes::default();
    assert_eq!(change(&mut memory, &mut notes, "1", "10").unwrap(), "10");
    assert!(notes.entries.is_empty());
}
