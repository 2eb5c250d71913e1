//! What one more repetition of a test will take: as long as others of it took, else of like tests, else a guess by its
//! times. It must not know what is stored, or what is wanted.

use std::collections::HashMap;

use results::axes::{Dimension, Io, Locality, Rate, RuntimeChoice, VSwitch};

use crate::experiment::Test;
use crate::search::{TRIALS_MAX, TRIALS_USUAL};
use crate::store::Entry;

/// What a repetition takes beyond its traffic where nothing is known yet, milliseconds.
const BEYOND_MS: u64 = 400;
/// What one can take beyond its traffic, milliseconds: more was something else.
const BEYOND_MS_MAX: u64 = 5_000;
/// Repetitions of like tests that are enough to know.
const ENOUGH: usize = 64;

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

/// What repetitions took, by the kin of their tests: in milliseconds beyond the traffic, or, of a search, in thousandths
/// of a full trial; in order.
#[derive(Clone, Debug, Default)]
pub struct Costs(HashMap<Kin, Vec<u64>>);

impl Kin {
    /// Of a test.
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
        self.0.get(kin).is_some_and(|known| known.len() >= ENOUGH)
    }

    /// Takes note of what a repetition took; whether what is expected of like tests may be another now.
    pub fn learn(&mut self, test: &Test, cost_ms: u64) -> bool {
        let kin = Kin::of(test);
        let Some(told) = told(test, &kin, cost_ms).filter(|_| !self.are_known(&kin)) else { return false };
        let known = self.0.entry(kin).or_default();
        known.insert(known.partition_point(|other| *other < told), told);
        known.len().is_power_of_two()
    }

    /// What one more repetition of a test takes, milliseconds, by those that there are of it.
    pub fn of(&self, test: &Test, entries: &[Entry]) -> u64 {
        own(entries).unwrap_or_else(|| self.of_like(test))
    }

    /// The same of a test that was never measured.
    pub fn of_like(&self, test: &Test) -> u64 {
        let kin = Kin::of(test);
        let median = self.0.get(&kin).and_then(|known| known.get(known.len() / 2)).copied();
        match kin.search {
            None => traffic_ms(test) + median.unwrap_or(BEYOND_MS + chosen_ms(test).0),
            Some(_) => (traffic_ms(test) + BEYOND_MS) * median.unwrap_or(TRIALS_USUAL * 1000) / 1000,
        }
    }
}

/// The median of what repetitions took, milliseconds, as far as that is known.
pub fn own(entries: &[Entry]) -> Option<u64> {
    let mut costs: Vec<u32> = entries.iter().map(|entry| entry.cost_ms).filter(|cost| *cost > 0).collect();
    costs.sort_unstable();
    costs.get(costs.len() / 2).map(|median| u64::from(*median))
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
            let thousandths = cost_ms * 1000 / (traffic_ms + BEYOND_MS);
            (1_000..=TRIALS_MAX as u64 * 1000).contains(&thousandths).then_some(thousandths)
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
        assert_eq!(guess, 1200 + BEYOND_MS);
        assert!(costs.learn(small, 1350));
        assert_eq!((costs.of_like(large), costs.of_like(other)), (1350, guess));
        // What took much longer, or less than its traffic, was with other times.
        assert!(!costs.learn(small, 61_200) && !costs.learn(small, 600));
        assert_eq!(costs.of_like(large), 1350);
        let search = called(&tests, ["linux-bridge/64B", "ndr"]);
        assert!(costs.learn(search, 73_600));
        assert_eq!(costs.of_like(called(&tests, ["linux-bridge/128B", "ndr"])), 73_600);
        assert_eq!(costs.of_like(large), 1350);
    }

    #[test]
    fn the_median_counts_and_enough_is_enough() {
        let tests = tests();
        let small = called(&tests, ["linux-bridge/64B", "1kpps"]);
        let mut costs = Costs::default();
        for beyond in [100, 900, 120, 110, 130] {
            costs.learn(small, 1200 + beyond);
        }
        assert_eq!(costs.of_like(small), 1320);
        for _ in 0..1000 {
            costs.learn(small, 1200 + 200);
        }
        assert!(costs.are_known(&Kin::of(small)) && costs.of_like(small) == 1400);
        assert_eq!(costs.0[&Kin::of(small)].len(), ENOUGH);
    }
}
