//! What was rendered from what: for each file of a report, the digest of its inputs, and its size and time
//! as they were when it was written. A cache: without it everything is rendered again, to the same bytes.
//! It must not know what inputs are.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use reports::templates::Templates;
use serde::{Deserialize, Serialize};

use super::ReportError;
use crate::store::{Store, replace_if_different};

/// Digest of what a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs([u8; 16]);

impl Inputs {
    pub(super) fn of(hasher: blake3::Hasher) -> Inputs {
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Inputs(digest)
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Inputs {
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytes);
        Inputs::of(hasher)
    }

    /// Of templates and a value's debug text, which has every field.
    pub(super) fn of_debug(templates: &Templates, value: &impl Debug) -> Inputs {
        let mut hasher = blake3::Hasher::new();
        hasher.update(templates.digest_input());
        hasher.update(format!("{value:?}").as_bytes());
        Inputs::of(hasher)
    }

    /// Of these inputs and one value more.
    pub(super) fn with(self, value: &impl Debug) -> Inputs {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(format!("{value:?}").as_bytes());
        Inputs::of(hasher)
    }
}

/// A file as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    inputs: Inputs,
    len: u64,
    mtime_ns: i128,
}

/// The whole report as it was written: enough to see that nothing is to be done.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    inputs: Inputs,
    /// Files outside `tests/`.
    front: BTreeMap<String, (u64, i128)>,
    /// Time of `tests/`, which changes when a page is added, replaced or removed.
    tests_mtime_ns: Option<i128>,
}

/// What was rendered from what, for one report folder.
#[derive(Debug)]
pub(super) struct Stamps {
    /// Where the stamps are kept; absent for a report that is written once.
    cache: Option<PathBuf>,
    folder: PathBuf,
    before: BTreeMap<String, Stamp>,
    now: BTreeMap<String, Stamp>,
}

fn size_and_time(path: &Path) -> Option<(u64, i128)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.len(), i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())))
}

impl Stamps {
    /// The stamps of a report folder; nothing is read yet.
    pub(super) fn open(store: &Store, folder: &Path, experiment: &str) -> Stamps {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let place = blake3::hash(absolute.as_os_str().as_encoded_bytes()).to_hex();
        let cache = store.reports().join(format!("{experiment}-{}", &place[..16]));
        Stamps { cache: Some(cache), folder: folder.to_path_buf(), before: BTreeMap::new(), now: BTreeMap::new() }
    }

    /// No stamps: everything is rendered, and nothing is kept of it beside the folder.
    pub(super) fn none(folder: &Path) -> Stamps {
        Stamps { cache: None, folder: folder.to_path_buf(), before: BTreeMap::new(), now: BTreeMap::new() }
    }

    /// Whether the report as a whole is made of these inputs and stands as it was written.
    pub(super) fn all_fresh(&self, inputs: Inputs) -> bool {
        let Some(head) = self.cache.as_ref().and_then(|cache| fs::read(cache.join("head.json")).ok()) else {
            return false;
        };
        let Ok(head) = serde_json::from_slice::<Head>(&head) else { return false };
        head.inputs == inputs
            && head.tests_mtime_ns == size_and_time(&self.folder.join("tests")).map(|(_, time)| time)
            && head.front.iter().all(|(path, stamp)| size_and_time(&self.folder.join(path)) == Some(*stamp))
    }

    /// Reads what was rendered from what.
    pub(super) fn load(&mut self) {
        let bytes = self.cache.as_ref().and_then(|cache| fs::read(cache.join("files.json")).ok()).unwrap_or_default();
        // A cache that cannot be read is an empty one.
        self.before = serde_json::from_slice(&bytes).unwrap_or_default();
    }

    /// Whether a file is there as it was written, from these inputs; if so its stamp is kept.
    pub(super) fn keep_if_fresh(&mut self, folder: &Path, path: &str, inputs: Inputs) -> bool {
        let Some(stamp) = self.before.get(path).copied() else { return false };
        let fresh = stamp.inputs == inputs && size_and_time(&folder.join(path)) == Some((stamp.len, stamp.mtime_ns));
        if fresh {
            self.now.insert(path.to_string(), stamp);
        }
        fresh
    }

    /// The same for all files of a figure or table.
    pub(super) fn keep_drawable_if_fresh(&mut self, folder: &Path, id: &str, inputs: Inputs) -> bool {
        let mut paths = Vec::new();
        for (kind, extensions) in [("figures", &["svg", "tex", "csv"][..]), ("tables", &["tex", "csv"])] {
            let of_kind: Vec<String> = extensions.iter().map(|extension| format!("{kind}/{id}.{extension}")).collect();
            if of_kind.iter().all(|path| self.before.contains_key(path)) {
                paths = of_kind;
            }
        }
        !paths.is_empty() && paths.iter().all(|path| self.keep_if_fresh(folder, path, inputs))
    }

    /// Stamps a file that has just been written, or found to have the right bytes.
    pub(super) fn keep(&mut self, folder: &Path, path: &str, inputs: Inputs) {
        if let Some((len, mtime_ns)) = size_and_time(&folder.join(path)) {
            self.now.insert(path.to_string(), Stamp { inputs, len, mtime_ns });
        }
    }

    /// Removes files that the report no longer has, and keeps the stamps. Returns how many were removed.
    pub(super) fn finish(self, folder: &Path, inputs: Inputs) -> Result<usize, ReportError> {
        let mut removed = 0;
        for path in self.before.keys().filter(|path| !self.now.contains_key(*path)) {
            removed += usize::from(fs::remove_file(folder.join(path)).is_ok());
        }
        let front = self
            .now
            .iter()
            .filter(|(path, _)| !path.starts_with("tests/"))
            .map(|(path, stamp)| (path.clone(), (stamp.len, stamp.mtime_ns)));
        let tests_mtime_ns = size_and_time(&folder.join("tests")).map(|(_, time)| time);
        let head = Head { inputs, front: front.collect(), tests_mtime_ns };
        let encoding = |error: serde_json::Error| ReportError::Io {
            doing: "encode the stamps of",
            path: folder.display().to_string(),
            source: error.into(),
        };
        let files = serde_json::to_vec(&self.now).map_err(encoding)?;
        let head = serde_json::to_vec(&head).map_err(encoding)?;
        if let Some(cache) = &self.cache {
            replace_if_different(&cache.join("files.json"), &files)?;
            replace_if_different(&cache.join("head.json"), &head)?;
        }
        Ok(removed)
    }
}
