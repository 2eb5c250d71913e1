//! The store: immutable, self-describing results, one folder a repetition, named by the digest of its
//! content. It must not know how results are measured, planned or shown.
//!
//! ```text
//! .septet/
//!   format                          {"format": 1}
//!   results/ab/<id>/                record.json, samples.parquet, log.zst; id = BLAKE3 of record.json
//!   manifests/ab/<key>.json         once by key
//!   generations/<experiment>/       what one run stood on
//!   index/                          a cache of results/: can be thrown away
//!   searches/<key>-<boot>/          trials of searches that are not finished
//!   reports/                        what was rendered from what: can be thrown away
//!   tmp/                            unfinished writes of living processes
//!   acceptances/<id>.json          changes that somebody called harmless; id = BLAKE3 of the file
//!   archives/<experiment>/          which generations were archived, and stay
//!   origins/<name>/                 what was imported, each with a store of its own
//!   quarantine/                     what was damaged
//!   lock                            writers share it; who takes results away has it alone
//! ```

mod acceptances;
mod adopt;
mod atomic;
mod commit;
mod gc;
mod generation;
mod guard;
mod index;
mod pending;
mod record;
mod verify;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use adopt::{Adopted, Arrival};
pub(crate) use atomic::{Stage, sync_folder, write_synced};
pub use atomic::{UNFINISHED, replace_if_different, write_atomically};
pub use commit::{Repetition, Writer, judged_by};
pub use gc::{Condemned, Scope, Wish};
pub use generation::{Generation, GenerationTest};
pub use index::{Entry, Index, Standing, TestId};
pub(crate) use index::{index_bytes, index_entries};
pub use pending::{Occasion, Pending, PendingTrial};
pub use record::{Cost, Evidence, FileDigest, Party, RECORD_VERSION, Record, Seen, Status};
pub use verify::{Finding, Kind, Verification};

use crate::key::{Key, ResultId};
use crate::manifest::Listing;

/// Version of the store's layout and of everything in it.
pub const STORE_FORMAT: u32 = 1;

/// Name of the store's folder beside an experiment.
pub const STORE_FOLDER: &str = ".septet";

/// A store that is there, or that will be made by the first write.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Another store whose results can be read here too.
    also: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct FormatFile {
    format: u32,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("failed to {doing} {path}: {source}")]
    Io {
        /// Completes "failed to ... PATH".
        doing: &'static str,
        /// What was touched.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Written by a newer Septet.
    #[error(
        "failed to open the store {path}: it has format {found}, this septet reads up to {STORE_FORMAT}; use a newer septet"
    )]
    Newer {
        /// The store.
        path: String,
        /// Its format.
        found: u32,
    },
    /// Somebody adds results, so that none can be taken away.
    #[error("failed to take anything out of the store {path}: a run or a pull is at work in it; wait for its end")]
    Busy {
        /// The store.
        path: String,
    },
    /// What would be deleted is not what was shown.
    #[error("failed to delete from the store {path}: what would be deleted has changed since it was shown; look again")]
    Changed {
        /// The store.
        path: String,
    },
    /// Something in it is not what it must be.
    #[error("failed to read {path}: {reason}; `septet store verify` says what else is wrong")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.display().to_string();
        move |source| StoreError::Io { doing, path, source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> StoreError {
        StoreError::Damaged { path: path.display().to_string(), reason: reason.to_string() }
    }
}

impl Store {
    /// The store that is meant: at `asked`, else at `$SEPTET_STORE`, else in its usual place in the folder `beside`.
    /// It need not exist yet.
    pub fn meant(asked: Option<&Path>, beside: &Path) -> Result<Store, StoreError> {
        let elsewhere = || std::env::var_os("SEPTET_STORE").filter(|root| !root.is_empty()).map(PathBuf::from);
        let root = asked.map(Path::to_path_buf).or_else(elsewhere).unwrap_or_else(|| beside.join(STORE_FOLDER));
        Store::open(&root)
    }

    /// The store at `root`, which need not exist yet. Nothing is written.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        let path = root.join("format");
        match fs::read(&path) {
            Ok(bytes) => {
                let format: FormatFile =
                    serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(&path, error))?;
                if format.format > STORE_FORMAT {
                    return Err(StoreError::Newer { path: root.display().to_string(), found: format.format });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        }
        Ok(Store { root: root.to_path_buf(), also: None })
    }

    /// The same, where results of another store can be read too, by their ids; its index, generations and
    /// everything that is written stay those of this one.
    pub(crate) fn reading_also(self, other: &Store) -> Store {
        Store { also: Some(other.root.clone()), ..self }
    }

    /// Where something lies: here, or if it is not here, in the other store.
    fn own_or_also(&self, below: &Path) -> PathBuf {
        let own = self.root.join(below);
        match &self.also {
            Some(also) if !own.exists() => Some(also.join(below)).filter(|theirs| theirs.exists()).unwrap_or(own),
            _ => own,
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether anything was ever written to it.
    pub fn exists(&self) -> bool {
        self.root.join("format").exists()
    }

    fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    fn index_folder(&self) -> PathBuf {
        self.root.join("index")
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Folder of what was rendered from what.
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// Folder of a repetition.
    pub fn result_folder(&self, id: &ResultId) -> PathBuf {
        let name = id.to_string();
        self.own_or_also(&Path::new("results").join(&name[..2]).join(name))
    }

    /// File of a manifest.
    pub fn manifest_path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        self.own_or_also(&Path::new("manifests").join(&name[..2]).join(format!("{name}.json")))
    }

    /// Makes the folders, once, before the first write.
    fn prepare(&self) -> Result<(), StoreError> {
        for folder in [self.results(), self.root.join("manifests"), self.index_folder(), self.tmp()] {
            fs::create_dir_all(&folder).map_err(StoreError::io("make the folder", &folder))?;
        }
        let path = self.root.join("format");
        if !path.exists() {
            write_atomically(&self.tmp(), &path, &format_bytes())?;
        }
        Ok(())
    }

    /// A folder for unfinished work, on the same file system; makes the store if it is not there.
    pub(crate) fn stage(&self) -> Result<Stage, StoreError> {
        self.prepare()?;
        atomic::clear_abandoned(&self.tmp())?;
        Stage::make(&self.tmp())
    }

    /// The record of a repetition, checked against the name of its folder.
    pub fn record(&self, id: &ResultId) -> Result<Record, StoreError> {
        let path = self.result_folder(id).join("record.json");
        let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
        Record::of(id, &bytes).map_err(|reason| StoreError::damaged(&path, reason))
    }

    /// A file of a repetition, checked against the digest in its record.
    pub fn file(&self, id: &ResultId, record: &Record, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.result_folder(id).join(name);
        let digest = record.files.get(name).ok_or_else(|| StoreError::damaged(&path, "its record does not name it"))?;
        let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
        if bytes.len() as u64 != digest.len || blake3::hash(&bytes).to_hex().as_str() != digest.blake3 {
            return Err(StoreError::damaged(&path, "its content is not what its record says"));
        }
        Ok(bytes)
    }

    /// The manifest of a key, checked; absent if the store has none.
    pub fn manifest(&self, key: &Key) -> Result<Option<Listing>, StoreError> {
        let path = self.manifest_path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let listing: Listing = serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(&path, error))?;
        if listing.key() != *key {
            return Err(StoreError::damaged(&path, "its content does not have the key that its name says"));
        }
        Ok(Some(listing))
    }

    /// Every repetition's folder, in order of name.
    pub fn result_ids(&self) -> Result<Vec<ResultId>, StoreError> {
        let mut ids = Vec::new();
        for shelf in subfolders(&self.results())? {
            for folder in subfolders(&shelf)? {
                let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if let Ok(id) = name.parse() {
                    ids.push(id);
                }
            }
        }
        ids.sort();
        Ok(ids)
    }
}

/// Content of the file `format`.
pub(crate) fn format_bytes() -> Vec<u8> {
    format!("{{\"format\": {STORE_FORMAT}}}\n").into_bytes()
}

/// Folders in a folder; none if it is not there.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", folder))?;
        if entry.file_type().map_err(StoreError::io("look at", &entry.path()))?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
