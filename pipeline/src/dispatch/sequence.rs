//! In which order the tests of a block are measured: that of the matrix, or one that a seed decides. Pure. It must
//! not know stands.

use super::urgency::Turn;
use super::{Number, Task};
use crate::key::Key;

/// How the tests of a block follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// The order of the experiment file.
    Declared,
    /// At random, by this seed: anybody can make the same order again.
    Random(String),
}

/// Where a test stands in its block; the lowest comes first.
pub(crate) type Rank = [u8; 32];

/// Where a test waits that wants a repetition: the lowest is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    pub(super) turn: Turn,
    rank: Rank,
    pub(super) test: Number,
}

impl Sequence {
    /// Where a test waits that is wanted in a block.
    pub(super) fn place(&self, task: &Task, block: u64, test: Number) -> Waiting {
        Waiting { turn: task.urgency.turn(block), rank: self.rank(block, &task.key), test }
    }

    /// The rank of a test with this key in a block. A keyed hash is an even random order; declared tests have their
    /// number decide.
    pub(crate) fn rank(&self, block: u64, key: &Key) -> Rank {
        match self {
            Sequence::Declared => [0; 32],
            Sequence::Random(seed) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(seed.as_bytes());
                hasher.update(&block.to_le_bytes());
                hasher.update(&key.0);
                *hasher.finalize().as_bytes()
            }
        }
    }
}
