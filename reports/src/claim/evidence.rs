//! What a verdict rests on: comparisons with their numbers, tests that were missing, the worst grade. It must
//! not know expressions.

use std::collections::{BTreeMap, BTreeSet};

use results::axes::VSwitch;
use results::flags::Flag;
use results::metric::Metric;
use results::summary::Grade;

use super::interval::Interval;
use super::truth::Truth;
use super::{Compared, Comparison, Outcome, Verdict};
use crate::model::{State, TestView};
use crate::number;

/// Comparisons that a verdict lists; the rest is counted.
const NUMBERS_MAX: usize = 40;
/// Missing tests that a verdict lists for one reason; the rest is counted.
const MISSING_MAX: usize = 8;

/// Switches whose results one comparison looked at, and whether any of them shared cores.
#[derive(Clone, Default)]
pub(super) struct Touched {
    switches: BTreeSet<VSwitch>,
    shared: bool,
    single: bool,
    values: usize,
    /// Places of the tests whose values were looked at.
    places: BTreeSet<usize>,
}

impl Touched {
    /// Whether the comparison would rank switches by results of shared cores.
    pub fn ranks_on_shared_cores(&self) -> bool {
        self.shared && self.switches.len() > 1
    }
}

/// Gathered while judging.
#[derive(Default)]
pub(super) struct ClaimEvidence {
    lines: Vec<(Truth, String, Comparison)>,
    missing: BTreeMap<String, BTreeSet<String>>,
    /// Switches with a test that has no result, and those with one that has.
    absent: BTreeSet<VSwitch>,
    present: BTreeSet<VSwitch>,
    doubts: BTreeSet<&'static str>,
    grade: Option<Grade>,
    touched: Touched,
    /// Places of the tests that comparisons without an outcome rest on, each with how many times too wide its interval
    /// is for one of them at least.
    open: BTreeMap<usize, f64>,
}

impl ClaimEvidence {
    /// Notes the test at a place; its value in base units if there is one.
    pub fn value(&mut self, place: usize, test: &TestView, metric: Metric) -> Option<Interval> {
        let Some(summary) = test.measured() else {
            let reason = match &test.state {
                State::Skipped(reason) => format!("skipped: {reason}"),
                State::Measured | State::NotMeasured => "not measured yet".to_string(),
            };
            self.missing.entry(reason).or_default().insert(test.name.clone());
            self.absent.insert(test.tuple.vswitch);
            return None;
        };
        self.present.insert(test.tuple.vswitch);
        let Some(estimate) = summary.get(metric.quantity).filter(|estimate| estimate.mean.is_finite()) else {
            self.missing.entry(format!("no {metric} was measured")).or_default().insert(test.name.clone());
            return None;
        };
        self.grade = self.grade.max(Some(summary.grade));
        self.touched.switches.insert(test.tuple.vswitch);
        self.touched.shared |= summary.flags.iter().any(|(flag, _)| *flag == Flag::Oversubscribed);
        self.touched.values += 1;
        self.touched.places.insert(place);
        match estimate.half_width {
            Some(_) => {
                let (low, high) = estimate.interval();
                Some(Interval::new(low, estimate.mean, high))
            }
            None => {
                self.touched.single = true;
                Some(Interval::unbounded(estimate.mean))
            }
        }
    }

    /// The places of the tests that this comparison has looked at so far.
    pub fn places(&self) -> BTreeSet<usize> {
        self.touched.places.clone()
    }

    /// Those that it has looked at since.
    pub fn places_since(&self, before: &BTreeSet<usize>) -> BTreeSet<usize> {
        self.touched.places.difference(before).copied().collect()
    }

    /// Takes note that the comparison does not hang on these tests.
    pub fn leave_out(&mut self, places: &BTreeSet<usize>) {
        self.touched.places.retain(|place| !places.contains(place));
    }

    /// Starts a comparison; what it looks at is kept apart until [`ClaimEvidence::compared`].
    pub fn begin(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Ends a comparison: its truth, or doubt where it would rank switches on shared cores, which no repetition takes
    /// away. Of one that is inconclusive, its intervals are `too_wide` so many times, if
    /// anything decides it.
    pub fn compared(
        &mut self,
        before: Touched,
        truth: Truth,
        too_wide: Option<f64>,
        line: impl FnOnce(Truth) -> (String, Comparison),
    ) -> Truth {
        let touched = std::mem::replace(&mut self.touched, before);
        let decided = matches!(truth, Truth::Holds | Truth::Refuted);
        let too_wide = if touched.single { Some(f64::INFINITY) } else { too_wide };
        if let (Truth::Inconclusive, Some(too_wide)) = (truth, too_wide) {
            for place in &touched.places {
                let known = self.open.entry(*place).or_insert(too_wide);
                *known = known.max(too_wide);
            }
        }
        let truth = if decided && touched.ranks_on_shared_cores() {
            self.doubts
                .insert("Switches whose cores were shared are not ranked: the sleep policy of each decides who wins.");
            Truth::Inconclusive
        } else {
            truth
        };
        if truth == Truth::Inconclusive && touched.single {
            self.doubts.insert("A value of one repetition has no interval and decides nothing.");
        }
        if truth != Truth::NotMeasured {
            let (text, comparison) = line(truth);
            self.lines.push((truth, text, Comparison { outcome: truth, ..comparison }));
        }
        self.touched.switches.extend(touched.switches);
        self.touched.shared |= touched.shared;
        truth
    }

    /// The tests that comparisons without an outcome rest on.
    pub fn open(self) -> BTreeMap<usize, f64> {
        self.open
    }

    /// The verdict.
    pub fn verdict(mut self, outcome: Outcome) -> Verdict {
        let rank = |truth: Truth| match truth {
            Truth::Refuted => 0,
            Truth::Inconclusive => 1,
            Truth::NotMeasured | Truth::Holds => 2,
        };
        self.lines.sort_by_key(|(truth, ..)| rank(*truth));
        let more = self.lines.len().saturating_sub(NUMBERS_MAX);
        let lines = self.lines.into_iter().take(NUMBERS_MAX);
        let (mut numbers, comparisons): (Vec<String>, Vec<Comparison>) =
            lines.map(|(_, line, comparison)| (line, comparison)).unzip();
        if more > 0 {
            numbers.push(format!("and {more} more comparisons"));
        }
        let without: Vec<&str> = self.absent.difference(&self.present).map(|vswitch| vswitch.name()).collect();
        let switches = (!without.is_empty()).then(|| format!("any result of {}", without.join(", ")));
        Verdict {
            outcome,
            grade: self.grade.unwrap_or(Grade::Indicative),
            numbers,
            comparisons,
            missing: switches
                .into_iter()
                .chain(self.missing.iter().map(|(reason, tests)| told(reason, tests)))
                .collect(),
            doubts: self.doubts.into_iter().map(str::to_string).collect(),
        }
    }
}

fn told(reason: &str, tests: &BTreeSet<String>) -> String {
    let mut list = tests.iter().take(MISSING_MAX).cloned().collect::<Vec<_>>().join(", ");
    if tests.len() > MISSING_MAX {
        list.push_str(&format!(" and {} more", tests.len() - MISSING_MAX));
    }
    format!("{list} ({reason})")
}

/// A value with its interval in the unit of a metric, for programs.
pub(super) fn weighed(what: String, value: Interval, metric: Option<Metric>) -> Compared {
    let scale = metric.map_or(1.0, |metric| metric.unit.scale());
    let ends = (value.low / scale, value.high / scale);
    Compared {
        what,
        value: value.mean / scale,
        interval: (value.low != value.high && ends.0.is_finite() && ends.1.is_finite()).then_some(ends),
        unit: metric.map_or("", |metric| metric.unit.symbol()),
    }
}

/// A value with its interval in the unit of a metric; plain without one.
pub(super) fn shown(value: Interval, metric: Option<Metric>) -> String {
    let scale = metric.map_or(1.0, |metric| metric.unit.scale());
    let unit = metric.map_or("", |metric| metric.unit.symbol());
    let decimals = number::decimals_for(value.mean / scale);
    let digits = |value: f64| number::shown(value / scale, decimals);
    let doubt = match (value.low == value.high, value.low.is_finite() && value.high.is_finite()) {
        (true, _) => String::new(),
        (false, true) => format!(" [{}, {}]", digits(value.low), digits(value.high)),
        (false, false) => " [one repetition]".to_string(),
    };
    let blank = if unit.is_empty() { "" } else { " " };
    format!("{}{doubt}{blank}{unit}", digits(value.mean))
}
