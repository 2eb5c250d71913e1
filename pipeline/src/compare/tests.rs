//! Sides made up, compared: what moved, what did not, what cannot be compared.

use std::collections::BTreeMap;

use results::axes::{Burst, Locality, PacketSize, Pairs, Rate, VSwitch};
use results::statistics::random::Random;
use results::summary::Reduction;
use results::tuple::Variant;

use super::*;
use crate::key::ResultId;

fn tuple(dimension: Dimension) -> Tuple {
    Tuple {
        dimension,
        locality: Locality::Local,
        pairs: Pairs::new(1).unwrap(),
        vswitch: VSwitch::LINUX_BRIDGE,
        packet: PacketSize::new(64).unwrap(),
        rate: Rate::Pps(1_000_000),
        burst: Burst::new(64).unwrap(),
        variant: Variant::default_for(VSwitch::LINUX_BRIDGE),
    }
}

fn measured(dimension: Dimension, ids: std::ops::Range<u8>, values: &[f64]) -> SideTest {
    let quantity = if dimension == Dimension::Latency { Quantity::RttMean } else { Quantity::RxPps };
    let repetition = |value: &f64| Repetition {
        reduction: Reduction { values: [(quantity, *value)].into(), ..Reduction::default() },
        ..Repetition::default()
    };
    let repetitions = ids.zip(values).map(|(id, value)| (ResultId([id; 32]), repetition(value))).collect();
    SideTest { tuple: tuple(dimension), repetitions, manifests: Vec::new() }
}

fn side(name: &str, tests: Vec<(&str, SideTest)>) -> Side {
    let tests = tests.into_iter().map(|(test, measured)| (test.to_string(), measured)).collect();
    Side { name: name.into(), tests, versions: BTreeMap::new() }
}

#[test]
fn what_moved_comes_first_and_what_cannot_be_compared_is_named() {
    use Dimension::{Latency, Throughput};
    let before = side(
        "old",
        vec![
            ("steady", measured(Throughput, 0..4, &[100.0, 101.0, 99.0, 100.5])),
            ("slower", measured(Throughput, 4..8, &[100.0, 101.0, 99.0, 100.5])),
            ("latency", measured(Latency, 8..12, &[10.0, 10.1, 9.9, 10.0])),
            ("same", measured(Throughput, 12..16, &[1.0, 2.0, 3.0, 4.0])),
            ("gone", measured(Throughput, 16..20, &[1.0, 2.0, 3.0, 4.0])),
            ("once", measured(Throughput, 20..21, &[1.0])),
        ],
    );
    let after = side(
        "new",
        vec![
            ("steady", measured(Throughput, 30..34, &[100.2, 101.0, 99.0, 100.1])),
            ("slower", measured(Throughput, 34..38, &[80.0, 81.0, 79.0, 80.5])),
            ("latency", measured(Latency, 38..42, &[5.0, 5.1, 4.9, 5.0])),
            ("same", measured(Throughput, 12..16, &[1.0, 2.0, 3.0, 4.0])),
            ("once", measured(Throughput, 42..46, &[1.0, 1.0, 1.0, 1.0])),
        ],
    );
    let comparison = compare(&before, &after, None);
    let order: Vec<&str> = comparison.rows.iter().map(|row| row.test.as_str()).collect();
    assert_eq!(order, ["latency", "slower", "steady"]);
    assert_eq!(comparison.rows.iter().map(Row::moved).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(comparison.same, 1);
    let left_out: BTreeMap<_, _> = comparison.left_out.iter().cloned().collect();
    assert_eq!(left_out["gone"], "not in new");
    assert_eq!(left_out["once"], "the earlier side has 1 valid repetition of its own");
    assert_eq!(comparison.slower(0.05).map(|row| row.test.as_str()).collect::<Vec<_>>(), ["slower"]);
    assert_eq!(comparison.slower(0.25).count(), 0);
    assert!((comparison.rows[0].slower_by() + 0.5).abs() < 1e-12, "half the time is half faster");
    let rx_loss = compare(&before, &after, "loss_ratio".parse().ok());
    assert!(rx_loss.rows.is_empty() && rx_loss.left_out.iter().any(|(_, reason)| reason.contains("no loss_ratio")));
}

#[test]
fn more_repetitions_of_one_key_are_held_against_those_before_them() {
    let old = [100.0, 101.0, 99.0];
    let new = [100.0, 101.0, 99.0, 50.0, 51.0, 49.0];
    let before = side("old", vec![("test", measured(Dimension::Throughput, 0..3, &old))]);
    let after = side("new", vec![("test", measured(Dimension::Throughput, 0..6, &new))]);
    let row = &compare(&before, &after, None).rows[0];
    assert_eq!((row.before.n, row.after.n, row.after.mean), (3, 3, 50.0));
}

/// Twenty tests a comparison, nothing moved: how many of 1,000 comparisons name something all the same.
#[test]
fn of_a_thousand_comparisons_of_the_same_thing_no_more_than_fifty_name_something() {
    let mut random = Random::seeded(6);
    let mut unit = || (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
    let mut draw = |shape: usize| match shape {
        // Sum of twelve: normal enough; a skewed one; two modes.
        0 => 1000.0 + 10.0 * ((0..12).map(|_| unit()).sum::<f64>() - 6.0),
        1 => 1000.0 - 10.0 * (1.0 - unit()).ln(),
        _ => 1000.0 + 3.0 * unit() + if unit() < 0.5 { 20.0 } else { 0.0 },
    };
    for (shape, repetitions) in [(0, 3), (1, 3), (2, 3), (0, 5), (1, 5), (2, 5)] {
        let mut named = 0;
        for _ in 0..1000 {
            let mut one = |first: u8| -> Vec<(String, SideTest)> {
                (0..20u8)
                    .map(|test| {
                        let values: Vec<f64> = (0..repetitions).map(|_| draw(shape)).collect();
                        let ids = first + test * 5..first + test * 5 + 5;
                        (test.to_string(), measured(Dimension::Throughput, ids, &values))
                    })
                    .collect()
            };
            let sides = [one(0), one(100)].map(|tests| Side {
                name: "x".into(),
                tests: tests.into_iter().collect(),
                versions: BTreeMap::new(),
            });
            named += usize::from(compare(&sides[0], &sides[1], None).rows.iter().any(Row::moved));
        }
        assert!(named <= 50, "shape {shape}, {repetitions} repetitions: {named} of 1000");
    }
}
