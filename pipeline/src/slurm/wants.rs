//! What shards still want, by what is stored. It must not know jobs.

use std::collections::{BTreeMap, HashMap};

use super::ledger::Standing as Wanting;
use super::shard::{Shard, WantedTest};
use crate::acceptance::{Acceptances, Leaning};
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::experiment::{Repetitions, Test};
use crate::key::Key;
use crate::manifest::Listing;
use crate::plan::{Next, StoredResults};
use crate::store::{Index, Standing};
use crate::workspace::Workspace;

/// Results of a key: all, and those that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) all: usize,
    pub(super) failed: usize,
}

impl Count {
    pub(super) fn of(index: &Index, key: &Key) -> Count {
        let entries = index.of_key(key);
        let failed = entries.iter().filter(|entry| entry.standing == Standing::Failed).count();
        Count { all: entries.len(), failed }
    }
}

/// What became of a test since it was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    Missing,
    Stored,
    Failed,
}

/// What tests want.
pub(super) struct Wants<'a> {
    tests: HashMap<String, &'a Test>,
    conditions: &'a Conditions<'a>,
    repetitions: &'a Repetitions,
    leaning: Leaning<'a>,
    shared: KnownSurroundings,
}

impl<'a> Wants<'a> {
    pub(super) fn new(
        workspace: &'a Workspace,
        conditions: &'a Conditions<'a>,
        accepted: &'a Acceptances,
    ) -> Wants<'a> {
        Wants {
            tests: workspace.tests().iter().map(|test| (test.tuple.to_string(), test)).collect(),
            conditions,
            repetitions: &workspace.experiment.protocol.repetitions,
            leaning: Leaning::new(accepted),
            shared: KnownSurroundings::default(),
        }
    }

    /// The manifests that some of the tests are wanted under.
    pub(super) fn planned(&mut self, wanted: &[WantedTest]) -> Vec<Listing> {
        let mut listing = |wanted: &WantedTest| {
            let prospect = self.conditions.judge(self.tests.get(&wanted.test)?, &mut self.shared);
            let Prospect::Ready(ready) = prospect else { return None };
            (ready.manifest.key() == wanted.key).then(|| ready.manifest.listing())
        };
        wanted.iter().filter_map(&mut listing).collect()
    }

    /// What became of a test, by what is stored now and was `before`.
    pub(super) fn became(&mut self, wanted: &WantedTest, force: bool, before: Count, index: &Index) -> Became {
        let now = Count::of(index, &wanted.key);
        if now.failed > before.failed {
            return Became::Failed;
        }
        let wants_more = if force {
            now.all - now.failed < before.all - before.failed + self.repetitions.min as usize
        } else {
            // A test that is not in the experiment any more, or another one here, is wanted by nobody.
            let test = self.tests.get(&wanted.test);
            match test.map(|test| self.conditions.keyed(test, &mut self.shared)) {
                Some(Ok(now)) if now.key == wanted.key => {
                    let of = StoredResults::of(now, self.repetitions, index, &mut self.leaning);
                    matches!(of.standing.next, Next::More(_))
                }
                _ => false,
            }
        };
        if wants_more { Became::Missing } else { Became::Stored }
    }

    /// How a shard stands, and its tests that are missing.
    pub(super) fn of(
        &mut self,
        shard: &Shard,
        before: &BTreeMap<Key, Count>,
        index: &Index,
        attempts: u32,
        keep_going: bool,
    ) -> (Wanting, Vec<WantedTest>) {
        let mut standing = Wanting { attempts, ..Wanting::default() };
        let mut missing = Vec::new();
        for wanted in &shard.tests {
            let before = before.get(&wanted.key).copied().unwrap_or_default();
            standing.has_progressed |= Count::of(index, &wanted.key).all > before.all;
            match self.became(wanted, shard.force, before, index) {
                Became::Missing => missing.push(wanted.clone()),
                Became::Failed => standing.is_stopped |= !keep_going,
                Became::Stored => {}
            }
        }
        standing.missing = missing.len();
        (standing, missing)
    }
}
