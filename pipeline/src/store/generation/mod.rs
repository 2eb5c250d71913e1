//! Generations: what one run stood on, test → key → repetitions. Reports, comparisons and archives take
//! one. It must not know how a run came to it.

mod file;
mod head;
mod line;
mod name;
mod order;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use head::{Head, Rank};
pub use line::{Line, Unusable};
pub use name::{GenerationName, NotAName};

use crate::acceptance::Lean;
use crate::key::{Key, ResultId, StatementId};

/// Folder of generations, in a store.
pub(super) const FOLDER: &str = "generations";
/// Version of the format: it names those that it follows, and its name proves all of it.
const GENERATION_VERSION: u32 = 3;
/// Version in which a generation first leaned on accepted changes. This and those before it know no predecessors.
const VERSION_WITH_LEANS: u32 = 2;

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
    /// The generations that nothing followed when this one was kept, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<GenerationName>,
    /// How many stand one after the other up to this one, itself counted; 0 until it is kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u64,
    /// In order of the matrix.
    pub tests: Vec<GenerationTest>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A test in a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationTest {
    /// The test's name.
    pub name: String,
    /// The test's key; absent for a skipped test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The test's repetitions, valid and suspect, in order of id.
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
    /// A generation of this version, that follows none yet.
    pub fn new(experiment: &str, created: String, complete: bool, seed: String, tests: Vec<GenerationTest>) -> Self {
        let experiment = experiment.to_string();
        Generation {
            format: GENERATION_VERSION,
            experiment,
            created,
            complete,
            seed,
            follows: Vec::new(),
            line: 0,
            tests,
        }
    }

    /// The accepted changes on which it leans, each once.
    pub fn statements(&self) -> BTreeSet<StatementId> {
        self.tests.iter().flat_map(|test| &test.leans).flat_map(|lean| lean.by.iter().copied()).collect()
    }

    /// Digest of what it stands on, without when: equal ones need no second file.
    fn stands_on(&self) -> blake3::Hash {
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
        hasher.finalize()
    }

    /// The first 16 hexadecimal digits of the digest of what it stands on, for people.
    pub fn digest(&self) -> String {
        self.stands_on().to_hex()[..16].to_string()
    }

    /// Whether its format knows no predecessors.
    fn is_older(&self) -> bool {
        self.format <= VERSION_WITH_LEANS
    }

    /// The generation's name.
    pub fn name(&self) -> GenerationName {
        match self.is_older() {
            true => GenerationName::new(&self.created, &self.stands_on().to_hex(), None),
            false => Head::of(self).name(),
        }
    }

    /// What decides between it and another one of which neither follows the other; none in an older format, which
    /// is before all of this one.
    pub fn rank(&self) -> Option<Rank> {
        (!self.is_older()).then(|| Head::of(self).rank())
    }
}
