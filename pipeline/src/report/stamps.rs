//! What was rendered from what: for each file of a report, the digest of its inputs, and its size and time
//! as they were when it was written. A cache: without it everything is rendered again, to the same bytes.
//! What it says may be somebody else's word: it names files of the report's folder, and only those that are as it
//! says are ever removed. It must not know what inputs are.

use std::collections::BTreeMap;
use std::fmt::Debug;

use reports::templates::Templates;
use serde::{Deserialize, Serialize};

use super::ReportError;
use crate::beneath::{Below, FileKind, Folder, Look, Nearby};
use crate::store::{Store, StoreError};

/// Most bytes of a file of stamps: those of 100,000 pages have 20 million.
const BYTES_MAX: u64 = 1 << 28;
/// Folders of a report, and the ends of the names of its files.
const FOLDERS: [&str; 3] = ["figures", "tables", "tests"];
const EXTENSIONS: [&str; 8] = ["html", "css", "js", "svg", "csv", "tex", "sty", "json"];

/// Digest of what a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs([u8; 16]);

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

    /// The digest of templates and of a value's debug text, which has every field.
    pub(super) fn of_debug(templates: &Templates, value: &impl Debug) -> Inputs {
        let mut hasher = blake3::Hasher::new();
        hasher.update(templates.digest_input());
        hasher.update(format!("{value:?}").as_bytes());
        Inputs::of(hasher)
    }

    /// The digest of these inputs and one value more.
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

/// Where the stamps of a report are kept.
#[derive(Clone, Debug)]
struct Cache {
    store: Store,
    name: Below,
}

impl Cache {
    fn file(&self, name: &str) -> Result<Below, StoreError> {
        self.store.name([self.name.as_str(), name])
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.store.read(&self.file(name)?, BYTES_MAX)?;
        // What cannot be understood is nothing.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put_again(&self.file(name)?, bytes)
    }
}

/// What was rendered from what, for one report folder.
#[derive(Debug)]
pub(super) struct Stamps {
    /// Absent for a report that is written once.
    cache: Option<Cache>,
    folder: Nearby,
    root: Folder,
    before: BTreeMap<String, Stamp>,
    now: BTreeMap<String, Stamp>,
    forgotten: Option<String>,
}

/// What became of the files that the report no longer has, and of the stamps.
pub(super) struct Finished {
    pub(super) removed: usize,
    pub(super) forgotten: Option<String>,
}

impl Stamps {
    /// The stamps of a report folder; nothing is read yet.
    pub(super) fn open(store: &Store, folder: &Folder, experiment: &str) -> Result<Stamps, StoreError> {
        let shown = folder.shown();
        let absolute = std::path::absolute(shown).unwrap_or_else(|_| shown.to_path_buf());
        let place = blake3::hash(absolute.as_os_str().as_encoded_bytes()).to_hex();
        let name = store.name(["reports", &format!("{experiment}-{}", &place[..16])])?;
        Ok(Stamps { cache: Some(Cache { store: store.clone(), name }), ..Stamps::none(folder) })
    }

    /// No stamps: everything is rendered, and nothing is kept of it beside the folder.
    pub(super) fn none(folder: &Folder) -> Stamps {
        Stamps {
            cache: None,
            folder: Nearby::new(folder),
            root: folder.clone(),
            before: BTreeMap::new(),
            now: BTreeMap::new(),
            forgotten: None,
        }
    }

    /// A part of the cache; one that cannot be read is an empty one.
    fn recall<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Option<T> {
        match self.cache.as_ref()?.read(name) {
            Ok(found) => found,
            Err(error) => {
                self.forgotten.get_or_insert(error.to_string());
                None
            }
        }
    }

    /// Size and time of a file of the report, or of a folder of it.
    fn size_and_time(&mut self, path: &str, kind: FileKind) -> Option<(u64, i128)> {
        let look = self.folder.look(&path.parse().ok()?)?;
        (look.kind == kind).then_some((look.len, look.mtime_ns))
    }

    fn tests_mtime_ns(&mut self) -> Option<i128> {
        self.size_and_time("tests", FileKind::Folder).map(|(_, time)| time)
    }

    /// Whether the report as a whole is made of these inputs and stands as it was written.
    pub(super) fn all_fresh(&mut self, inputs: Inputs) -> bool {
        let Some(head) = self.recall::<Head>("head.json") else { return false };
        head.inputs == inputs
            && head.tests_mtime_ns == self.tests_mtime_ns()
            && head.front.iter().all(|(path, stamp)| self.size_and_time(path, FileKind::File) == Some(*stamp))
    }

    /// Reads what was rendered from what.
    pub(super) fn load(&mut self) {
        self.before = self.recall("files.json").unwrap_or_default();
    }

    /// Whether a file stands as a stamp says.
    fn stands(&mut self, path: &str, stamp: Stamp) -> bool {
        self.size_and_time(path, FileKind::File) == Some((stamp.len, stamp.mtime_ns))
    }

    /// Whether a file is there as it was written, from these inputs; if so its stamp is kept.
    pub(super) fn keep_if_fresh(&mut self, path: &str, inputs: Inputs) -> bool {
        let Some(stamp) = self.before.get(path).copied() else { return false };
        let fresh = stamp.inputs == inputs && self.stands(path, stamp);
        if fresh {
            self.now.insert(path.to_string(), stamp);
        }
        fresh
    }

    /// Keeps all files of a figure or table whose inputs have not changed.
    pub(super) fn keep_drawable_if_fresh(&mut self, id: &str, inputs: Inputs) -> bool {
        let mut paths = Vec::new();
        for (kind, extensions) in [("figures", &["svg", "tex", "csv"][..]), ("tables", &["tex", "csv"])] {
            let of_kind: Vec<String> = extensions.iter().map(|extension| format!("{kind}/{id}.{extension}")).collect();
            if of_kind.iter().all(|path| self.before.contains_key(path)) {
                paths = of_kind;
            }
        }
        !paths.is_empty() && paths.iter().all(|path| self.keep_if_fresh(path, inputs))
    }

    /// Stamps a file that has just been written, or found to have the right bytes.
    pub(super) fn keep(&mut self, path: &Below, look: Look, inputs: Inputs) {
        self.now.insert(path.to_string(), Stamp { inputs, len: look.len, mtime_ns: look.mtime_ns });
    }

    /// Removes files that the report no longer has, and keeps the stamps. One that cannot be removed keeps its stamp,
    /// and is tried again; one that is not as its stamp says is somebody's own.
    pub(super) fn finish(mut self, inputs: Inputs) -> Result<Finished, ReportError> {
        self.folder = Nearby::new(&self.root);
        let mut removed = 0;
        for (path, stamp) in std::mem::take(&mut self.before) {
            let Some(name) = page(&path) else { continue };
            if self.now.contains_key(&path) || !self.stands(&path, stamp) {
                continue;
            }
            match self.root.remove_file(&name) {
                Ok(was_there) => removed += usize::from(was_there),
                Err(_) => drop(self.now.insert(path, stamp)),
            }
        }
        let is_front = |path: &str| !path.starts_with("tests/");
        let front = self.now.iter().filter(|(path, _)| is_front(path));
        let front = front.map(|(path, stamp)| (path.clone(), (stamp.len, stamp.mtime_ns))).collect();
        let head = Head { inputs, front, tests_mtime_ns: self.tests_mtime_ns() };
        let encoding = |error: serde_json::Error| ReportError::Io {
            doing: "encode the stamps of",
            path: self.root.shown().display().to_string(),
            source: error.into(),
        };
        let files = serde_json::to_vec(&self.now).map_err(encoding)?;
        let head = serde_json::to_vec(&head).map_err(encoding)?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.write("files.json", &files).and_then(|()| cache.write("head.json", &head))
        {
            self.forgotten.get_or_insert(error.to_string());
        }
        Ok(Finished { removed, forgotten: self.forgotten })
    }
}

/// The name of a file of a report, if it has the form of one.
fn page(path: &str) -> Option<Below> {
    let name: Below = path.parse().ok()?;
    let (_, extension) = name.last().rsplit_once('.')?;
    let parts: Vec<&str> = name.parts().collect();
    let placed = match parts[..] {
        [_] => true,
        [folder, _] => FOLDERS.contains(&folder),
        _ => false,
    };
    (placed && !name.last().starts_with('.') && EXTENSIONS.contains(&extension)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_a_page_is_ever_removed() {
        for name in ["index.html", "septet.css", "figures/a.b.svg", "tables/2.tex", "tests/0a.html", "summary.json"] {
            assert!(page(name).is_some(), "{name}");
        }
        let others =
            ["/etc/a.html", "../a.html", "tests/../../a.html", "notes.txt", "raw/a.csv", "a/b/c.html", ".a.html"];
        for name in others {
            assert!(page(name).is_none(), "{name}");
        }
    }
}
