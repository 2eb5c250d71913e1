//! Takes in a result that was made elsewhere: only if its record has the digest of its name, its files those of
//! the record, and its manifest the key. It must not know where it came from.

use std::fs::{self, File};
use std::path::Path;

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

impl Writer<'_> {
    /// Takes in the result in `folder`, which is on the store's file system and is moved.
    pub fn adopt(&mut self, id: &ResultId, folder: &Path, manifest: &Path) -> Result<Adopted, StoreError> {
        let (entry, listing) = match checked(id, folder, manifest) {
            Ok(sound) => sound,
            Err(reason) => return Ok(Adopted::Refused(reason)),
        };
        self.keep_manifest(&listing)?;
        for name in ["samples.parquet", "log.zst", "record.json"] {
            let path = folder.join(name);
            File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", &path))?;
        }
        sync_folder(folder)?;
        self.place(folder, &entry)?;
        Ok(Adopted::Kept)
    }
}

fn checked(id: &ResultId, folder: &Path, manifest: &Path) -> Result<(Entry, Listing), String> {
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
