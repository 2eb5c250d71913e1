//! The one way by which a repetition enters the store: whole, synced, by one rename, or not at all.
//! It must not know how it was measured.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use results::axes::Dimension;
use results::metric::Quantity;

use super::atomic::{Stage, clear_abandoned, sync_folder, unique_name, write_synced};
use super::guard::Guard;
use super::index::Segment;
use super::{Entry, FileDigest, Record, Store, StoreError, TestId, write_atomically};
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
        let adding = store.adding()?;
        clear_abandoned(&store.tmp())?;
        Ok(Writer { store, segment: None, stage: Stage::make(&store.tmp())?, _adding: adding })
    }

    /// Stores a repetition under its content's digest. A result with the same bytes is there already only
    /// if it is the same result.
    pub fn commit(&mut self, mut repetition: Repetition, manifest: &Listing) -> Result<Entry, StoreError> {
        self.keep_manifest(manifest)?;
        let folder = self.stage.path().join(unique_name());
        fs::create_dir(&folder).map_err(StoreError::io("make the folder", &folder))?;
        let log_path = folder.join("log.zst");
        let log = zstd::bulk::compress(repetition.log.as_bytes(), LOG_LEVEL)
            .map_err(StoreError::io("compress", &log_path))?;
        for (name, bytes) in [("samples.parquet", &repetition.samples), ("log.zst", &log)] {
            write_synced(&folder.join(name), bytes)?;
            let digest = FileDigest { len: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() };
            repetition.record.files.insert(name.to_string(), digest);
        }
        let record_path = folder.join("record.json");
        let mut json = serde_json::to_vec_pretty(&repetition.record)
            .map_err(|error| StoreError::io("encode", &record_path)(error.into()))?;
        json.push(b'\n');
        write_synced(&record_path, &json)?;
        sync_folder(&folder)?;

        let id = ResultId(*blake3::hash(&json).as_bytes());
        let entry = repetition.record.entry(id);
        self.place(&[(&folder, entry)])?;
        Ok(entry)
    }

    /// Makes synced folders results: first their entries, then one rename each.
    pub(super) fn place(&mut self, folders: &[(&Path, Entry)]) -> Result<(), StoreError> {
        if folders.is_empty() {
            return Ok(());
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => self.segment.insert(Segment::create(self.store)?),
        };
        segment.append(folders.iter().map(|(_, entry)| entry))?;
        let mut shelves = BTreeSet::new();
        for (folder, entry) in folders {
            let target = self.store.result_folder(&entry.id);
            let shelf = self.store.results().join(&entry.id.to_string()[..2]);
            fs::create_dir_all(&shelf).map_err(StoreError::io("make the folder", &shelf))?;
            if !target.exists() {
                fs::rename(folder, &target).map_err(StoreError::io("rename to", &target))?;
            }
            shelves.insert(shelf);
        }
        shelves.iter().try_for_each(|shelf| sync_folder(shelf))?;
        sync_folder(&self.store.results())
    }

    pub(super) fn keep_manifest(&self, manifest: &Listing) -> Result<(), StoreError> {
        let path = self.store.manifest_path(&manifest.key());
        if path.exists() {
            return Ok(());
        }
        let mut json =
            serde_json::to_vec_pretty(manifest).map_err(|error| StoreError::io("encode", &path)(error.into()))?;
        json.push(b'\n');
        write_atomically(&self.store.tmp(), &path, &json)
    }

    /// Ends the writer: folds segments of the index and clears the stage.
    pub fn close(mut self) -> Result<(), StoreError> {
        let wrote = self.segment.take().is_some();
        if wrote {
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
