//! `septet run`: measures what the plan says is missing, a block (one repetition of every test that wants
//! one) after the other in random order, and keeps each result as soon as it is there. A run that was cut
//! goes on where it was, since what is stored is not measured again. It must not print or render.

mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use host_setup::facts::Facts;
use host_setup::protocol::{Achieved, Op};
use rayon::prelude::*;
use results::dataset::DatasetError;

use crate::acceptance::{Acceptances, Leaning};
use crate::agent::{Agent, AgentError};
use crate::clock::{self, ClockError};
use crate::conditions::{Conditions, Prospect, Shared};
use crate::drift;
use crate::experiment::{Order, Test};
use crate::judge::{self, Circumstances};
use crate::key::Key;
use crate::measure::{self, Failed, Outcome};
use crate::pair::Twin;
use crate::plan::{self, Evidence, Next, Plan, Why};
use crate::preparation;
use crate::quiet;
use crate::ready::Ready;
use crate::search::Goal;
use crate::store::{Entry, Generation, GenerationTest, Index, Record, Repetition, Standing, StoreError, Writer};
use crate::workspace::Workspace;

/// What a run is asked besides its experiment.
pub struct Request<'a> {
    /// Go on after a failed test.
    pub keep_going: bool,
    /// Which tests may be measured.
    pub only: &'a (dyn Fn(&Test) -> bool + Sync),
    /// Which tests are measured again whatever is stored.
    pub force: &'a (dyn Fn(&Test) -> bool + Sync),
    /// What is measured afresh besides, in the same blocks.
    pub twins: &'a [Twin],
    /// Start nothing that would end later than this from now.
    pub time_limit: Option<Duration>,
    /// How long to wait for another run that is using the host.
    pub wait: Duration,
    /// How long to wait before each window until others leave the measuring CPUs alone.
    pub until_quiet: Option<Duration>,
    /// Whether the user wants to stop.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Who is told how a run goes.
pub trait Watcher {
    /// Another run holds the host.
    fn waiting(&mut self, holder: &str);
    /// Others did not leave the measuring CPUs alone in time; measuring goes on.
    fn unquiet(&mut self, words: &str);
    /// The host is leased, and what was asked of it is had.
    fn prepared(&mut self, achieved: &Achieved);
    /// So many repetitions are left as far as is known, which will take about so long.
    fn left(&mut self, repetitions: u64, eta: Duration);
    /// A repetition begins.
    fn begins(&mut self, test: &Test);
    /// A trial of a search was made: packets/s a sender, and what part was lost.
    fn tried(&mut self, test: &Test, rate_pps: u32, loss_ratio: f64);
    /// It is stored.
    fn stored(&mut self, test: &Test, record: &Record);
    /// It failed.
    fn failed(&mut self, test: &Test, reason: &str, last_lines: &[String]);
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Finished {
    /// Repetitions stored.
    pub measured: u64,
    /// Tests that failed.
    pub failed: Vec<String>,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Whether the time limit stopped it.
    pub out_of_time: bool,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A program is not what it was when the plan was made.
    #[error("failed to measure what was planned: {0} has changed since; run again")]
    Changed(String),
    /// The clock says no time.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// Samples could not be encoded.
    #[error("failed to encode samples: {0}")]
    Samples(#[from] DatasetError),
}

/// Measures what is missing. The agent is leased for as long as it takes and released after it.
pub fn run(
    workspace: &Workspace,
    agent: &mut Agent,
    facts: &Facts,
    request: &Request,
    watcher: &mut dyn Watcher,
) -> Result<Finished, RunError> {
    let interrupted = request.interrupted;
    if interrupted() {
        return Ok(Finished { interrupted: true, ..Finished::default() });
    }
    let asked = workspace.tests().iter().filter(|test| (request.only)(test));
    let setup = preparation::setup(facts, asked.chain(request.twins.iter().map(|twin| &twin.test)));
    let leased = agent.lease(request.wait, setup, &mut |holder| {
        if !holder.is_empty() {
            watcher.waiting(holder);
        }
        !interrupted()
    });
    let achieved = match leased {
        Err(AgentError::Interrupted) => return Ok(Finished { interrupted: true, ..Finished::default() }),
        other => other?,
    };
    if let Some(file) = changed_since(facts, &achieved) {
        return Err(RunError::Changed(file));
    }
    watcher.prepared(&achieved);
    let mut runner = Runner {
        workspace,
        agent,
        facts,
        achieved,
        request,
        watcher,
        writer: Writer::open(&workspace.store)?,
        finished: Finished::default(),
        forced: BTreeMap::new(),
        given_up: BTreeSet::new(),
        began: Instant::now(),
    };
    let result = runner.blocks();
    let Runner { writer, finished, agent, .. } = runner;
    // What was stored before an error is indexed in any case; the first error is the one that matters.
    let closed = writer.close();
    result?;
    closed?;
    agent.done("give the host back", Op::Release)?;
    Ok(finished)
}

/// The first file that the agent staged for containers and that is not what keys were made of.
fn changed_since(facts: &Facts, achieved: &Achieved) -> Option<String> {
    let known = |staged: &(String, String)| facts.components.iter().any(|component| component.files.contains(staged));
    achieved.staged.iter().find(|staged| !known(staged)).map(|(name, _)| name.clone())
}

/// A test that wants a repetition in this block.
struct Wanted<'a> {
    test: &'a Test,
    /// Of the host, with its stack.
    facts: &'a Facts,
    ready: Box<Ready>,
    key: Key,
    /// What one repetition will cost, milliseconds.
    eta_ms: u64,
    /// Repetitions that it wants as far as is known, this one counted; at least 1.
    missing: u64,
}

struct Runner<'a> {
    workspace: &'a Workspace,
    agent: &'a mut Agent,
    facts: &'a Facts,
    achieved: Achieved,
    request: &'a Request<'a>,
    watcher: &'a mut dyn Watcher,
    writer: Writer<'a>,
    finished: Finished,
    /// Repetitions that this run has added to a key, suspect ones counted: what is always suspect ends, too.
    forced: BTreeMap<Key, u32>,
    /// Keys that failed in this run.
    given_up: BTreeSet<Key>,
    began: Instant,
}

impl<'a> Runner<'a> {
    fn blocks(&mut self) -> Result<(), RunError> {
        let workspace = self.workspace;
        let conditions = Conditions::new(self.facts);
        let seed = seed(workspace);
        let accepted = workspace.store.acceptances(workspace.experiment.name.as_str())?;
        for block in 0u64.. {
            // Read anew for each block: another run may have stored what this one wants.
            let index = workspace.store.index()?;
            let mut wanted = self.wanted(workspace.tests(), &conditions, &index, &accepted);
            if wanted.is_empty() {
                break;
            }
            if workspace.experiment.protocol.order == Order::Random {
                wanted.sort_by_cached_key(|item| place_in_block(&seed, block, &item.key));
            }
            let mut left: u64 = wanted.iter().map(|item| item.missing).sum();
            let mut left_ms: u64 = wanted.iter().map(|item| item.missing * item.eta_ms).sum();
            for item in &wanted {
                self.watcher.left(left, Duration::from_millis(left_ms));
                if !self.one(item)? {
                    return Ok(());
                }
                left -= 1;
                left_ms -= item.eta_ms;
            }
        }
        Ok(())
    }

    /// The tests that want one more repetition, each key once.
    fn wanted<'t>(
        &self,
        tests: &'t [Test],
        conditions: &'t Conditions,
        index: &Index,
        accepted: &Acceptances,
    ) -> Vec<Wanted<'t>>
    where
        'a: 't,
    {
        let repetitions = &self.workspace.experiment.protocol.repetitions;
        let mut shared = Shared::default();
        let mut leaning = Leaning::new(accepted);
        let mut seen = BTreeSet::new();
        let mut wanted = Vec::new();
        let asked = tests.iter().filter(|test| (self.request.only)(test));
        let asked = asked.map(|test| (test, (self.request.force)(test)));
        for (test, force) in asked.chain(self.request.twins.iter().map(|twin| (&twin.test, true))) {
            let Prospect::Ready(ready) = conditions.judge(test, &mut shared) else { continue };
            let Ok(facts) = conditions.facts_of(&test.tuple) else { continue };
            let key = ready.manifest.key();
            if self.given_up.contains(&key) || !seen.insert(key) {
                continue;
            }
            let Evidence { own, standing, .. } = Evidence::of(&ready.manifest, &key, repetitions, index, &mut leaning);
            let (more, have) = match force {
                true => {
                    let added = self.forced.get(&key).copied().unwrap_or(0);
                    (added < repetitions.min, added)
                }
                false => (matches!(standing.next, Next::More(_)), standing.valid),
            };
            if more {
                let missing = u64::from(repetitions.min.saturating_sub(have).max(1));
                wanted.push(Wanted { test, facts, ready, key, eta_ms: plan::cost_ms(test, own), missing });
            }
        }
        wanted
    }

    /// Waits for a quiet host, if that was asked for.
    fn await_quiet(&mut self, wanted: &Wanted) -> Result<(), RunError> {
        let Some(patience) = self.request.until_quiet else { return Ok(()) };
        let cpus = drift::measuring(&wanted.ready.cores);
        if let Some(load) = quiet::wait(self.agent, &cpus, patience, self.request.interrupted)? {
            self.watcher.unquiet(&drift::others(&load));
        }
        Ok(())
    }

    /// Measures one repetition and keeps it. False when the run is to stop.
    fn one(&mut self, wanted: &Wanted) -> Result<bool, RunError> {
        // A search looks at the time before each of its trials: those made so far are kept.
        let searched = Goal::of(wanted.test.tuple.rate, wanted.test.times.duration_ns);
        let cost = Duration::from_millis(if searched.is_some() { 0 } else { wanted.eta_ms });
        if self.request.time_limit.is_some_and(|limit| self.began.elapsed() + cost > limit) {
            self.finished.out_of_time = true;
            return Ok(false);
        }
        if (self.request.interrupted)() {
            self.finished.interrupted = true;
            return Ok(false);
        }
        self.watcher.begins(wanted.test);
        if let Some(goal) = searched {
            return self.search(wanted, goal);
        }
        self.await_quiet(wanted)?;
        let started = clock::now_rfc3339()?;
        let mut log = String::new();
        let outcome = measure::measure(self.agent, wanted.test, &wanted.ready, self.request.interrupted, &mut log)?;
        let achieved = self.achieved.clone();
        let about = Circumstances {
            test: wanted.test,
            ready: &wanted.ready,
            facts: wanted.facts,
            achieved: &achieved,
            started,
        };
        match outcome {
            Outcome::Interrupted => {
                self.finished.interrupted = true;
                Ok(false)
            }
            Outcome::Failed(failed) => self.fail(wanted, failed, &about, log),
            Outcome::Measured(measured) => {
                let cost = measured.cost;
                match judge::judge(*measured, &about, log.clone()) {
                    Ok(repetition) => self.keep(wanted, repetition).map(|()| true),
                    Err(refused) => {
                        let failed = Failed { reason: refused.to_string(), last_lines: Vec::new(), cost };
                        self.fail(wanted, failed, &about, log)
                    }
                }
            }
        }
    }

    fn keep(&mut self, wanted: &Wanted, repetition: Repetition) -> Result<(), RunError> {
        let record = repetition.record.clone();
        self.writer.commit(repetition, &wanted.ready.manifest.listing())?;
        *self.forced.entry(wanted.key).or_insert(0) += 1;
        self.finished.measured += 1;
        self.watcher.stored(wanted.test, &record);
        Ok(())
    }

    /// Keeps a failure, tells it, and says whether the run goes on.
    fn fail(&mut self, wanted: &Wanted, failed: Failed, about: &Circumstances, log: String) -> Result<bool, RunError> {
        let repetition = judge::failure(&failed, about, log)?;
        self.writer.commit(repetition, &wanted.ready.manifest.listing())?;
        self.given_up.insert(wanted.key);
        self.finished.failed.push(wanted.test.tuple.to_string());
        self.watcher.failed(wanted.test, &failed.reason, &failed.last_lines);
        Ok(self.request.keep_going)
    }
}

/// The seed of the random order: the protocol's, or one made from the matrix; 16 hexadecimal digits.
pub fn seed(workspace: &Workspace) -> String {
    if let Some(seed) = workspace.experiment.protocol.seed {
        return format!("{seed:016x}");
    }
    workspace.tests_digest().to_hex()[..16].to_string()
}

/// Where a key stands in a block: a keyed hash is an even random order that anybody can make again.
fn place_in_block(seed: &str, block: u64, key: &Key) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    hasher.update(&block.to_le_bytes());
    hasher.update(&key.0);
    *hasher.finalize().as_bytes()
}

/// Twins as a generation has them: with what the index has of them `now` and had not `before`.
pub fn paired<'a>(twins: &'a [Twin], before: &'a Index, now: &'a Index) -> impl Iterator<Item = GenerationTest> + 'a {
    let stored = twins.iter().map(move |twin| {
        let known: BTreeSet<_> = before.of_key(&twin.key).iter().map(|entry| entry.id).collect();
        let fresh = |entry: &&Entry| entry.standing != Standing::Failed && !known.contains(&entry.id);
        let mut repetitions: Vec<_> = now.of_key(&twin.key).iter().filter(fresh).map(|entry| entry.id).collect();
        repetitions.sort_unstable();
        let name = twin.test.tuple.to_string();
        GenerationTest { name, key: Some(twin.key), skipped: None, repetitions, leans: Vec::new() }
    });
    stored.filter(|test| !test.repetitions.is_empty())
}

/// What a plan stands on, as a generation, and besides it `more`. It is complete when every test that is not skipped is
/// stored.
pub fn generation(
    workspace: &Workspace,
    plan: &Plan,
    index: &Index,
    more: impl Iterator<Item = GenerationTest>,
) -> Result<Generation, ClockError> {
    let tests = workspace.tests().par_iter().zip(&plan.decisions).map(|(test, decision)| {
        let mut repetitions: Vec<_> = decision
            .key
            .iter()
            .chain(decision.leans.iter().map(|lean| &lean.key))
            .flat_map(|key| index.of_key(key))
            .filter(|entry| entry.standing != Standing::Failed)
            .map(|entry| entry.id)
            .collect();
        repetitions.sort_unstable();
        GenerationTest {
            name: test.tuple.to_string(),
            key: decision.key,
            skipped: decision.why.iter().find_map(|why| match why {
                Why::Skipped(reason) => Some(reason.clone()),
                _ => None,
            }),
            repetitions,
            leans: decision.leans.clone(),
        }
    });
    let complete = plan.counts().to_measure == 0;
    let name = workspace.experiment.name.as_str();
    let mut tests: Vec<GenerationTest> = tests.collect();
    tests.extend(more);
    Ok(Generation::new(name, clock::now_rfc3339()?, complete, seed(workspace), tests))
}
