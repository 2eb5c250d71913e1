//! What the tests of a run want, by what is stored of them: which ones begin it, whether one wants more, and how long
//! all of it will take. Pure but for what it is given. It must not know stands.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::acceptance::{Acceptances, Leaning};
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::cost::{Costs, Kin, VALUES_MIN};
use crate::dispatch::{Number, State, Task, Urgency};
use crate::experiment::{Repetitions, Test};
use crate::key::Key;
use crate::manifest::Manifest;
use crate::plan::{self, Next, StoredResults};
use crate::precise::{self, Chosen, Shown};
use crate::store::{Entry, Index, Record, Standing, StoreError};
use crate::workspace::Workspace;

use super::RunRequest;
use super::doubts::Doubts;

/// A test that wants repetitions.
#[derive(Debug)]
pub(super) struct AskedTest<'t> {
    pub(super) test: &'t Test,
    pub(super) manifest: Manifest,
    pub(super) key: Key,
    /// Whether it is measured whatever is stored.
    force: bool,
    /// Whether a set-up of it can have several windows.
    renews: bool,
    /// Repetitions that this run has added, suspect ones counted: what is always suspect ends, too.
    added: u32,
    /// Repetitions that it wants as far as is known.
    missing: u64,
    /// What one will cost, milliseconds.
    eta_ms: u64,
}

/// The tests of a run that want repetitions.
pub(super) struct Tally<'t> {
    repetitions: &'t Repetitions,
    leaning: Leaning<'t>,
    index: Index,
    /// What repetitions take, learned from this run and those before it.
    costs: Costs,
    tests: Vec<AskedTest<'t>>,
    /// What windows have shown, of tests whose windows are chosen.
    shown: Shown,
    workspace: &'t Workspace,
    /// What is in doubt; nothing in a run that has all the time there is.
    doubts: Option<Doubts<'t>>,
    /// Sum of what is missing, and of what it costs, milliseconds.
    left: (u64, u64),
}

impl<'t> Tally<'t> {
    /// The tests that want at least one repetition, each key once.
    pub(super) fn new(
        workspace: &'t Workspace,
        request: &RunRequest<'t>,
        conditions: &Conditions,
        accepted: &'t Acceptances,
        index: Index,
    ) -> Result<Tally<'t>, StoreError> {
        let repetitions = &workspace.experiment.protocol.repetitions;
        let (leaning, costs) = (Leaning::new(accepted), known(workspace.tests(), conditions, &index));
        let limited = request.time_limit.is_some();
        let doubts = limited.then(|| Doubts::new(workspace, conditions, accepted, &index)).transpose()?;
        let mut tally = Tally {
            repetitions,
            leaning,
            index,
            costs,
            tests: Vec::new(),
            shown: Shown::default(),
            workspace,
            doubts,
            left: (0, 0),
        };
        let mut shared = KnownSurroundings::default();
        let mut seen = BTreeSet::new();
        let asked = workspace.tests().iter().filter(|test| (request.only)(test));
        let asked = asked.map(|test| (test, (request.force)(test)));
        for (test, force) in asked.chain(request.twins.iter().map(|twin| (&twin.test, true))) {
            let Prospect::Ready(ready) = conditions.judge(test, &mut shared) else { continue };
            let key = ready.manifest.key();
            if !seen.insert(key) {
                continue;
            }
            let renews = ready.renews(&test.tuple);
            let asked =
                AskedTest { test, manifest: ready.manifest, key, force, renews, added: 0, missing: 0, eta_ms: 0 };
            tally.tests.push(asked);
            let at = tally.tests.len() - 1;
            tally.read(at)?;
            tally.vary(at);
            match tally.look(at) {
                Some((missing, eta_ms)) => tally.note(at, missing, eta_ms),
                None => drop(tally.tests.pop()),
            }
        }
        Ok(tally)
    }

    /// The tasks for the dispatcher.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let urgencies = self.urgencies();
        let urgency = |at: usize| urgencies.get(at).map_or(Urgency::UNKNOWN, |(_, urgency)| *urgency);
        let task = |(at, asked): (usize, &AskedTest)| Task {
            key: asked.key,
            cost: self.cost(at, asked.eta_ms),
            urgency: urgency(at),
        };
        self.tests.iter().enumerate().map(task).collect()
    }

    /// How urgent each test is by what is known now; nothing where no test is more urgent than another.
    pub(super) fn urgencies(&self) -> Vec<(Number, Urgency)> {
        let Some(doubts) = &self.doubts else { return Vec::new() };
        let urgencies = doubts.urgencies(self.tests.iter().map(|asked| &asked.key));
        urgencies.into_iter().enumerate().map(|(at, urgency)| (Number(at), urgency)).collect()
    }

    pub(super) fn asked(&self, test: Number) -> &AskedTest<'t> {
        &self.tests[test.0]
    }

    /// Repetitions that are left as far as is known, and about how long they will take one after the other.
    pub(super) fn left(&self) -> (u64, Duration) {
        (self.left.0, Duration::from_millis(self.left.1))
    }

    /// A repetition of a test is done, whatever became of it.
    pub(super) fn done(&mut self, test: Number) {
        let AskedTest { missing, eta_ms, .. } = self.tests[test.0];
        self.note(test.0, missing.saturating_sub(1), eta_ms);
    }

    /// The only place where what is left of a test changes.
    fn note(&mut self, at: usize, missing: u64, eta_ms: u64) {
        let asked = &mut self.tests[at];
        self.left.0 = self.left.0 + missing - asked.missing;
        self.left.1 = self.left.1 + missing * eta_ms - asked.missing * asked.eta_ms;
        (asked.missing, asked.eta_ms) = (missing, eta_ms);
    }

    /// Reads what windows of a test have shown, where they are chosen and it is not known yet.
    fn read(&mut self, at: usize) -> Result<(), StoreError> {
        let AskedTest { test, key, .. } = &self.tests[at];
        if !test.times.chosen {
            return Ok(());
        }
        for entry in self.index.of_key(key).iter().filter(|entry| entry.standing == Standing::Valid) {
            if !self.shown.has(key, &entry.id) {
                self.shown.learn(test, *key, entry.id, &self.workspace.store.record(&entry.id)?);
            }
        }
        Ok(())
    }

    /// Takes note of how the repetitions of a test vary.
    fn vary(&mut self, at: usize) {
        let AskedTest { test, key, .. } = &self.tests[at];
        let valid = self.index.of_key(key).iter().filter(|entry| entry.standing == Standing::Valid);
        let values: Vec<f64> = valid.map(|entry| entry.value).collect();
        if values.len() >= VALUES_MIN {
            self.costs.learn_values(test, &values);
        }
    }

    /// What is next for a test whose windows are chosen.
    fn next(&self, at: usize) -> Option<precise::Next> {
        let AskedTest { test, key, renews, .. } = &self.tests[at];
        let asked = plan::asked(self.repetitions).filter(|_| test.times.chosen)?;
        Some(self.shown.next(test, key, &asked, self.repetitions.cap_ns?, *renews))
    }

    /// How long the next window of a test is, where that is chosen, and by what.
    pub(super) fn window(&self, test: Number) -> Option<(u64, Chosen)> {
        self.next(test.0).map(|next| (next.window_ns, next.chosen))
    }

    /// A repetition was stored, not as a failure: what the next one will take, if one is wanted.
    pub(super) fn stored(&mut self, test: Number, entry: Entry, record: &Record) -> Option<Duration> {
        self.index.insert(entry);
        let AskedTest { test: of, key, .. } = &self.tests[test.0];
        if of.times.chosen && entry.standing == Standing::Valid {
            self.shown.learn(of, *key, entry.id, record);
        }
        self.tests[test.0].added += 1;
        if self.costs.learn(self.tests[test.0].test, u64::from(entry.cost_ms)) {
            self.expect_of_like(&Kin::of(self.tests[test.0].test));
        }
        // What is left is told by what was known as the block began.
        self.look(test.0).map(|(_, eta_ms)| self.cost(test.0, eta_ms))
    }

    /// What is expected of tests of a kin may be another now.
    fn expect_of_like(&mut self, kin: &Kin) {
        for at in 0..self.tests.len() {
            let AskedTest { test, key, missing, .. } = &self.tests[at];
            if *missing > 0 && Kin::of(test) == *kin {
                let eta_ms = self.costs.of(test, self.index.of_key(key)).ms;
                self.note(at, *missing, eta_ms);
            }
        }
    }

    /// Looks again at what the waiting ones of tests in these states want, with what is stored now.
    pub(super) fn review<'s>(
        &mut self,
        states: impl Iterator<Item = &'s State>,
        index: Index,
    ) -> Result<Vec<(Number, Option<Duration>)>, StoreError> {
        if let Some(doubts) = &mut self.doubts {
            doubts.read(&index)?;
        }
        self.index = index;
        let mut reviewed = Vec::new();
        for (at, state) in states.enumerate() {
            match state {
                State::Wanted { .. } => {
                    self.read(at)?;
                    let more = self.look(at);
                    let (missing, eta_ms) = more.unwrap_or_default();
                    self.note(at, missing, eta_ms);
                    reviewed.push((Number(at), more.map(|(_, eta_ms)| self.cost(at, eta_ms))));
                }
                state if state.is_settled() => self.note(at, 0, 0),
                _ => {}
            }
        }
        Ok(reviewed)
    }

    fn cost(&self, at: usize, eta_ms: u64) -> Duration {
        // A search looks at the time before each of its trials: those made so far are kept.
        let looks_itself = self.tests[at].test.tuple.rate.fixed_pps().is_none();
        Duration::from_millis(if looks_itself { 0 } else { eta_ms })
    }

    /// How many repetitions a test wants, and what one costs, milliseconds; none if it wants none.
    fn look(&mut self, at: usize) -> Option<(u64, u64)> {
        let asked = &self.tests[at];
        let of = StoredResults::of(asked.manifest.keyed(), self.repetitions, &self.index, &mut self.leaning);
        let (more, have) = match asked.force {
            true => (asked.added < self.repetitions.min, asked.added),
            false => (matches!(of.standing.next, Next::More(_)), of.standing.valid),
        };
        let missing = match asked.force {
            true => self.repetitions.min.saturating_sub(have).max(1),
            false => {
                plan::missing(self.repetitions, of.own, have, &|part| self.costs.variance(asked.test, part)).expected
            }
        };
        let each_ms = self.costs.of(asked.test, of.own).ms;
        more.then(|| match self.next(at) {
            Some(next) => ((next.set_ups as u64).saturating_sub(u64::from(have)).max(1), next.each_ms),
            None => (u64::from(missing), each_ms),
        })
    }
}

/// What tests took when they were measured last, whatever has changed since.
fn known(tests: &[Test], conditions: &Conditions, index: &Index) -> Costs {
    let mut costs = Costs::on(conditions.hosts());
    for test in tests {
        if !costs.are_known(&Kin::of(test))
            && let Some(newest) = plan::newest(index, &test.tuple)
        {
            costs.learn(test, u64::from(newest.cost_ms));
        }
    }
    costs
}
