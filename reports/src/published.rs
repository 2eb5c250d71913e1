//! Numbers that others have published of the same tests, and ours beside them. It must not judge: a claim
//! does that.

use results::axes::Axis;
use results::metric::Metric;
use results::tuple::Value;

use crate::model::{State, TestView};
use crate::number;
use crate::select;
use crate::spec::{Bound, Fold, Published, PublishedValue};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

/// A published number beside what was measured here.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Where the numbers were published, cleaned.
    pub source: String,
    /// In order of declaration.
    pub rows: Vec<ComparisonRow>,
}

/// One published number.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparisonRow {
    /// Which tests the row is of: `io = udp, P = 64B`.
    pub what: String,
    /// What, and in which unit all numbers of the row are.
    pub metric: Metric,
    /// Whether it is a value or a limit of values.
    pub bound: Bound,
    /// The number as published.
    pub published: f64,
    /// The values that all tests have which the number is of, axis by axis.
    pub at: Vec<(Axis, Value)>,
    /// What was measured here.
    pub ours: Ours,
}

/// What was measured of the tests that a published number is of.
#[derive(Clone, Debug, PartialEq)]
pub enum Ours {
    /// One value, with the half width of its interval, and the key of its test.
    One {
        /// Mean over repetitions.
        mean: f64,
        /// Half width of its 95 % interval.
        half_width: Option<f64>,
        /// Names the page of the test.
        key: Option<String>,
    },
    /// Several tests: the least and the largest mean.
    Several {
        /// The least.
        least: f64,
        /// The largest.
        most: f64,
        /// How many tests have a value.
        count: usize,
    },
    /// Nothing, and why.
    Missing(String),
}

/// The published numbers of `spec` beside those of `tests` (the selected tests of the figure, table or
/// claim). Tests that differ only on a folded axis count as one.
pub fn compare(spec: &Published, tests: &[&TestView], fold: Option<Fold>) -> Comparison {
    let rows = spec.values.iter().map(|value| row(value, tests, fold)).collect();
    Comparison { source: text::cleaned(&spec.source, PROSE_MAX), rows }
}

fn row(value: &PublishedValue, tests: &[&TestView], fold: Option<Fold>) -> ComparisonRow {
    let scale = value.metric.unit.scale();
    let takes = |test: &&TestView| value.selection.takes(&test.tuple) && select::can_have(&test.tuple, value.metric);
    let about: Vec<&TestView> = tests.iter().copied().filter(takes).collect();
    let mut measured: Vec<_> = about
        .iter()
        .filter_map(|test| Some((*test, test.measured()?.get(value.metric.quantity)?)))
        .filter(|(_, estimate)| estimate.mean.is_finite())
        .collect();
    measured.sort_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
    let chosen = match (fold, measured.as_slice()) {
        (_, [one]) => Some(one),
        (Some(Fold::Max), [.., largest]) => Some(largest),
        (Some(Fold::Min), [least, ..]) => Some(least),
        _ => None,
    };
    let ours = match (chosen, measured.first(), measured.last()) {
        (Some((test, estimate)), ..) => Ours::One {
            mean: estimate.mean / scale,
            half_width: estimate.half_width.map(|half| half / scale).filter(|half| half.is_finite()),
            key: test.key.clone(),
        },
        (None, Some((_, least)), Some((_, most))) => {
            Ours::Several { least: least.mean / scale, most: most.mean / scale, count: measured.len() }
        }
        _ => Ours::Missing(absence(&about)),
    };
    let shared = |axis: Axis| {
        let first = about.first()?.tuple.value(axis);
        about.iter().all(|test| test.tuple.value(axis) == first).then_some((axis, first))
    };
    ComparisonRow {
        what: what(value, &about),
        metric: value.metric,
        bound: value.bound,
        published: value.value,
        at: Axis::ALL.into_iter().filter_map(shared).collect(),
        ours,
    }
}

/// The axes that the number is of, as the file names them.
fn what(value: &PublishedValue, tests: &[&TestView]) -> String {
    let axis = |(axis, values): &(results::axes::Axis, Vec<results::tuple::Value>)| {
        let shown = values.iter().filter_map(|value| {
            let test = tests.iter().find(|test| test.tuple.value(*axis) == *value)?;
            Some(test.tuple.shown(*axis))
        });
        format!("{axis} = {}", shown.collect::<Vec<_>>().join(" or "))
    };
    let parts: Vec<String> = value.selection.0.iter().map(axis).collect();
    let parts = if parts.is_empty() { vec!["all tests".to_string()] } else { parts };
    text::cleaned(&parts.join(", "), LABEL_MAX)
}

fn absence(tests: &[&TestView]) -> String {
    let reason = tests.iter().find_map(|test| match &test.state {
        State::Skipped(reason) => Some(text::cleaned(&format!("skipped: {reason}"), LABEL_MAX)),
        State::Measured | State::NotMeasured => None,
    });
    reason.unwrap_or_else(|| "not measured yet".to_string())
}

impl ComparisonRow {
    /// The published number in the unit of a metric; none if that is of another quantity.
    pub fn in_unit_of(&self, metric: Metric) -> Option<f64> {
        let is_of = self.metric.quantity == metric.quantity;
        is_of.then(|| self.published * self.metric.unit.scale() / metric.unit.scale())
    }

    /// The published number as people read it: `338 kpps`, `more than 60 µs`.
    pub fn published_shown(&self) -> String {
        let prefix = match self.bound {
            Bound::Exactly => "",
            Bound::AtMost => "at most ",
            Bound::AtLeast => "at least ",
        };
        format!("{prefix}{}{}", number::machine(self.published), self.unit())
    }

    /// Ours, with its doubt: `95.6 ± 38.3 kpps`.
    pub fn ours_shown(&self) -> String {
        match &self.ours {
            Ours::One { mean, half_width, .. } => {
                let decimals = number::decimals_for(*mean);
                let doubt =
                    half_width.map(|half| format!(" {}", number::doubt(*mean, half, decimals))).unwrap_or_default();
                format!("{}{doubt}{}", number::shown(*mean, decimals), self.unit())
            }
            Ours::Several { least, most, count } => {
                let decimals = number::decimals_for(*most);
                let (least, most) = (number::shown(*least, decimals), number::shown(*most, decimals));
                format!("{least} to {most}{} in {count} tests", self.unit())
            }
            Ours::Missing(reason) => reason.clone(),
        }
    }

    /// Ours in parts of the published number: `0.28`, or the two ends.
    pub fn ratio_shown(&self) -> String {
        if self.published == 0.0 {
            return String::new();
        }
        let ratio = |ours: f64| number::shown(ours / self.published, 2);
        match &self.ours {
            Ours::One { mean, .. } => ratio(*mean),
            Ours::Several { least, most, .. } => format!("{} to {}", ratio(*least), ratio(*most)),
            Ours::Missing(_) => String::new(),
        }
    }

    fn unit(&self) -> String {
        match self.metric.unit.symbol() {
            "" => String::new(),
            symbol => format!(" {symbol}"),
        }
    }
}
