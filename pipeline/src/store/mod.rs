//! The store: immutable, self-describing results, one folder a repetition, named by the digest of its
//! content. It must not know how results are measured, planned or shown.
//!
//! ```text
//! .septet/
//!   format                          {"format": 2}
//!   results/ab/<id>/                record.json, samples.parquet, log.zst; id = BLAKE3 of record.json
//!   manifests/ab/<key>.json         once by key
//!   generations/<experiment>/       what one run stood on
//!   forgotten/<experiment>/         heads of generations that were deleted: what they followed
//!   index/                          a cache of results/: can be thrown away
//!   searches/<key>-<boot>/          trials of searches that are not finished
//!   reports/                        what was rendered from what, and that there is nothing to do: can be thrown away
//!   slurm/                          what was submitted to a cluster, and what its jobs print
//!   tmp/                            unfinished writes of living processes
//!   acceptances/<id>.json          changes that somebody called harmless; id = BLAKE3 of the file
//!   archives/<experiment>/          which generations were archived, and stay
//!   origins/<name>/                 what was imported, each with a store of its own
//!   salt                            what makes pseudonyms of boots; never given away
//!   quarantine/                     what was damaged
//!   lock                            writers share it; who takes results away has it alone
//! ```

mod acceptances;
mod adopt;
mod aside;
pub(crate) mod bounded;
mod commit;
mod files;
mod gc;
mod generation;
mod guard;
mod index;
mod pending;
mod record;
pub mod record_schema;
mod salt;
mod segment;
mod shards;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use adopt::{Adopted, Arrival};
pub use commit::{Repetition, Writer, judged_by};
pub(crate) use files::TMP;
pub use gc::{Condemned, Scope, Wish};
pub use generation::{Generation, GenerationName, GenerationTest, Line, NotAName, Rank, Unusable};
pub use index::{Entry, Index, Standing, TestId};
pub(crate) use index::{index_bytes, index_entries};
pub use pending::{Occasion, Pending, PendingTrial};
pub use record::{
    Cost, Evidence, FileDigest, HostEvidence, Party, PeerEvidence, PeerHost, RECORD_VERSION, Record, Seen, SetUpWindow,
    Status, streams_of_window, window_stream,
};
pub(crate) use salt::names_a_boot;
use verify::Fault;
pub use verify::{Damage, DamagedFile, Finding, Of, Verification};

use crate::beneath::{self, Below, FileKind, Odd};
use crate::key::{Key, ResultId};
use crate::manifest::{Listing, Sealed, known};
use files::{Root, StorePlace};

/// Version of the store's layout and of everything in it.
pub const STORE_FORMAT: u32 = 2;

/// Name of the store's folder beside an experiment.
pub const STORE_FOLDER: &str = ".septet";

/// Folders of a store.
const RESULTS: &str = "results";
const MANIFESTS: &str = "manifests";
const INDEX: &str = "index";
pub(crate) const FORMAT: &str = "format";

/// Most bytes of a record, a manifest, a statement; of samples and logs; of the file that names the format.
const RECORD_BYTES_MAX: u64 = 64 << 20;
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
const STATEMENT_BYTES_MAX: u64 = 1 << 20;
const SAMPLES_BYTES_MAX: u64 = 4 << 30;
const FORMAT_BYTES_MAX: u64 = 4096;

/// A store that is there, or that will be made by the first write.
#[derive(Clone, Debug)]
pub struct Store {
    place: StorePlace,
    root: PathBuf,
    open: Root,
    /// Another store whose results can be read here too.
    also: Option<Arc<Store>>,
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
    /// The store's folder is a link, in its usual place.
    #[error(
        "failed to open the store {path}: it is a symbolic link, which is not followed beside an experiment, since that may \
         be somebody else's; name the store by --store or in $SEPTET_STORE"
    )]
    Linked {
        /// The link.
        path: String,
    },
    /// Written by a newer Septet.
    #[error(
        "failed to open the store {path}: it has format {found}, this septet reads up to {STORE_FORMAT}; use a newer septet"
    )]
    Newer {
        /// The store.
        path: String,
        /// The store's format.
        found: u32,
    },
    /// Somebody adds results, so that none can be taken away.
    #[error("failed to take anything out of the store {path}: a run or a pull is at work in it; wait for its end")]
    Busy {
        /// The store.
        path: String,
    },
    /// Somebody adds results on another host, or has died there.
    #[error(
        "failed to take anything out of the store {path}: a run or a pull on another host is at work in it, or died there \
         within the last day; wait for its end, or remove {stage} if it has none"
    )]
    BusyElsewhere {
        /// The store.
        path: String,
        /// What is seen of it.
        stage: String,
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

    /// Whether a store cannot be written to by this user, or by anybody.
    pub fn is_refusal(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        matches!(self, StoreError::Io { source, .. } if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem))
    }

    /// Whether it says nothing of what is stored: the system would not let it be looked at, for now or for this user.
    pub fn is_unread(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if is_unread(source))
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> StoreError {
        StoreError::Damaged { path: path.display().to_string(), reason: reason.to_string() }
    }
}

/// Whether the system refused to look, and did not say what is there: a disk or a network that is ill, too many open
/// files, no right to read. Nothing that was only not read is taken for damaged.
fn is_unread(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let says_what_is_there =
        [Errno::ENOENT, Errno::ENOTDIR, Errno::EISDIR, Errno::ELOOP, Errno::ENXIO, Errno::ENAMETOOLONG];
    error.raw_os_error().is_some_and(|code| !says_what_is_there.contains(&Errno::from_raw(code)))
}

impl From<beneath::Error> for StoreError {
    fn from(error: beneath::Error) -> StoreError {
        let beneath::Error { doing, path, source } = error;
        StoreError::Io { doing, path, source }
    }
}

/// Said of a manifest that is not the one that its name says.
const OTHER_KEY: &str = "its content does not have the key that its name says";

impl Store {
    /// The store that is meant: at `asked`, else at `$SEPTET_STORE`, else in its usual place in the folder `beside`.
    /// It need not exist yet.
    pub fn meant(asked: Option<&Path>, beside: &Path) -> Result<Store, StoreError> {
        Store::at(Store::place(asked, beside))
    }

    fn place(asked: Option<&Path>, beside: &Path) -> StorePlace {
        let elsewhere = || std::env::var_os("SEPTET_STORE").filter(|root| !root.is_empty()).map(PathBuf::from);
        match asked.map(Path::to_path_buf).or_else(elsewhere) {
            Some(root) => StorePlace::Named(root),
            None => StorePlace::Beside(beside.to_path_buf()),
        }
    }

    /// The store at `root`, which need not exist yet. Nothing is written.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        Store::at(StorePlace::Named(root.to_path_buf()))
    }

    fn at(place: StorePlace) -> Result<Store, StoreError> {
        let store = Store::unlooked_at(place);
        store.format_there()?;
        Ok(store)
    }

    fn unlooked_at(place: StorePlace) -> Store {
        Store { root: place.shown(), place, open: Root::default(), also: None }
    }

    /// The store that is meant, also where the file that says its format is damaged: to find out what else is.
    ///
    /// # Errors
    /// Where it is of a newer format, or cannot be opened.
    pub fn meant_damaged(asked: Option<&Path>, beside: &Path) -> Result<Store, StoreError> {
        Store::at_damaged(Store::place(asked, beside))
    }

    fn at_damaged(place: StorePlace) -> Result<Store, StoreError> {
        let store = Store::unlooked_at(place);
        match store.format_there() {
            Err(StoreError::Damaged { .. }) | Ok(_) => Ok(store),
            // Too long a file, or none.
            Err(StoreError::Io { source, .. }) if Odd::in_error(&source).is_some() => {
                store.folder().map(|_| store.clone())
            }
            Err(other) => Err(other),
        }
    }

    /// The format that the store says it has, if it was made yet.
    ///
    /// # Errors
    /// Where it is newer than this program, or cannot be understood.
    fn format_there(&self) -> Result<Option<u32>, StoreError> {
        let name = self.name([FORMAT])?;
        let Some(bytes) = self.read(&name, FORMAT_BYTES_MAX)? else { return Ok(None) };
        let FormatFile { format } =
            bounded::json(&bytes).map_err(|error| StoreError::damaged(&self.path_of(&name), error))?;
        match format > STORE_FORMAT {
            true => Err(StoreError::Newer { path: self.root.display().to_string(), found: format }),
            false => Ok(Some(format)),
        }
    }

    /// This store, where results of another one can be read too, by their ids; its index, generations and
    /// everything that is written stay those of this one.
    pub(crate) fn reading_also(self, other: &Store) -> Store {
        Store { also: Some(Arc::new(other.clone())), ..self }
    }

    /// The store that has something: this one, or if it is not here, the other one.
    fn having(&self, name: &Below) -> &Store {
        match &self.also {
            Some(also) if !self.has(name) && also.has(name) => also,
            _ => self,
        }
    }

    /// The path of the store, as the user is told it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether anything was ever written to it.
    pub fn exists(&self) -> bool {
        self.name([FORMAT]).is_ok_and(|name| self.has(&name))
    }

    fn result_name(&self, id: &ResultId) -> Result<Below, StoreError> {
        let name = id.to_string();
        self.name([RESULTS, &name[..2], &name])
    }

    fn manifest_name(&self, key: &Key) -> Result<Below, StoreError> {
        let name = key.to_string();
        self.name([MANIFESTS, &name[..2], &format!("{name}.json")])
    }

    /// Whether a repetition is there.
    pub fn has_result(&self, id: &ResultId) -> bool {
        let look = |store: &Store| {
            let name = store.result_name(id).ok()?;
            store.folder().ok()??.look(&name).ok()?
        };
        let is_folder = |store: &Store| look(store).is_some_and(|look| look.kind == FileKind::Folder);
        is_folder(self) || self.also.as_deref().is_some_and(is_folder)
    }

    /// Whether the manifest of a key is there.
    pub fn has_manifest(&self, key: &Key) -> bool {
        self.manifest_name(key).is_ok_and(|name| self.having(&name).has(&name))
    }

    /// Folder of a repetition, by its path.
    pub fn result_folder(&self, id: &ResultId) -> PathBuf {
        let name = id.to_string();
        let own = self.root.join(RESULTS).join(&name[..2]).join(name);
        self.result_name(id).map_or(own, |name| self.having(&name).path_of(&name))
    }

    /// File of a manifest, by its path.
    pub fn manifest_path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        let own = self.root.join(MANIFESTS).join(&name[..2]).join(format!("{name}.json"));
        self.manifest_name(key).map_or(own, |name| self.having(&name).path_of(&name))
    }

    /// Makes the folders, once, before the first write.
    fn prepare(&self) -> Result<(), StoreError> {
        let root = self.made()?;
        for folder in [RESULTS, MANIFESTS, INDEX] {
            root.make_folder(&root.name([folder])?)?;
        }
        let format = self.name([FORMAT])?;
        // What an older septet made is read for good; it must not write beside what it would not understand.
        match self.format_there()? {
            Some(STORE_FORMAT) => Ok(()),
            _ => self.put(&format, &format_bytes()),
        }
    }

    /// The record of a repetition, checked against the name of its folder.
    pub fn record(&self, id: &ResultId) -> Result<Record, StoreError> {
        let folder = self.result_name(id)?;
        let store = self.having(&folder);
        let name = store.name([folder.as_str(), "record.json"])?;
        let bytes = store.read_there(&name, RECORD_BYTES_MAX)?;
        Record::of(id, &bytes).map_err(|reason| StoreError::damaged(&store.path_of(&name), reason))
    }

    /// A file of a repetition, checked against the digest in its record.
    pub fn file(&self, id: &ResultId, record: &Record, name: &str) -> Result<Vec<u8>, StoreError> {
        let folder = self.result_name(id)?;
        let store = self.having(&folder);
        let below = store.name([folder.as_str(), name])?;
        let path = store.path_of(&below);
        let digest = record.files.get(name).ok_or_else(|| StoreError::damaged(&path, "its record does not name it"))?;
        let differs = || StoreError::damaged(&path, "its content is not what its record says");
        let bytes = match store.read_there(&below, digest.len.min(SAMPLES_BYTES_MAX)) {
            Err(StoreError::Io { source, .. }) if Odd::in_error(&source).is_some_and(Odd::is_large) => {
                return Err(differs());
            }
            other => other?,
        };
        if bytes.len() as u64 != digest.len || blake3::hash(&bytes).to_hex().as_str() != digest.blake3 {
            return Err(differs());
        }
        Ok(bytes)
    }

    /// The manifest of a key, checked; absent if the store has none.
    pub fn manifest(&self, key: &Key) -> Result<Option<Listing>, StoreError> {
        let name = self.manifest_name(key)?;
        let store = self.having(&name);
        let Some(bytes) = store.read(&name, MANIFEST_BYTES_MAX)? else { return Ok(None) };
        let path = store.path_of(&name);
        let listing: Listing = bounded::json(&bytes).map_err(|error| StoreError::damaged(&path, error))?;
        if listing.key() != *key {
            return Err(StoreError::damaged(&path, OTHER_KEY));
        }
        Ok(Some(listing))
    }

    /// The sections of a key's manifest in order of name, checked like it; absent if the store has none.
    pub fn sections(&self, key: &Key) -> Result<Option<Vec<(String, Sealed)>>, StoreError> {
        let name = self.manifest_name(key)?;
        let store = self.having(&name);
        let Some(bytes) = store.read(&name, MANIFEST_BYTES_MAX)? else { return Ok(None) };
        let damaged = |reason| StoreError::damaged(&store.path_of(&name), reason);
        match known::sections(&bytes).map_err(damaged)? {
            (found, sections) if found == *key => Ok(Some(sections)),
            _ => Err(damaged(OTHER_KEY.to_string())),
        }
    }

    /// Names of the folders that results lie in, by the first digits of their ids.
    fn shelves(&self) -> Result<Vec<Below>, StoreError> {
        let results = self.name([RESULTS])?;
        let is_shelf = |name: &String| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let shelves = self.subfolders(&results)?.into_iter().filter(is_shelf);
        shelves.map(|shelf| self.name([RESULTS, &shelf])).collect()
    }

    /// Every repetition's folder, in order of name.
    pub fn result_ids(&self) -> Result<Vec<ResultId>, StoreError> {
        let mut ids = Vec::new();
        for shelf in self.shelves()? {
            ids.extend(self.subfolders(&shelf)?.into_iter().filter_map(|name| name.parse::<ResultId>().ok()));
        }
        ids.sort();
        Ok(ids)
    }
}

/// Content of the file `format`.
pub(crate) fn format_bytes() -> Vec<u8> {
    format!("{{\"format\": {STORE_FORMAT}}}\n").into_bytes()
}
