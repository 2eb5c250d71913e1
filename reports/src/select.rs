//! Which tests a figure or table shows and where: selection, places, folding, and the checks that can be
//! made before anything is measured. It must not know drawings.

use std::collections::{BTreeMap, BTreeSet};

use results::axes::{Axis, Dimension, IO_ALL, RuntimeChoice, VSwitch, io_name};
use results::metric::Metric;
use results::statistics::best;
use results::summary::Estimate;
use results::tuple::{Tuple, Value};

use crate::model::{State, TestView};
use crate::spec::{Fold, Id, Selection};

/// A figure or table that cannot be made of the tests that it is declared over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No test of its groups has the values that it asks for.
    #[error("it selects no test: no test of its groups has every value of 'where'")]
    NoTest,
    /// Several tests would stand in one place.
    #[error(
        "tests '{first}' and '{second}' would share one place; they differ in {}: \
         pick one value with 'where', or fold the axis with 'over'",
        names(axes)
    )]
    Ambiguous {
        /// Axes in which they differ.
        axes: Vec<Axis>,
        /// The name of one of the two tests.
        first: String,
        /// The name of the other one.
        second: String,
    },
    /// No selected test has the metric.
    #[error("no selected test has '{metric}': all of them are {dimension} tests")]
    NoSuchMetric {
        /// The metric's name.
        metric: String,
        /// What all selected tests are.
        dimension: &'static str,
    },
    /// One axis has two uses.
    #[error("axis {0} is used twice: x, series, rows, columns and over must differ")]
    AxisTwice(Axis),
    /// Several metrics and columns by an axis exclude each other.
    #[error("a table with 'columns' shows one value, not {0}")]
    SeveralValues(usize),
    /// More than can be told apart.
    #[error("axis {axis} has {count} values here; more than {max} cannot be told apart in one figure")]
    TooManySeries {
        /// The axis of the series.
        axis: Axis,
        /// How many values the axis has among the selected tests.
        count: usize,
        /// Most series of a figure.
        max: usize,
    },
}

fn names(axes: &[Axis]) -> String {
    axes.iter().map(|axis| axis.name()).collect::<Vec<_>>().join(", ")
}

/// A value on an axis, ordered as reports list values: switches and techniques in their fixed order,
/// numbers ascending, other names alphabetically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coordinate {
    rank: usize,
    /// The value.
    pub value: Value,
}

impl Coordinate {
    /// Where `tuple` stands on `axis`.
    pub fn of(tuple: &Tuple, axis: Axis) -> Coordinate {
        Coordinate::new(axis, tuple.value(axis))
    }

    /// A value of `axis` with its rank.
    pub fn new(axis: Axis, value: Value) -> Coordinate {
        let rank = match &value {
            Value::Number(_) => 0,
            Value::Name(name) => {
                let among = |all: &[&str]| all.iter().position(|&known| known == name).unwrap_or(all.len());
                match axis {
                    Axis::V => among(&VSwitch::WELL_KNOWN),
                    Axis::Io => among(&IO_ALL.map(io_name)),
                    Axis::D => among(&Dimension::ALL.iter().map(|value| value.name()).collect::<Vec<_>>()),
                    Axis::Runtime => among(&RuntimeChoice::ALL.iter().map(|value| value.name()).collect::<Vec<_>>()),
                    _ => 0,
                }
            }
        };
        Coordinate { rank, value }
    }
}

/// A value as legends and headings write it.
pub fn value_shown(axis: Axis, tuple: &Tuple) -> String {
    let shown = tuple.shown(axis);
    match axis {
        Axis::P => format!("{} B", tuple.packet.get()),
        Axis::B | Axis::Queues | Axis::Flows => format!("{axis} = {shown}"),
        Axis::SwitchCores => format!("{shown} {}", if shown == "1" { "core" } else { "cores" }),
        Axis::Touch => (if shown == "true" { "touched" } else { "not touched" }).to_string(),
        _ => shown,
    }
}

/// Whether a test of that kind can have the metric at all: only latency tests have round-trip times.
pub fn can_have(tuple: &Tuple, metric: Metric) -> bool {
    !metric.quantity.is_latency() || tuple.dimension == Dimension::Latency
}

/// The tests of `from` that `selection` takes and that can have one of the metrics, in their order.
pub fn selected<'a>(
    from: &[Id],
    selection: &Selection,
    metrics: &[Metric],
    tests: &[&'a TestView],
) -> Vec<&'a TestView> {
    let takes = |test: &TestView| {
        test.groups.iter().any(|group| from.contains(group))
            && selection.takes(&test.tuple)
            && metrics.iter().any(|&metric| can_have(&test.tuple, metric))
    };
    tests.iter().copied().filter(|test| takes(test)).collect()
}

/// What [`check`] looks at.
pub struct Layout<'a> {
    /// Which tests of the groups.
    pub selection: &'a Selection,
    /// Axes that tell places apart.
    pub axes: Vec<Axis>,
    /// Folded axis.
    pub over: Option<(Axis, Fold)>,
    /// What is shown.
    pub metrics: &'a [Metric],
}

/// Whether each place holds one test at most (one for each value of the folded axis), and there are any.
pub fn check(layout: &Layout, tuples: &[&Tuple]) -> Result<(), SpecError> {
    let mut axes = layout.axes.clone();
    axes.extend(layout.over.map(|(axis, _)| axis));
    for (place, axis) in axes.iter().enumerate() {
        if axes[..place].contains(axis) {
            return Err(SpecError::AxisTwice(*axis));
        }
    }
    let taken: Vec<&Tuple> = tuples.iter().copied().filter(|tuple| layout.selection.takes(tuple)).collect();
    if taken.is_empty() {
        return Err(SpecError::NoTest);
    }
    for &metric in layout.metrics {
        if !taken.iter().any(|tuple| can_have(tuple, metric)) {
            let dimension = Dimension::Throughput.name();
            return Err(SpecError::NoSuchMetric { metric: metric.to_string(), dimension });
        }
    }
    let mut places: BTreeMap<Vec<Value>, &Tuple> = BTreeMap::new();
    let shown = |tuple: &Tuple| layout.metrics.iter().any(|&metric| can_have(tuple, metric));
    for tuple in taken.into_iter().filter(|tuple| shown(tuple)) {
        let place = axes.iter().map(|&axis| tuple.value(axis)).collect();
        if let Some(other) = places.insert(place, tuple)
            && other != tuple
        {
            return Err(ambiguous(other, tuple));
        }
    }
    Ok(())
}

fn ambiguous(first: &Tuple, second: &Tuple) -> SpecError {
    let axes = Axis::ALL.into_iter().filter(|&axis| first.value(axis) != second.value(axis)).collect();
    SpecError::Ambiguous { axes, first: first.to_string(), second: second.to_string() }
}

/// Distinct values of an axis among tests, in the order of reports, each with a test that has it.
pub fn values<'a>(axis: Axis, tests: &[&'a TestView]) -> BTreeMap<Coordinate, &'a TestView> {
    tests.iter().map(|test| (Coordinate::of(&test.tuple, axis), *test)).collect()
}

/// What stands in one place.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// A value.
    Value {
        /// The test that gave it.
        test: &'a TestView,
        /// In base units; of a fold, without the bias of having chosen.
        estimate: Estimate,
        /// The value of the folded axis that gave it, as shown.
        chosen: Option<String>,
        /// Tests of the fold that have no value, so that the choice was among fewer.
        absent: usize,
    },
    /// Nothing, and why.
    Missing {
        /// A test that would have given it.
        test: &'a TestView,
        /// Completes "missing: ".
        reason: String,
    },
}

/// Folds the tests of one place to one value; absent when there is no test.
///
/// The best of several noisy means is chosen as [`best::best_of`] does, so that luck is not part of its value;
/// where a candidate has one repetition only there is no way around it, and the best mean is taken as it is.
pub fn cell<'a>(tests: &[&'a TestView], metric: Metric, over: Option<(Axis, Fold)>) -> Option<Cell<'a>> {
    let measured = |test: &'a TestView| {
        let summary = test.measured()?;
        let samples = summary.samples.get(&metric.quantity).map_or(&[][..], Vec::as_slice);
        Some((test, *summary.get(metric.quantity)?, samples))
    };
    let candidates: Vec<(&'a TestView, Estimate, &'a [f64])> = tests.iter().filter_map(|test| measured(test)).collect();
    let Some((first, alone, _)) = candidates.first().copied() else {
        return tests.first().map(|&test| Cell::Missing { test, reason: absence(tests, metric) });
    };
    let absent = tests.iter().filter(|test| test.measured().is_none()).count();
    let Some((axis, fold)) = over else {
        return Some(Cell::Value { test: first, estimate: alone, chosen: None, absent });
    };
    let sign = if fold == Fold::Max { 1.0 } else { -1.0 };
    let values: Vec<Vec<f64>> =
        candidates.iter().map(|(_, _, samples)| samples.iter().map(|value| sign * value).collect()).collect();
    let (place, estimate) = match best::best_of(&values) {
        Ok(best) => {
            let (_, whole, _) = candidates[best.candidate];
            // Never surer than the chosen test's own interval, which knows how its repetitions came about.
            let half_width = Some(best.half_width.max(whole.half_width.unwrap_or(0.0)));
            (best.candidate, Estimate { n: best.values.len() as u32, mean: sign * best.mean, half_width })
        }
        Err(_) => {
            let mut best = 0;
            for (place, (_, estimate, _)) in candidates.iter().enumerate() {
                if sign * estimate.mean > sign * candidates[best].1.mean {
                    best = place;
                }
            }
            (best, candidates[best].1)
        }
    };
    let test = candidates[place].0;
    Some(Cell::Value { test, estimate, chosen: Some(test.tuple.shown(axis)), absent })
}

/// Why none of the tests has a value: each reason once, in order.
fn absence(tests: &[&TestView], metric: Metric) -> String {
    let reasons: BTreeSet<String> = tests
        .iter()
        .map(|test| match &test.state {
            State::Skipped(reason) => format!("skipped: {reason}"),
            State::NotMeasured => "not measured yet".to_string(),
            State::Measured => match test.measured().and_then(|summary| summary.refused.get(&metric.quantity)) {
                Some(bursts) => format!("{bursts} independent bursts a repetition are too few for it; measure longer"),
                None => "the measurement has no such value".to_string(),
            },
        })
        .collect();
    reasons.into_iter().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use results::axes::{Burst, Locality, PacketSize, Pairs, Rate};
    use results::metric::Quantity;
    use results::summary::{Reduction, Repetition, summarise};
    use results::tuple::Variant;

    use super::*;
    use crate::topology::Route;

    const METRIC: Metric = Metric { quantity: Quantity::RxPps, unit: results::metric::Unit::Pps };

    /// A test at a rate with a repetition of each value; none without values.
    fn test(rate_pps: u32, values: &[f64]) -> TestView {
        let tuple = Tuple {
            dimension: Dimension::Throughput,
            locality: Locality::Local,
            pairs: Pairs::new(1).expect("possible"),
            vswitch: VSwitch::new("ovs").unwrap(),
            packet: PacketSize::new(64).expect("possible"),
            rate: Rate::Pps(rate_pps),
            burst: Burst::new(32).expect("possible"),
            variant: Variant::default_for(VSwitch::new("ovs").unwrap()),
        };
        let repetition = |value: &f64| Repetition {
            reduction: Reduction {
                values: [(Quantity::RxPps, *value)].into(),
                refused: [(Quantity::RttP99, 80)].into(),
                ..Reduction::default()
            },
            ..Repetition::default()
        };
        let repetitions: Vec<Repetition> = values.iter().map(repetition).collect();
        let state = if values.is_empty() { State::NotMeasured } else { State::Measured };
        let summary = (!values.is_empty()).then(|| summarise(&repetitions));
        TestView {
            name: tuple.to_string(),
            tuple,
            key: None,
            route: Route::Virtio,
            groups: Vec::new(),
            state,
            summary,
            accepted: Vec::new(),
        }
    }

    fn folded(tests: &[TestView], fold: Option<Fold>) -> (f64, u32, Option<String>) {
        let tests: Vec<&TestView> = tests.iter().collect();
        match cell(&tests, METRIC, fold.map(|fold| (Axis::R, fold))) {
            Some(Cell::Value { estimate, chosen, .. }) => (estimate.mean, estimate.n, chosen),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_best_of_noisy_tests_is_shown_without_the_luck_of_having_been_chosen() {
        // Each of the two has the lucky value once: by means the second wins with 12, and none is better than 10.
        let noisy = [test(1_000_000, &[16.0, 9.0, 9.0, 9.0]), test(2_000_000, &[9.0, 9.0, 9.0, 21.0])];
        let (value, n, chosen) = folded(&noisy, Some(Fold::Max));
        assert_eq!((n, chosen.as_deref()), (4, Some("2Mpps")));
        assert_eq!(value, 9.0, "what was lucky was not chosen by its own luck");
        let clear = [test(1_000_000, &[1.0, 1.1]), test(2_000_000, &[5.0, 5.2]), test(3_000_000, &[])];
        assert_eq!(folded(&clear, Some(Fold::Max)), (5.1, 2, Some("2Mpps".to_string())));
        assert_eq!(folded(&clear, Some(Fold::Min)).2.as_deref(), Some("1Mpps"));
        let once = [test(1_000_000, &[1.0]), test(2_000_000, &[5.0])];
        assert_eq!(folded(&once, Some(Fold::Max)), (5.0, 1, Some("2Mpps".to_string())));
        assert_eq!(folded(&clear[1..2], None), (5.1, 2, None));
    }

    #[test]
    fn a_refused_percentile_says_why_it_is_missing() {
        let test = test(1_000_000, &[1.0, 1.1]);
        let metric = Metric { quantity: Quantity::RttP99, unit: results::metric::Unit::Us };
        match cell(&[&test], metric, None) {
            Some(Cell::Missing { reason, .. }) => assert!(reason.starts_with("80 independent bursts"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
