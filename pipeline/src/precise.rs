//! How long the next windows of a test are, how many its next set-up has, and how many set-ups it will take, where a
//! precision is asked for instead of a duration: by the windows of the test itself, or as long as it has too few, of
//! tests of its kind. Pure. It must not know stores, stands, or when there are enough: [`plan`](crate::plan) says that by
//! the same rule.

use std::collections::{BTreeMap, HashMap};

use results::statistics::mean::mean;
use results::statistics::precise::{self, Asked, Choice, Costs, Most, Spread, Window};
use serde::{Deserialize, Serialize};

use crate::cost::Kin;
use crate::experiment::{Test, Times};
use crate::key::{Key, ResultId};
use crate::store::{Record, judged_by};
use crate::traffic::INTERVAL_NS;

/// Most windows of one set-up where traffic can be started again in it.
const WINDOWS_MAX: u32 = 16;
/// Windows of a set-up that is to tell how windows differ, as long as nobody knows.
const PILOT_WINDOWS: u32 = 2;
/// Set-ups with several windows that tell it.
const PILOTS: usize = 3;
/// What a set-up takes beyond its windows where nothing is known yet, seconds.
const SET_UP_S: f64 = 0.3;
/// What a window takes beyond its traffic where nothing is known yet, seconds.
const START_S: f64 = 0.1;
/// Set-ups of a test that tell what is between them by themselves.
const OWN_ENOUGH: usize = 3;
/// Tests of a kind that are enough to know it.
const KIN_ENOUGH: usize = 16;

/// How long windows were chosen to be, how many, and by what; in the record of their set-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// [`precise::RULE_VERSION`] of what chose.
    pub rule: u64,
    /// Windows of the set-up; fewer were made where traffic could not be started again.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub windows: u32,
    /// Valid set-ups of the test that were known then.
    pub set_ups_before: u32,
    /// How many it was expected to take altogether; absent where no number in reach was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_ups_expected: Option<u32>,
    /// The variance between set-ups by which it was chosen, as a part of the square of the mean.
    pub between_set_ups: f64,
    /// The variance between windows of one set-up beyond what their length explains, likewise; absent where nobody knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between_windows: Option<f64>,
    /// The variance of a window's mean times its length, likewise, in seconds.
    pub within_s: f64,
    /// The variance of this window's mean times its length, in the square of the values' unit, times seconds, of several
    /// windows the mean of theirs; absent where it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_within: Option<f64>,
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_one(windows: &u32) -> bool {
    *windows == 1
}

/// What is next for a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// Length of its next windows, nanoseconds; whole accounting intervals.
    pub window_ns: u64,
    /// Set-ups altogether, as far as is known.
    pub set_ups: usize,
    /// What one takes, milliseconds.
    pub each_ms: u64,
    /// For the record; how many windows there are is in it.
    pub chosen: Chosen,
}

/// What windows have shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    by_key: HashMap<Key, BTreeMap<ResultId, SetUp>>,
    by_kin: HashMap<Kin, Vec<Key>>,
}

#[derive(Clone, Debug)]
struct SetUp {
    windows: Vec<Window>,
    costs: Costs,
}

/// What is known before a choice.
#[derive(Clone, Copy, Debug)]
struct Known {
    spread: Spread,
    /// Whether it is known how windows of one set-up differ.
    knows_windows: bool,
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
        let quantity = judged_by(test.tuple.dimension);
        let seconds = record.times.duration_ns as f64 / 1e9;
        let window = |mean: &f64, within| Window { mean: *mean, seconds, within };
        let windows: Option<Vec<Window>> = match record.windows.is_empty() {
            true => {
                let within = record.chosen.as_ref().and_then(|chosen| chosen.seen_within);
                record.reduction.values.get(&quantity).map(|mean| vec![window(mean, within)])
            }
            false => {
                let each = record.windows.iter();
                each.map(|one| Some(window(one.reduction.values.get(&quantity)?, one.seen_within))).collect()
            }
        };
        let Some(windows) = windows else { return };
        let count = windows.len() as f64;
        let cost = record.cost;
        let in_windows_s = (cost.ready_ms + cost.traffic_ms + cost.collect_ms) as f64 / 1e3;
        let costs = Costs {
            set_up_s: (cost.total_ms as f64 / 1e3 - in_windows_s).max(0.0),
            window_s: (in_windows_s / count - seconds).max(0.0),
        };
        let known = self.by_key.entry(key).or_default();
        if known.is_empty() {
            self.by_kin.entry(Kin::of(test)).or_default().push(key);
        }
        known.insert(id, SetUp { windows, costs });
    }

    /// The next windows of a test, by what is known of it and its kind; several in one set-up where traffic can be started
    /// again in it.
    pub fn next(&self, test: &Test, key: &Key, asked: &Asked, cap_ns: u64, renews: bool) -> Next {
        let own: Vec<SetUp> = self.by_key.get(key).into_iter().flat_map(BTreeMap::values).cloned().collect();
        let kin = self.of_kin(&Kin::of(test));
        let Known { spread, knows_windows } = known(&own, kin.map(|kin| kin.0));
        let costs = costs_of(&own).or(kin.map(|kin| kin.1)).unwrap_or(untried(&test.times));
        // In parts of the mean, like everything that is compared between tests.
        let half_width = match mean(&centres(&own)) {
            Ok(mean) if mean != 0.0 => asked.half_width(mean) / mean.abs(),
            _ => asked.half_width_ratio,
        };
        let most = Most {
            windows: if renews { WINDOWS_MAX } else { 1 },
            set_ups: asked.set_ups_max,
            // The fewest set-ups must fit.
            set_up_s: cap_ns as f64 / 1e9 / precise::SET_UPS_MIN as f64,
        };
        let reached = precise::choose(&spread, &costs, half_width, &most);
        let choice = reached.unwrap_or_else(|| precise::choose_or_nearest(&spread, &costs, half_width, &most));
        let each_s = |windows: u32| costs.set_up_s + f64::from(windows) * (costs.window_s + choice.window_s);
        let is_pilot = !knows_windows && renews && each_s(PILOT_WINDOWS) <= most.set_up_s;
        let windows = if is_pilot { choice.windows.max(PILOT_WINDOWS) } else { choice.windows };
        let Choice { window_s, set_ups, .. } = choice;
        let window_ns = ((window_s * 1e9) as u64).div_ceil(INTERVAL_NS) * INTERVAL_NS;
        Next {
            window_ns: window_ns.max(test.times.duration_ns),
            set_ups: set_ups.max(precise::SET_UPS_MIN),
            each_ms: (each_s(windows) * 1e3).round() as u64,
            chosen: Chosen {
                rule: precise::RULE_VERSION,
                windows,
                set_ups_before: u32::try_from(own.len()).unwrap_or(u32::MAX),
                set_ups_expected: reached.and_then(|choice| u32::try_from(choice.set_ups).ok()),
                between_set_ups: spread.between_set_ups,
                between_windows: knows_windows.then_some(spread.between_windows),
                within_s: spread.within,
                seen_within: None,
            },
        }
    }

    /// The middle of what tests of a kind have shown, and what set-ups of it cost.
    fn of_kin(&self, kin: &Kin) -> Option<(Known, Costs)> {
        let keys = self.by_kin.get(kin)?.iter().filter_map(|key| self.by_key.get(key));
        let tests: Vec<Vec<SetUp>> = keys.map(|set_ups| set_ups.values().cloned().collect()).collect();
        let costs = costs_of(&tests.concat())?;
        let spreads = |are: &dyn Fn(&[SetUp]) -> bool| -> Vec<Spread> {
            tests.iter().filter(|own| are(own)).filter_map(|own| relative(own)).collect()
        };
        let enough = spreads(&|own| own.len() >= OWN_ENOUGH);
        let several = spreads(&|own| with_several(own) >= PILOTS);
        let middle = |of: fn(&Spread) -> f64, among: &[Spread]| median(among.iter().map(of).collect()).unwrap_or(0.0);
        let spread = Spread {
            between_set_ups: middle(|spread| spread.between_set_ups, &enough),
            between_windows: middle(|spread| spread.between_windows, &several),
            within: middle(|spread| spread.within, &enough),
        };
        Some((Known { spread, knows_windows: !several.is_empty() }, costs))
    }
}

/// What is known of a test by its own set-ups, and where they are too few, by its kin.
fn known(own: &[SetUp], kin: Option<Known>) -> Known {
    let Some(mut spread) = relative(own) else {
        return kin.unwrap_or(Known { spread: Spread::default(), knows_windows: false });
    };
    let own_knows = with_several(own) >= PILOTS;
    let of_kin = kin.filter(|kin| kin.knows_windows && !own_knows);
    if let Some(Known { spread: of_kin, .. }) = of_kin {
        // Where set-ups have one window each, what is between windows is in what is between set-ups.
        if with_several(own) == 0 {
            spread.between_set_ups = (spread.between_set_ups - of_kin.between_windows).max(0.0);
        }
        spread.between_windows = of_kin.between_windows;
    }
    if own.len() < OWN_ENOUGH
        && let Some(Known { spread: of_kin, .. }) = kin
    {
        spread.between_set_ups = spread.between_set_ups.max(of_kin.between_set_ups);
    }
    Known { spread, knows_windows: own_knows || of_kin.is_some() }
}

/// Set-ups with several windows.
fn with_several(own: &[SetUp]) -> usize {
    own.iter().filter(|set_up| set_up.windows.len() > 1).count()
}

/// The mean of each set-up.
fn centres(own: &[SetUp]) -> Vec<f64> {
    let centre = |set_up: &SetUp| mean(&set_up.windows.iter().map(|window| window.mean).collect::<Vec<_>>()).ok();
    own.iter().filter_map(centre).collect()
}

/// Variances as parts of the square of the mean; none of no set-up, or of a mean that is zero.
fn relative(own: &[SetUp]) -> Option<Spread> {
    let square = mean(&centres(own)).ok().map(|mean| mean * mean).filter(|square| *square > 0.0)?;
    let set_ups: Vec<Vec<Window>> = own.iter().map(|set_up| set_up.windows.clone()).collect();
    let Spread { between_set_ups, between_windows, within } = precise::spread(&set_ups);
    Some(Spread {
        between_set_ups: between_set_ups / square,
        between_windows: between_windows / square,
        within: within / square,
    })
}

/// The middle of what set-ups cost; nothing of none.
fn costs_of(set_ups: &[SetUp]) -> Option<Costs> {
    let middle = |of: fn(&Costs) -> f64| median(set_ups.iter().map(|set_up| of(&set_up.costs)).collect());
    Some(Costs { set_up_s: middle(|costs| costs.set_up_s)?, window_s: middle(|costs| costs.window_s)? })
}

/// What they cost where none was made.
fn untried(times: &Times) -> Costs {
    Costs { set_up_s: SET_UP_S, window_s: (times.warmup_ns + times.cooldown_ns) as f64 / 1e9 + START_S }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests;
