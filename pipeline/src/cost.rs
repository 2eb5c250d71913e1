//! What one more repetition of a test will take: as long as others of it took, else of like tests, else a guess by its
//! times. It must not know what is stored, or what is wanted.

use std::collections::HashMap;

use results::axes::{Dimension, Io, Locality, Rate, RuntimeChoice, VSwitch};
use results::statistics::mean::{mean, variance};

use crate::experiment::Test;
use crate::search::{TRIALS_USUAL, WINDOWS_USUAL};
use crate::store::{Entry, Standing};

/// What a trial of a search takes beyond its traffic where nothing is known yet, milliseconds.
const BEYOND_TRIAL_MS: u64 = 400;
/// What a repetition takes beyond its traffic where nothing is known yet, milliseconds: over sockets, and where DPDK
/// starts in each of its programs.
const BEYOND_MS: u64 = 200;
const BEYOND_DPDK_MS: u64 = 700;
/// What one can take beyond its traffic, milliseconds: more was something else.
const BEYOND_MS_MAX: u64 = 5_000;
/// Repetitions of like tests that are enough to know.
const ENOUGH: usize = 64;
/// A test is not tried more often than this for each repetition that is to count.
const TRIES_MAX: f64 = 3.0;
/// Values that tell how they vary.
pub const VALUES_MIN: usize = 3;
/// A search takes between a tenth of what one usually takes and thirty times as much; what took longer or less was with
/// other times.
const SEARCH_LEAST: u64 = 100;
const SEARCH_MOST: u64 = 30_000;

/// What is alike in tests that take alike beyond their traffic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kin {
    dimension: Dimension,
    locality: Locality,
    vswitch: VSwitch,
    io: Io,
    runtime: RuntimeChoice,
    pairs: u16,
    /// The rate, if it is searched for.
    search: Option<Rate>,
    /// Whether its windows are chosen.
    chosen: bool,
}

/// What repetitions took, and how their values varied, by the kin of their tests.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// In milliseconds beyond the traffic, or, of a search, in thousandths of what one usually takes; in order.
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
        Kin {
            dimension: tuple.dimension,
            locality: tuple.locality,
            vswitch: tuple.vswitch,
            io: tuple.variant.io,
            runtime: tuple.variant.runtime,
            pairs: tuple.pairs.get(),
            search: tuple.rate.fixed_pps().is_none().then_some(tuple.rate),
            chosen: test.times.chosen,
        }
    }
}

impl Costs {
    /// Whether more of these would teach nothing.
    pub fn are_known(&self, kin: &Kin) -> bool {
        self.took.get(kin).is_some_and(|known| known.len() >= ENOUGH)
    }

    /// Takes note of what a repetition took; whether what is expected of like tests may be another now.
    pub fn learn(&mut self, test: &Test, cost_ms: u64) -> bool {
        let kin = Kin::of(test);
        let Some(told) = told(test, &kin, cost_ms).filter(|_| !self.are_known(&kin)) else { return false };
        let known = self.took.entry(kin).or_default();
        known.insert(known.partition_point(|other| *other < told), told);
        known.len().is_power_of_two()
    }

    /// Takes note of the values of a test's repetitions, if there are enough to tell how they vary.
    pub fn learn_values(&mut self, test: &Test, values: &[f64]) {
        let (Ok(mean), Ok(variance)) = (mean(values), variance(values)) else { return };
        let relative = variance / (mean * mean);
        let known = self.varied.entry(Kin::of(test)).or_default();
        if values.len() >= VALUES_MIN && relative.is_finite() && known.len() < ENOUGH {
            known.insert(known.partition_point(|other| *other < relative), relative);
        }
    }

    /// Takes note of how many of a test's repetitions count.
    pub fn learn_tries(&mut self, test: &Test, entries: &[Entry]) {
        let valid = entries.iter().filter(|entry| entry.standing == Standing::Valid).count();
        let (counted, all) = self.tries.entry(Kin::of(test)).or_default();
        *counted = counted.saturating_add(u32::try_from(valid).unwrap_or(u32::MAX));
        *all = all.saturating_add(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    }

    /// How many repetitions it takes to have one that counts, by like tests; 1 where nothing is known.
    pub fn tries(&self, test: &Test) -> f64 {
        let (counted, all) = self.tries.get(&Kin::of(test)).copied().unwrap_or_default();
        // One more that counted, so that a single suspect one does not double what is announced.
        ((f64::from(all) + 1.0) / (f64::from(counted) + 1.0)).min(TRIES_MAX)
    }

    /// The variance of repetitions of a test like others of its kin, as a part of the square of their mean: that which
    /// this part of them is below.
    pub fn variance(&self, test: &Test, part: f64) -> Option<f64> {
        self.varied.get(&Kin::of(test)).and_then(|known| at(known, part))
    }

    /// What one more repetition of a test takes, by those that there are of it.
    pub fn of(&self, test: &Test, entries: &[Entry]) -> Estimate {
        let like = || self.of_like(test);
        own(entries).map_or_else(like, |(low_ms, ms, high_ms)| Estimate { ms, low_ms, high_ms })
    }

    /// The estimate for a test that was never measured.
    pub fn of_like(&self, test: &Test) -> Estimate {
        let kin = Kin::of(test);
        let known = self.took.get(&kin).filter(|known| !known.is_empty());
        let quantile = |part: f64| known.and_then(|known| at(known, part));
        match kin.search {
            None => {
                let guess = beyond_ms(test) + chosen_ms(test).0;
                // Of a single one, and of none, nobody knows by how much others differ from it.
                let few = known.is_none_or(|known| known.len() < VALUES_MIN);
                let middle = quantile(0.5).unwrap_or(guess);
                let (low, high) = match few {
                    true => (middle / 2, middle * 2 + chosen_ms(test).0 * 3),
                    false => (quantile(0.1).unwrap_or(middle), quantile(0.9).unwrap_or(middle)),
                };
                let ms = |beyond: u64| traffic_ms(test) + beyond;
                Estimate { ms: ms(middle), low_ms: ms(low), high_ms: ms(high) }
            }
            Some(_) => {
                let usual = search_ms(test);
                let ms = |thousandths: u64| usual.saturating_mul(thousandths) / 1000;
                let few = known.is_none_or(|known| known.len() < VALUES_MIN);
                let middle = quantile(0.5).unwrap_or(1000);
                let (low, high) = match few {
                    true => (middle / 2, middle * 2),
                    false => (quantile(0.1).unwrap_or(middle), quantile(0.9).unwrap_or(middle)),
                };
                Estimate { ms: ms(middle), low_ms: ms(low), high_ms: ms(high) }
            }
        }
    }
}

/// The value that this part of them is below, of values in order.
fn at<T: Copy>(known: &[T], part: f64) -> Option<T> {
    let last = known.len().checked_sub(1)?;
    known.get((last as f64 * part).round() as usize).copied()
}

/// What repetitions took, milliseconds, as far as that is known: what a tenth of them is below, the middle, and what a
/// tenth is above.
pub fn own(entries: &[Entry]) -> Option<(u64, u64, u64)> {
    let mut costs: Vec<u32> = entries.iter().map(|entry| entry.cost_ms).filter(|cost| *cost > 0).collect();
    costs.sort_unstable();
    Some((at(&costs, 0.1)?.into(), at(&costs, 0.5)?.into(), at(&costs, 0.9)?.into()))
}

/// What a search usually takes: its windows, and what each of its trials takes besides.
fn search_ms(test: &Test) -> u64 {
    let times = &test.times;
    let trims_ms = (times.warmup_ns + times.cooldown_ns) / 1_000_000;
    times.duration_ns / 1_000_000 * WINDOWS_USUAL + (trims_ms + BEYOND_TRIAL_MS) * TRIALS_USUAL
}

/// What a repetition takes beyond its traffic as long as nothing is known.
fn beyond_ms(test: &Test) -> u64 {
    match test.tuple.variant.io {
        Io::Dpdk => BEYOND_DPDK_MS,
        _ => BEYOND_MS,
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

/// What a cost says of like tests; nothing where it is not of a test with these times.
fn told(test: &Test, kin: &Kin, cost_ms: u64) -> Option<u64> {
    let traffic_ms = traffic_ms(test);
    match kin.search {
        None => {
            let most = BEYOND_MS_MAX + chosen_ms(test).1;
            cost_ms.checked_sub(traffic_ms).filter(|beyond| (1..=most).contains(beyond))
        }
        Some(_) => {
            let thousandths = cost_ms.saturating_mul(1000) / search_ms(test).max(1);
            (SEARCH_LEAST..=SEARCH_MOST).contains(&thousandths).then_some(thousandths)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    /// Tests at a fixed rate over two switches, and searches over one.
    fn tests() -> Vec<Test> {
        let text = r#"
[experiment]
name = "costs"
[protocol]
duration = "1s"
warmup = "100ms"
cooldown = "100ms"
repetitions = 1
[[tests]]
id = "fixed"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 128]
R = 1000
B = 4
io = "raw"
[[tests]]
id = "other"
D = "throughput"
L = "local"
S = "1vs1"
V = "ovs"
P = [64, 128]
R = 1000
B = 4
[[tests]]
id = "search"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 128]
R = "ndr"
B = 4
io = "raw"
"#;
        experiment::parse(text, "costs.toml").unwrap_or_else(|error| panic!("{error}")).matrix.tests
    }

    fn called<'t>(tests: &'t [Test], parts: [&str; 2]) -> &'t Test {
        let is = |test: &&Test| parts.iter().all(|part| test.tuple.to_string().contains(part));
        tests.iter().find(is).unwrap_or_else(|| panic!("no test is {parts:?}"))
    }

    #[test]
    fn a_test_that_was_never_measured_takes_what_like_ones_took() {
        let tests = tests();
        let (small, large) =
            (called(&tests, ["linux-bridge/64B", "1kpps"]), called(&tests, ["linux-bridge/128B", "1kpps"]));
        let other = called(&tests, ["ovs/64B", "1kpps"]);
        let mut costs = Costs::default();
        let guess = costs.of_like(large);
        assert_eq!((guess.ms, costs.of_like(other).ms), (1200 + BEYOND_MS, 1200 + BEYOND_DPDK_MS));
        assert!(guess.low_ms < guess.ms && guess.high_ms > guess.ms);
        assert!(costs.learn(small, 1350));
        assert_eq!((costs.of_like(large).ms, costs.of_like(other).ms), (1350, 1200 + BEYOND_DPDK_MS));
        // What took much longer, or less than its traffic, was with other times.
        assert!(!costs.learn(small, 61_200) && !costs.learn(small, 600));
        assert_eq!(costs.of_like(large).ms, 1350);
        let search = called(&tests, ["linux-bridge/64B", "ndr"]);
        assert!(costs.learn(search, 73_600));
        let like = costs.of_like(called(&tests, ["linux-bridge/128B", "ndr"])).ms;
        assert!(like.abs_diff(73_600) < 200, "{like}");
        assert_eq!(costs.of_like(large).ms, 1350);
    }

    #[test]
    fn what_like_tests_had_to_repeat_is_expected_again() {
        let tests = tests();
        let (small, other) = (called(&tests, ["linux-bridge/64B", "1kpps"]), called(&tests, ["ovs/64B", "1kpps"]));
        let mut costs = Costs::default();
        assert_eq!((costs.tries(small), costs.tries(other)), (1.0, 1.0));
        costs.tries.insert(Kin::of(small), (9, 19));
        assert_eq!((costs.tries(small), costs.tries(other)), (2.0, 1.0));
        costs.tries.insert(Kin::of(small), (0, 100));
        assert_eq!(costs.tries(small), TRIES_MAX);
        let estimate = Estimate { ms: 1000, low_ms: 800, high_ms: 1500 };
        assert_eq!(estimate.tried(2.0), Estimate { ms: 2000, low_ms: 800, high_ms: 3000 });
    }

    #[test]
    fn the_median_counts_and_enough_is_enough() {
        let tests = tests();
        let small = called(&tests, ["linux-bridge/64B", "1kpps"]);
        let mut costs = Costs::default();
        for beyond in [100, 900, 120, 110, 130] {
            costs.learn(small, 1200 + beyond);
        }
        assert_eq!(costs.of_like(small), Estimate { ms: 1320, low_ms: 1300, high_ms: 2100 });
        for _ in 0..1000 {
            costs.learn(small, 1200 + 200);
        }
        assert!(costs.are_known(&Kin::of(small)) && costs.of_like(small).ms == 1400);
        assert_eq!(costs.took[&Kin::of(small)].len(), ENOUGH);
    }
}
