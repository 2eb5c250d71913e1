//! `septet run`: measures what the plan says is missing, a block (one repetition of every test that wants one) after
//! the other in random order, on all stands at once, and keeps each result as soon as it is there. A run that was cut
//! goes on where it was, since what is stored is not measured again. It must not print or render, and concludes
//! nothing: what a run stood on is [`generation`]'s to say, after one run or after many that shared the work.

mod cabled;
mod doubts;
mod drive;
mod news;
mod search;
mod tally;
mod work;
mod writing;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use host_setup::protocol::Achieved;
use rayon::prelude::*;
use results::axes::Locality;
use results::dataset::DatasetError;

use self::drive::{Drive, Post};
pub use self::news::Idle;
use self::news::News;
use self::tally::Tally;
use self::work::{Stopped, WantedSetups, Work};
use self::writing::Desk;
use crate::agent::AgentError;
use crate::clock::{self, ClockError};
use crate::conditions::{Conditions, KnownSurroundings};
use crate::dispatch::{self, Dispatcher, Impossible, Limits, Sequence, StandAtStart, StandState};
use crate::experiment::{Order, Test};
use crate::measure::Keep;
use crate::pair::Twin;
use crate::plan::{Plan, Why};
use crate::preparation;
use crate::stand::Stand;
use crate::store::{Entry, Generation, GenerationTest, Index, Record, Standing, StoreError, Writer};
use crate::workspace::Workspace;

/// What a run is asked besides its experiment.
pub struct RunRequest<'a> {
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
    /// Who looks around in a scene that failed, before it is taken down.
    pub keep: Option<Keep<'a>>,
    /// Whether the user wants to stop.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// Who is told how a run goes.
pub trait Watcher {
    /// Another run holds the host.
    fn waiting(&mut self, holder: &str);
    /// Others did not leave the measuring CPUs alone in time; measuring goes on.
    fn unquiet(&mut self, words: &str);
    /// The host is leased, and what was asked of it is had.
    fn prepared(&mut self, achieved: &Achieved);
    /// Reports how many repetitions are left, as far as is known, and how long they will take.
    fn left(&mut self, repetitions: u64, eta: Duration);
    /// A repetition begins on a stand.
    fn begins(&mut self, test: &Test, stand: &str);
    /// A trial of a search was made: packets/s a sender, and what part was lost.
    fn tried(&mut self, test: &Test, rate_pps: u32, loss_ratio: f64);
    /// A repetition is stored.
    fn stored(&mut self, test: &Test, record: &Record);
    /// A repetition failed, or a test was given up.
    fn failed(&mut self, test: &Test, reason: &str, last_lines: &[String]);
    /// A stand was set aside, and the run goes on without it.
    fn lost(&mut self, stand: &str, reason: &str);
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
    /// Why there was no stand left for what is still wanted, if that ended it.
    pub lost: Option<RunError>,
    /// How long stands waited between two repetitions.
    pub idle: Idle,
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
    /// The cable of a stand is not what tests need.
    #[error("failed to use the cable: {0}")]
    Cable(String),
    /// The clock says no time.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// Samples could not be encoded.
    #[error("failed to encode samples: {0}")]
    Samples(#[from] DatasetError),
    /// What the threads of the run say does not fit together.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// A thread of the run has ended without a word.
    #[error("failed to go on: a part of the run has ended; this is a fault of septet")]
    Ended,
}

/// Measures what is missing: with a thread a stand, and one that writes to the store. Hosts are leased for as long as
/// it takes and given back after it.
///
/// # Errors
/// When nothing can be measured, since no stand can be prepared, or when the store cannot be used. A run that loses
/// its stands on the way ends like any other: [`Finished::lost`].
pub fn run(
    workspace: &Workspace,
    stands: Vec<Stand>,
    request: &RunRequest,
    watcher: &mut dyn Watcher,
) -> Result<Finished, RunError> {
    if (request.interrupted)() {
        return Ok(Finished { interrupted: true, ..Finished::default() });
    }
    let accepted = workspace.store.acceptances(workspace.experiment.name.as_str())?;
    let (over, halted) = (AtomicBool::new(false), AtomicBool::new(false));
    let several = stands.len() > 1;
    let names: Vec<String> = stands.iter().map(|stand| stand.name.clone()).collect();
    let (tell, news) = channel();
    let (desk, slips) = Desk::new();
    thread::scope(|scope| {
        let (mut posts, mut threads) = (Vec::new(), Vec::new());
        for (place, stand) in stands.into_iter().enumerate() {
            let Stand { name, hosts, conditions, shares_host, may_differ } = stand;
            // Of a run on this host alone the host's own name says it.
            let recorded = (several || !shares_host).then(|| name.clone());
            let wanted = wanted(workspace, request, conditions);
            let (orders, assignments) = channel();
            let (place, wait) = (dispatch::Stand(place), request.wait);
            let until = Stopped {
                interrupted: request.interrupted,
                over: &over,
                halted: &halted,
                keep_going: request.keep_going,
                quiet: request.until_quiet,
                keep: request.keep,
            };
            let (desk, news) = (desk.clone(), tell.clone());
            let work = Work::new(place, workspace, hosts, conditions, desk, news, until).recorded_as(recorded);
            threads.push(scope.spawn(move || work.run(wait, &wanted, &assignments)));
            let (shared, quiet) = (KnownSurroundings::default(), shares_host);
            posts.push(Post { name, conditions, shared, orders, quiet, may_differ });
        }
        drop(desk);
        let mut writing = None;
        let result = prepared(&names, &news, request, watcher).and_then(|states| {
            let Some(states) = states else { return Ok(Finished { interrupted: true, ..Finished::default() }) };
            let began = Instant::now();
            let writer = Writer::open(&workspace.store)?;
            let tell = tell.clone();
            writing = Some(scope.spawn(move || writing::write(writer, &slips, &tell)));
            let tally = Tally::new(workspace, request, posts[0].conditions, &accepted, workspace.store.index()?)?;
            let dispatcher = dispatcher(workspace, request, &tally, &posts, states);
            let drive = Drive::new(workspace, request, &mut *watcher, posts, tally, dispatcher, began);
            drive.telling(&halted).run(&news)
        });
        // Stands end once nobody can give them anything, and the writer once no stand can.
        over.store(true, Ordering::Relaxed);
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(RunError::Ended))).collect();
        let closed = writing.map_or(Ok(()), |writing| writing.join().unwrap_or(Ok(())));
        // The first error is the one that matters.
        let mut finished = result?;
        closed?;
        for (name, idle) in names.iter().zip(ended) {
            match idle {
                Ok(idle) => finished.idle = finished.idle.and(idle),
                // What the others measured stands, and it is what counts.
                Err(error) if several => watcher.lost(name, &without_failed_to(&error)),
                Err(error) => return Err(error),
            }
        }
        Ok(finished)
    })
}

/// Tries out the cable of two hosts that are leased: whether it has a link, and the two hear each other over it.
///
/// # Errors
/// What is wrong with it.
pub fn try_cable(posts: &mut [crate::stand::Post], interfaces: &[String]) -> Result<Option<u32>, RunError> {
    cabled::join(posts, interfaces)
}

/// An error as the rest of a sentence that begins with "failed to".
fn without_failed_to(error: &RunError) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to ").unwrap_or(&text).to_string()
}

/// What a run wants of a stand.
fn wanted(workspace: &Workspace, request: &RunRequest, conditions: &Conditions) -> WantedSetups {
    let asked = || {
        let of_experiment = workspace.tests().iter().filter(|test| (request.only)(test));
        of_experiment.chain(request.twins.iter().map(|twin| &twin.test))
    };
    let setups = (0..conditions.ground().hosts.len()).map(|place| preparation::setup(conditions, place, asked()));
    WantedSetups { setups: setups.collect(), remote: asked().any(|test| test.tuple.locality == Locality::Remote) }
}

/// Waits until a stand is prepared: what becomes of each stand's preparation so far; none if the user stops it.
///
/// # Errors
/// When none can be prepared: why the first one cannot.
fn prepared(
    names: &[String],
    news: &Receiver<News>,
    request: &RunRequest,
    watcher: &mut dyn Watcher,
) -> Result<Option<Vec<StandState>>, RunError> {
    let mut states = vec![StandState::Preparing; names.len()];
    let mut first = None;
    for _ in names {
        loop {
            match news.recv().map_err(|_| RunError::Ended)? {
                News::Waiting(holder) => watcher.waiting(&holder),
                News::Prepared { stand, achieved } => {
                    achieved.iter().for_each(|achieved| watcher.prepared(achieved));
                    states[stand.0] = StandState::Free;
                    return Ok(Some(states));
                }
                News::Unprepared { stand, error } => {
                    if names.len() > 1 && !matches!(error, RunError::Agent(AgentError::Interrupted)) {
                        watcher.lost(&names[stand.0], &without_failed_to(&error));
                    }
                    states[stand.0] = StandState::Aside(error.to_string());
                    first.get_or_insert(error);
                    break;
                }
                News::Trouble(error) => return Err(error),
                _ => {}
            }
        }
    }
    match first {
        Some(RunError::Agent(AgentError::Interrupted)) => Ok(None),
        Some(error) => Err(error),
        None if (request.interrupted)() => Ok(None),
        None => Err(RunError::Ended),
    }
}

fn dispatcher(
    workspace: &Workspace,
    request: &RunRequest,
    tally: &Tally,
    posts: &[Post],
    states: Vec<StandState>,
) -> Dispatcher {
    let sequence = match workspace.experiment.protocol.order {
        Order::Random => Sequence::Random(seed(workspace)),
        Order::Declared => Sequence::Declared,
    };
    let places = posts.iter().zip(states).map(|(post, state)| StandAtStart { quiet: post.quiet, state });
    let limits = Limits { keep_going: request.keep_going, time: request.time_limit, ahead: posts.len() > 1 };
    Dispatcher::new(tally.tasks(), places.collect(), sequence, limits)
}

/// The seed of the random order: the protocol's, or one made from the matrix; 16 hexadecimal digits.
pub fn seed(workspace: &Workspace) -> String {
    if let Some(seed) = workspace.experiment.protocol.seed {
        return format!("{seed:016x}");
    }
    workspace.tests_digest().to_hex()[..16].to_string()
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
