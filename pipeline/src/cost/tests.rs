//! What estimates are made of, and what holds for them whatever was learned.

use proptest::prelude::*;

use super::*;
use crate::experiment;

/// Tests at a fixed rate over three switches, and searches over two.
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
V = ["ovs", "testpmd"]
P = [64, 128]
R = [1000, "ndr"]
B = 4
[[tests]]
id = "pairs"
D = "throughput"
L = "local"
S = "2vs2"
V = "ovs"
P = 64
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
    let other = called(&tests, ["1vs1/ovs/64B", "1kpps"]);
    let mut costs = Costs::default();
    let guess = costs.of_like(large);
    let over_dpdk = 1200 + BEYOND_DPDK_MS + BETWEEN_MS;
    assert_eq!((guess.ms, costs.of_like(other).ms), (1200 + BEYOND_MS + BETWEEN_MS, over_dpdk));
    assert!(guess.low_ms < guess.ms && guess.high_ms > guess.ms);
    let near = |ms: u64, cost_ms: u64| ms.abs_diff(cost_ms + BETWEEN_MS) <= 1;
    assert!(costs.learn(small, 1350));
    assert!(near(costs.of_like(large).ms, 1350) && costs.of_like(other).ms == over_dpdk);
    // What took much longer, or less than its traffic, was with other times.
    assert!(!costs.learn(small, 61_200) && !costs.learn(small, 600));
    assert!(near(costs.of_like(large).ms, 1350));
}

#[test]
fn of_a_kin_without_results_the_nearest_tells() {
    let tests = tests();
    let ovs = called(&tests, ["1vs1/ovs/64B", "1kpps"]);
    let (pairs, testpmd) = (called(&tests, ["2vs2/ovs", "1kpps"]), called(&tests, ["testpmd/64B", "1kpps"]));
    let mut costs = Costs::default();
    let beyond = |costs: &Costs, test| costs.of_like(test).ms - 1200 - BETWEEN_MS;
    assert_eq!(beyond(&costs, pairs), BEYOND_DPDK_MS + PAIR_DPDK_MS);
    // A host on which one takes twice as long as guessed.
    costs.learn(ovs, 1200 + 2 * BEYOND_DPDK_MS);
    assert_eq!(beyond(&costs, testpmd), 2 * BEYOND_DPDK_MS);
    assert_eq!(beyond(&costs, pairs), 2 * (BEYOND_DPDK_MS + PAIR_DPDK_MS));
    // Once something is known of a nearer one, that counts, and nothing else.
    for _ in 0..9 {
        costs.learn(testpmd, 1200 + BEYOND_DPDK_MS);
    }
    assert_eq!((beyond(&costs, testpmd), beyond(&costs, ovs)), (BEYOND_DPDK_MS, 2 * BEYOND_DPDK_MS));
    assert_eq!(beyond(&costs, pairs), 2 * (BEYOND_DPDK_MS + PAIR_DPDK_MS));
}

#[test]
fn a_search_is_expected_to_take_what_others_took_and_of_few_little_is_believed() {
    let tests = tests();
    let search = |name: &str| called(&tests, [name, "ndr"]);
    let mut costs = Costs::default();
    let guess = costs.of_like(search("testpmd/64B")).ms;
    // Trials over DPDK take longer than over sockets, and of programs that share cores more are made.
    assert!(guess > costs.of_like(search("linux-bridge/64B")).ms);
    let on = |cores: usize| Costs { cores: Some(cores), ..Costs::default() }.of_like(search("testpmd/64B")).ms;
    assert!(on(4) == guess && on(3) > guess + guess / 10);
    let usual = costs.usual_ms(search("testpmd/64B"));
    let expected = |costs: &Costs, name: &str| costs.of_like(search(name)).ms as f64 / guess as f64;
    costs.learn(search("testpmd/64B"), 4 * usual);
    assert!((expected(&costs, "testpmd/128B") - 2.0).abs() < 0.01, "one search says little");
    assert!((expected(&costs, "ovs/64B") - 2.0).abs() < 0.01, "searches over another switch tell more than nothing");
    for _ in 0..VALUES_MIN {
        costs.learn(search("testpmd/64B"), 4 * usual);
    }
    assert!((expected(&costs, "testpmd/128B") - 4.0).abs() < 0.01);
}

#[test]
fn programs_that_share_cores_vary_much_until_something_is_known_of_them() {
    let tests = tests();
    let ovs = called(&tests, ["1vs1/ovs/64B", "1kpps"]);
    let parts = |costs: &Costs| [0.1, 0.5, 0.9].map(|part| costs.variance(ovs, part).map(f64::sqrt));
    let mut crowded = Costs { cores: Some(2), ..Costs::default() };
    assert_eq!(parts(&crowded), CROWDED_DEVIATIONS.map(Some));
    assert_eq!(parts(&Costs { cores: Some(4), ..Costs::default() }), [None; 3]);
    crowded.learn_values(ovs, &[100.0, 100.0, 100.0]);
    assert_eq!(parts(&crowded), [Some(0.0); 3]);
}

#[test]
fn what_like_tests_had_to_repeat_is_expected_again() {
    let tests = tests();
    let (small, other) = (called(&tests, ["linux-bridge/64B", "1kpps"]), called(&tests, ["1vs1/ovs/64B", "1kpps"]));
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
    let known = [1320, 1300, 2100].map(|cost_ms| cost_ms + BETWEEN_MS);
    let told = costs.of_like(small);
    let near = [told.ms, told.low_ms, told.high_ms].iter().zip(known).all(|(ms, known)| ms.abs_diff(known) <= 1);
    assert!(near, "{told:?}");
    for _ in 0..1000 {
        costs.learn(small, 1200 + 200);
    }
    assert!(costs.are_known(&Kin::of(small)) && costs.of_like(small).ms.abs_diff(1400 + BETWEEN_MS) <= 1);
    assert_eq!(costs.took[&Kin::of(small)].len(), ENOUGH);
}

proptest! {
    #[test]
    fn an_estimate_lies_in_its_spread_and_grows_with_what_was_learned(
        learned in proptest::collection::vec((0usize..20, 1u64..40_000), 0..40),
        more in 1u64..4,
    ) {
        let tests = tests();
        let (mut costs, mut dearer) = (Costs::default(), Costs::default());
        for (place, beyond) in &learned {
            let test = &tests[place % tests.len()];
            let cost = |times: u64| traffic_ms(test) + beyond * times;
            // What is refused is refused in both.
            if costs.told(test, cost(1)).is_some() && costs.told(test, cost(more)).is_some() {
                costs.learn(test, cost(1));
                dearer.learn(test, cost(more));
            }
        }
        for test in &tests {
            let (one, other) = (costs.of_like(test), dearer.of_like(test));
            prop_assert!(one.low_ms <= one.ms && one.ms <= one.high_ms, "{one:?}");
            prop_assert!(one.ms <= other.ms && one.high_ms <= other.high_ms, "{one:?}, not {other:?}");
            prop_assert!(traffic_ms(test) <= one.low_ms || test.tuple.rate.fixed_pps().is_none());
        }
    }
}
