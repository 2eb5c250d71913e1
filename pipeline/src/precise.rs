//! How long the next window of a test is, and how many set-ups it will take, where a precision is asked for instead of
//! a duration: by the windows of the test itself, or as long as it has too few, of tests of its kind. Pure. It must not
//! know stores, stands, or when there are enough: [`plan`](crate::plan) says that by the same rule.

use std::collections::{BTreeMap, HashMap};

use results::statistics::mean::mean;
use results::statistics::precise::{self, Asked, Costs, Most, Spread, Window};
use serde::{Deserialize, Serialize};

use crate::cost::Kin;
use crate::experiment::Test;
use crate::key::{Key, ResultId};
use crate::store::{Record, judged_by};
use crate::traffic::INTERVAL_NS;

/// Windows of one set-up: traffic starts once in each.
const WINDOWS_MAX: u32 = 1;
/// What a set-up takes beyond its traffic where nothing is known yet, seconds.
const BEYOND_S: f64 = 0.4;
/// Set-ups of a test that tell what is between them by themselves.
const OWN_ENOUGH: usize = 3;
/// Tests of a kind that are enough to know it.
const KIN_ENOUGH: usize = 16;

/// How long a window was chosen to be and by what; in the record of its set-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// [`precise::RULE_VERSION`] of what chose.
    pub rule: u64,
    /// Valid set-ups of the test that were known then.
    pub set_ups_before: u32,
    /// How many it was expected to take altogether; absent where no number in reach was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_ups_expected: Option<u32>,
    /// The variance between set-ups by which it was chosen, as a part of the square of the mean.
    pub between_set_ups: f64,
    /// The variance of a window's mean times its length, likewise, in seconds.
    pub within_s: f64,
    /// The variance of this window's mean times its length, in the square of the values' unit, times seconds; absent
    /// where it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_within: Option<f64>,
}

/// What is next for a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// Length of its next window, nanoseconds; whole accounting intervals.
    pub window_ns: u64,
    /// Set-ups altogether, as far as is known.
    pub set_ups: usize,
    /// What one takes, milliseconds.
    pub each_ms: u64,
    /// For the record.
    pub chosen: Chosen,
}

/// What windows have shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    by_key: HashMap<Key, BTreeMap<ResultId, SetUp>>,
    by_kin: HashMap<Kin, Vec<Key>>,
}

#[derive(Clone, Copy, Debug)]
struct SetUp {
    window: Window,
    /// What it took besides the window, seconds.
    beyond_s: f64,
}

impl Shown {
    /// Whether a result of a key is known.
    pub fn has(&self, key: &Key, id: &ResultId) -> bool {
        self.by_key.get(key).is_some_and(|known| known.contains_key(id))
    }

    /// Whether more tests of a kind would teach nothing.
    pub fn knows(&self, kin: &Kin) -> bool {
        self.by_kin.get(kin).is_some_and(|keys| keys.len() >= KIN_ENOUGH)
    }

    /// Takes note of a valid result of a test.
    pub fn learn(&mut self, test: &Test, key: Key, id: ResultId, record: &Record) {
        let Some(mean) = record.reduction.values.get(&judged_by(test.tuple.dimension)) else { return };
        let seconds = record.times.duration_ns as f64 / 1e9;
        let within = record.chosen.as_ref().and_then(|chosen| chosen.seen_within);
        let window = Window { mean: *mean, seconds, within };
        let beyond_s = (record.cost.total_ms as f64 / 1e3 - seconds).max(0.0);
        let known = self.by_key.entry(key).or_default();
        if known.is_empty() {
            self.by_kin.entry(Kin::of(test)).or_default().push(key);
        }
        known.insert(id, SetUp { window, beyond_s });
    }

    /// The next window of a test, by what is known of it and its kind.
    pub fn next(&self, test: &Test, key: &Key, asked: &Asked, cap_ns: u64) -> Next {
        let own: Vec<SetUp> = self.by_key.get(key).into_iter().flat_map(BTreeMap::values).copied().collect();
        let means: Vec<f64> = own.iter().map(|set_up| set_up.window.mean).collect();
        let kin = self.of_kin(&Kin::of(test));
        let spread = match (relative(&own), kin.map(|kin| kin.0)) {
            (Some(own_spread), Some(kin)) if own.len() < OWN_ENOUGH => {
                Spread { between_set_ups: own_spread.between_set_ups.max(kin.between_set_ups), ..own_spread }
            }
            (Some(own), _) => own,
            (None, kin) => kin.unwrap_or_default(),
        };
        let times = test.times;
        let beyond: Vec<f64> = own.iter().map(|set_up| set_up.beyond_s).collect();
        let untried = (times.warmup_ns + times.cooldown_ns) as f64 / 1e9 + BEYOND_S;
        let set_up_s = median(beyond).or(kin.map(|kin| kin.1)).unwrap_or(untried);
        // In parts of the mean, like everything that is compared between tests.
        let half_width = match mean(&means) {
            Ok(mean) if mean != 0.0 => asked.half_width(mean) / mean.abs(),
            _ => asked.half_width_ratio,
        };
        let least = precise::SET_UPS_MIN as f64;
        let most = Most {
            windows: WINDOWS_MAX,
            set_ups: asked.set_ups_max,
            // The fewest set-ups must fit.
            window_s: cap_ns as f64 / 1e9 / least - set_up_s,
        };
        let costs = Costs { set_up_s, window_s: 0.0 };
        let reached = precise::choose(&spread, &costs, half_width, &most);
        let choice = reached.unwrap_or_else(|| precise::choose_or_nearest(&spread, &costs, half_width, &most));
        let window_ns = ((choice.window_s * 1e9) as u64).div_ceil(INTERVAL_NS) * INTERVAL_NS;
        Next {
            window_ns: window_ns.max(times.duration_ns),
            set_ups: choice.set_ups.max(precise::SET_UPS_MIN),
            each_ms: ((set_up_s + choice.window_s) * 1e3) as u64,
            chosen: Chosen {
                rule: precise::RULE_VERSION,
                set_ups_before: u32::try_from(own.len()).unwrap_or(u32::MAX),
                set_ups_expected: reached.and_then(|choice| u32::try_from(choice.set_ups).ok()),
                between_set_ups: spread.between_set_ups,
                within_s: spread.within,
                seen_within: None,
            },
        }
    }

    /// The middle of what tests of a kind have shown, and what a set-up of it takes besides its window, seconds.
    fn of_kin(&self, kin: &Kin) -> Option<(Spread, f64)> {
        let known = self.by_kin.get(kin)?.iter().filter_map(|key| self.by_key.get(key));
        let known: Vec<Vec<SetUp>> = known.map(|set_ups| set_ups.values().copied().collect()).collect();
        let spreads: Vec<Spread> =
            known.iter().filter(|own| own.len() >= OWN_ENOUGH).filter_map(|own| relative(own)).collect();
        let middle = |of: fn(&Spread) -> f64| median(spreads.iter().map(of).collect());
        let beyond_s = median(known.iter().flatten().map(|set_up| set_up.beyond_s).collect())?;
        let spread = Spread {
            between_set_ups: middle(|spread| spread.between_set_ups).unwrap_or(0.0),
            between_windows: 0.0,
            within: middle(|spread| spread.within).unwrap_or(0.0),
        };
        Some((spread, beyond_s))
    }
}

/// Variances as parts of the square of the mean; none of no set-up, or of a mean that is zero.
fn relative(own: &[SetUp]) -> Option<Spread> {
    let means: Vec<f64> = own.iter().map(|set_up| set_up.window.mean).collect();
    let square = mean(&means).ok().map(|mean| mean * mean).filter(|square| *square > 0.0)?;
    let set_ups: Vec<Vec<Window>> = own.iter().map(|set_up| vec![set_up.window]).collect();
    let Spread { between_set_ups, between_windows, within } = precise::spread(&set_ups);
    Some(Spread {
        between_set_ups: between_set_ups / square,
        between_windows: between_windows / square,
        within: within / square,
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests;
