//! Windows of invented results: how long the next one is.

use proptest::prelude::*;
use results::metric::Quantity;

use super::*;
use crate::experiment;
use crate::store::{Cost, SetUpWindow};

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
    record.cost = Cost { ready_ms: 100, traffic_ms: (window_s * 1e3) as u64 + 1_100, ..Cost::default() };
    record.cost.total_ms = record.cost.ready_ms + record.cost.traffic_ms + 300;
    let chosen = Chosen {
        rule: 1,
        windows: 1,
        set_ups_before: 0,
        set_ups_expected: None,
        between_set_ups: 0.0,
        between_windows: None,
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
    let first = shown.next(&tests[0], &key(1), &ASKED, CAP_NS, false);
    assert_eq!((first.window_ns, first.set_ups), (1_000_000_000, 5));
    assert_eq!(first.each_ms, 1_000 + 1_100 + 400);
    // Noise that averages out within a window: 10 % of the mean over a second.
    for (place, mean) in [1000.0, 1001.0, 999.0, 1000.5, 999.5].into_iter().enumerate() {
        shown.learn(&tests[0], key(1), ResultId([place as u8; 32]), &record(mean, 1.0, 10_000.0));
    }
    let of_kin = shown.next(&tests[1], &key(2), &ASKED, CAP_NS, false);
    assert!(of_kin.window_ns > 2_000_000_000, "{of_kin:?}");
    let capped = shown.next(&tests[1], &key(2), &ASKED, 15_000_000_000, false);
    assert!(capped.window_ns <= 1_500_000_000, "{capped:?}");
    // What differs from set-up to set-up is not made less by longer windows.
    let mut set_ups = Shown::default();
    for (place, mean) in [1000.0, 1060.0, 940.0, 1030.0, 970.0].into_iter().enumerate() {
        set_ups.learn(&tests[0], key(1), ResultId([place as u8; 32]), &record(mean, 1.0, 0.01));
    }
    let next = set_ups.next(&tests[0], &key(1), &ASKED, CAP_NS, false);
    assert_eq!(next.window_ns, 1_000_000_000);
    assert!(next.set_ups > 20 && next.chosen.set_ups_before == 5, "{next:?}");
}

/// A set-up with these windows of a second.
fn several(means: &[f64]) -> Record {
    let mut record = record(means.iter().sum::<f64>() / means.len() as f64, 1.0, 0.0);
    let window = |mean: &f64| {
        let mut reduction = record.reduction.clone();
        reduction.values.insert(Quantity::RxPps, *mean);
        SetUpWindow { reduction, flags: Vec::new(), seen_within: Some(0.01), evidence: None }
    };
    record.windows = means.iter().map(window).collect();
    let count = means.len() as u64;
    record.cost = Cost { ready_ms: 100 * count, traffic_ms: 2_100 * count, ..Cost::default() };
    record.cost.total_ms = 2_200 * count + 12_000;
    record
}

#[test]
fn the_first_set_ups_of_a_kind_tell_how_windows_differ_and_dear_set_ups_have_many() {
    let tests = tests();
    let mut shown = Shown::default();
    let next = |shown: &Shown, renews| shown.next(&tests[0], &key(1), &ASKED, CAP_NS, renews);
    assert_eq!((next(&shown, true).chosen.windows, next(&shown, false).chosen.windows), (2, 1));
    assert_eq!(next(&shown, true).chosen.between_windows, None);
    // Windows differ by 3 % of the mean, set-ups by nothing else; one costs 12 s, a window 1.2 s.
    let pairs = [[1030.0, 970.0], [968.0, 1031.0], [1001.0, 1029.0], [1035.0, 969.0]];
    for (place, means) in pairs.iter().enumerate() {
        shown.learn(&tests[0], key(1), ResultId([place as u8; 32]), &several(means));
    }
    let own = next(&shown, true);
    assert!(own.chosen.windows >= 4 && own.chosen.between_windows.is_some_and(|variance| variance > 5e-4), "{own:?}");
    assert_eq!(next(&shown, false).chosen.windows, 1);
    assert!(next(&shown, false).set_ups > own.set_ups, "only more set-ups make up for it then");
    // Another test of the kind needs no pilot, and takes a set-up of one window for what it is.
    let like = shown.next(&tests[1], &key(2), &ASKED, CAP_NS, true);
    assert_eq!((like.chosen.windows, like.chosen.between_windows), (own.chosen.windows, own.chosen.between_windows));
    for (place, mean) in [1030.0, 970.0, 1031.0, 968.0].into_iter().enumerate() {
        let mut one = record(mean, 1.0, 0.01);
        one.cost.total_ms += 12_000;
        shown.learn(&tests[1], key(2), ResultId([place as u8; 32]), &one);
    }
    let known = shown.next(&tests[1], &key(2), &ASKED, CAP_NS, true).chosen;
    assert!(known.windows > 1 && known.between_set_ups < 7e-4, "{known:?}");
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
    assert_eq!(shown.next(&tests[0], &key(1), &ASKED, CAP_NS, false).chosen.set_ups_before, 1);
}

proptest! {
    #[test]
    fn windows_are_whole_intervals_between_the_floor_and_the_cap(
        means in prop::collection::vec(1.0..1e7f64, 0..8), within in 0.0..1e12f64, cap_s in 5.0..3600.0f64,
        renews in any::<bool>(),
    ) {
        let tests = tests();
        let mut shown = Shown::default();
        for (place, mean) in means.iter().enumerate() {
            shown.learn(&tests[0], key(1), ResultId([place as u8; 32]), &record(*mean, 1.0, within));
        }
        let next = shown.next(&tests[0], &key(1), &ASKED, (cap_s * 1e9) as u64, renews);
        prop_assert!(next.window_ns >= 1_000_000_000 && next.window_ns <= 60_000_000_000);
        prop_assert_eq!(next.window_ns % INTERVAL_NS, 0);
        prop_assert!(next.set_ups >= precise::SET_UPS_MIN && next.set_ups <= ASKED.set_ups_max);
        let windows = next.chosen.windows;
        prop_assert!(windows == 1 || renews && windows <= WINDOWS_MAX);
        // The fewest set-ups fit, unless not even the least ones do.
        let is_least = windows == 1 && next.window_ns == 1_000_000_000;
        prop_assert!(is_least || next.each_ms * precise::SET_UPS_MIN as u64 <= (cap_s * 1e3) as u64 + 10);
    }
}
