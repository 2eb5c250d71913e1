//! Invented results of a small experiment: which tests it still needs.

use proptest::prelude::*;
use reports::model::State;
use reports::topology::Route;
use results::axes::Dimension;
use results::metric::Quantity;
use results::summary::{Estimate, Grade};

use super::*;
use crate::experiment;

/// A figure of some tests, a claim of others, and tests that nobody shows.
fn experiment() -> Experiment {
    let text = r#"
[experiment]
name = "doubts"
[protocol]
duration = "1s"
warmup = "0s"
cooldown = "0s"
repetitions = { min = 2, max = 10, ci = 0.02 }
[[tests]]
id = "drawn"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 128, 256]
R = 1000
B = 1
[[tests]]
id = "claimed"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [512, 1024, 1500]
R = 1000
B = 1
[[figure]]
id = "1"
from = "drawn"
x = "P"
y = "rx_pps"
[[claim]]
id = "c"
from = "claimed"
text = "small packets are faster than the largest"
test = "max(rx_pps[P != 1500], over P) > rx_pps[P=1500]"
"#;
    experiment::parse(text, "doubts.toml").unwrap_or_else(|error| panic!("{error}"))
}

/// Views with a mean and half width in packets/s each; none for a test without a result.
fn views(experiment: &Experiment, values: &[Option<(f64, Option<f64>)>]) -> Vec<TestView> {
    let view = |(test, value): (&experiment::Test, &Option<(f64, Option<f64>)>)| {
        let summary = value.map(|(mean, half_width)| Summary {
            valid: 3,
            suspect: 0,
            values: [(Quantity::RxPps, Estimate { n: 3, mean, half_width })].into(),
            samples: Default::default(),
            outliers: Vec::new(),
            refused: Default::default(),
            rtt_count: 0,
            flags: Vec::new(),
            grade: Grade::PaperGrade,
        });
        TestView {
            tuple: test.tuple.clone(),
            name: test.tuple.to_string(),
            key: None,
            route: Route::Kernel,
            groups: test.groups.iter().map(|group| experiment.groups[usize::from(*group)].id.clone()).collect(),
            state: if summary.is_some() { State::Measured } else { State::NotMeasured },
            summary,
            accepted: Vec::new(),
        }
    };
    assert_eq!(experiment.matrix.tests[0].tuple.dimension, Dimension::Throughput);
    experiment.matrix.tests.iter().zip(values).map(view).collect()
}

#[test]
fn what_a_settled_claim_rests_on_needs_no_more_and_a_beaten_test_decides_nothing() {
    let experiment = experiment();
    let needs = Needs::of(&experiment);
    assert_eq!(needs.counts(), (1, 1));
    let narrow = Some((1e6, Some(1e4)));
    let stood = |claimed: [Option<(f64, Option<f64>)>; 3]| {
        let values = [narrow, narrow, Some((1e6, Some(1e5))), claimed[0], claimed[1], claimed[2]];
        needs.standing(&views(&experiment, &values))
    };
    let settled = stood([Some((2e6, Some(4e5))), Some((1e6, Some(4e5))), Some((5e5, Some(4e5)))]);
    assert_eq!((settled.claims_settled, settled.drawn_complete), (1, 0));
    let urgency = &settled.urgencies;
    assert!(urgency[2] < urgency[0], "only the third point of the figure is wide: {urgency:?}");
    assert!(urgency[3..].iter().chain(&urgency[..2]).all(|urgency| *urgency == Urgency::SETTLED), "{urgency:?}");
    // The first and the last overlap; the one in the middle is below the first whatever happens.
    let open = stood([Some((2e6, Some(3e5))), Some((1e6, Some(3e5))), Some((1.6e6, Some(3e5)))]);
    assert_eq!(open.claims_settled, 0);
    assert_eq!(open.urgencies[4], Urgency::SETTLED);
    assert!(open.urgencies[3] < Urgency::SETTLED && open.urgencies[3] == open.urgencies[5]);
    let once = stood([Some((2e6, None)), Some((1e6, Some(3e5))), Some((1.6e6, Some(3e5)))]);
    assert_eq!(once.urgencies[3], Urgency::of_width(f64::INFINITY));
    let missing = stood([None, Some((1e6, Some(3e5))), Some((5e5, Some(3e5)))]);
    assert_eq!((missing.urgencies[3], missing.claims_settled), (Urgency::UNKNOWN, 0));
    let equals = stood([Some((2e6, Some(3e5))), Some((1e6, Some(1e5))), Some((2e6, Some(3e5)))]);
    assert_eq!(equals.urgencies[3], Urgency::SETTLED, "no repetition tells equals apart");
}

proptest! {
    #[test]
    fn a_narrower_interval_is_never_more_urgent_and_an_unknown_test_always_is(
        values in prop::collection::vec(prop::option::of((1e4..1e7f64, prop::option::of(1.0..1e6f64))), 6),
        place in 0usize..3, by in 1.0..100.0f64,
    ) {
        let experiment = experiment();
        let needs = Needs::of(&experiment);
        let before = needs.standing(&views(&experiment, &values)).urgencies;
        for (value, urgency) in values.iter().zip(&before) {
            prop_assert_eq!(value.is_none(), *urgency == Urgency::UNKNOWN);
        }
        let mut narrower = values;
        if let Some((_, Some(half_width))) = &mut narrower[place] {
            *half_width /= by;
        }
        let after = needs.standing(&views(&experiment, &narrower)).urgencies;
        prop_assert!(after[place] >= before[place]);
        prop_assert!((0..6).filter(|other| *other != place).all(|other| after[other] == before[other]));
    }
}
