//! Takes in results that were made elsewhere: each only if its record has the digest of its name, its files
//! those of the record, and its manifest the key. It must not know where they came from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::index::Entry;
use super::{Record, StoreError, Writer, sync_folder};
use crate::key::ResultId;
use crate::manifest::Listing;

/// What became of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// It is in the store.
    Kept,
    /// It is not what it must be, in words; nothing was kept of it.
    Refused(String),
}

/// A result as it came.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its name.
    pub id: ResultId,
    /// Folder of its files, on the store's file system.
    pub folder: PathBuf,
    /// File of its manifest.
    pub manifest: PathBuf,
}

impl Writer<'_> {
    /// Takes in results that came together, and moves their folders; what became of each. A power cut leaves
    /// each of them whole in the store, or not in it.
    pub fn adopt(&mut self, arrivals: &[Arrival]) -> Result<Vec<Adopted>, StoreError> {
        let checked: Vec<Result<(Entry, Listing), String>> = arrivals.par_iter().map(checked).collect();
        let sound: Vec<(&Arrival, &(Entry, Listing))> = arrivals
            .iter()
            .zip(&checked)
            .filter_map(|(arrival, checked)| Some((arrival, checked.as_ref().ok()?)))
            .collect();
        for (_, (_, listing)) in &sound {
            self.keep_manifest(listing)?;
        }
        sound.par_iter().try_for_each(|(arrival, _)| sync(&arrival.folder))?;
        let folders: Vec<_> = sound.iter().map(|(arrival, (entry, _))| (arrival.folder.as_path(), *entry)).collect();
        self.place(&folders)?;
        Ok(checked.into_iter().map(|checked| checked.map_or_else(Adopted::Refused, |_| Adopted::Kept)).collect())
    }
}

fn sync(folder: &Path) -> Result<(), StoreError> {
    for name in ["samples.parquet", "log.zst", "record.json"] {
        let path = folder.join(name);
        File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", &path))?;
    }
    sync_folder(folder)
}

fn checked(Arrival { id, folder, manifest }: &Arrival) -> Result<(Entry, Listing), String> {
    let read = |path: &Path| {
        fs::read(path).map_err(|_| format!("its {} is missing", path.file_name().unwrap_or_default().to_string_lossy()))
    };
    let bytes = read(&folder.join("record.json"))?;
    if blake3::hash(&bytes).as_bytes() != &id.0 {
        return Err("its record is not what its name says".to_string());
    }
    let record = Record::parse(&bytes)?;
    let names: Vec<&str> = record.files.keys().map(String::as_str).collect();
    if names != ["log.zst", "samples.parquet"] {
        return Err(format!("its record names the files {}", names.join(", ")));
    }
    for (name, digest) in &record.files {
        let bytes = read(&folder.join(name))?;
        if bytes.len() as u64 != digest.len || blake3::hash(&bytes).to_hex().as_str() != digest.blake3 {
            return Err(format!("its {name} is not what its record says"));
        }
    }
    let listing: Listing =
        serde_json::from_slice(&read(manifest)?).map_err(|error| format!("its manifest: {error}"))?;
    if listing.key() != record.key {
        return Err("its manifest does not have its key".to_string());
    }
    Ok((record.entry(*id), listing))
}
