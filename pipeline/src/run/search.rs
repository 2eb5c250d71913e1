//! One repetition of a search: its trials, one after the other, each with a fresh switch and fresh containers,
//! kept as they come and stored together as one result. It must not know how rates are chosen.

use std::time::Duration;

use results::dataset::{RawStream, read_parquet, write_parquet};
use results::flags::Flag;
use results::reduce::{Window, trial};
use results::summary::REDUCTION_VERSION;

use super::{RunError, Runner, Wanted};
use crate::clock;
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
enum Made {
    /// It is kept.
    Kept,
    /// Its counts do not agree: it feeds no bracket.
    Suspect(Vec<Flag>),
    /// Nothing was measured.
    Failed(Failed),
    /// The user wants to stop.
    Interrupted,
}

impl Runner<'_> {
    /// Searches once and keeps the result. False when the run is to stop; trials made so far are kept then.
    pub(super) fn search(&mut self, wanted: &Wanted, goal: Goal) -> Result<bool, RunError> {
        let store = &self.workspace.store;
        // One that is damaged is `report`'s matter; trials are only not gone on from.
        let latest = store.latest_generation(self.workspace.experiment.name.as_str()).unwrap_or_default();
        let occasion = Occasion {
            boot_id: self.facts.aside.boot_id.clone(),
            generation: latest.filter(|(_, generation)| generation.complete).map(|(name, _)| name.to_string()),
        };
        let mut pending = Pending::open(store, &wanted.key, &occasion)?;
        let mut suspect = 0;
        loop {
            let tried: Vec<Tried> = pending.trials.iter().map(|pending| pending.trial.tried()).collect();
            let (rate_pps, duration_ns) = match search::next(&goal, &tried) {
                Next::Trial { rate_pps, duration_ns } => (rate_pps, duration_ns),
                Next::Found { lower_pps, upper_pps } => {
                    let Some(last) = pending.trials.last().map(|pending| pending.record.clone()) else {
                        let reason = "find a rate: no trial of it is kept".to_string();
                        return self.give_up(wanted, &mut pending, reason);
                    };
                    let trials = pending.trials.iter().map(|pending| pending.trial.clone()).collect();
                    let found = Search { version: SEARCH_VERSION, goal, lower_pps, upper_pps, trials };
                    let repetition = assembled(&pending, last, wanted.test, found)?;
                    self.keep(wanted, repetition)?;
                    pending.discard()?;
                    return Ok(true);
                }
                Next::Nothing => {
                    let lowest = goal.rate_pps_min;
                    let reason = format!(
                        "find a rate: even at {lowest} packets/s more is lost than R={} allows",
                        wanted.test.tuple.rate
                    );
                    return self.give_up(wanted, &mut pending, reason);
                }
                Next::GivenUp => {
                    let reason = format!("find a rate: {} trials contradict each other", tried.len());
                    return self.give_up(wanted, &mut pending, reason);
                }
            };
            let trial = search::trial_of(wanted.test, rate_pps, duration_ns);
            let length = Duration::from_nanos(trial.times.warmup_ns + duration_ns + trial.times.cooldown_ns);
            if self.request.time_limit.is_some_and(|limit| self.began.elapsed() + length > limit) {
                self.finished.out_of_time = true;
                return Ok(false);
            }
            match self.trial(wanted, &trial, rate_pps, &mut pending)? {
                Made::Kept => suspect = 0,
                Made::Suspect(flags) => {
                    suspect += 1;
                    if suspect >= SUSPECT_MAX {
                        let names: Vec<&str> = flags.iter().map(|flag| flag.name()).collect();
                        let reason = format!("search: {suspect} trials in a row are suspect ({})", names.join(", "));
                        return self.give_up(wanted, &mut pending, reason);
                    }
                }
                Made::Failed(failed) => {
                    pending.discard()?;
                    return self.fail_search(wanted, failed);
                }
                Made::Interrupted => {
                    self.finished.interrupted = true;
                    return Ok(false);
                }
            }
        }
    }

    /// Makes one trial and keeps it, if its counts agree.
    fn trial(&mut self, wanted: &Wanted, test: &Test, rate_pps: u32, pending: &mut Pending) -> Result<Made, RunError> {
        if (self.request.interrupted)() {
            return Ok(Made::Interrupted);
        }
        self.await_quiet(wanted)?;
        let started = clock::now_rfc3339()?;
        let mut log = String::new();
        let measured = match measure::measure(self.agent, test, &wanted.ready, self.request.interrupted, &mut log)? {
            Outcome::Measured(measured) => measured,
            Outcome::Failed(failed) => return Ok(Made::Failed(failed)),
            Outcome::Interrupted => return Ok(Made::Interrupted),
        };
        let Measured { cost, .. } = *measured;
        let achieved = self.achieved.clone();
        let about = Circumstances {
            test,
            ready: &wanted.ready,
            facts: wanted.facts,
            achieved: &achieved,
            started: started.clone(),
        };
        let failed = |reason: String| Ok(Made::Failed(Failed { reason, last_lines: Vec::new(), cost }));
        let Repetition { record, samples, log } = match judge::judge(*measured, &about, log) {
            Ok(repetition) => repetition,
            Err(error) => return failed(error.to_string()),
        };
        // Without an end marker only the very end is unknown, which lies behind the window.
        let unusable = |flag: &Flag| flag.suspect() && *flag != Flag::EndMarkerLost;
        if record.flags.iter().any(unusable) {
            return Ok(Made::Suspect(record.flags));
        }
        let duration_ns = test.times.duration_ns;
        let window = Window { warmup_ns: test.times.warmup_ns, duration_ns, interval_ns: INTERVAL_NS };
        let Some(count) = trial(&read_parquet(&samples)?, &window, &test.tuple) else {
            return failed("count a trial: a generator left no samples".to_string());
        };
        self.watcher.tried(wanted.test, rate_pps, count.loss_ratio());
        let trial = Trial { rate_pps, duration_ns, count, flags: record.flags.clone(), started };
        pending.add(PendingTrial { trial, record, log }, &samples)?;
        Ok(Made::Kept)
    }

    /// A search that came to nothing is a failure, as its record says.
    fn give_up(&mut self, wanted: &Wanted, pending: &mut Pending, reason: String) -> Result<bool, RunError> {
        let cost = cost_of(pending);
        pending.discard()?;
        self.fail_search(wanted, Failed { reason, last_lines: Vec::new(), cost })
    }

    fn fail_search(&mut self, wanted: &Wanted, failed: Failed) -> Result<bool, RunError> {
        let achieved = self.achieved.clone();
        let about = Circumstances {
            test: wanted.test,
            ready: &wanted.ready,
            facts: wanted.facts,
            achieved: &achieved,
            started: clock::now_rfc3339()?,
        };
        self.fail(wanted, failed, &about, String::new())
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
    Ok(Repetition { record, samples: write_parquet(&streams)?, log })
}
