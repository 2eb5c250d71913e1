//! A plan together with what it was made of: facts of this host, the index, the tests. Reads; changes
//! nothing. It must not measure or print.

use std::collections::BTreeMap;

use host_setup::facts::Facts;
use serde::Serialize;

use crate::conditions::{Conditions, Prospect, Ready, Shared};
use crate::experiment::Test;
use crate::key::Key;
use crate::manifest::Listing;
use crate::plan::{self, Counts, Decision, Have, Plan, Status, Why};
use crate::store::{Index, StoreError, TestId};
use crate::workspace::Workspace;

/// A plan and its inputs.
#[derive(Debug)]
pub struct Planned<'a> {
    /// The experiment.
    pub workspace: &'a Workspace,
    /// The host.
    pub facts: &'a Facts,
    /// What is stored.
    pub index: Index,
    /// What becomes of each test.
    pub plan: Plan,
}

/// `plan --json`; the names are a promise to scripts.
#[derive(Debug, Serialize)]
pub struct PlanJson {
    tests_total: usize,
    stored: usize,
    to_measure: usize,
    skipped: usize,
    eta_s: f64,
    tests: Vec<TestJson>,
}

#[derive(Debug, Serialize)]
struct TestJson {
    name: String,
    key: Option<Key>,
    status: Status,
    why: Vec<String>,
    repetitions: Have,
}

impl<'a> Planned<'a> {
    /// Plans an experiment on a host. `forced` says which tests are measured again in any case.
    pub fn make(
        workspace: &'a Workspace,
        facts: &'a Facts,
        forced: &(dyn Fn(&Test) -> bool + Sync),
    ) -> Result<Planned<'a>, StoreError> {
        let index = workspace.store.index()?;
        let plan = plan::plan(workspace.tests(), &workspace.experiment.protocol, facts, &index, forced);
        Ok(Planned { workspace, facts, index, plan })
    }

    /// Tests and what becomes of them.
    pub fn tests(&self) -> impl Iterator<Item = (&'a Test, &Decision)> {
        self.workspace.tests().iter().zip(&self.plan.decisions)
    }

    /// What a test runs through here; absent for a skipped one.
    pub fn ready(&self, test: &Test) -> Option<Box<Ready>> {
        match Conditions::new(self.facts).judge(test, &mut Shared::default()) {
            Prospect::Ready(ready) => Some(ready),
            Prospect::Skipped(_) => None,
        }
    }

    /// Key of the test's newest stored repetition, whatever the conditions were.
    pub fn newest_key(&self, test: &Test) -> Option<Key> {
        self.index.newest_of(TestId::of(&test.tuple.to_string())).map(|entry| entry.key)
    }

    /// Why a test is not simply stored, in words.
    pub fn words(&self, test: &Test, decision: &Decision) -> Vec<String> {
        let now = match decision.why.iter().any(|why| matches!(why, Why::Changed(_))) {
            true => self.ready(test).map(|ready| ready.manifest.listing()),
            false => None,
        };
        let now = now.unwrap_or(Listing { format: 0, sections: BTreeMap::new() });
        let manifest = |key: &Key| self.workspace.store.manifest(key).ok().flatten();
        decision.why.iter().flat_map(|why| why.words(&now, &manifest)).collect()
    }

    /// The plan for scripts; tests that `only` does not take are left out.
    pub fn json(&self, only: &dyn Fn(&Test) -> bool) -> PlanJson {
        let Counts { total, stored, to_measure, skipped, eta_ms } = self.plan.counts();
        let tests = self
            .tests()
            .filter(|(test, _)| only(test))
            .map(|(test, decision)| TestJson {
                name: test.tuple.to_string(),
                key: decision.key,
                status: decision.status,
                why: self.words(test, decision),
                repetitions: decision.repetitions,
            })
            .collect();
        PlanJson { tests_total: total, stored, to_measure, skipped, eta_s: eta_ms as f64 / 1e3, tests }
    }

    /// The plan for people: the numbers, then what is to be measured and what is skipped, by reason.
    pub fn text(&self, only: &dyn Fn(&Test) -> bool) -> String {
        let counts = self.plan.counts();
        let mut out = format!("{}: {}\n", self.workspace.experiment.name, counts);
        for (status, heading) in [(Status::ToMeasure, "to measure"), (Status::Skipped, "skipped")] {
            let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
            for (test, decision) in self.tests().filter(|(test, decision)| decision.status == status && only(test)) {
                let reason = self.words(test, decision).join("; ");
                let name = test.tuple.to_string();
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, names)) => names.push(name),
                    None => reasons.push((reason, vec![name])),
                }
            }
            for (reason, names) in reasons {
                out.push_str(&format!("\n{heading}: {} because: {reason}\n", plural(names.len(), "test")));
                const SHOWN: usize = 6;
                for name in names.iter().take(SHOWN) {
                    out.push_str(&format!("  {name}\n"));
                }
                if names.len() > SHOWN {
                    out.push_str(&format!("  ... and {} more\n", names.len() - SHOWN));
                }
            }
        }
        out
    }
}

/// `1 test`, `2 tests`.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The numbers in a line: `20 tests: 12 stored, 8 to measure (about 45 s), 0 skipped`.
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let eta = match self.eta_ms {
            0 => String::new(),
            ms => format!(" (about {})", crate::clock::shown(std::time::Duration::from_millis(ms))),
        };
        let Counts { total, stored, to_measure, skipped, .. } = self;
        write!(f, "{}: {stored} stored, {to_measure} to measure{eta}, {skipped} skipped", plural(*total, "test"))
    }
}
