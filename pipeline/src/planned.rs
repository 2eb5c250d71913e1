//! A plan together with what it was made of: facts of this host, the index, the tests. Reads; changes
//! nothing. It must not measure or print.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use host_setup::facts::{Component, Facts};
use rayon::prelude::*;
use serde::Serialize;

use crate::acceptance::Acceptances;
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::cost::Estimate;
use crate::difference::{Difference, DifferenceId, Differences, Manifests};
use crate::experiment::Test;
use crate::inside;
use crate::key::Key;
use crate::manifest::{Change, CommonId, OwnDigest};
use crate::plan::{self, Counts, Decision, Have, Plan, Status, Why};
use crate::ready::Ready;
use crate::store::{Entry, Index, StoreError};
use crate::workspace::Workspace;

/// The fixed protocol that a precision is held against, that of the paper: traffic of a repetition, and how often.
const FIXED: Duration = Duration::from_secs(60);
const FIXED_REPETITIONS: u32 = 3;
/// Tests of a reason that are named.
const SHOWN: usize = 6;

/// A plan and its inputs.
#[derive(Debug)]
pub struct Planned<'a> {
    /// The experiment.
    pub workspace: &'a Workspace,
    /// What measurements on the host stand on.
    pub conditions: &'a Conditions<'a>,
    /// What is stored.
    pub index: Index,
    /// The changes that somebody has declared harmless.
    pub acceptances: Acceptances,
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
    /// How many of the stored tests have results in the shared store only.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<usize>,
    eta_s: f64,
    /// Between what it lies in eight of ten cases.
    eta_s_low: f64,
    eta_s_high: f64,
    /// What the fixed protocol would take, where a precision is asked for instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_protocol_s: Option<f64>,
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
    /// Plans an experiment on a host of these conditions. `forced` says which tests are measured again in any case.
    pub fn make(
        workspace: &'a Workspace,
        conditions: &'a Conditions<'a>,
        forced: &(dyn Fn(&Test) -> bool + Sync),
    ) -> Result<Planned<'a>, StoreError> {
        Planned::of(workspace, conditions, workspace.store.index()?, forced)
    }

    /// The same by an index that was read already.
    pub fn of(
        workspace: &'a Workspace,
        conditions: &'a Conditions<'a>,
        index: Index,
        forced: &(dyn Fn(&Test) -> bool + Sync),
    ) -> Result<Planned<'a>, StoreError> {
        let acceptances = workspace.store.acceptances(workspace.experiment.name.as_str())?;
        let protocol = &workspace.experiment.protocol;
        let plan = plan::plan(workspace.tests(), protocol, conditions, &index, &acceptances, forced);
        Ok(Planned { workspace, conditions, index, acceptances, plan, elsewhere: None })
    }

    /// The plan as it is with more results, which lie in the shared store that is called `url`.
    pub fn counting_on(self, url: &str, more: Vec<Entry>, forced: &(dyn Fn(&Test) -> bool + Sync)) -> Planned<'a> {
        let entries = self.index.entries().iter().copied().chain(more).collect();
        let index = Index::from_entries(entries);
        let (tests, protocol) = (self.workspace.tests(), &self.workspace.experiment.protocol);
        let plan = plan::plan(tests, protocol, self.conditions, &index, &self.acceptances, forced);
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
        match self.conditions.judge(test, &mut KnownSurroundings::default()) {
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
        Reasons::new(self).words(test, decision).to_vec()
    }

    /// Versions of components by digest, where they are known: of those of now, and of those of a result of that key.
    pub fn versions(&self, before: &Key) -> Result<BTreeMap<String, String>, StoreError> {
        let mut versions = BTreeMap::new();
        if let Some(entry) = self.index.of_key(before).first() {
            let record = self.workspace.store.record(&entry.id)?;
            for component in record.components() {
                versions.extend(record.version_of(component).map(|version| (component.digest.clone(), version)));
            }
        }
        for component in self.components() {
            versions.extend(component.version.clone().map(|version| (component.digest.clone(), version)));
        }
        Ok(versions)
    }

    /// Components of this host, the system's and those of stacks.
    fn components(&self) -> impl Iterator<Item = &Component> {
        let of_host =
            |facts: &'a Facts| facts.components.iter().chain(facts.stacks.values().flat_map(|stack| &stack.components));
        self.conditions.hosts().flat_map(of_host)
    }

    /// The files that changed inside of a component, from one digest to another, in words; none where either is
    /// not known. The older one is looked up in a result of the key `before`.
    pub fn inside(&self, before: &Key, was: &str, is: &str) -> Result<Vec<String>, StoreError> {
        let now = self.components().find(|component| component.digest == is);
        let (Some(entry), Some(now)) = (self.index.of_key(before).first(), now) else { return Ok(Vec::new()) };
        let record = self.workspace.store.record(&entry.id)?;
        let older = record.components().find(|component| component.digest == was);
        Ok(older.map(|older| inside::changed(older, now)).unwrap_or_default())
    }

    /// A difference since the manifest of a key in words: components with their versions, or else the places of
    /// stacks, and with what of it was accepted.
    fn told(&self, difference: &Difference, before: &Key) -> Vec<String> {
        // It is told without them where a record cannot be read.
        let mut known = self.versions(before).unwrap_or_default();
        for Component { digest, id, .. } in self.components() {
            if let (Some(id), false) = (id, known.contains_key(digest)) {
                known.insert(digest.clone(), id.clone());
            }
        }
        let accepted = |section: &str| {
            let (before, now) = difference.sections.get(section)?;
            self.acceptances.cover(section, before, now).then_some(" (accepted)")
        };
        let words = difference.changes.iter();
        let told =
            |change: &Change| format!("{}{}", change.told(&known), accepted(&change.section).unwrap_or_default());
        words.map(told).collect()
    }

    /// The plan for scripts; tests that `only` does not take are left out.
    pub fn json(&self, only: &dyn Fn(&Test) -> bool) -> PlanJson {
        let Counts { total, stored, leaning: _, to_measure, skipped, eta } = self.plan.counts();
        let mut reasons = Reasons::new(self);
        let tests = self
            .tests()
            .filter(|(test, _)| only(test))
            .map(|(test, decision)| TestJson {
                name: test.tuple.to_string(),
                key: decision.key,
                status: decision.status,
                why: reasons.words(test, decision).to_vec(),
                repetitions: decision.repetitions,
            })
            .collect();
        let shared = self.elsewhere.as_ref().map(|elsewhere| elsewhere.keys.len());
        PlanJson {
            tests_total: total,
            stored,
            to_measure,
            skipped,
            shared,
            eta_s: eta.ms as f64 / 1e3,
            eta_s_low: eta.low_ms as f64 / 1e3,
            eta_s_high: eta.high_ms as f64 / 1e3,
            fixed_protocol_s: self.fixed_protocol().map(|fixed| fixed.as_secs_f64()),
            tests,
        }
    }

    /// The plan for people: the numbers, then what is to be measured and what is skipped, by reason.
    pub fn text(&self, only: &(dyn Fn(&Test) -> bool + Sync)) -> String {
        let counts = self.plan.counts();
        let mut out = format!("{}: {}\n", self.workspace.experiment.name, counts);
        if let Some(Elsewhere { url, keys }) = self.elsewhere.as_ref().filter(|elsewhere| !elsewhere.keys.is_empty()) {
            let tests = plural(keys.len(), "stored test");
            out.push_str(&format!("results of {tests} are in {url} and not here; `run` and `store pull` copy them\n"));
        }
        if let Some(fixed) = self.fixed_protocol().filter(|_| counts.to_measure > 0) {
            let expected = crate::clock::shown(Duration::from_millis(counts.eta.ms));
            let fixed = crate::clock::shown(fixed);
            out.push_str(&format!(
                "to the asked precision it takes about {expected}; {FIXED_REPETITIONS} times {} s a test would take {fixed}\n",
                FIXED.as_secs()
            ));
        }
        let headings = [
            (Status::Stored, "stored", counts.stored),
            (Status::ToMeasure, "to measure", counts.to_measure),
            (Status::Skipped, "skipped", counts.skipped),
        ];
        for (status, heading, _) in headings.into_iter().filter(|(.., tests)| *tests > 0) {
            out.push_str(&self.section(status, heading, only));
        }
        out
    }

    /// What the tests that are to be measured would take by a fixed protocol, where a precision is asked for instead.
    fn fixed_protocol(&self) -> Option<Duration> {
        plan::asked(&self.workspace.experiment.protocol.repetitions)?;
        let wanted = u32::try_from(self.plan.counts().to_measure).unwrap_or(u32::MAX);
        Some(FIXED * FIXED_REPETITIONS * wanted)
    }

    /// Why nothing at all can be measured here, if all tests that `only` takes are skipped.
    pub fn all_skipped(&self, only: &(dyn Fn(&Test) -> bool + Sync)) -> Option<String> {
        let mut asked = self.tests().filter(|(test, _)| only(test)).peekable();
        asked.peek()?;
        let all = asked.all(|(_, decision)| decision.status == Status::Skipped);
        all.then(|| self.section(Status::Skipped, "skipped", only).trim().to_string())
    }

    /// The tests of one status, by reason.
    fn section(&self, status: Status, heading: &str, only: &(dyn Fn(&Test) -> bool + Sync)) -> String {
        // What is simply stored needs no reason.
        let is_told =
            |decision: &Decision| status != Status::Stored || !decision.leans.is_empty() || !decision.why.is_empty();
        let pairs = self.workspace.tests().par_iter().zip(&self.plan.decisions);
        let told = pairs
            .filter(|(test, decision)| decision.status == status && is_told(decision) && only(test))
            .fold(
                || (None, Kinds::default()),
                |(reasons, mut kinds): (Option<Reasons>, _), (test, decision)| {
                    let mut reasons = reasons.unwrap_or_else(|| Reasons::new(self));
                    kinds.add(reasons.words(test, decision), 1, decision.eta, &[test]);
                    (Some(reasons), kinds)
                },
            )
            .map(|(_, kinds)| kinds)
            .reduce(Kinds::default, Kinds::and);
        let mut out = String::new();
        for Alike { reason, tests, eta, first } in told.0 {
            let (time, reason) = (about(eta), reason.join("; "));
            out.push_str(&format!("\n{heading}: {}{time} because: {reason}\n", plural(tests, "test")));
            for test in &first {
                out.push_str(&format!("  {}\n", test.tuple));
            }
            if tests > first.len() {
                out.push_str(&format!("  ... and {} more\n", tests - first.len()));
            }
        }
        out
    }
}

/// Why tests are not simply stored, one after the other.
struct Reasons<'p> {
    planned: &'p Planned<'p>,
    conditions: &'p Conditions<'p>,
    shared: KnownSurroundings,
    manifests: Manifests<'p>,
    differences: Differences,
    /// Differences in words.
    told: HashMap<DifferenceId, Reason>,
    /// The last of those in what tests have in common, by what that was and is: of most tests it is the same again.
    last: Option<([CommonId; 2], Reason)>,
}

/// Why a test is not simply stored, in words; shared, since many tests have the same reason.
type Reason = Arc<[String]>;

/// Tests of one reason.
struct Alike<'t> {
    reason: Reason,
    tests: usize,
    eta: Estimate,
    /// The first of them.
    first: Vec<&'t Test>,
}

/// Tests by their reasons, in the order in which these were met.
#[derive(Default)]
struct Kinds<'t>(Vec<Alike<'t>>);

impl<'t> Kinds<'t> {
    fn add(&mut self, reason: Reason, tests: usize, eta: Estimate, first: &[&'t Test]) {
        let is_same = |known: &Reason| Arc::ptr_eq(known, &reason) || *known == reason;
        let place = self.0.iter().position(|alike| is_same(&alike.reason)).unwrap_or_else(|| {
            self.0.push(Alike { reason, tests: 0, eta: Estimate::default(), first: Vec::new() });
            self.0.len() - 1
        });
        let alike = &mut self.0[place];
        alike.tests += tests;
        alike.eta = [alike.eta, eta].into_iter().sum();
        let room = SHOWN - alike.first.len();
        alike.first.extend(first.iter().take(room));
    }

    /// With those of tests that come after them.
    fn and(mut self, later: Kinds<'t>) -> Kinds<'t> {
        for Alike { reason, tests, eta, first } in later.0 {
            self.add(reason, tests, eta, &first);
        }
        self
    }
}

impl<'p> Reasons<'p> {
    fn new(planned: &'p Planned<'p>) -> Reasons<'p> {
        let (conditions, shared) = (planned.conditions, KnownSurroundings::default());
        let manifests = Manifests::of(&planned.workspace.store);
        let (differences, told, last) = (Differences::default(), HashMap::new(), None);
        Reasons { planned, conditions, shared, manifests, differences, told, last }
    }

    fn words(&mut self, test: &Test, decision: &Decision) -> Reason {
        let elsewhere = self.planned.elsewhere.as_ref();
        if let Some(elsewhere) =
            elsewhere.filter(|elsewhere| decision.key.is_some_and(|key| elsewhere.keys.contains(&key)))
        {
            return Arc::new([format!("its results are in {}", elsewhere.url)]);
        }
        if let ([Why::Changed(before)], []) = (&decision.why[..], &decision.leans[..]) {
            return self.changes(test, &decision.own, before);
        }
        let mut words = Vec::new();
        for why in &decision.why {
            match why.words() {
                Ok(told) => words.extend(told),
                Err(before) => words.extend_from_slice(&self.changes(test, &decision.own, &before)),
            }
        }
        let by: BTreeSet<_> = decision.leans.iter().flat_map(|lean| &lean.by).collect();
        let accepted = self.planned.acceptances.iter().filter(|acceptance| by.contains(&acceptance.id));
        words.extend(accepted.map(|acceptance| acceptance.words()));
        words.into()
    }

    /// What changed since the manifest of that key.
    fn changes(&mut self, test: &Test, own: &OwnDigest, older: &Key) -> Reason {
        let Reasons { planned, conditions, shared, manifests, differences, told, last } = self;
        let mut words = |difference: &Difference| {
            told.entry(difference.id).or_insert_with(|| planned.told(difference, older).into()).clone()
        };
        // Most tests have of their own what they had: then the key that they had says so.
        if let Some(now) = conditions.common(test, shared)
            && let Some(before) = manifests.seen(own, older)
        {
            let both = [before.id(), now.id()];
            return match last {
                Some((of, reason)) if *of == both => reason.clone(),
                _ => last.insert((both, words(differences.in_common(before, now)))).1.clone(),
            };
        }
        let Prospect::Ready(ready) = conditions.judge(test, shared) else { return Arc::new([]) };
        match manifests.get(ready.manifest.own(), older) {
            Ok(Some(before)) => words(&differences.between(&before, &ready.manifest)),
            _ => Arc::new(["its key changed; the older manifest is missing".to_string()]),
        }
    }
}

/// `1 test`, `2 tests`.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// ` (about 45 s)`, with between what it lies where that is more than a guess would miss; nothing for no time.
fn about(eta: Estimate) -> String {
    let shown = |ms: u64| crate::clock::shown(Duration::from_millis(ms));
    match eta {
        Estimate { ms: 0, .. } => String::new(),
        Estimate { ms, low_ms, high_ms } if high_ms > low_ms + low_ms / 5 => {
            format!(" (about {}; {} to {})", shown(ms), shown(low_ms), shown(high_ms))
        }
        Estimate { ms, .. } => format!(" (about {})", shown(ms)),
    }
}

/// The numbers in a line: `20 tests: 12 stored (2 by accepted changes), 8 to measure (about 45 s), 0 skipped`.
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let eta = about(self.eta);
        let Counts { total, stored, leaning, to_measure, skipped, .. } = self;
        let leaning = match leaning {
            0 => String::new(),
            leaning => format!(" ({leaning} by accepted changes)"),
        };
        let total = plural(*total, "test");
        write!(f, "{total}: {stored} stored{leaning}, {to_measure} to measure{eta}, {skipped} skipped")
    }
}
