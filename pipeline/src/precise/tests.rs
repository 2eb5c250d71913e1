//! Windows of invented results: how long the next one is.

use proptest::prelude::*;
use results::metric::Quantity;

use super::*;
use crate::experiment;

/// A record written by an older version, with other values.
const RECORD: &[u8] = include_bytes!("../../tests/records/version-1.json");
const ASKED: Asked = Asked { half_width_ratio: 0.02, half_width_floor: 0.0, set_ups_max: 200 };
const CAP_NS: u64 = 1_800_000_000_000;

/// Two tests of a kind.
fn tests() -> Vec<Test> {
    let text = r#"
[experiment]
name = "windows"
[protocol]
precision = 0.02
warmup = "1s"
cooldown = "100ms"
[[tests]]
id = "a"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 128]
R = 1000
B = 4
"#;
    experiment::parse(text, "windows.toml").unwrap_or_else(|error| panic!("{error}")).matrix.tests
}

fn key(number: u8) -> Key {
    Key([number; 32])
}

/// A set-up with a window of so many seconds, whose mean has that variance by its own samples.
fn record(mean: f64, window_s: f64, within: f64) -> Record {
    let mut record = Record::parse(RECORD).expect("it is a record");
    record.reduction.values.insert(Quantity::RxPps, mean);
    record.times.duration_ns = (window_s * 1e9) as u64;
    record.cost.total_ms = (window_s * 1e3) as u64 + 1_500;
    let chosen = Chosen {
        rule: 1,
        set_ups_before: 0,
        set_ups_expected: None,
        between_set_ups: 0.0,
        within_s: 0.0,
        seen_within: Some(within),
    };
    record.chosen = Some(chosen);
    record
}

#[test]
fn an_unknown_test_begins_with_the_shortest_window_or_with_what_its_kind_needs() {
    let tests = tests();
    let mut shown = Shown::default();
    let first = shown.next(&tests[0], &key(1), &ASKED, CAP_NS);
    assert_eq!((first.window_ns, first.set_ups), (1_000_000_000, 5));
    assert_eq!(first.each_ms, 1_000 + 1_100 + 400);
    // Noise that averages out within a window: 10 % of the mean over a second.
    for (place, mean) in [1000.0, 1001.0, 999.0, 1000.5, 999.5].into_iter().enumerate() {
        shown.learn(&tests[0], key(1), ResultId([place as u8; 32]), &record(mean, 1.0, 10_000.0));
    }
    let of_kin = shown.next(&tests[1], &key(2), &ASKED, CAP_NS);
    assert!(of_kin.window_ns > 2_000_000_000, "{of_kin:?}");
    let capped = shown.next(&tests[1], &key(2), &ASKED, 15_000_000_000);
    assert!(capped.window_ns <= 1_500_000_000, "{capped:?}");
    // What differs from set-up to set-up is not made less by longer windows.
    let mut set_ups = Shown::default();
    for (place, mean) in [1000.0, 1060.0, 940.0, 1030.0, 970.0].into_iter().enumerate() {
        set_ups.learn(&tests[0], key(1), ResultId([place as u8; 32]), &record(mean, 1.0, 0.01));
    }
    let next = set_ups.next(&tests[0], &key(1), &ASKED, CAP_NS);
    assert_eq!(next.window_ns, 1_000_000_000);
    assert!(next.set_ups > 20 && next.chosen.set_ups_before == 5, "{next:?}");
}

#[test]
fn a_result_is_known_once() {
    let tests = tests();
    let mut shown = Shown::default();
    let id = ResultId([7; 32]);
    assert!(!shown.has(&key(1), &id));
    for _ in 0..3 {
        shown.learn(&tests[0], key(1), id, &record(1000.0, 1.0, 1.0));
    }
    assert!(shown.has(&key(1), &id) && !shown.has(&key(2), &id));
    assert_eq!(shown.next(&tests[0], &key(1), &ASKED, CAP_NS).chosen.set_ups_before, 1);
}

proptest! {
    #[test]
    fn windows_are_whole_intervals_between_the_floor_and_the_cap(
        means in prop::collection::vec(1.0..1e7f64, 0..8), within in 0.0..1e12f64, cap_s in 5.0..3600.0f64,
    ) {
        let tests = tests();
        let mut shown = Shown::default();
        for (place, mean) in means.iter().enumerate() {
            shown.learn(&tests[0], key(1), ResultId([place as u8; 32]), &record(*mean, 1.0, within));
        }
        let next = shown.next(&tests[0], &key(1), &ASKED, (cap_s * 1e9) as u64);
        prop_assert!(next.window_ns >= 1_000_000_000 && next.window_ns <= 60_000_000_000);
        prop_assert_eq!(next.window_ns % INTERVAL_NS, 0);
        prop_assert!(next.set_ups >= precise::SET_UPS_MIN && next.set_ups <= ASKED.set_ups_max);
    }
}
