//! What is shared: results by key. Pushes what a shared store does not have, pulls what one's own does not have
//! and believes it only when its digests and its manifest are what they must be. Cut anywhere, the next push or
//! pull goes on. It must not know how files are copied.
//!
//! A shared store is laid out like one's own. `record.json` is copied last, so that a result is there when its
//! record is; each push adds a segment to `index/` and writes the checkpoint anew, so that whoever cannot list
//! (plain HTTP) finds everything by one name.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::{Op, Outcome, Remote, RemoteError};
use crate::key::{Key, ResultId};
use crate::store::{
    Adopted, Entry, Index, STORE_FORMAT, Store, StoreError, Writer, format_bytes, index_bytes, index_entries,
};

/// Results that are copied before any of them counts.
const BATCH: usize = 64;
/// Most bytes of what is pulled, by file.
const BYTES_MAX: [(&str, u64); 3] = [("samples.parquet", 4 << 30), ("log.zst", 64 << 20), ("record.json", 64 << 20)];
/// Most bytes of a part of the index: 30 million results.
const INDEX_BYTES_MAX: u64 = 4 << 30;
/// Most bytes of a manifest.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// What a push or pull did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Results that were copied.
    pub copied: usize,
    /// Results that were there already.
    pub there: usize,
    /// Results that were not taken, and why.
    pub refused: Vec<String>,
}

fn result_name(id: &ResultId, file: &str) -> String {
    let id = id.to_string();
    format!("results/{}/{id}/{file}", &id[..2])
}

fn manifest_name(key: &Key) -> String {
    let key = key.to_string();
    format!("manifests/{}/{key}.json", &key[..2])
}

fn told(path: &Path) -> String {
    path.display().to_string()
}

/// What a shared store has, by its index. `folder` is an empty one.
pub fn index(remote: &mut Remote, folder: &Path) -> Result<Index, RemoteError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let get = |name: &str, to: &Path| Op::Get { name: name.to_string(), to: told(to), bytes_max: INDEX_BYTES_MAX };
    let (format, checkpoint) = (folder.join("format"), folder.join("checkpoint"));
    let first = remote.copy(vec![get("format", &format), get("index/checkpoint", &checkpoint)])?;
    if first[0] != Outcome::Absent {
        let bytes = fs::read(&format).map_err(|source| RemoteError::Io { url: remote.url().to_string(), source })?;
        let found = serde_json::from_slice::<Format>(&bytes).map(|format| format.format);
        let found = found.map_err(|error| remote.refused(format!("read its format: {error}")))?;
        if found > STORE_FORMAT {
            return Err(RemoteError::Newer { url: remote.url().to_string(), found });
        }
    }
    // A plain web server cannot be listed; its checkpoint names everything that was pushed before it was copied.
    let segments: Vec<String> = match remote.url().starts_with("http") {
        true => Vec::new(),
        false => remote.list("index")?.into_iter().filter(|name| name.ends_with(".log")).collect(),
    };
    let places: Vec<_> = (0..segments.len()).map(|number| folder.join(format!("segment-{number}"))).collect();
    remote.copy(segments.iter().zip(&places).map(|(name, place)| get(name, place)).collect())?;
    let mut entries = Vec::new();
    for path in places.iter().chain([&checkpoint]).filter(|path| path.exists()) {
        let bytes = fs::read(path).map_err(|source| RemoteError::Io { url: remote.url().to_string(), source })?;
        entries.extend(index_entries(&bytes));
    }
    Ok(Index::from_entries(entries))
}

/// Copies to a shared store every result that it does not have.
pub fn push(store: &Store, remote: &mut Remote) -> Result<Shared, RemoteError> {
    let stage = store.stage()?;
    let theirs = index(remote, stage.path())?;
    // The index is written last; what a cut push has copied is found by its records.
    let records: HashSet<String> =
        remote.list("results")?.into_iter().filter(|name| name.ends_with("record.json")).collect();
    let mut manifests: HashSet<String> = remote.list("manifests")?.into_iter().collect();
    let ours = store.index()?;
    let mut shared = Shared::default();
    let missing: Vec<&Entry> =
        ours.entries().iter().filter(|entry| !records.contains(&result_name(&entry.id, "record.json"))).collect();
    shared.there = ours.entries().len() - missing.len();
    let format = stage.path().join("format-here");
    fs::write(&format, format_bytes()).map_err(StoreError::io("write", &format))?;
    remote.copy(vec![Op::Put { name: "format".to_string(), from: told(&format) }])?;
    let mut bad = HashSet::new();
    for batch in missing.chunks(BATCH) {
        let mut bodies = Vec::new();
        let mut heads = Vec::new();
        for entry in batch {
            if let Err(error) = sound(store, entry) {
                shared.refused.push(error.to_string());
                bad.insert(entry.id);
                continue;
            }
            let folder = store.result_folder(&entry.id);
            for file in ["samples.parquet", "log.zst"] {
                bodies.push(Op::Put { name: result_name(&entry.id, file), from: told(&folder.join(file)) });
            }
            let manifest = manifest_name(&entry.key);
            if manifests.insert(manifest.clone()) {
                bodies.push(Op::Put { name: manifest, from: told(&store.manifest_path(&entry.key)) });
            }
            heads
                .push(Op::Put { name: result_name(&entry.id, "record.json"), from: told(&folder.join("record.json")) });
        }
        shared.copied += heads.len();
        remote.copy(bodies)?;
        remote.copy(heads)?;
    }
    let known: HashSet<ResultId> = theirs.entries().iter().map(|entry| entry.id).collect();
    let fresh = |entry: &&Entry| !known.contains(&entry.id) && !bad.contains(&entry.id);
    let new: Vec<Entry> = ours.entries().iter().filter(fresh).copied().collect();
    if !new.is_empty() {
        let all = theirs.entries().iter().chain(&new).copied().collect();
        add_to_index(remote, stage.path(), new, all)?;
    }
    Ok(shared)
}

/// A result that is what its name says, with its manifest.
fn sound(store: &Store, entry: &Entry) -> Result<(), StoreError> {
    let record = store.record(&entry.id)?;
    for file in ["samples.parquet", "log.zst"] {
        store.file(&entry.id, &record, file)?;
    }
    match store.manifest(&record.key)? {
        Some(_) => Ok(()),
        None => Err(StoreError::damaged(&store.manifest_path(&record.key), "it is missing")),
    }
}

fn add_to_index(remote: &mut Remote, folder: &Path, new: Vec<Entry>, all: Vec<Entry>) -> Result<(), RemoteError> {
    let (segment, checkpoint) = (folder.join("new"), folder.join("all"));
    let bytes = index_bytes(new);
    let name = format!("index/{}.log", &blake3::hash(&bytes).to_hex()[..16]);
    fs::write(&segment, bytes).map_err(StoreError::io("write", &segment))?;
    fs::write(&checkpoint, index_bytes(all)).map_err(StoreError::io("write", &checkpoint))?;
    remote.copy(vec![Op::Put { name, from: told(&segment) }])?;
    remote.copy(vec![Op::Put { name: "index/checkpoint".to_string(), from: told(&checkpoint) }])?;
    Ok(())
}

/// Copies from a shared store the results that are wanted and that one's own does not have.
pub fn pull(store: &Store, remote: &mut Remote, wanted: &dyn Fn(&Entry) -> bool) -> Result<Shared, RemoteError> {
    let stage = store.stage()?;
    let theirs = index(remote, stage.path())?;
    let ours: HashSet<ResultId> = store.index()?.entries().iter().map(|entry| entry.id).collect();
    let all: Vec<&Entry> = theirs.entries().iter().filter(|entry| wanted(entry)).collect();
    let missing: Vec<&Entry> = all.iter().copied().filter(|entry| !ours.contains(&entry.id)).collect();
    let mut shared = Shared { there: all.len() - missing.len(), ..Shared::default() };
    if missing.is_empty() {
        return Ok(shared);
    }
    let mut writer = Writer::open(store)?;
    for batch in missing.chunks(BATCH) {
        pull_batch(store, remote, &mut writer, stage.path(), batch, &mut shared)?;
    }
    writer.close()?;
    Ok(shared)
}

fn pull_batch(
    store: &Store,
    remote: &mut Remote,
    writer: &mut Writer,
    stage: &Path,
    batch: &[&Entry],
    shared: &mut Shared,
) -> Result<(), RemoteError> {
    let mut ops = Vec::new();
    let keys: BTreeSet<Key> = batch.iter().map(|entry| entry.key).collect();
    let mut manifests = HashMap::new();
    for key in keys {
        let own = store.manifest_path(&key);
        let path = if own.exists() { own } else { stage.join(format!("{key}.json")) };
        if !path.exists() {
            ops.push(Op::Get { name: manifest_name(&key), to: told(&path), bytes_max: MANIFEST_BYTES_MAX });
        }
        manifests.insert(key, path);
    }
    for entry in batch {
        let folder = stage.join(entry.id.to_string());
        fs::create_dir(&folder).map_err(StoreError::io("make the folder", &folder))?;
        for (file, bytes_max) in BYTES_MAX {
            ops.push(Op::Get { name: result_name(&entry.id, file), to: told(&folder.join(file)), bytes_max });
        }
    }
    remote.copy(ops)?;
    for entry in batch {
        let folder = stage.join(entry.id.to_string());
        match writer.adopt(&entry.id, &folder, &manifests[&entry.key])? {
            Adopted::Kept => shared.copied += 1,
            Adopted::Refused(reason) => shared.refused.push(format!("result {}: {reason}", entry.id.short())),
        }
    }
    Ok(())
}
