//! What was read out of files, kept beyond this process's life by (device, inode, size, mtime, ctime), beside the digests
//! and trusted as they are. The file may be absent, damaged or unwritable: then files are read again. It must not know
//! what was read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::digests::{Identity, parse_identity, replace, shown, text_of};

/// First line of the file; another version is thrown away.
const HEADER: &str = "septet-read 1";
/// The name of the file.
const NAME: &str = "read";
/// Most entries; beyond them those that this process did not ask for go.
const ENTRIES_MAX: usize = 10_000;

/// What is kept, as JSON, by what was asked and of which file.
struct Kept {
    file: Option<PathBuf>,
    entries: BTreeMap<(String, Identity), Entry>,
    changed: bool,
}

struct Entry {
    json: String,
    asked: bool,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { file: None, entries: BTreeMap::new(), changed: false });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what a folder keeps, once in a process's life; with `refresh` it counts for nothing.
pub(crate) fn recall(folder: Option<&Path>, refresh: bool) {
    let mut kept = kept();
    if refresh {
        (kept.entries, kept.changed) = (BTreeMap::new(), true);
    }
    let Some(file) = folder.map(|folder| folder.join(NAME)).filter(|_| kept.file.is_none()) else { return };
    let text = if refresh { None } else { text_of(&file) };
    for (key, json) in text.and_then(|text| parse(&text)).unwrap_or_default() {
        kept.entries.entry(key).or_insert(Entry { json, asked: false });
    }
    kept.file = Some(file);
}

/// Writes it, by atomic rename, if something is new. A folder that cannot be written costs time only.
pub(crate) fn keep() {
    let mut kept = kept();
    if !std::mem::take(&mut kept.changed) {
        return;
    }
    if kept.entries.len() > ENTRIES_MAX {
        kept.entries.retain(|_, entry| entry.asked);
    }
    if let Some(file) = &kept.file {
        let mut text = format!("{HEADER}\n");
        for ((what, identity), Entry { json, .. }) in kept.entries.iter().take(ENTRIES_MAX) {
            text.push_str(&format!("{what} {} {json}\n", shown(identity)));
        }
        let _ = replace(file, &text);
    }
}

/// What is kept of a file.
pub(super) fn of<T: DeserializeOwned>(what: &str, identity: &Identity) -> Option<T> {
    let mut kept = kept();
    let entry = kept.entries.get_mut(&(what.to_string(), *identity))?;
    entry.asked = true;
    serde_json::from_str(&entry.json).ok()
}

/// Remembers what was read of a file that has settled.
pub(super) fn note<T: Serialize>(what: &str, identity: Identity, value: &T) {
    if let Ok(json) = serde_json::to_string(value) {
        let mut kept = kept();
        kept.entries.insert((what.to_string(), identity), Entry { json, asked: true });
        kept.changed = true;
    }
}

/// Nothing, if a single line is not as it was written.
fn parse(text: &str) -> Option<Vec<((String, Identity), String)>> {
    let mut lines = text.strip_suffix('\n')?.lines();
    if lines.next() != Some(HEADER) {
        return None;
    }
    let entry = |line: &str| {
        let words: Vec<&str> = line.splitn(7, ' ').collect();
        let [what, numbers @ .., json] = &words[..] else { return None };
        Some(((what.to_string(), parse_identity(numbers)?), json.to_string()))
    };
    lines.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_nothing_kept() {
        let whole = "septet-read 1\nstatic 1 2 3 4 5 true\nwants 1 2 3 4 5 {\"needed\": []}\n";
        let parsed = parse(whole).expect("as it was written");
        assert_eq!(parsed[0], (("static".into(), [1, 2, 3, 4, 5]), "true".into()));
        assert_eq!(parsed[1].1, "{\"needed\": []}");
        for damage in ["", "septet-read 2\n", "septet-read 1", "septet-read 1\nstatic 1 2 3 4 true\n", &whole[1..]] {
            assert!(parse(damage).is_none(), "{damage}");
        }
    }
}
