//! What a generation says of itself before its tests: enough to put it in order, and proven by the digest in its name
//! without reading more. It must not know files.

use serde::{Deserialize, Serialize};

use super::name::{GenerationName, file_time};
use super::{GENERATION_VERSION, Generation, VERSION_WITH_LEANS};
use crate::clock;

/// Most generations that one may follow.
pub(super) const FOLLOWS_MAX: usize = 1_000;
/// Most generations one after the other.
const LINE_MAX: u64 = 1 << 40;

/// The head of a generation, of format 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the format.
    pub format: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// When the run ended, UTC, RFC 3339.
    pub created: String,
    /// Whether every test that could be measured was.
    pub complete: bool,
    /// Seed of the random order.
    pub seed: String,
    /// The generations that nothing followed when this one was made, sorted.
    pub follows: Vec<GenerationName>,
    /// How many stand one after the other up to this one, itself counted.
    pub line: u64,
    /// Digest of what it stands on, 64 hexadecimal digits.
    pub stands_on: String,
    /// Tests that were measured.
    pub measured: u64,
    /// Repetitions of them.
    pub results: u64,
}

impl Head {
    /// The head of a generation of format 3.
    pub(super) fn of(generation: &Generation) -> Head {
        let repetitions = || generation.tests.iter().map(|test| test.repetitions.len() as u64);
        Head {
            format: generation.format,
            experiment: generation.experiment.clone(),
            created: generation.created.clone(),
            complete: generation.complete,
            seed: generation.seed.clone(),
            follows: generation.follows.clone(),
            line: generation.line,
            stands_on: generation.stands_on().to_hex().to_string(),
            measured: repetitions().filter(|count| *count > 0).count() as u64,
            results: repetitions().sum(),
        }
    }

    /// Digest of all that it says, 64 hexadecimal digits.
    fn own(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"septet generation\n");
        hasher.update(&self.format.to_le_bytes());
        let texts = [&self.experiment, &self.created, &self.seed, &self.stands_on];
        for text in texts.into_iter().map(String::as_str).chain(self.follows.iter().map(GenerationName::as_str)) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(&[u8::from(self.complete)]);
        for number in [self.follows.len() as u64, self.line, self.measured, self.results] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The generation's name.
    pub fn name(&self) -> GenerationName {
        GenerationName::new(&self.created, &self.stands_on, Some(&self.own()))
    }

    /// Whether it is what `name` in the folder of `experiment` says.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn check(&self, experiment: &str, name: &GenerationName) -> Result<(), String> {
        if self.format <= VERSION_WITH_LEANS || self.format > GENERATION_VERSION || self.name() != *name {
            return Err(NOT_ITS_NAME.to_string());
        }
        placed(experiment, &self.experiment, &self.created, name)?;
        let sorted = self.follows.windows(2).all(|pair| pair[0] < pair[1]);
        if !sorted || self.follows.len() > FOLLOWS_MAX || !(1..=LINE_MAX).contains(&self.line) {
            return Err("what it says of those before it cannot be".to_string());
        }
        Ok(())
    }

    /// What decides between several that nothing follows: the larger one is the latest. A time never does.
    pub fn rank(&self) -> Rank {
        let own = self.own();
        Rank { line: self.line, complete: self.complete, measured: self.measured, results: self.results, own }
    }
}

/// What is said of a content that is not what the name of its file says.
pub(super) const NOT_ITS_NAME: &str = "its content is not what its name says";

/// Whether a generation lies where it belongs, under the time that it says.
pub(super) fn placed(folder: &str, experiment: &str, created: &str, name: &GenerationName) -> Result<(), String> {
    if experiment != folder {
        return Err(format!("it is of the experiment '{}'", experiment.escape_debug()));
    }
    let is_time = clock::parse_rfc3339_ms(created).is_some();
    match is_time && name.as_str().split('-').next() == Some(&file_time(created)) {
        true => Ok(()),
        false => Err(NOT_ITS_NAME.to_string()),
    }
}

/// Order of generations of which neither follows the other: by the longest line of predecessors, then by whether it
/// is complete, by tests and by repetitions measured, and last by digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub(super) line: u64,
    pub(super) complete: bool,
    pub(super) measured: u64,
    pub(super) results: u64,
    pub(super) own: String,
}
