//! Which tuple is at which place of a growing list of tests. It must not know groups.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use results::tuple::Tuple;

/// Finds tests by their tuple without holding a second copy of a million of them: the latest test of each hash,
/// and for each test the one before it with the same hash.
pub struct Index {
    latest: HashMap<u64, usize, BuildHasherDefault<Passed>>,
    before: Vec<Option<usize>>,
    hasher: RandomState,
}

impl Index {
    /// Empty, with room for so many tests.
    pub fn with_capacity(most: usize) -> Index {
        let latest = HashMap::with_capacity_and_hasher(most, BuildHasherDefault::default());
        Index { latest, before: Vec::with_capacity(most), hasher: RandomState::new() }
    }

    /// The place of `tuple` among the tests, of whose tuples `at` gives any; where it has none, takes note that it is
    /// appended next.
    pub fn find_or_append<'a>(&mut self, tuple: &Tuple, at: impl Fn(usize) -> &'a Tuple) -> Option<usize> {
        let latest = self.latest.entry(self.hasher.hash_one(tuple));
        let mut place = match &latest {
            Entry::Occupied(entry) => Some(*entry.get()),
            Entry::Vacant(_) => None,
        };
        let head = place;
        while let Some(candidate) = place {
            if at(candidate) == tuple {
                return Some(candidate);
            }
            place = self.before[candidate];
        }
        latest.insert_entry(self.before.len());
        self.before.push(head);
        None
    }
}

/// Passes on what is a hash already.
#[derive(Default)]
struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
