//! The trials of a search as its record keeps them, and what the search found, made of its trials' samples
//! alone. It must not measure or choose rates.

use std::collections::BTreeMap;

use results::axes::Rate;
use results::dataset::RawStream;
use results::flags::Flag;
use results::metric::Quantity;
use results::reduce::{CountedWindow, TrialCount, reduce, trial};
use results::summary::Reduction;
use results::tuple::Tuple;
use serde::{Deserialize, Serialize};

use super::{Goal, Tried};
use crate::experiment::Times;

/// A search in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Version of the method.
    pub version: u32,
    /// What was searched for.
    pub goal: Goal,
    /// The highest rate that met the goal, packets/s a sender.
    pub lower_pps: u32,
    /// The lowest rate that did not; absent where the highest rate tried met it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_pps: Option<u32>,
    /// In the order in which they were made.
    pub trials: Vec<Trial>,
}

/// A trial of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Offered, packets/s a sender.
    pub rate_pps: u32,
    /// Length of its window, ns.
    pub duration_ns: u64,
    /// What became of its packets.
    pub count: TrialCount,
    /// Doubts about it.
    pub flags: Vec<Flag>,
    /// When it was started, UTC, RFC 3339.
    pub started: String,
}

impl Trial {
    /// The trial as the search sees it.
    pub fn tried(&self) -> Tried {
        Tried { rate_pps: self.rate_pps, duration_ns: self.duration_ns, loss_ratio: self.count.loss_ratio() }
    }
}

/// Name of a stream of the trial in that place, as the samples of a search hold it: `t007.send-0`.
pub fn stream_name(place: usize, source: &str) -> String {
    format!("t{place:03}.{source}")
}

/// The streams of the trial in that place, under their own names.
pub fn streams_of(streams: &[RawStream], place: usize) -> Vec<RawStream> {
    let prefix = stream_name(place, "");
    let own = streams.iter().filter_map(|stream| {
        let source = stream.source.strip_prefix(&prefix)?.to_string();
        Some(RawStream { source, ..stream.clone() })
    });
    own.collect()
}

/// The window of a trial.
pub fn window(times: &Times, duration_ns: u64, interval_ns: u64) -> CountedWindow {
    CountedWindow { warmup_ns: times.warmup_ns, duration_ns, interval_ns }
}

impl Search {
    /// Places of the full trials at the rate that was found: what the result is made of.
    pub fn deciding(&self) -> impl Iterator<Item = usize> {
        let is_deciding =
            |trial: &&Trial| trial.rate_pps == self.lower_pps && trial.duration_ns >= self.goal.duration_ns;
        (0..self.trials.len()).filter(move |&place| self.trials.get(place).as_ref().is_some_and(is_deciding))
    }

    /// The streams of the trial that the record's evidence is of: the last full one at the rate found.
    pub fn evidenced(&self, streams: &[RawStream]) -> Vec<RawStream> {
        self.deciding().last().map_or(Vec::new(), |place| streams_of(streams, place))
    }

    /// What the search of `tuple` found, reduced from the samples of all its trials: means over the full trials
    /// at the rate found, lossy ones among them; the offered rate is the rate found.
    pub fn reduce(&self, streams: &[RawStream], times: &Times, interval_ns: u64, tuple: &Tuple) -> Reduction {
        let fixed = Tuple { rate: Rate::Pps(self.lower_pps), ..tuple.clone() };
        let mut sums: BTreeMap<Quantity, (f64, u32)> = BTreeMap::new();
        let mut flags = Vec::new();
        let (mut intended, mut lost) = (0, 0);
        for place in self.deciding() {
            let own = streams_of(streams, place);
            let window = window(times, self.trials[place].duration_ns, interval_ns);
            let reduction = reduce(&own, &window, &fixed);
            for (quantity, value) in reduction.values {
                let sum = sums.entry(quantity).or_default();
                *sum = (sum.0 + value, sum.1 + 1);
            }
            flags.extend(reduction.flags);
            if let Some(count) = trial(&own, &window, &fixed) {
                intended += count.intended;
                lost += count.lost;
            }
        }
        let mut values: BTreeMap<Quantity, f64> =
            sums.into_iter().map(|(quantity, (sum, count))| (quantity, sum / f64::from(count))).collect();
        if intended > 0 {
            values.insert(Quantity::LossRatio, TrialCount { intended, lost }.loss_ratio());
        }
        flags.sort_unstable();
        flags.dedup();
        Reduction { values, flags, ..Reduction::default() }
    }
}
