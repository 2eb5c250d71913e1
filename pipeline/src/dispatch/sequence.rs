//! In which order the tests of a block are measured: that of the matrix, or one that a seed decides. Pure. It must
//! not know stands.

use crate::key::Key;

/// How the tests of a block follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// As the experiment declares them.
    Declared,
    /// At random, by this seed: anybody can make the same order again.
    Random(String),
}

/// Where a test stands in its block; the lowest comes first.
pub(super) type Rank = [u8; 32];

impl Sequence {
    /// The rank of a test with this key in a block. A keyed hash is an even random order; declared tests have their
    /// number decide.
    pub(super) fn rank(&self, block: u64, key: &Key) -> Rank {
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
