//! Summaries over repetitions: which count, what is said of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use results::flags::Flag;
use results::metric::Quantity;
use results::statistics::sequential::Precision;
use results::summary::{Grade, Reduction, Repetition, Summary, summarise, summarise_adaptive};

fn repetition(rx_pps: f64, samples: &[Flag], run: &[Flag]) -> Repetition {
    Repetition {
        reduction: Reduction {
            values: [(Quantity::RxPps, rx_pps), (Quantity::LossRatio, 0.0)].into(),
            rtt_count: 5,
            flags: samples.to_vec(),
            ..Reduction::default()
        },
        flags: run.to_vec(),
        ..Repetition::default()
    }
}

fn rx(summary: &Summary) -> (u32, f64, Option<f64>) {
    let estimate = summary.get(Quantity::RxPps).unwrap();
    (estimate.n, estimate.mean, estimate.half_width)
}

#[test]
fn suspect_repetitions_are_counted_and_left_out() {
    let summary = summarise(&[
        repetition(1e6, &[], &[Flag::MissedDeadlines]),
        repetition(5e6, &[Flag::SampleShortfall], &[Flag::Virtualised]),
        repetition(3e6, &[Flag::MissedDeadlines], &[Flag::MissedDeadlines]),
        repetition(7e6, &[], &[Flag::Drift]),
    ]);
    assert_eq!((summary.valid, summary.suspect, summary.rtt_count), (2, 2, 10));
    let (n, mean, half_width) = rx(&summary);
    assert_eq!((n, mean), (2, 2e6));
    assert!((half_width.unwrap() - 12.706_204_736_432_1e6).abs() < 1e-3, "{half_width:?}");
    let flags = [(Flag::SampleShortfall, 1), (Flag::Drift, 1), (Flag::MissedDeadlines, 2), (Flag::Virtualised, 1)];
    assert_eq!(summary.flags, flags);
    assert_eq!(summary.grade, Grade::PaperGrade, "the only virtual repetition is suspect");
    let indicative = summarise(&[repetition(1e6, &[], &[]), repetition(1e6, &[], &[Flag::Oversubscribed])]);
    assert_eq!(indicative.grade, Grade::Indicative);
}

#[test]
fn with_nothing_valid_there_is_no_value() {
    for repetitions in [vec![], vec![repetition(1e6, &[Flag::RateUnexplained], &[])]] {
        let summary = summarise(&repetitions);
        assert_eq!((summary.valid, summary.suspect), (0, repetitions.len() as u32));
        assert!(summary.values.is_empty());
        assert_eq!(summary.grade, Grade::Indicative);
    }
}

#[test]
fn one_repetition_has_no_interval_and_absent_values_do_not_count() {
    assert_eq!(rx(&summarise(&[repetition(1e6, &[], &[])])), (1, 1e6, None));
    let mut lacking = repetition(9e6, &[], &[]);
    lacking.reduction.values.remove(&Quantity::RxPps);
    let not_finite = repetition(f64::INFINITY, &[], &[]);
    let summary = summarise(&[repetition(1e6, &[], &[]), lacking, not_finite]);
    assert_eq!((summary.valid, rx(&summary)), (3, (1, 1e6, None)));
}

#[test]
fn far_values_are_told_and_averaged_all_the_same() {
    let repetitions: Vec<Repetition> =
        [100.0, 101.0, 99.0, 100.5, 150.0].map(|value| repetition(value, &[], &[])).into();
    let summary = summarise(&repetitions);
    assert_eq!((summary.outliers.as_slice(), rx(&summary).1), ([150.0].as_slice(), 110.1));
    assert_eq!(summarise(&repetitions[1..]).outliers, Vec::<f64>::new(), "four values have no far ones");
    assert_eq!(summary.samples[&Quantity::RxPps], [100.0, 101.0, 99.0, 100.5, 150.0]);
}

#[test]
fn several_stands_widen_the_interval_by_what_they_differ() {
    let on = |stand: &str, value| Repetition { stand: stand.to_string(), ..repetition(value, &[], &[]) };
    let one: Vec<Repetition> = [100.0, 101.0, 110.0, 111.0].map(|value| on("a", value)).into();
    let two: Vec<Repetition> = [("a", 100.0), ("a", 101.0), ("b", 110.0), ("b", 111.0)].map(|(s, v)| on(s, v)).into();
    let (narrow, wide) = (rx(&summarise(&one)), rx(&summarise(&two)));
    assert_eq!(narrow.1, wide.1);
    assert!((wide.2.unwrap() - 12.706_204_736_432_1 * 5.0).abs() < 1e-6 && narrow.2 < wide.2, "{wide:?}");
}

#[test]
fn a_percentile_is_never_surer_than_its_bursts() {
    let with = |value: f64| {
        let mut repetition = repetition(1e6, &[], &[]);
        repetition.reduction.values.insert(Quantity::RttP99, value);
        repetition.reduction.within.insert(Quantity::RttP99, (value - 30.0, value + 40.0));
        repetition.reduction.refused.insert(Quantity::RttP999, 500);
        repetition
    };
    let summary = summarise(&[with(1000.0), with(1000.0), with(1000.0), with(1000.0)]);
    assert_eq!(summary.get(Quantity::RttP99).unwrap().half_width, Some(20.0));
    assert_eq!(summary.refused, [(Quantity::RttP999, 500)].into());
}

#[test]
fn an_adaptive_number_of_repetitions_widens_the_interval() {
    let repetitions: Vec<Repetition> = (0..6).map(|n| repetition(1e6 + f64::from(n), &[], &[])).collect();
    let precision = Precision { min: 5, max: 10, half_width_ratio: 0.02, half_width_floor: 0.0 };
    let adaptive = summarise_adaptive(&repetitions, Quantity::RxPps, &precision);
    assert_eq!(rx(&adaptive).2, Some(0.02 * 1_000_002.5), "stopped early: what was asked for is what is shown");
    let fixed = Precision { min: 6, max: 6, ..precision };
    assert_eq!(summarise_adaptive(&repetitions, Quantity::RxPps, &fixed), summarise(&repetitions));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_repetitions_does_not_matter(
        values in prop::collection::vec((0.0..1e7f64, prop::sample::subsequence(Flag::ALL.to_vec(), 0..2)), 0..8),
        turn in 0usize..8,
    ) {
        let mut repetitions: Vec<Repetition> =
            values.iter().map(|(rx_pps, flags)| repetition(*rx_pps, flags, &[])).collect();
        // Samples keep the order that they are given in, for choices that must not be made by luck.
        let unordered = |summary: Summary| Summary { samples: BTreeMap::new(), ..summary };
        let summary = unordered(summarise(&repetitions));
        repetitions.reverse();
        let turn = turn.min(repetitions.len());
        repetitions.rotate_left(turn);
        prop_assert_eq!(&unordered(summarise(&repetitions)), &summary);
        // Summaries are kept as JSON.
        let json = serde_json::to_string(&summary).unwrap();
        prop_assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    }
}
