//! Throughput search: which rate to try next, and when the highest rate within a loss goal is known. A pure
//! function of what was tried, so that a search that was cut goes on from its trials alone. It must not know
//! how a trial is made.
//!
//! After RFC 2544, section 26.1, and "Multiple Loss Ratio Search" (IETF BMWG, draft-ietf-bmwg-mlrsearch): one
//! trial at the highest rate gives a first guess, phases of growing trials and narrowing widths bring the
//! bounds together, and only the last phase, with trials of the whole window, decides. What a rate's trials say
//! of it is in [`load`]. A search without noise costs about a dozen full trials.

pub mod load;
pub mod trials;

use results::axes::Rate;
use serde::{Deserialize, Serialize};

use crate::experiment::{Test, Times};
use crate::manifest::Section;
use crate::traffic::INTERVAL_NS;
use load::{Load, Verdict};

/// Version of the method: in the key of every search.
pub const SEARCH_VERSION: u32 = 1;
/// Full trials whose time together decides a rate.
const FULL_TRIALS: u32 = 3;
/// Part of a rate's time that may be lossy.
const EXCEED_RATIO: f64 = 0.5;
/// The bounds end at most this far apart, as a part of the upper one.
const WIDTH: f64 = 0.01;
/// Lowest rate tried, packets/s a sender.
const RATE_PPS_MIN: u32 = 1_000;
/// Highest rate tried, packets/s a sender: above what 25 GbE carries in its smallest frames.
const RATE_PPS_MAX: u32 = 40_000_000;
/// Trials after which a search is given up.
pub const TRIALS_MAX: usize = 400;
/// What a search usually takes, for estimates only: of a system that varies by up to two percent from trial to trial.
pub const USUAL: Usual = Usual { trials: 25, windows: 9 };
/// The same of one whose programs share cores: on two of them 22 to 28 trials were seen where nothing else ran there, and
/// up to 50 beside others.
pub const USUAL_CROWDED: Usual = Usual { trials: 27, windows: 13 };
/// Shortest trial, ns.
const TRIAL_NS_MIN: u64 = 50_000_000;
/// Trials of each phase: the window over this; the last one is the whole window.
const SHORTER: [u64; 3] = [16, 4, 1];
/// How much wider than asked a phase may leave its bounds.
const WIDER: [f64; 3] = [4.0, 1.0, 1.0];
/// How far one step may go at most where there is no bound on one side.
const STEP_MAX: f64 = 2.0;

/// What a search usually takes.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// Trials.
    pub trials: u64,
    /// Full windows that these come to.
    pub windows: u64,
}

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Part of the intended packets that may be lost.
    pub loss_ratio_max: f64,
    /// Length of a full trial's window, ns.
    pub duration_ns: u64,
    /// Full trials whose time together decides a rate.
    pub full_trials: u32,
    /// Part of that time that may be lossy.
    pub exceed_ratio: f64,
    /// The bounds end at most this far apart, as a part of the upper one.
    pub width: f64,
    /// Lowest rate tried, packets/s a sender.
    pub rate_pps_min: u32,
    /// Highest rate tried, packets/s a sender.
    pub rate_pps_max: u32,
}

impl Goal {
    /// What a rate to be searched asks for with full trials of `duration_ns`; absent for fixed rates.
    pub fn of(rate: Rate, duration_ns: u64) -> Option<Goal> {
        let loss_ratio_max = match rate {
            Rate::Pps(_) => return None,
            Rate::Ndr => 0.0,
            Rate::Pdr(millionths) => f64::from(millionths) / 1e6,
        };
        Some(Goal {
            loss_ratio_max,
            duration_ns,
            full_trials: FULL_TRIALS,
            exceed_ratio: EXCEED_RATIO,
            width: WIDTH,
            rate_pps_min: RATE_PPS_MIN,
            rate_pps_max: RATE_PPS_MAX,
        })
    }

    /// The search as part of a manifest; what the tuple and the protocol say already is left out.
    pub fn section(&self) -> Section {
        Section::new()
            .with("version", u64::from(SEARCH_VERSION))
            .with("full_trials", u64::from(self.full_trials))
            .with("exceed_ratio", self.exceed_ratio.to_string())
            .with("width", self.width.to_string())
            .with("rate_pps_min", u64::from(self.rate_pps_min))
            .with("rate_pps_max", u64::from(self.rate_pps_max))
    }

    fn phases(&self) -> impl Iterator<Item = Phase> {
        let whole = self.duration_ns;
        let shortened = move |shorter: u64| match shorter {
            1 => whole,
            _ => (whole / shorter).max(TRIAL_NS_MIN).next_multiple_of(INTERVAL_NS),
        };
        let goal = *self;
        SHORTER.into_iter().zip(WIDER).filter(move |&(shorter, _)| shorter == 1 || shortened(shorter) < whole).map(
            move |(shorter, wider)| Phase {
                duration_ns: shortened(shorter),
                enough_ns: shortened(shorter) * if shorter == 1 { u64::from(goal.full_trials.max(1)) } else { 1 },
                width: (goal.width * wider).min(0.5),
            },
        )
    }
}

/// The test of one trial: the same at a fixed rate over a shorter window.
pub fn trial_of(test: &Test, rate_pps: u32, duration_ns: u64) -> Test {
    let mut trial = test.clone();
    trial.tuple.rate = Rate::Pps(rate_pps);
    trial.times = Times { duration_ns, ..test.times };
    trial
}

/// A trial that was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// Offered, packets/s a sender.
    pub rate_pps: u32,
    /// Length of its window, ns.
    pub duration_ns: u64,
    /// 1 - received / intended.
    pub loss_ratio: f64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make this trial.
    Trial {
        /// Packets/s a sender.
        rate_pps: u32,
        /// Length of its window, ns.
        duration_ns: u64,
    },
    /// The highest rate within the goal lies between these.
    Found {
        /// The highest rate that met the goal.
        lower_pps: u32,
        /// The lowest rate that did not; absent where the highest rate tried met it.
        upper_pps: Option<u32>,
    },
    /// Even the lowest rate did not meet the goal.
    Nothing,
    /// The trials contradict each other for too long.
    GivenUp,
}

/// A part of a search.
#[derive(Clone, Copy, Debug)]
struct Phase {
    duration_ns: u64,
    /// Time of trials that decides a rate.
    enough_ns: u64,
    width: f64,
}

/// What a phase knows at its end.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    lower: Option<u32>,
    upper: Option<u32>,
}

/// What to do after these trials, in the order in which they were made.
pub fn next(goal: &Goal, tried: &[Tried]) -> Next {
    if tried.len() >= TRIALS_MAX {
        return Next::GivenUp;
    }
    let mut hint = Bounds { lower: Some(goal.rate_pps_max), upper: None };
    for phase in goal.phases() {
        match step(goal, &phase, tried, hint) {
            Step::Try(rate_pps) => return Next::Trial { rate_pps, duration_ns: phase.duration_ns },
            Step::Known(bounds) => hint = bounds,
        }
    }
    match hint {
        Bounds { lower: Some(lower_pps), upper } => Next::Found { lower_pps, upper_pps: upper },
        Bounds { lower: None, .. } => Next::Nothing,
    }
}

enum Step {
    Try(u32),
    Known(Bounds),
}

fn step(goal: &Goal, phase: &Phase, tried: &[Tried], hint: Bounds) -> Step {
    let loads = load::of(goal, phase.duration_ns, phase.enough_ns, tried);
    let with = |verdict: Verdict| loads.iter().filter(move |load| load.verdict == verdict).map(|load| load.rate_pps);
    let upper = with(Verdict::Above).min();
    let below = |rate: u32| upper.is_none_or(|upper| rate < upper);
    let lower = with(Verdict::Within).filter(|&rate| below(rate)).max();
    let between = |rate: u32| below(rate) && lower.is_none_or(|lower| rate > lower);
    // A rate that was begun in this phase is brought to its end, the latest one first.
    let begun = |load: &&Load| load.verdict == Verdict::Open && load.has_long && between(load.rate_pps);
    if let Some(open) = loads.iter().filter(begun).max_by_key(|load| load.last) {
        return Step::Try(open.rate_pps);
    }
    let hinted = [hint.lower, hint.upper].into_iter().flatten().find(|&rate| between(rate));
    match (lower, upper) {
        (Some(lower), Some(upper)) => {
            if f64::from(upper - lower) <= phase.width * f64::from(upper) {
                return Step::Known(Bounds { lower: Some(lower), upper: Some(upper) });
            }
            let middle = (f64::from(lower) * f64::from(upper)).sqrt().round() as u32;
            let middle = hinted.unwrap_or(middle);
            match lower < middle && middle < upper {
                true => Step::Try(middle),
                false => Step::Known(Bounds { lower: Some(lower), upper: Some(upper) }),
            }
        }
        (Some(lower), None) if lower >= goal.rate_pps_max => Step::Known(Bounds { lower: Some(lower), upper: None }),
        (Some(lower), None) => {
            let before = with(Verdict::Within).filter(|&rate| rate < lower).max();
            let reach = reach(phase, before.map(|before| f64::from(lower) / f64::from(before)));
            let rate = (f64::from(lower) * reach).ceil().min(f64::from(goal.rate_pps_max)) as u32;
            Step::Try(hinted.unwrap_or(rate))
        }
        (None, Some(upper)) if upper <= goal.rate_pps_min => Step::Known(Bounds { lower: None, upper: Some(upper) }),
        (None, Some(upper)) => {
            let above = with(Verdict::Above).filter(|&rate| rate > upper).min();
            let reach = reach(phase, above.map(|above| f64::from(above) / f64::from(upper)));
            let rate = (f64::from(upper) / reach).floor() as u32;
            // What came through at the highest rate is the best first guess.
            let through = first_guess(tried).filter(|&rate| above.is_none() && between(rate));
            Step::Try(hinted.or(through).unwrap_or(rate).max(goal.rate_pps_min))
        }
        (None, None) => Step::Try(hinted.unwrap_or(goal.rate_pps_max)),
    }
}

/// How far to go without a bound on that side: twice as far as the step before.
fn reach(phase: &Phase, before: Option<f64>) -> f64 {
    let least = 1.0 + phase.width;
    before.map_or(least, |before| (before * before).clamp(least, STEP_MAX))
}

/// The rate at which packets came through in the first trial.
fn first_guess(tried: &[Tried]) -> Option<u32> {
    let first = tried.first()?;
    Some((f64::from(first.rate_pps) * (1.0 - first.loss_ratio)) as u32)
}

#[cfg(test)]
mod tests;
