//! A plan together with what it was made of: facts of this host, the index, the tests. Reads; changes
//! nothing. It must not measure or print.

use std::collections::HashSet;
use std::sync::Arc;

use host_setup::facts::Facts;
use serde::Serialize;

use crate::conditions::{Conditions, OWN_SECTION, Prospect, Shared};
use crate::experiment::Test;
use crate::key::Key;
use crate::manifest::Common;
use crate::plan::{self, Counts, Decision, Have, Plan, Status};
use crate::ready::Ready;
use crate::store::{Entry, Index, StoreError};
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
    /// What of it stands on results that are not here.
    elsewhere: Option<Elsewhere>,
}

/// Tests that count as stored since a shared store has their results; a run copies these before anything else.
#[derive(Debug)]
struct Elsewhere {
    url: String,
    keys: HashSet<Key>,
}

/// `plan --json`; the names are a promise to scripts.
#[derive(Debug, Serialize)]
pub struct PlanJson {
    tests_total: usize,
    stored: usize,
    to_measure: usize,
    skipped: usize,
    /// Of the stored ones, those whose results are in the shared store and not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<usize>,
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
        Ok(Planned { workspace, facts, index, plan, elsewhere: None })
    }

    /// The plan as it is with more results, which lie in the shared store `url`.
    pub fn counting_on(self, url: &str, more: Vec<Entry>, forced: &(dyn Fn(&Test) -> bool + Sync)) -> Planned<'a> {
        let entries = self.index.entries().iter().copied().chain(more).collect();
        let index = Index::from_entries(entries);
        let tests = self.workspace.tests();
        let plan = plan::plan(tests, &self.workspace.experiment.protocol, self.facts, &index, forced);
        let pairs = self.plan.decisions.iter().zip(&plan.decisions);
        let newly = pairs.filter(|(before, now)| before.status != Status::Stored && now.status == Status::Stored);
        let keys = newly.filter_map(|(_, now)| now.key).collect();
        Planned { index, plan, elsewhere: Some(Elsewhere { url: url.to_string(), keys }), ..self }
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
        plan::newest(&self.index, &test.tuple).map(|entry| entry.key)
    }

    /// Why a test is not simply stored, in words.
    pub fn words(&self, test: &Test, decision: &Decision) -> Vec<String> {
        Reasons::new(self).words(test, decision)
    }

    /// The plan for scripts; tests that `only` does not take are left out.
    pub fn json(&self, only: &dyn Fn(&Test) -> bool) -> PlanJson {
        let Counts { total, stored, to_measure, skipped, eta_ms } = self.plan.counts();
        let mut reasons = Reasons::new(self);
        let tests = self
            .tests()
            .filter(|(test, _)| only(test))
            .map(|(test, decision)| TestJson {
                name: test.tuple.to_string(),
                key: decision.key,
                status: decision.status,
                why: reasons.words(test, decision),
                repetitions: decision.repetitions,
            })
            .collect();
        let shared = self.elsewhere.as_ref().map(|elsewhere| elsewhere.keys.len());
        PlanJson { tests_total: total, stored, to_measure, skipped, shared, eta_s: eta_ms as f64 / 1e3, tests }
    }

    /// The plan for people: the numbers, then what is to be measured and what is skipped, by reason.
    pub fn text(&self, only: &dyn Fn(&Test) -> bool) -> String {
        let counts = self.plan.counts();
        let mut out = format!("{}: {}\n", self.workspace.experiment.name, counts);
        if let Some(Elsewhere { url, keys }) = self.elsewhere.as_ref().filter(|elsewhere| !elsewhere.keys.is_empty()) {
            let tests = plural(keys.len(), "stored test");
            out.push_str(&format!("results of {tests} are in {url} and not here; `run` and `store pull` copy them\n"));
        }
        let mut why = Reasons::new(self);
        for (status, heading) in [(Status::ToMeasure, "to measure"), (Status::Skipped, "skipped")] {
            let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
            for (test, decision) in self.tests().filter(|(test, decision)| decision.status == status && only(test)) {
                let reason = why.words(test, decision).join("; ");
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

/// Why tests are not simply stored, one after the other. An upgrade changes many tests in the same way: what
/// tests have in common is compared once, and of the others' older manifests none is read.
struct Reasons<'p> {
    planned: &'p Planned<'p>,
    conditions: Conditions<'p>,
    shared: Shared,
    /// What was compared: in common now, in common before, and the difference in words.
    known: Vec<(Arc<Common>, Arc<Common>, Vec<String>)>,
}

impl<'p> Reasons<'p> {
    fn new(planned: &'p Planned<'p>) -> Reasons<'p> {
        let conditions = Conditions::new(planned.facts);
        Reasons { planned, conditions, shared: Shared::default(), known: Vec::new() }
    }

    fn words(&mut self, test: &Test, decision: &Decision) -> Vec<String> {
        let elsewhere = self.planned.elsewhere.as_ref();
        if let Some(elsewhere) =
            elsewhere.filter(|elsewhere| decision.key.is_some_and(|key| elsewhere.keys.contains(&key)))
        {
            return vec![format!("its results are in {}", elsewhere.url)];
        }
        decision.why.iter().flat_map(|why| why.words().unwrap_or_else(|before| self.changes(test, &before))).collect()
    }

    /// What changed since the manifest of that key.
    fn changes(&mut self, test: &Test, before: &Key) -> Vec<String> {
        let Prospect::Ready(ready) = self.conditions.judge(test, &mut self.shared) else { return Vec::new() };
        let manifest = ready.manifest;
        let is_known = |(now, then, _): &&(Arc<Common>, Arc<Common>, Vec<String>)| {
            Arc::ptr_eq(now, manifest.common()) && manifest.among(then.clone()).key() == *before
        };
        if let Some((_, _, words)) = self.known.iter().find(is_known) {
            return words.clone();
        }
        let Some(listing) = self.planned.workspace.store.manifest(before).ok().flatten() else {
            return vec!["its key changed; the older manifest is missing".to_string()];
        };
        let words: Vec<String> = listing.changes_to(&manifest.listing()).iter().map(ToString::to_string).collect();
        if let Some(then) = listing.common(OWN_SECTION).map(Arc::new)
            && manifest.among(then.clone()).key() == *before
        {
            self.known.push((manifest.common().clone(), then, words.clone()));
        }
        words
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
