//! What one more repetition of a test will take: as long as others of it took, else of like tests, the nearest first, else
//! a guess by its times, its technique and its pairs. It must not know what is stored, or what is wanted.

use std::collections::{HashMap, HashSet};

use host_setup::facts::Facts;
use results::axes::{Dimension, Io, Locality, Rate, RuntimeChoice, VSwitch};
use results::statistics::mean::{mean, variance};

use crate::experiment::Test;
use crate::search;
use crate::store::{Entry, Standing};

/// What a repetition, or a trial of a search, takes beyond its traffic where nothing is known yet, milliseconds: over
/// sockets, and where DPDK starts in each of its programs.
const BEYOND_MS: u64 = 170;
const BEYOND_DPDK_MS: u64 = 500;
/// What each pair of containers beyond the first one adds to that.
const PAIR_MS: u64 = 40;
const PAIR_DPDK_MS: u64 = 150;
/// What lies between two repetitions and is in no record: judging the one, storing it, and choosing the next.
const BETWEEN_MS: u64 = 20;
/// The same between two trials of a search, which goes on only once the one before is kept.
const BETWEEN_TRIALS_MS: u64 = 25;
/// What a run takes before its first repetition and after its last one, whatever it measures: what the host is, its lease,
/// what is set there and set back, and a generation.
pub const RUN: Estimate = Estimate { ms: 300, low_ms: 100, high_ms: 1_500 };
/// What one can take beyond its traffic, milliseconds: more was something else.
const BEYOND_MS_MAX: u64 = 5_000;
/// Repetitions of like tests that are enough to know.
const ENOUGH: usize = 64;
/// A test is not tried more often than this for each repetition that is to count.
const TRIES_MAX: f64 = 3.0;
/// Values that tell how they vary.
pub const VALUES_MIN: usize = 3;
/// Deviations of repetitions whose programs share cores, as parts of the mean, where nothing is known yet: what few, half
/// and most are below, as was seen on two cores.
const CROWDED_DEVIATIONS: [f64; 3] = [0.01, 0.03, 0.06];
/// What is usual, in thousandths of it.
const USUAL: u64 = 1000;
/// A search takes between a tenth of what one usually takes and thirty times as much; what took longer or less was with
/// other times.
const SEARCH_LEAST: u64 = 100;
const SEARCH_MOST: u64 = 30_000;

/// What is alike in tests that take alike beyond their traffic: all of it, or in a wider circle less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kin {
    locality: Locality,
    io: Io,
    /// Whether its windows are chosen.
    chosen: bool,
    /// Whether its rate is searched for.
    search: bool,
    vswitch: Option<VSwitch>,
    near: Option<Near>,
}

/// What only the nearest kin share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Near {
    dimension: Dimension,
    runtime: RuntimeChoice,
    pairs: u16,
    /// The rate, if it is searched for.
    search: Option<Rate>,
}

/// What repetitions took, and how their values varied, by the kin of their tests, in each of its circles.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Cores of the host that has the fewest, as far as that is known.
    cores: Option<usize>,
    /// In thousandths of what is usual ([`Costs::usual_ms`]); in order.
    took: HashMap<Kin, Vec<u64>>,
    /// Variances of a test's repetitions, as parts of the square of their mean; in order.
    varied: HashMap<Kin, Vec<f64>>,
    /// Repetitions that count, and all of them: a suspect one is made again.
    tries: HashMap<Kin, (u32, u32)>,
}

/// What something will take, milliseconds: the middle, and between what it lies in eight of ten cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The middle.
    pub ms: u64,
    /// From.
    pub low_ms: u64,
    /// Upper end, ms.
    pub high_ms: u64,
}

impl Estimate {
    /// The estimate for this many repetitions.
    pub fn times(self, Often { expected, low, high }: Often) -> Estimate {
        let times = |ms: u64, count: u32| ms.saturating_mul(u64::from(count));
        Estimate { ms: times(self.ms, expected), low_ms: times(self.low_ms, low), high_ms: times(self.high_ms, high) }
    }
}

impl Estimate {
    /// The estimate where so many repetitions are made for one that counts. None may have to be made again.
    #[must_use]
    pub fn tried(self, tries: f64) -> Estimate {
        let more = |ms: u64| (ms as f64 * tries).round() as u64;
        Estimate { ms: more(self.ms), high_ms: more(self.high_ms), ..self }
    }
}

/// One after the other. That all are dear at once is likely, since what is not known of one is not known of its kin.
impl std::iter::Sum for Estimate {
    fn sum<I: Iterator<Item = Estimate>>(all: I) -> Estimate {
        all.fold(Estimate::default(), |sum, one| Estimate {
            ms: sum.ms.saturating_add(one.ms),
            low_ms: sum.low_ms.saturating_add(one.low_ms),
            high_ms: sum.high_ms.saturating_add(one.high_ms),
        })
    }
}

/// How many repetitions there will be, and between how many in eight of ten cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Often {
    /// The middle.
    pub expected: u32,
    /// From.
    pub low: u32,
    /// Upper end, ms.
    pub high: u32,
}

impl Often {
    /// An exact number of repetitions.
    pub fn exactly(count: u32) -> Often {
        Often { expected: count, low: count, high: count }
    }

    /// What is left of it where there are some; one at least.
    pub fn beyond(self, have: u32) -> Often {
        let left = |count: u32| count.saturating_sub(have).max(1);
        Often { expected: left(self.expected), low: left(self.low), high: left(self.high) }
    }
}

impl Kin {
    /// The kin of a test.
    pub fn of(test: &Test) -> Kin {
        let tuple = &test.tuple;
        let search = tuple.rate.fixed_pps().is_none().then_some(tuple.rate);
        Kin {
            locality: tuple.locality,
            io: tuple.variant.io,
            chosen: test.times.chosen,
            search: search.is_some(),
            vswitch: Some(tuple.vswitch),
            near: Some(Near {
                dimension: tuple.dimension,
                runtime: tuple.variant.runtime,
                pairs: tuple.pairs.get(),
                search,
            }),
        }
    }

    /// The kin, and wider circles around it: tests over the same switch, and over any with the same technique.
    pub fn circles(self) -> [Kin; 3] {
        let same_switch = Kin { near: None, ..self };
        let same_io = Kin { vswitch: None, ..same_switch };
        [self, same_switch, same_io]
    }
}

impl Costs {
    /// Nothing is known but the hosts.
    pub fn on<'f>(hosts: impl Iterator<Item = &'f Facts>) -> Costs {
        let cores = |facts: &Facts| {
            let places = facts.topology.iter().map(|core| (core.node, core.package, core.core));
            places.collect::<HashSet<_>>().len()
        };
        Costs { cores: hosts.map(cores).min(), ..Costs::default() }
    }

    /// Whether more of these would teach nothing.
    pub fn are_known(&self, kin: &Kin) -> bool {
        self.took.get(kin).is_some_and(|known| known.len() >= ENOUGH)
    }

    /// Takes note of what a repetition took; whether what is expected of like tests may be another now.
    pub fn learn(&mut self, test: &Test, cost_ms: u64) -> bool {
        let Some(told) = self.told(test, cost_ms) else { return false };
        let mut may_differ = false;
        for (circle, kin) in Kin::of(test).circles().into_iter().enumerate() {
            let known = self.took.entry(kin).or_default();
            if known.len() < ENOUGH {
                known.insert(known.partition_point(|other| *other < told), told);
                may_differ |= circle == 0 && known.len().is_power_of_two();
            }
        }
        may_differ
    }

    /// Takes note of the values of a test's repetitions, if there are enough to tell how they vary.
    pub fn learn_values(&mut self, test: &Test, values: &[f64]) {
        let (Ok(mean), Ok(variance)) = (mean(values), variance(values)) else { return };
        let relative = variance / (mean * mean);
        if values.len() < VALUES_MIN || !relative.is_finite() {
            return;
        }
        for kin in Kin::of(test).circles() {
            let known = self.varied.entry(kin).or_default();
            if known.len() < ENOUGH {
                known.insert(known.partition_point(|other| *other < relative), relative);
            }
        }
    }

    /// Takes note of how many of a test's repetitions count.
    pub fn learn_tries(&mut self, test: &Test, entries: &[Entry]) {
        let valid = entries.iter().filter(|entry| entry.standing == Standing::Valid).count();
        let [valid, all] = [valid, entries.len()].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        if all == 0 {
            return;
        }
        for kin in Kin::of(test).circles() {
            let (counted, made) = self.tries.entry(kin).or_default();
            (*counted, *made) = (counted.saturating_add(valid), made.saturating_add(all));
        }
    }

    /// How many repetitions it takes to have one that counts, by like tests; 1 where nothing is known.
    pub fn tries(&self, test: &Test) -> f64 {
        let (counted, all) = nearest(&self.tries, test).copied().unwrap_or_default();
        // One more that counted, so that a single suspect one does not double what is announced.
        ((f64::from(all) + 1.0) / (f64::from(counted) + 1.0)).min(TRIES_MAX)
    }

    /// The variance of repetitions of a test like others of its kin, as a part of the square of their mean: that which
    /// this part of them is below. Nothing where none are known, but that programs which share cores vary much.
    pub fn variance(&self, test: &Test, part: f64) -> Option<f64> {
        let guess = || {
            let place = CROWDED_DEVIATIONS.len() as f64 * part;
            let deviation =
                CROWDED_DEVIATIONS.get(place as usize).filter(|_| self.is_crowded(test) && !test.times.chosen);
            deviation.map(|deviation| deviation * deviation)
        };
        nearest(&self.varied, test).and_then(|known| at(known, part)).or_else(guess)
    }

    /// What one more repetition of a test takes, by those that there are of it.
    pub fn of(&self, test: &Test, entries: &[Entry]) -> Estimate {
        let Some((low, middle, high)) = own(entries) else { return self.of_like(test) };
        let [ms, low_ms, high_ms] = [middle, low, high].map(|cost_ms| cost_ms + self.between_ms(test, cost_ms));
        Estimate { ms, low_ms, high_ms }
    }

    /// The estimate for a test that was never measured.
    pub fn of_like(&self, test: &Test) -> Estimate {
        let kin = Kin::of(test);
        let is_search = kin.search;
        let of_kin = self.took.get(&kin).map_or(&[][..], Vec::as_slice);
        let known = nearest(&self.took, test).map_or(&[][..], Vec::as_slice);
        let middle = match known {
            [] => USUAL,
            // Two searches of one thing can differ by twice. What is usual counts as one more of them.
            _ if is_search => middle_with(known, USUAL),
            _ => at(known, 0.5).unwrap_or(USUAL),
        };
        // Of a single one, and of none, nobody knows by how much others differ from it.
        let (low, high) = match (of_kin.len() < VALUES_MIN, at(known, 0.1), at(known, 0.9)) {
            // At another hour a host takes a tenth more or less, however alike its repetitions were.
            (false, Some(low), Some(high)) => (low.min(middle - middle / 10), high.max(middle + middle / 10)),
            _ => (middle / 2, middle * 2),
        };
        // A window that is chosen may be as long as ever.
        let longer_ms = if of_kin.len() < VALUES_MIN { chosen_ms(test).0 * 3 } else { 0 };
        let ms = |thousandths: u64| {
            let beyond_ms = self.usual_ms(test).saturating_mul(thousandths) / USUAL;
            let cost_ms = if is_search { beyond_ms } else { traffic_ms(test) + beyond_ms };
            cost_ms + self.between_ms(test, cost_ms)
        };
        Estimate { ms: ms(middle), low_ms: ms(low), high_ms: ms(high) + longer_ms }
    }

    /// What a repetition usually takes: beyond its traffic, or, of a search, with the windows of its trials and what each of
    /// them takes besides.
    fn usual_ms(&self, test: &Test) -> u64 {
        match test.tuple.rate.fixed_pps() {
            Some(_) => beyond_ms(test) + chosen_ms(test).0,
            None => {
                let times = &test.times;
                let trims_ms = (times.warmup_ns + times.cooldown_ns) / 1_000_000;
                let search::Usual { trials, windows } = self.usual_search(test);
                times.duration_ns / 1_000_000 * windows + (trims_ms + beyond_ms(test)) * trials
            }
        }
    }

    /// What a search usually takes.
    fn usual_search(&self, test: &Test) -> search::Usual {
        if self.is_crowded(test) { search::USUAL_CROWDED } else { search::USUAL }
    }

    /// Whether senders and receivers, a switch of programs, and what else runs on a host have no core each.
    fn is_crowded(&self, test: &Test) -> bool {
        let hosts = if test.tuple.locality == Locality::Remote { 2 } else { 1 };
        let programs = 2 * usize::from(test.tuple.pairs.get()) / hosts + usize::from(test.tuple.variant.io == Io::Dpdk);
        self.cores.is_some_and(|cores| cores <= programs)
    }

    /// What lies between a repetition that takes so long and the next one, and between a search's trials.
    fn between_ms(&self, test: &Test, cost_ms: u64) -> u64 {
        match test.tuple.rate.fixed_pps() {
            Some(_) => BETWEEN_MS,
            None => {
                (BETWEEN_TRIALS_MS * self.usual_search(test).trials).saturating_mul(cost_ms)
                    / self.usual_ms(test).max(1)
            }
        }
    }

    /// What a cost says of like tests, in thousandths of what is usual; nothing where it is not of a test with these times.
    fn told(&self, test: &Test, cost_ms: u64) -> Option<u64> {
        let of_usual = |ms: u64| ms.saturating_mul(USUAL) / self.usual_ms(test).max(1);
        match test.tuple.rate.fixed_pps() {
            Some(_) => {
                let most = BEYOND_MS_MAX + chosen_ms(test).1;
                cost_ms.checked_sub(traffic_ms(test)).filter(|beyond| (1..=most).contains(beyond)).map(of_usual)
            }
            None => Some(of_usual(cost_ms)).filter(|thousandths| (SEARCH_LEAST..=SEARCH_MOST).contains(thousandths)),
        }
    }
}

/// What is known of a test's kin, or else of the nearest circle of which anything is.
fn nearest<'k, T>(known: &'k HashMap<Kin, T>, test: &Test) -> Option<&'k T> {
    Kin::of(test).circles().iter().find_map(|kin| known.get(kin))
}

/// The value that this part of them is below, of values in order.
fn at<T: Copy>(known: &[T], part: f64) -> Option<T> {
    let last = known.len().checked_sub(1)?;
    known.get((last as f64 * part).round() as usize).copied()
}

/// The middle of values in order and one more; between two, what both are off by the same factor.
fn middle_with(known: &[u64], more: u64) -> u64 {
    let mut all = known.to_vec();
    all.insert(all.partition_point(|other| *other < more), more);
    let half = all.len() / 2;
    match all.len() % 2 {
        1 => all[half],
        _ => (all[half - 1] as f64 * all[half] as f64).sqrt().round() as u64,
    }
}

/// What repetitions took, milliseconds, as far as that is known: what a tenth of them is below, the middle, and what a
/// tenth is above.
pub fn own(entries: &[Entry]) -> Option<(u64, u64, u64)> {
    let mut costs: Vec<u32> = entries.iter().map(|entry| entry.cost_ms).filter(|cost| *cost > 0).collect();
    costs.sort_unstable();
    Some((at(&costs, 0.1)?.into(), at(&costs, 0.5)?.into(), at(&costs, 0.9)?.into()))
}

/// What a repetition takes beyond its traffic as long as nothing is known.
fn beyond_ms(test: &Test) -> u64 {
    let more_pairs = u64::from(test.tuple.pairs.get()).saturating_sub(1);
    match test.tuple.variant.io {
        Io::Dpdk => BEYOND_DPDK_MS + PAIR_DPDK_MS * more_pairs,
        _ => BEYOND_MS + PAIR_MS * more_pairs,
    }
}

/// What is known of a test's traffic beforehand: of a window that is chosen, nothing.
fn traffic_ms(test: &Test) -> u64 {
    let times = &test.times;
    let window_ns = if times.chosen { 0 } else { times.duration_ns };
    (times.warmup_ns + window_ns + times.cooldown_ns) / 1_000_000
}

/// What a window that is chosen takes at least, and at most, milliseconds.
fn chosen_ms(test: &Test) -> (u64, u64) {
    match test.times.chosen {
        true => (test.times.duration_ns / 1_000_000, test.times.longest().duration_ns / 1_000_000),
        false => (0, 0),
    }
}

#[cfg(test)]
mod tests;
