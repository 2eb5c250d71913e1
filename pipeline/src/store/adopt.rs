//! Takes in results that were made elsewhere: each only if its record has the digest of its name, its files
//! those of the record, and its manifest the key. It must not know where they came from.

use rayon::prelude::*;

use super::index::Entry;
use super::{MANIFEST_BYTES_MAX, RECORD_BYTES_MAX, Record, SAMPLES_BYTES_MAX, Store, StoreError, Writer, bounded};
use crate::beneath::{self, Below, Folder};
use crate::key::{Key, ResultId};
use crate::manifest::Listing;

/// What became of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// The result is in the store.
    Kept,
    /// The result is not what it must be, in words; nothing of it was kept.
    Refused(String),
}

/// A result as it came: in a folder of unfinished work, in a folder of its name. Its manifest lies beside that under
/// the name of its key, unless the store has it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The result's name.
    pub id: ResultId,
    /// The result's key.
    pub key: Key,
}

impl Arrival {
    /// Name of its folder.
    pub fn folder(&self) -> String {
        self.id.to_string()
    }

    /// Name of the file of a key's manifest.
    pub fn manifest(key: &Key) -> String {
        format!("{key}.json")
    }
}

impl Writer<'_> {
    /// Takes in results that came together, and moves their folders; what became of each. A power cut leaves
    /// each of them whole in the store, or not in it.
    pub fn adopt(&mut self, stage: &Folder, arrivals: &[Arrival]) -> Result<Vec<Adopted>, StoreError> {
        let store = self.store();
        let checked: Vec<Result<Arrived, String>> =
            arrivals.par_iter().map(|arrival| Arrived::checked(store, stage, arrival)).collect();
        let sound: Vec<&Arrived> = checked.iter().filter_map(|checked| checked.as_ref().ok()).collect();
        for arrived in &sound {
            self.keep_manifest(&arrived.listing)?;
        }
        sound.par_iter().try_for_each(|arrived| sync(&stage.folder(&arrived.folder)?))?;
        let folders: Vec<_> = sound.iter().map(|arrived| (arrived.folder.clone(), arrived.entry)).collect();
        self.place(stage, &folders)?;
        Ok(checked.into_iter().map(|checked| checked.map_or_else(Adopted::Refused, |_| Adopted::Kept)).collect())
    }
}

fn sync(folder: &Folder) -> Result<(), StoreError> {
    for name in ["samples.parquet", "log.zst", "record.json"] {
        let name = folder.name([name])?;
        folder.file(&name)?.sync_all().map_err(StoreError::io("sync", &folder.path_of(&name)))?;
    }
    Ok(folder.sync()?)
}

/// A result that is what it must be.
struct Arrived {
    folder: Below,
    entry: Entry,
    listing: Listing,
}

impl Arrived {
    fn checked(store: &Store, stage: &Folder, arrival: &Arrival) -> Result<Arrived, String> {
        let words = |error: beneath::Error| error.to_string();
        let name = stage.name([&arrival.folder()]).map_err(words)?;
        let folder = stage.folder(&name).map_err(words)?;
        let read = |file: &str, bytes_max: u64| {
            let found = folder.name([file]).and_then(|name| folder.read_if_there(&name, bytes_max)).map_err(words)?;
            found.ok_or_else(|| format!("its {file} is missing"))
        };
        let bytes = read("record.json", RECORD_BYTES_MAX)?;
        if blake3::hash(&bytes).as_bytes() != &arrival.id.0 {
            return Err("its record is not what its name says".to_string());
        }
        let record = Record::parse(&bytes)?;
        let names: Vec<&str> = record.files.keys().map(String::as_str).collect();
        if names != ["log.zst", "samples.parquet"] {
            return Err(format!("its record names the files {}", names.join(", ")));
        }
        for (file, digest) in &record.files {
            let bytes = read(file, SAMPLES_BYTES_MAX)?;
            if bytes.len() as u64 != digest.len || blake3::hash(&bytes).to_hex().as_str() != digest.blake3 {
                return Err(format!("its {file} is not what its record says"));
            }
        }
        let listing = listing(store, stage, arrival)?;
        match listing.key() == record.key {
            true => Ok(Arrived { folder: name, entry: record.entry(arrival.id), listing }),
            false => Err("its manifest does not have its key".to_string()),
        }
    }
}

/// The manifest of what came.
fn listing(store: &Store, stage: &Folder, arrival: &Arrival) -> Result<Listing, String> {
    let name = stage.name([&Arrival::manifest(&arrival.key)]).map_err(|error| error.to_string())?;
    let bytes = stage.read_if_there(&name, MANIFEST_BYTES_MAX).map_err(|error| error.to_string())?;
    match bytes {
        Some(bytes) => bounded::json(&bytes).map_err(|error| format!("its manifest: {error}")),
        None => {
            let own = store.manifest(&arrival.key).map_err(|error| error.to_string())?;
            own.ok_or_else(|| format!("its {} is missing", Arrival::manifest(&arrival.key)))
        }
    }
}
