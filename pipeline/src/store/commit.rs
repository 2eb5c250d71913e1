//! The one way by which a repetition enters the store: whole, synced, by one rename, or not at all.
//! It must not know how it was measured.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;
use results::axes::Dimension;
use results::metric::Quantity;

use super::guard::Guard;
use super::segment::Segment;
use super::{Entry, FileDigest, RESULTS, Record, Store, StoreError, TestId};
use crate::beneath::{Below, Folder, Stage, unique_name};
use crate::key::ResultId;
use crate::manifest::Listing;

/// Level of compression of logs.
const LOG_LEVEL: i32 = 3;

/// What one repetition left.
#[derive(Debug)]
pub struct Repetition {
    /// Everything known of it; its `files` are filled in by the writer.
    pub record: Record,
    /// Raw samples, as Parquet.
    pub samples: Vec<u8>,
    /// What was said while it ran, plain text.
    pub log: String,
}

/// A process that writes to a store: a folder for unfinished work and a segment of the index.
#[derive(Debug)]
pub struct Writer<'a> {
    store: &'a Store,
    segment: Option<Segment>,
    stage: Stage,
    _adding: Guard,
}

impl<'a> Writer<'a> {
    /// A writer; makes the store if it is not there, and clears what dead writers left unfinished.
    pub fn open(store: &'a Store) -> Result<Writer<'a>, StoreError> {
        store.prepare()?;
        store.check_foldable()?;
        let adding = store.adding()?;
        let stage = store.stage_for_results()?;
        store.await_takers(&stage)?;
        Ok(Writer { store, segment: None, stage, _adding: adding })
    }

    /// Shows other hosts that this writer lives: to be called each hour, and done by whatever is stored.
    pub fn touch(&self) {
        self.stage.touch();
        if let Some(segment) = &self.segment {
            segment.touch();
        }
    }

    /// Stores a repetition under its content's digest. A result with the same bytes is there already only
    /// if it is the same result.
    pub fn commit(&mut self, mut repetition: Repetition, manifest: &Listing) -> Result<Entry, StoreError> {
        self.hide_boots(&mut repetition)?;
        let (staged, entry) = self.staged(repetition, manifest)?;
        let stage = self.stage.folder().clone();
        self.place(&stage, &[(staged, entry)])?;
        Ok(entry)
    }

    /// Stores several at once, in hardly more time than one where a disk is what is waited for: each is written and
    /// synced by itself, the entries of all are synced together, and then each gets its name.
    ///
    /// # Errors
    /// The first one's, if one or more cannot be stored. All others are stored nevertheless.
    pub fn commit_all(&mut self, mut repetitions: Vec<(Repetition, Listing)>) -> Result<Vec<Entry>, StoreError> {
        repetitions.iter_mut().try_for_each(|(repetition, _)| self.hide_boots(repetition))?;
        let writer = &*self;
        let stage_one = |(repetition, manifest): (Repetition, Listing)| writer.staged(repetition, &manifest);
        let staged: Vec<_> = match repetitions.len() {
            // No other thread is woken for one.
            0 | 1 => repetitions.into_iter().map(stage_one).collect(),
            _ => repetitions.into_par_iter().map(stage_one).collect(),
        };
        let (mut whole, mut first) = (Vec::with_capacity(staged.len()), None);
        for one in staged {
            match one {
                Ok(folder) => whole.push(folder),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        let stage = self.stage.folder().clone();
        self.place(&stage, &whole)?;
        match first {
            Some(error) => Err(error),
            None => Ok(whole.into_iter().map(|(_, entry)| entry).collect()),
        }
    }

    fn hide_boots(&self, repetition: &mut Repetition) -> Result<(), StoreError> {
        let record = &mut repetition.record;
        let own = Arc::make_mut(&mut record.host);
        for host in std::iter::once(own).chain(record.peers.iter_mut().map(|peer| &mut peer.host)) {
            host.aside.boot_id = self.store.pseudonym(&host.aside.boot_id)?;
        }
        Ok(())
    }

    /// A repetition as a synced folder in the stage, its manifest in its place.
    fn staged(&self, mut repetition: Repetition, manifest: &Listing) -> Result<(Below, Entry), StoreError> {
        self.keep_manifest(manifest)?;
        let staged = self.stage.folder().name([&unique_name()])?;
        let folder = self.stage.folder().new_folder(&staged, 0o777)?;
        let log_name = folder.name(["log.zst"])?;
        let log = zstd::bulk::compress(repetition.log.as_bytes(), LOG_LEVEL)
            .map_err(StoreError::io("compress", &folder.path_of(&log_name)))?;
        for (name, bytes) in [(folder.name(["samples.parquet"])?, &repetition.samples), (log_name, &log)] {
            folder.write_new(&name, bytes)?;
            let digest = FileDigest { len: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() };
            repetition.record.files.insert(name.to_string(), digest);
        }
        let record_name = folder.name(["record.json"])?;
        let mut json = serde_json::to_vec_pretty(&repetition.record)
            .map_err(|error| StoreError::io("encode", &folder.path_of(&record_name))(error.into()))?;
        json.push(b'\n');
        folder.write_new(&record_name, &json)?;
        folder.sync()?;
        let id = ResultId(*blake3::hash(&json).as_bytes());
        Ok((staged, repetition.record.entry(id)))
    }

    pub(super) fn store(&self) -> &'a Store {
        self.store
    }

    /// Makes synced folders in a stage results: first their entries, then one rename each.
    pub(super) fn place(&mut self, stage: &Folder, folders: &[(Below, Entry)]) -> Result<(), StoreError> {
        if folders.is_empty() {
            return Ok(());
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => self.segment.insert(Segment::create(self.store)?),
        };
        segment.append(folders.iter().map(|(_, entry)| entry))?;
        self.stage.touch();
        let root = self.store.made()?;
        let results = root.make_folder(&root.name([RESULTS])?)?;
        let mut shelves = BTreeSet::new();
        for (staged, entry) in folders {
            let id = entry.id.to_string();
            let shelf = results.make_folder(&results.name([&id[..2]])?)?;
            let target = shelf.name([&id])?;
            if !shelf.has(&target) {
                stage.move_to(staged, &shelf, &target)?;
            }
            shelves.insert(id[..2].to_string());
        }
        let sync = |shelf: &String| -> Result<(), StoreError> { Ok(results.folder(&results.name([shelf])?)?.sync()?) };
        match shelves.len() {
            0 | 1 => shelves.iter().try_for_each(sync)?,
            _ => shelves.par_iter().try_for_each(sync)?,
        }
        Ok(results.sync()?)
    }

    pub(super) fn keep_manifest(&self, manifest: &Listing) -> Result<(), StoreError> {
        let name = self.store.manifest_name(&manifest.key())?;
        if self.store.has(&name) {
            return Ok(());
        }
        let encoding = |error: serde_json::Error| StoreError::io("encode", &self.store.path_of(&name))(error.into());
        let mut json = serde_json::to_vec_pretty(manifest).map_err(encoding)?;
        json.push(b'\n');
        let root = self.store.made()?;
        let shelf = match name.parent() {
            Some(above) => root.make_folder(&above)?,
            None => root,
        };
        let staged = self.stage.folder().name([&unique_name()])?;
        self.stage.folder().write_new(&staged, &json)?;
        if self.stage.folder().rename(&staged, &shelf, &shelf.name([name.last()])?)? {
            return Ok(shelf.sync()?);
        }
        // Manifests are on another file system than results.
        self.stage.folder().remove_file(&staged)?;
        self.store.put(&name, &json)
    }

    /// Ends the writer: folds segments of the index and clears the stage.
    pub fn close(mut self) -> Result<(), StoreError> {
        if let Some(segment) = self.segment.take() {
            segment.close(self.store)?;
            self.store.fold_index()?;
        }
        Ok(())
    }
}

/// The value that a test's repetitions are judged by.
pub fn judged_by(dimension: Dimension) -> Quantity {
    match dimension {
        Dimension::Throughput => Quantity::RxPps,
        Dimension::Latency => Quantity::RttMean,
    }
}

impl Record {
    /// The record as the index knows it.
    pub fn entry(&self, id: ResultId) -> Entry {
        let quantity = judged_by(self.tuple.dimension);
        Entry {
            key: self.key,
            id,
            test: TestId::of(&self.test),
            standing: (&self.status).into(),
            cost_ms: u32::try_from(self.cost.total_ms).unwrap_or(u32::MAX),
            stored_ms: crate::clock::parse_rfc3339_ms(&self.started).unwrap_or(0),
            value: self.reduction.values.get(&quantity).copied().unwrap_or(0.0),
        }
    }
}
