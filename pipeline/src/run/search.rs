//! One repetition of a search: its trials, one after the other, each with a fresh switch and fresh containers,
//! kept as they come and stored together as one result. It must not know how rates are chosen.

use std::time::{Duration, Instant};

use results::dataset::{RawStream, read_parquet};
use results::flags::Flag;
use results::reduce::{CountedWindow, trial};
use results::summary::REDUCTION_VERSION;

use super::RunError;
use super::news::{Assignment, News};
use super::work::{Made as Repeated, Work, failure};
use crate::clock;
use crate::dispatch::Returned;
use crate::experiment::Test;
use crate::judge::{self, Circumstances};
use crate::measure::{self, Failed, Measured, Outcome};
use crate::search::trials::{Search, Trial, stream_name};
use crate::search::{self, Goal, Next, SEARCH_VERSION, Tried};
use crate::store::{Cost, Occasion, Pending, PendingTrial, Record, Repetition, Seen, Status, StoreError};
use crate::traffic::INTERVAL_NS;

/// Trials in a row that may be suspect before a search is given up.
const SUSPECT_MAX: u32 = 3;

/// How a trial ended.
enum Made<'t> {
    /// The trial is kept among these.
    Kept(Pending<'t>),
    /// The trial's counts do not agree: it feeds no bracket.
    Suspect(Pending<'t>, Vec<Flag>),
    /// Nothing was measured.
    Failed(Pending<'t>, Failed),
    /// The user wants to stop.
    Interrupted,
}

impl<'t> Work<'t> {
    /// Searches once. Trials made so far are kept where nothing comes of it since the run stops.
    pub(super) fn search(&mut self, assignment: &Assignment<'t>, goal: Goal) -> Result<Repeated<'t>, RunError> {
        let Assignment { test, until, .. } = assignment;
        let mut pending = self.pending(assignment)?;
        let mut suspect = 0;
        loop {
            let tried: Vec<Tried> = pending.trials.iter().map(|pending| pending.trial.tried()).collect();
            let (rate_pps, duration_ns) = match search::next(&goal, &tried) {
                Next::Trial { rate_pps, duration_ns } => (rate_pps, duration_ns),
                Next::Found { lower_pps, upper_pps } => {
                    let Some(last) = pending.trials.last().map(|pending| pending.record.clone()) else {
                        let reason = "find a rate: no trial of it is kept".to_string();
                        return self.give_up(assignment, pending, reason);
                    };
                    let trials = pending.trials.iter().map(|pending| pending.trial.clone()).collect();
                    let found = Search { version: SEARCH_VERSION, goal, lower_pps, upper_pps, trials };
                    let repetition = assembled(&pending, last, test, found)?;
                    return Ok(Repeated::Done(Box::new(repetition), None, Some(pending)));
                }
                Next::Nothing => {
                    let lowest = goal.rate_pps_min;
                    let rate = test.tuple.rate;
                    let reason = format!("find a rate: even at {lowest} packets/s more is lost than R={rate} allows");
                    return self.give_up(assignment, pending, reason);
                }
                Next::GivenUp => {
                    let reason = format!("find a rate: {} trials contradict each other", tried.len());
                    return self.give_up(assignment, pending, reason);
                }
            };
            let trial = search::trial_of(test, rate_pps, duration_ns);
            let length = Duration::from_nanos(trial.times.warmup_ns + duration_ns + trial.times.cooldown_ns);
            if until.is_some_and(|until| Instant::now() + length > until) {
                return Ok(Repeated::Returned(Returned::OutOfTime));
            }
            match self.trial(assignment, &trial, rate_pps, pending)? {
                Made::Kept(more) => (pending, suspect) = (more, 0),
                Made::Suspect(same, flags) => {
                    (pending, suspect) = (same, suspect + 1);
                    if suspect >= SUSPECT_MAX {
                        let names: Vec<&str> = flags.iter().map(|flag| flag.name()).collect();
                        let reason = format!("search: {suspect} trials in a row are suspect ({})", names.join(", "));
                        return self.give_up(assignment, pending, reason);
                    }
                }
                Made::Failed(pending, failed) => return self.fail_search(assignment, pending, failed),
                Made::Interrupted => return Ok(Repeated::Returned(Returned::Interrupted)),
            }
        }
    }

    /// The trials from which a search may go on.
    fn pending(&self, assignment: &Assignment<'t>) -> Result<Pending<'t>, RunError> {
        let store = &self.workspace.store;
        // One that is damaged is `report`'s matter; trials are only not gone on from.
        let latest = store.latest_generation(self.workspace.experiment.name.as_str()).unwrap_or_default();
        let occasion = Occasion {
            boot_id: self.conditions.hosts().next().map(|facts| facts.aside.boot_id.clone()).unwrap_or_default(),
            generation: latest.filter(|(_, generation)| generation.complete).map(|(name, _)| name.to_string()),
        };
        let key = assignment.ready.manifest.key();
        self.desk.through(move || Pending::open(store, &key, &occasion))
    }

    /// Makes one trial and keeps it, if its counts agree.
    fn trial(
        &mut self,
        assignment: &Assignment<'t>,
        test: &Test,
        rate_pps: u32,
        mut pending: Pending<'t>,
    ) -> Result<Made<'t>, RunError> {
        let Assignment { ready, facts, .. } = assignment;
        let until = self.until;
        if until.asked() {
            return Ok(Made::Interrupted);
        }
        self.await_quiet(ready)?;
        let started = clock::now_rfc3339()?;
        let mut log = String::new();
        let measured = match measure::measure(&mut self.hosts, test, ready, 1, &|| until.asked(), until.keep, &mut log)?
        {
            Outcome::Measured(measured) => measured,
            Outcome::Failed(failed) => return Ok(Made::Failed(pending, failed)),
            Outcome::Interrupted => return Ok(Made::Interrupted),
        };
        let Measured { cost, .. } = *measured;
        let about = Circumstances::new(test, ready, facts, &self.achieved, started.clone()).ok_or(RunError::Ended)?;
        let failed = |pending, reason| Ok(Made::Failed(pending, Failed { reason, last_lines: Vec::new(), cost }));
        let Repetition { record, samples, log } = match judge::judge(*measured, &about, log) {
            Ok(repetition) => repetition,
            Err(error) => return failed(pending, error.to_string()),
        };
        // Without an end marker only the very end is unknown, which lies behind the window.
        let unusable = |flag: &Flag| flag.suspect() && *flag != Flag::EndMarkerLost;
        if record.flags.iter().any(unusable) {
            return Ok(Made::Suspect(pending, record.flags));
        }
        let duration_ns = test.times.duration_ns;
        let window = CountedWindow { warmup_ns: test.times.warmup_ns, duration_ns, interval_ns: INTERVAL_NS };
        let Some(count) = trial(&read_parquet(&samples)?, &window, &test.tuple) else {
            return failed(pending, "count a trial: a generator left no samples".to_string());
        };
        self.tell(News::Tried { test: assignment.number, rate_pps, loss_ratio: count.loss_ratio() });
        let trial = Trial { rate_pps, duration_ns, count, flags: record.flags.clone(), started };
        let trial = PendingTrial { trial, record, log };
        let kept = self.desk.through(move || pending.add(trial, &samples).map(|()| pending))?;
        Ok(Made::Kept(kept))
    }

    /// A search that came to nothing is a failure, as its record says.
    fn give_up(
        &self,
        assignment: &Assignment<'t>,
        pending: Pending<'t>,
        reason: String,
    ) -> Result<Repeated<'t>, RunError> {
        let failed = Failed { reason, last_lines: Vec::new(), cost: cost_of(&pending) };
        self.fail_search(assignment, pending, failed)
    }

    fn fail_search(
        &self,
        assignment: &Assignment<'t>,
        mut pending: Pending<'t>,
        failed: Failed,
    ) -> Result<Repeated<'t>, RunError> {
        self.desk.through(move || pending.discard())?;
        let Assignment { test, ready, facts, .. } = assignment;
        let about = Circumstances::new(test, ready, facts, &self.achieved, clock::now_rfc3339()?);
        let about = about.ok_or(RunError::Ended)?;
        failure(failed, &about, String::new())
    }
}

fn cost_of(pending: &Pending) -> Cost {
    pending.trials.iter().fold(Cost::default(), |sum, trial| {
        let cost = trial.record.cost;
        Cost {
            total_ms: sum.total_ms + cost.total_ms,
            build_ms: sum.build_ms + cost.build_ms,
            ready_ms: sum.ready_ms + cost.ready_ms,
            traffic_ms: sum.traffic_ms + cost.traffic_ms,
            collect_ms: sum.collect_ms + cost.collect_ms,
            teardown_ms: sum.teardown_ms + cost.teardown_ms,
        }
    })
}

/// The one result of a finished search: the samples of all trials, and the evidence of the last full trial at
/// the rate found, or else of the latest one.
fn assembled(pending: &Pending, latest: Record, test: &Test, found: Search) -> Result<Repetition, RunError> {
    let (mut streams, mut log) = (Vec::new(), String::new());
    for (place, trial) in pending.trials.iter().enumerate() {
        let (path, bytes) = pending.samples(place)?;
        let own = read_parquet(&bytes).map_err(|error| StoreError::damaged(&path, error))?;
        streams
            .extend(own.into_iter().map(|stream| RawStream { source: stream_name(place, &stream.source), ..stream }));
        let Trial { rate_pps, duration_ns, count, .. } = &trial.trial;
        log.push_str(&format!(
            "trial {place}: {rate_pps} packets/s for {} ms: {} of {} lost\n{}",
            duration_ns / 1_000_000,
            count.lost,
            count.intended,
            trial.log
        ));
    }
    let reduction = found.reduce(&streams, &test.times, INTERVAL_NS, &test.tuple);
    let deciding: Vec<usize> = found.deciding().collect();
    let mut flags: Vec<Flag> = deciding.iter().flat_map(|&place| found.trials[place].flags.iter().copied()).collect();
    flags.extend(&reduction.flags);
    flags.sort_unstable();
    flags.dedup();
    let status = if flags.iter().any(|flag| flag.suspect()) { Status::Suspect } else { Status::Valid };
    let told = |place: usize, seen: &Seen| Seen { flag: seen.flag, words: format!("trial {place}: {}", seen.words) };
    let seen = |place: &usize| pending.trials.get(*place).map(|trial| (*place, &trial.record.seen));
    let seen = deciding.iter().filter_map(seen).flat_map(|(place, all)| all.iter().map(move |seen| told(place, seen)));
    let seen = seen.collect();
    let last = deciding.last().and_then(|&place| pending.trials.get(place));
    let last = last.map_or(latest, |pending| pending.record.clone());
    let record = Record {
        test: test.tuple.to_string(),
        tuple: test.tuple.clone(),
        times: test.times,
        status,
        flags,
        seen,
        reduction,
        reduction_version: REDUCTION_VERSION,
        cost: cost_of(pending),
        started: pending.trials.first().map_or(last.started.clone(), |first| first.trial.started.clone()),
        search: Some(found),
        ..last
    };
    Ok(Repetition { samples: judge::write_samples(&streams, &record)?, record, log })
}
