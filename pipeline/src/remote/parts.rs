//! The index of a shared store: parts that anybody may add and that are never changed, each named by the digest
//! of its content. Who finds many puts all of their entries into one part more and only then deletes what is in
//! it: whatever is deleted is in a larger part that is there, however many push at the same time. It must not
//! know results.
//!
//! `index/checkpoint` is a copy of it all for whoever cannot list (plain HTTP). The last who pushes writes it, so
//! that of two at the same time one may be missing in it until the next push.

use super::{Op, Outcome, Remote, RemoteError, told};
use crate::beneath::{Below, Folder};
use crate::store::{Entry, Index, STORE_FORMAT, index_bytes, index_entries};

/// Parts beyond which a push makes one of them all.
const PARTS_MAX: usize = 16;
/// Most bytes of a part, which is held in memory: some millions of results.
const BYTES_MAX: u64 = 1 << 29;
/// How often a part may be gone by the time that it is read, because somebody folds.
const ROUNDS_MAX: usize = 20;
const CHECKPOINT: &str = "index/checkpoint";

/// What a shared store has, and the parts that say so.
#[derive(Debug)]
pub struct SharedIndex {
    /// The results of the shared store.
    pub index: Index,
    parts: Vec<String>,
}

/// Reads the index of a shared store. `folder` is for files that are made on the way.
pub fn read(remote: &mut Remote, folder: &Folder) -> Result<SharedIndex, RemoteError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let (format, checkpoint) = (folder.name(["format"])?, folder.name(["checkpoint"])?);
    let first = remote.copy(vec![get("format", folder, &format), get(CHECKPOINT, folder, &checkpoint)])?;
    if remote.came("format", &first[0])? {
        let found = serde_json::from_slice::<Format>(&content(folder, &format)?).map(|format| format.format);
        let found = found.map_err(|error| remote.refused(format!("read its format: {error}")))?;
        if found > STORE_FORMAT {
            return Err(RemoteError::Newer { url: remote.address().to_string(), found });
        }
    }
    let mut entries = Vec::new();
    if remote.came(CHECKPOINT, &first[1])? {
        entries.extend(index_entries(&content(folder, &checkpoint)?));
    }
    // A plain web server cannot be listed; its checkpoint names everything that was pushed before it was copied.
    let parts = match remote.address().in_full().starts_with("http") {
        true => Vec::new(),
        false => read_parts(remote, folder, &mut entries)?,
    };
    Ok(SharedIndex { index: Index::from_entries(entries), parts })
}

/// Reads all parts as they are at one time; their names.
fn read_parts(remote: &mut Remote, folder: &Folder, entries: &mut Vec<Entry>) -> Result<Vec<String>, RemoteError> {
    for round in 0..ROUNDS_MAX {
        let names: Vec<String> = remote.list("index")?.into_iter().filter(|name| name.ends_with(".log")).collect();
        let places: Result<Vec<Below>, _> =
            (0..names.len()).map(|number| folder.name([&format!("part-{round}-{number}")])).collect();
        let places = places?;
        let read = remote.copy(names.iter().zip(&places).map(|(name, place)| get(name, folder, place)).collect())?;
        for ((name, place), outcome) in names.iter().zip(&places).zip(&read) {
            if remote.came(name, outcome)? {
                entries.extend(index_entries(&content(folder, place)?));
            }
        }
        // One that is gone by now is in another one, which may not have been there when they were listed.
        if !read.contains(&Outcome::Absent) {
            return Ok(names);
        }
    }
    Err(remote.refused("read its index, which somebody changes all the time"))
}

/// Adds entries to the index of a shared store, whose results are there.
pub fn add(remote: &mut Remote, folder: &Folder, known: &SharedIndex, new: Vec<Entry>) -> Result<(), RemoteError> {
    let all = || known.index.entries().iter().chain(&new).copied().collect();
    let (checkpoint, file) = (folder.name(["all"])?, folder.name(["new"])?);
    folder.write_new(&checkpoint, &index_bytes(all()))?;
    let change = Change::new(&known.parts, known.index.entries(), &new, PARTS_MAX);
    folder.write_new(&file, &change.bytes)?;
    remote.copy(vec![Op::Put { name: change.put, from: told(&folder.path_of(&file)) }])?;
    remote.copy(change.delete.into_iter().map(|name| Op::Delete { name }).collect())?;
    remote.copy(vec![Op::Put { name: CHECKPOINT.to_string(), from: told(&folder.path_of(&checkpoint)) }])?;
    Ok(())
}

fn get(name: &str, folder: &Folder, to: &Below) -> Op {
    Op::Get { name: name.to_string(), to: told(&folder.path_of(to)), bytes_max: BYTES_MAX }
}

fn content(folder: &Folder, name: &Below) -> Result<Vec<u8>, RemoteError> {
    Ok(folder.read(name, BYTES_MAX)?)
}

/// What a push does to the parts: puts one, then deletes what is in it.
#[derive(Debug)]
struct Change {
    put: String,
    bytes: Vec<u8>,
    delete: Vec<String>,
}

impl Change {
    /// The change that adds `new` entries, where `parts` hold `theirs`. More than `most` parts become one.
    fn new(parts: &[String], theirs: &[Entry], new: &[Entry], most: usize) -> Change {
        let folds = parts.len() >= most;
        let older = if folds { theirs } else { &[] };
        let bytes = index_bytes(older.iter().chain(new).copied().collect());
        let put = format!("index/{}.log", &blake3::hash(&bytes).to_hex()[..16]);
        let delete = parts.iter().filter(|name| folds && **name != put).cloned().collect();
        Change { put, bytes, delete }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::key::{Key, ResultId};
    use crate::store::{Standing, TestId};

    fn entry(number: u8) -> Entry {
        let (key, id) = (Key([number; 32]), ResultId([number; 32]));
        Entry { key, id, test: TestId::of("t"), standing: Standing::Valid, cost_ms: 1, stored_ms: 1, value: 1.0 }
    }

    /// One who pushes, between two of its steps.
    #[derive(Debug, Default)]
    enum Pusher {
        #[default]
        Idle,
        Reading {
            parts: Vec<String>,
            read: Vec<Entry>,
            left: Vec<String>,
        },
        Deleting(Vec<String>),
    }

    /// A shared store, and the numbers that were put into it.
    #[derive(Default)]
    struct SharedStore {
        parts: BTreeMap<String, Vec<Entry>>,
        pushed: BTreeSet<u8>,
    }

    impl Pusher {
        /// The next step: one list, get, put or delete, as others see it.
        fn step(&mut self, shared: &mut SharedStore, next: &mut u8) {
            const MOST: usize = 2;
            *self = match std::mem::take(self) {
                Pusher::Idle => {
                    let parts: Vec<String> = shared.parts.keys().cloned().collect();
                    Pusher::Reading { left: parts.clone(), parts, read: Vec::new() }
                }
                Pusher::Reading { parts, mut read, mut left } => match left.pop() {
                    Some(name) => match shared.parts.get(&name) {
                        Some(entries) => {
                            read.extend(entries);
                            Pusher::Reading { parts, read, left }
                        }
                        None => Pusher::Idle,
                    },
                    None => {
                        *next += 1;
                        let change = Change::new(&parts, &read, &[entry(*next)], MOST);
                        shared.parts.insert(change.put, index_entries(&change.bytes));
                        shared.pushed.insert(*next);
                        Pusher::Deleting(change.delete)
                    }
                },
                Pusher::Deleting(mut left) => match left.pop() {
                    Some(name) => {
                        shared.parts.remove(&name);
                        Pusher::Deleting(left)
                    }
                    None => Pusher::Idle,
                },
            };
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whoever_pushes_and_folds_at_the_same_time(
            turns in prop::collection::vec(0usize..3, 1..250),
        ) {
            let (mut pushers, mut shared, mut next) = ([Pusher::Idle, Pusher::Idle, Pusher::Idle], SharedStore::default(), 0);
            for turn in turns {
                pushers[turn].step(&mut shared, &mut next);
                let there: BTreeSet<u8> = shared.parts.values().flatten().map(|entry| entry.id.0[0]).collect();
                prop_assert_eq!(&there, &shared.pushed);
            }
        }
    }

    #[test]
    fn parts_do_not_heap_up() {
        let (mut pusher, mut shared, mut next) = (Pusher::Idle, SharedStore::default(), 0);
        let mut most = 0;
        while next < 40 {
            pusher.step(&mut shared, &mut next);
            most = most.max(shared.parts.len());
        }
        assert!((2..=3).contains(&most), "{most} parts");
    }
}
