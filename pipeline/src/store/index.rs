//! The index: which results a key has, without opening their folders. A cache that can be thrown away: a
//! checkpoint, and one append-only segment a writer. An entry is written and synced before its result is
//! renamed into place, so a result is never without its entry; entries of segments are believed only if the
//! result is there. It must not know what is in a result.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;
use results::tuple::Tuple;

use super::{Fault, INDEX, Status, Store, StoreError};
use crate::beneath::{Below, FileKind, Lock, Nearby, Stage, is_of_another_host, is_untouched};
use crate::key::{Key, ResultId};

/// Bytes of an encoded entry.
const ENTRY_BYTES: usize = 112;
const CHECKPOINT_MAGIC: &[u8; 16] = b"septet index 01\n";
/// Most bytes of a checkpoint or a segment: nine million results.
const BYTES_MAX: u64 = 1 << 30;
/// How the folder begins by which other hosts see that segments are folded.
const FOLDING: &str = "folding";
/// Entries in segments beyond which a writer folds them into the checkpoint.
const FOLD_ENTRIES: usize = 4096;

/// A test by its name: 16 bytes of the name's BLAKE3. Finds older results of a test whose key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestId([u8; 16]);

impl TestId {
    /// The id of a test. Its name is left in `name`, so that the next one needs no memory.
    pub fn of_tuple(tuple: &Tuple, name: &mut String) -> TestId {
        use std::fmt::Write;
        name.clear();
        // Writing to a string cannot fail.
        let _ = write!(name, "{tuple}");
        TestId::of(name)
    }

    /// The id of the test of that name.
    pub fn of(name: &str) -> TestId {
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
        TestId(id)
    }
}

/// One repetition, as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The result's key.
    pub key: Key,
    /// The result's folder.
    pub id: ResultId,
    /// The result's test.
    pub test: TestId,
    /// Whether it counts as a valid repetition.
    pub standing: Standing,
    /// What it cost, milliseconds.
    pub cost_ms: u32,
    /// When it was stored, milliseconds since 1970.
    pub stored_ms: u64,
    /// The value that repetitions are judged by: received packets/s, or mean round trip in ns.
    pub value: f64,
}

/// A [`Status`] without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The repetition counts.
    Valid,
    /// Kept, left out of averages.
    Suspect,
    /// The repetition failed: there are no values.
    Failed,
}

impl From<&Status> for Standing {
    fn from(status: &Status) -> Standing {
        match status {
            Status::Valid => Standing::Valid,
            Status::Suspect => Standing::Suspect,
            Status::Failed { .. } => Standing::Failed,
        }
    }
}

impl Entry {
    pub(super) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0u8; ENTRY_BYTES];
        out[0..32].copy_from_slice(&self.key.0);
        out[32..64].copy_from_slice(&self.id.0);
        out[64..80].copy_from_slice(&self.test.0);
        out[80] = match self.standing {
            Standing::Valid => 1,
            Standing::Suspect => 2,
            Standing::Failed => 3,
        };
        out[84..88].copy_from_slice(&self.cost_ms.to_le_bytes());
        out[88..96].copy_from_slice(&self.stored_ms.to_le_bytes());
        out[96..104].copy_from_slice(&self.value.to_le_bytes());
        let check = blake3::hash(&out[..104]);
        out[104..112].copy_from_slice(&check.as_bytes()[..8]);
        out
    }

    fn decode(bytes: &[u8], check: bool) -> Option<Entry> {
        if bytes.len() != ENTRY_BYTES || check && blake3::hash(&bytes[..104]).as_bytes()[..8] != bytes[104..112] {
            return None;
        }
        let standing = match bytes[80] {
            1 => Standing::Valid,
            2 => Standing::Suspect,
            3 => Standing::Failed,
            _ => return None,
        };
        Some(Entry {
            key: Key(bytes[0..32].try_into().ok()?),
            id: ResultId(bytes[32..64].try_into().ok()?),
            test: TestId(bytes[64..80].try_into().ok()?),
            standing,
            cost_ms: u32::from_le_bytes(bytes[84..88].try_into().ok()?),
            stored_ms: u64::from_le_bytes(bytes[88..96].try_into().ok()?),
            value: f64::from_le_bytes(bytes[96..104].try_into().ok()?),
        })
    }
}

/// What the index says, in memory.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Sorted by key, then time, then id; no id twice.
    entries: Vec<Entry>,
    /// Where entries begin by their keys.
    starts: Starts,
    /// Newest entry of each test, made when it is first asked for, since a run that has nothing to do never asks.
    newest: OnceLock<Newest>,
}

/// The newest entry of each test, as its place among all.
#[derive(Clone, Debug)]
struct Newest {
    /// In order of tests.
    places: Vec<(TestId, u32)>,
    starts: Starts,
}

/// Where in a list those begin that begin with each number of some bits, and one past the last. Digests are in order
/// there, so that about one is behind each.
#[derive(Clone, Debug, Default)]
struct Starts(Vec<u32>);

impl Starts {
    /// Of digests in order, by what they begin with.
    fn of(first: impl ExactSizeIterator<Item = [u8; 4]>) -> Starts {
        let len = first.len();
        let bits = len.max(1).ilog2().min(20);
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (place, first) in first.enumerate() {
            starts.resize(starts.len().max(beginning(first, bits) + 1), place as u32);
        }
        starts.resize((1 << bits) + 1, len as u32);
        Starts(starts)
    }

    /// How many bits they tell apart.
    fn bits(&self) -> u32 {
        self.0.len().saturating_sub(1).max(1).ilog2()
    }

    /// Where one is if it is there at all.
    fn near(&self, first: [u8; 4]) -> Range<usize> {
        let at = beginning(first, self.bits());
        match (self.0.get(at), self.0.get(at + 1)) {
            (Some(from), Some(to)) => *from as usize..*to as usize,
            _ => 0..0,
        }
    }

    /// Makes room for one more.
    fn insert(&mut self, first: [u8; 4]) {
        let later = beginning(first, self.bits()) + 1;
        self.0[later..].iter_mut().for_each(|start| *start += 1);
    }
}

/// The number that a digest begins with.
fn beginning(first: [u8; 4], bits: u32) -> usize {
    u32::from_be_bytes(first).checked_shr(32 - bits).unwrap_or(0) as usize
}

/// What a digest begins with.
fn first<const N: usize>(digest: &[u8; N]) -> [u8; 4] {
    std::array::from_fn(|place| digest[place])
}

/// The place of each test's newest entry, of several the last.
fn newest(entries: &[Entry]) -> Newest {
    let of = |(place, entry): (usize, &Entry)| (entry.test, entry.stored_ms, place as u32);
    let mut newest: Vec<(TestId, u64, u32)> = entries.par_iter().enumerate().map(of).collect();
    newest.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.cmp(a)));
    newest.dedup_by_key(|(test, ..)| *test);
    let starts = Starts::of(newest.iter().map(|(test, ..)| first(&test.0)));
    Newest { places: newest.into_iter().map(|(test, _, place)| (test, place)).collect(), starts }
}

impl Index {
    /// Entries in any order, the same result possibly more than once.
    pub fn from_entries(mut entries: Vec<Entry>) -> Index {
        entries.sort_unstable_by_key(|entry| (entry.key, entry.stored_ms, entry.id));
        entries.dedup_by_key(|entry| (entry.key, entry.id));
        let starts = Starts::of(entries.iter().map(|entry| first(&entry.key.0)));
        Index { entries, starts, newest: OnceLock::new() }
    }

    /// Adds a result that was stored since; one that is there already changes nothing.
    pub fn insert(&mut self, entry: Entry) {
        if self.of_key(&entry.key).iter().any(|known| known.id == entry.id) {
            return;
        }
        if self.entries.is_empty() {
            *self = Index::from_entries(vec![entry]);
            return;
        }
        let order = |entry: &Entry| (entry.key, entry.stored_ms, entry.id);
        let place = self.entries.partition_point(|known| order(known) < order(&entry));
        self.entries.insert(place, entry);
        self.starts.insert(first(&entry.key.0));
        self.newest = OnceLock::new();
    }

    /// All repetitions of a key, oldest first.
    pub fn of_key(&self, key: &Key) -> &[Entry] {
        let near = &self.entries[self.starts.near(first(&key.0))];
        let start = near.partition_point(|entry| entry.key < *key);
        let len = near[start..].partition_point(|entry| entry.key == *key);
        &near[start..start + len]
    }

    /// The newest repetition of a test, whatever its key.
    pub fn newest_of(&self, test: TestId) -> Option<&Entry> {
        let Newest { places, starts } = self.newest.get_or_init(|| newest(&self.entries));
        let near = &places[starts.near(first(&test.0))];
        let place = near.binary_search_by(|(other, _)| other.cmp(&test)).ok()?;
        self.entries.get(near[place].1 as usize)
    }

    /// Every entry, sorted by key.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl Store {
    /// Reads the index; where there is none, or it is damaged, from the results themselves. Writes nothing.
    pub fn index(&self) -> Result<Index, StoreError> {
        let root = self.folder()?;
        let name = self.checkpoint_name()?;
        let look = || root.as_ref().and_then(|root| root.look(&name).ok().flatten());
        let mut before = look();
        loop {
            let Some(mut entries) = self.read_checkpoint()? else {
                return Ok(Index::from_entries(self.scan()?));
            };
            let segments = self.segments()?;
            for segment in &segments {
                entries.extend(self.read_segment(segment)?);
            }
            // Who folds a segment into the checkpoint writes another one first: what was in it is there.
            let now = look();
            if now != before {
                before = now;
                continue;
            }
            // A segment may have lost entries; unlike a checkpoint it has no digest of the whole.
            if !segments.is_empty() {
                let known: HashSet<ResultId> = entries.iter().map(|entry| entry.id).collect();
                entries.extend(self.scan_but(&known)?);
            }
            return Ok(Index::from_entries(entries));
        }
    }

    /// The index with every result that is there, also where whoever took results away died between the index and them.
    pub(super) fn whole_index(&self) -> Result<Index, StoreError> {
        let mut entries = self.index()?.entries;
        let known: HashSet<ResultId> = entries.iter().map(|entry| entry.id).collect();
        entries.extend(self.scan_but(&known)?);
        Ok(Index::from_entries(entries))
    }

    /// Entries made from the results themselves; damaged ones are left out (`store verify` names them).
    ///
    /// # Errors
    /// Where one cannot be read.
    pub(super) fn scan(&self) -> Result<Vec<Entry>, StoreError> {
        self.scan_but(&HashSet::new())
    }

    /// Files of the index that are damaged or cannot be read, each with why. A torn last entry is not: its writer was killed.
    pub(super) fn damaged_index(&self) -> Result<Vec<(Below, Fault)>, StoreError> {
        let mut found = Vec::new();
        let checkpoint = self.checkpoint_name()?;
        let is_sound = |bytes: &[u8]| bytes.chunks_exact(ENTRY_BYTES).all(|entry| Entry::decode(entry, true).is_some());
        for name in self.segments()?.into_iter().chain([checkpoint.clone()]) {
            match self.read(&name, BYTES_MAX) {
                Ok(None) => {}
                Ok(Some(bytes)) if name == checkpoint && decode_checkpoint(&bytes).is_some() => {}
                Ok(Some(bytes)) if name != checkpoint && is_sound(&bytes) => {}
                Ok(Some(_)) => found.push((name, Fault::damage("its content is not what its digests say"))),
                Err(error) => found.push((name, error.into())),
            }
        }
        Ok(found)
    }

    fn scan_but(&self, known: &HashSet<ResultId>) -> Result<Vec<Entry>, StoreError> {
        let ids: Vec<ResultId> = self.result_ids()?.into_iter().filter(|id| !known.contains(id)).collect();
        let entry = |id: &ResultId| match self.record(id) {
            Ok(record) => Some(Ok(record.entry(*id))),
            // An index without it would be believed from now on.
            Err(error) if error.is_unread() => Some(Err(error)),
            Err(_) => None,
        };
        ids.par_iter().filter_map(entry).collect()
    }

    fn checkpoint_name(&self) -> Result<Below, StoreError> {
        self.name([INDEX, "checkpoint"])
    }

    /// `None` where there is no checkpoint that can be believed.
    fn read_checkpoint(&self) -> Result<Option<Vec<Entry>>, StoreError> {
        let bytes = self.read(&self.checkpoint_name()?, BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| decode_checkpoint(&bytes)))
    }

    fn segments(&self) -> Result<Vec<Below>, StoreError> {
        let listed = self.list(&self.name([INDEX])?)?;
        let names = listed.iter().filter_map(|entry| entry.text()).filter(|name| name.ends_with(".log"));
        names.map(|name| self.name([INDEX, name])).collect()
    }

    /// The sound entries of a segment whose results are there. A torn last entry is left out.
    fn read_segment(&self, name: &Below) -> Result<Vec<Entry>, StoreError> {
        let Some(root) = self.folder()? else { return Ok(Vec::new()) };
        // One that is not there was folded into the checkpoint by another process since the folder was listed.
        let bytes = root.read_if_there(name, BYTES_MAX)?.unwrap_or_default();
        let mut nearby = Nearby::new(&root);
        let mut is_there = |entry: &Entry| {
            let name = self.result_name(&entry.id).ok();
            name.and_then(|name| nearby.look(&name)).is_some_and(|look| look.kind == FileKind::Folder)
        };
        Ok(bytes
            .chunks_exact(ENTRY_BYTES)
            .filter_map(|bytes| Entry::decode(bytes, true))
            .filter(|entry| is_there(entry))
            .collect())
    }

    /// What lies beside a segment that its writer has closed.
    pub(super) fn closed(&self, segment: &Below) -> Result<Below, StoreError> {
        self.name([&format!("{}.closed", segment.as_str().strip_suffix(".log").unwrap_or(segment.as_str()))])
    }

    fn fold_lock(&self) -> Result<Below, StoreError> {
        self.name([INDEX, "fold.lock"])
    }

    /// Refuses an index that could not be folded, before anything is measured for it.
    pub(super) fn check_foldable(&self) -> Result<(), StoreError> {
        let root = self.made()?;
        root.refuse_odd(&self.fold_lock()?)?;
        Ok(root.refuse_odd(&self.checkpoint_name()?)?)
    }

    /// Folds segments of writers that are gone into the checkpoint, if there is much in them or no
    /// checkpoint yet. One process at a time; another one's fold is simply not repeated.
    pub(super) fn fold_index(&self) -> Result<(), StoreError> {
        let root = self.made()?;
        let Some(_lock) = root.lock_if_free(&self.fold_lock()?, Lock::Alone)? else { return Ok(()) };
        // A lock may tell nothing of other hosts: they see this instead.
        let shown = Stage::make_for(FOLDING, &self.tmp()?)?;
        if !shown.others(Some(FOLDING))?.is_empty() {
            return Ok(());
        }
        let now_ns = shown.touched_ns()?;
        let checkpoint = self.read_checkpoint()?;
        let segments = self.segments()?;
        let looks = segments.iter().filter_map(|name| root.look(name).ok().flatten());
        let bytes: u64 = looks.map(|look| look.len).sum();
        if checkpoint.is_some() && bytes < (FOLD_ENTRIES * ENTRY_BYTES) as u64 {
            return Ok(());
        }
        let mut entries = match checkpoint {
            Some(entries) => entries,
            None => self.scan()?,
        };
        let mut folded = Vec::new();
        for segment in segments {
            // A segment is locked by its writer as long as it lives. One of another host is a dead one's when its writer
            // has closed it, or has not touched it for long.
            let held = if is_of_another_host(segment.last()) {
                let look = root.look(&segment).ok().flatten();
                let is_dead =
                    self.has(&self.closed(&segment)?) || look.is_some_and(|look| is_untouched(look.mtime_ns, now_ns));
                is_dead.then_some(None)
            } else {
                root.lock_existing(&segment, Lock::Alone).ok().flatten().map(Some)
            };
            if let Some(held) = held {
                entries.extend(self.read_segment(&segment)?);
                folded.push((segment, held));
            }
        }
        // What a segment has lost is in no checkpoint either.
        let known: HashSet<ResultId> = entries.iter().map(|entry| entry.id).collect();
        entries.extend(self.scan_but(&known)?);
        self.write_checkpoint(entries)?;
        for (segment, _held) in folded {
            self.remove(&segment)?;
            self.remove(&self.closed(&segment)?)?;
        }
        Ok(())
    }

    /// Makes the index anew from the results themselves: after results came in by other means than a
    /// [`super::Writer`]. No writer may be at work.
    pub fn rebuild_index(&self) -> Result<(), StoreError> {
        self.prepare()?;
        self.write_checkpoint(self.scan()?)
    }

    /// Makes these entries the whole index. No writer may be at work.
    pub(super) fn replace_index(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let segments = self.segments()?;
        self.write_checkpoint(entries)?;
        for segment in segments {
            self.remove(&segment)?;
            self.remove(&self.closed(&segment)?)?;
        }
        Ok(())
    }

    /// Writes a checkpoint of exactly these entries.
    fn write_checkpoint(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let bytes = index_bytes(entries);
        self.put(&self.checkpoint_name()?, &bytes)
    }
}

/// The content of a checkpoint; `None` for one that cannot be believed.
fn decode_checkpoint(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (header, body) = bytes.split_at_checked(48)?;
    let sound = header[..16] == CHECKPOINT_MAGIC[..] && blake3::hash(body).as_bytes()[..] == header[16..48];
    sound.then(|| body.chunks_exact(ENTRY_BYTES).filter_map(|bytes| Entry::decode(bytes, false)).collect())
}

/// Entries as a checkpoint: what one writes into a shared store.
pub(crate) fn index_bytes(entries: Vec<Entry>) -> Vec<u8> {
    let index = Index::from_entries(entries);
    let mut body = Vec::with_capacity(index.entries.len() * ENTRY_BYTES);
    for entry in &index.entries {
        body.extend_from_slice(&entry.encode());
    }
    let mut bytes = CHECKPOINT_MAGIC.to_vec();
    bytes.extend_from_slice(blake3::hash(&body).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Entries of a part of a shared store's index; what cannot be believed is left out.
pub(crate) fn index_entries(bytes: &[u8]) -> Vec<Entry> {
    let plain = || bytes.chunks_exact(ENTRY_BYTES).filter_map(|bytes| Entry::decode(bytes, true)).collect();
    decode_checkpoint(bytes).unwrap_or_else(plain)
}

#[cfg(test)]
mod tests;
