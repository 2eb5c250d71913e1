//! Generations: what one run stood on, test → key → repetitions. Reports, comparisons and archives take
//! one. It must not know how a run came to it.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::acceptance::Lean;
use crate::beneath::{Below, Folder};
use crate::key::{Key, ResultId, StatementId};

/// Version of the format.
const GENERATION_VERSION: u32 = 2;
/// Version of a generation that leans on no accepted change: older programs read it.
const VERSION_WITHOUT_LEANS: u32 = 1;
const LEVEL: i32 = 3;
/// Folder of the generations, one below it an experiment, and the end of the name of each file.
const FOLDER: &str = "generations";
const EXTENSION: &str = ".json.zst";
/// Most bytes of a generation: 100,000 tests have 30 million. One that came from elsewhere may claim to have more.
const BYTES_MAX: u64 = 1 << 29;

/// What one run of an experiment stood on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Version of the format.
    pub format: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// When the run ended, UTC, RFC 3339.
    pub created: String,
    /// Whether every test that could be measured was.
    pub complete: bool,
    /// Seed of the random order, hex; made from the matrix.
    pub seed: String,
    /// In order of the matrix.
    pub tests: Vec<GenerationTest>,
}

/// A test in a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationTest {
    /// Its name.
    pub name: String,
    /// Its key; absent for a skipped test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Its repetitions, valid and suspect, in order of id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repetitions: Vec<ResultId>,
    /// Older keys that some of the repetitions have, and the accepted changes by which they count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leans: Vec<Lean>,
}

impl GenerationTest {
    /// Keys that its repetitions may have.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.key.into_iter().chain(self.leans.iter().map(|lean| lean.key))
    }
}

impl Generation {
    /// A generation of this version.
    pub fn new(experiment: &str, created: String, complete: bool, seed: String, tests: Vec<GenerationTest>) -> Self {
        let leans = tests.iter().any(|test| !test.leans.is_empty());
        let format = if leans { GENERATION_VERSION } else { VERSION_WITHOUT_LEANS };
        Generation { format, experiment: experiment.to_string(), created, complete, seed, tests }
    }

    /// The accepted changes on which it leans, each once.
    pub fn statements(&self) -> BTreeSet<StatementId> {
        self.tests.iter().flat_map(|test| &test.leans).flat_map(|lean| lean.by.iter().copied()).collect()
    }

    /// Digest of what it stands on, without when: equal ones need no second file. 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        // BLAKE3 takes long pieces several times as fast as short ones.
        const PIECE: usize = 64 << 10;
        let mut hasher = blake3::Hasher::new();
        let mut piece = Vec::with_capacity(PIECE + 4096);
        piece.push(u8::from(self.complete));
        for test in &self.tests {
            piece.extend_from_slice(&(test.name.len() as u64).to_le_bytes());
            piece.extend_from_slice(test.name.as_bytes());
            piece.extend_from_slice(&test.key.map_or([0; 32], |key| key.0));
            let skipped = test.skipped.as_deref().unwrap_or("");
            piece.extend_from_slice(&(skipped.len() as u64).to_le_bytes());
            piece.extend_from_slice(skipped.as_bytes());
            piece.extend_from_slice(&(test.repetitions.len() as u64).to_le_bytes());
            for id in &test.repetitions {
                piece.extend_from_slice(&id.0);
            }
            for lean in &test.leans {
                // No name is that long, so that this is no next test; absent ones change no older digest.
                piece.extend_from_slice(&u64::MAX.to_le_bytes());
                piece.extend_from_slice(&lean.key.0);
                piece.extend_from_slice(&(lean.by.len() as u64).to_le_bytes());
                piece.extend(lean.by.iter().flat_map(|id| id.0));
            }
            if piece.len() >= PIECE {
                hasher.update(&piece);
                piece.clear();
            }
        }
        hasher.update(&piece);
        hasher.finalize().to_hex()[..16].to_string()
    }

    /// Its name: when, and its digest.
    pub fn name(&self) -> String {
        format!("{}-{}", file_time(&self.created), self.digest())
    }

    /// A generation from its file, which may be of a stranger.
    pub(crate) fn read(folder: &Folder, name: &Below) -> Result<Generation, StoreError> {
        let (path, file) = (&folder.path_of(name), folder.file(name)?);
        let decoder = zstd::stream::read::Decoder::new(file).map_err(StoreError::io("read", path))?;
        let generation: Generation = serde_json::from_reader(io::BufReader::new(decoder.take(BYTES_MAX)))
            .map_err(|error| StoreError::damaged(path, error))?;
        if generation.format > GENERATION_VERSION {
            return Err(StoreError::damaged(
                path,
                format!("it has format {}, this septet reads up to {GENERATION_VERSION}", generation.format),
            ));
        }
        Ok(generation)
    }

    /// Its name and the content of its file.
    pub fn file(&self) -> Result<(String, Vec<u8>), StoreError> {
        let name = self.name();
        let path = Path::new(&name);
        let json = serde_json::to_vec(self).map_err(|error| StoreError::io("encode", path)(error.into()))?;
        let bytes = zstd::bulk::compress(&json, LEVEL).map_err(StoreError::io("compress", path))?;
        Ok((name, bytes))
    }
}

impl Store {
    fn generation_file(&self, experiment: &str, name: &str) -> Result<Below, StoreError> {
        self.name([FOLDER, experiment, &format!("{name}{EXTENSION}")])
    }

    /// Names of an experiment's generations, oldest first: `TIME-DIGEST`.
    pub fn generation_names(&self, experiment: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.list(&self.name([FOLDER, experiment])?)?;
        let names = listed.iter().filter_map(|entry| entry.text()?.strip_suffix(EXTENSION));
        Ok(names.map(String::from).collect())
    }

    /// A generation by its name.
    pub fn generation(&self, experiment: &str, name: &str) -> Result<Generation, StoreError> {
        let file = self.generation_file(experiment, name)?;
        match self.folder()? {
            Some(root) => Generation::read(&root, &file),
            None => Err(StoreError::io("open", &self.path_of(&file))(io::ErrorKind::NotFound.into())),
        }
    }

    /// The latest complete generation, or the latest at all; its name and itself.
    pub fn latest_generation(&self, experiment: &str) -> Result<Option<(String, Generation)>, StoreError> {
        let mut latest = None;
        for name in self.generation_names(experiment)?.into_iter().rev() {
            let generation = self.generation(experiment, &name)?;
            if generation.complete {
                return Ok(Some((name, generation)));
            }
            latest.get_or_insert((name, generation));
        }
        Ok(latest)
    }

    /// Removes a generation; its results stay.
    pub(super) fn remove_generation(&self, experiment: &str, name: &str) -> Result<(), StoreError> {
        self.remove(&self.generation_file(experiment, name)?).map(drop)
    }

    /// Keeps a generation, unless the latest one stands on the same; its name. The last thing that a run does
    /// to the store, so what killed runs have left unfinished is cleared here too: this one may have measured
    /// nothing.
    pub fn keep_generation(&self, generation: &Generation) -> Result<String, StoreError> {
        self.clear_unfinished()?;
        let digest = generation.digest();
        if let Some(last) = self.generation_names(&generation.experiment)?.pop()
            && last.ends_with(&format!("-{digest}"))
        {
            return Ok(last);
        }
        let (name, bytes) = generation.file()?;
        self.prepare()?;
        self.put(&self.generation_file(&generation.experiment, &name)?, &bytes)?;
        Ok(name)
    }
}

/// `2026-01-02T03:04:05.678Z` as a file name's part that sorts: `20260102T030405678Z`.
fn file_time(created: &str) -> String {
    created.chars().filter(char::is_ascii_alphanumeric).collect()
}
