//! Two sides of an experiment held against each other: for each test the ratio, its interval, and whether the
//! difference is real once all tests are asked at once. Pure but for the reading of sides. It must not know
//! how a comparison is printed or drawn.

mod side;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reports::since::InputChange;
use results::axes::Dimension;
use results::metric::{Metric, Quantity, Unit};
use results::statistics::difference::{self, Ratio};
use results::statistics::family::{self, Judged};
use results::statistics::{SampleError, student};
use results::summary::{Estimate, Grade, Repetition, summarise};
use results::tuple::Tuple;

use crate::acceptance::trigger;
use crate::difference::{Difference, Tally};
use crate::planned::plural;

pub(crate) use side::read as side;
pub use side::{Side, SideError, SideTest, pick, resolve};

/// A comparison of two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the earlier side.
    pub before: String,
    /// Name of the later side.
    pub after: String,
    /// Tests compared: those that moved first, the largest change first.
    pub rows: Vec<Row>,
    /// Tests that stand on the very same repetitions on both sides.
    pub same: usize,
    /// Tests that could not be compared, with the reason, in order of name.
    pub left_out: Vec<(String, String)>,
    /// What the tests of both sides were measured under and that is not the same, with how many tests it concerns.
    pub inputs: Vec<InputChange>,
    /// Tests of which one side's inputs are not known, since their manifest is missing.
    pub unknown: usize,
}

/// One test on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The test's name.
    pub test: String,
    /// What is compared.
    pub metric: Metric,
    /// The earlier side, base units.
    pub before: Estimate,
    /// The later side, base units.
    pub after: Estimate,
    /// The later mean over the earlier one.
    pub ratio: Ratio,
    /// Whether the difference is real, as the family of all tests says.
    pub judged: Judged,
    /// The worse grade of the two sides.
    pub grade: Grade,
    /// Names of the triggers that differ between the two sides: `kernel`, `switch:ovs`.
    pub changed: Vec<String>,
}

impl Row {
    /// Whether the difference is real: not one of what chance makes in so many tests.
    pub fn moved(&self) -> bool {
        self.judged.moved()
    }

    /// How much slower the later side is, as a part of the earlier one: less of a rate, more of a time or of a
    /// loss. Negative where it is faster.
    pub fn slower_by(&self) -> f64 {
        match more_is_better(self.metric.quantity) {
            true => 1.0 - self.ratio.value,
            false => self.ratio.value - 1.0,
        }
    }

    /// How far it moved, whichever way.
    fn size(&self) -> f64 {
        let ratio = self.ratio.value;
        if ratio > 0.0 { ratio.max(1.0 / ratio) } else { f64::INFINITY }
    }
}

fn more_is_better(quantity: Quantity) -> bool {
    matches!(quantity.units()[0], Unit::Pps | Unit::Mbps)
}

impl Comparison {
    /// Tests that became slower by at least that part, surely.
    pub fn slower(&self, part: f64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.moved() && row.slower_by() >= part)
    }

    /// The median over tests of the least change that would be called real; absent where there is none.
    pub fn detectable(&self) -> Option<f64> {
        let mut parts: Vec<f64> = self.rows.iter().filter_map(|row| row.judged.detectable).collect();
        parts.sort_by(f64::total_cmp);
        parts.get(parts.len() / 2).copied()
    }
}

/// What a test is compared by where nothing is asked for.
fn usual(tuple: &Tuple) -> Metric {
    match tuple.dimension {
        Dimension::Throughput => Metric { quantity: Quantity::RxPps, unit: Unit::Kpps },
        Dimension::Latency => Metric { quantity: Quantity::RttMean, unit: Unit::Us },
    }
}

/// Holds `after` against `before`, by `metric` or by what each test is usually judged by. Repetitions that both
/// sides have are taken out of the side that has more of them, so that no sample is compared with itself.
pub fn compare(before: &Side, after: &Side, metric: Option<Metric>) -> Comparison {
    let names: BTreeSet<&String> = before.tests.keys().chain(after.tests.keys()).collect();
    let (mut pairs, mut same, mut left_out) = (Vec::new(), 0, Vec::new());
    let (mut tally, mut unknown) = (Tally::default(), 0);
    for name in names {
        let pair = match (before.tests.get(name), after.tests.get(name)) {
            (Some(earlier), Some(later)) if earlier.is_same(later) => {
                same += 1;
                continue;
            }
            (Some(earlier), Some(later)) => {
                unknown += usize::from(earlier.manifests.is_empty() || later.manifests.is_empty());
                let differences = tally.add(&earlier.manifests, &later.manifests);
                Pair::of(earlier, later, metric).map(|pair| Pair { changed: triggers(&differences), ..pair })
            }
            (None, _) => Err(format!("not in {}", before.name)),
            (_, None) => Err(format!("not in {}", after.name)),
        };
        match pair {
            Ok(pair) => pairs.push((name.clone(), pair)),
            Err(reason) => left_out.push((name.clone(), reason)),
        }
    }
    let mut rows = rows(pairs, &mut left_out);
    rows.sort_by(|a, b| {
        b.moved().cmp(&a.moved()).then(b.size().total_cmp(&a.size())).then_with(|| a.test.cmp(&b.test))
    });
    left_out.sort();
    let versions = before.versions.iter().chain(&after.versions);
    let versions = versions.map(|(digest, version)| (digest.clone(), version.clone())).collect();
    let inputs = tally.inputs(&versions);
    Comparison { before: before.name.clone(), after: after.name.clone(), rows, same, left_out, inputs, unknown }
}

/// Names of what differs, each once, in order.
fn triggers(differences: &[Arc<Difference>]) -> Vec<String> {
    let sections = differences.iter().flat_map(|difference| &difference.sections);
    let names = sections.map(|(name, (was, is))| trigger(name, was.section(), is.section()));
    names.collect::<BTreeSet<String>>().into_iter().collect()
}

/// Judges all pairs together, those of one quantity as a family; the correction is over all.
fn rows(pairs: Vec<(String, Pair)>, left_out: &mut Vec<(String, String)>) -> Vec<Row> {
    let all = pairs.len();
    let mut families: BTreeMap<Quantity, Vec<(String, Pair)>> = BTreeMap::new();
    for (name, pair) in pairs {
        families.entry(pair.metric.quantity).or_default().push((name, pair));
    }
    let mut rows: Vec<Row> = Vec::with_capacity(all);
    for members in families.into_values() {
        let samples: Vec<family::Pair> =
            members.iter().map(|(_, pair)| family::Pair { before: &pair.earlier, after: &pair.later }).collect();
        let made = family::judge(&samples, all).and_then(|judged| {
            let rows = members.iter().zip(judged).map(|((name, pair), judged)| pair.row(name.clone(), judged));
            rows.collect::<Result<Vec<Row>, SampleError>>()
        });
        match made {
            Ok(made) => rows.extend(made),
            Err(error) => left_out.extend(members.into_iter().map(|(name, _)| (name, format!("failed to {error}")))),
        }
    }
    family::correct(rows.iter_mut().map(|row| &mut row.judged));
    rows
}

/// One test's values on both sides, in base units.
struct Pair {
    metric: Metric,
    earlier: Vec<f64>,
    later: Vec<f64>,
    /// The worse one of both sides.
    grade: Grade,
    /// Names of the triggers that differ.
    changed: Vec<String>,
}

impl Pair {
    fn of(earlier: &SideTest, later: &SideTest, metric: Option<Metric>) -> Result<Pair, String> {
        let metric = metric.unwrap_or_else(|| usual(&earlier.tuple));
        let (before, after) = (earlier.without(later), later.without(earlier));
        let side = |repetitions: &[Repetition], which: &str| {
            let values = values(repetitions, metric.quantity);
            match values.len() {
                0 | 1 if repetitions.len() < 2 => {
                    Err(format!("the {which} side has {} of its own", plural(repetitions.len(), "valid repetition")))
                }
                0 | 1 => Err(format!("the {which} side has no {metric}")),
                _ => Ok(values),
            }
        };
        let grade = summarise(&before).grade.max(summarise(&after).grade);
        let (earlier, later) = (side(&before, "earlier")?, side(&after, "later")?);
        Ok(Pair { metric, earlier, later, grade, changed: Vec::new() })
    }

    fn row(&self, test: String, judged: Judged) -> Result<Row, SampleError> {
        let estimate = |values: &[f64]| {
            let (mean, half_width) = student::interval(values)?;
            Ok::<_, SampleError>(Estimate { n: values.len() as u32, mean, half_width: Some(half_width) })
        };
        Ok(Row {
            test,
            metric: self.metric,
            before: estimate(&self.earlier)?,
            after: estimate(&self.later)?,
            ratio: difference::ratio(&self.earlier, &self.later)?,
            judged,
            grade: self.grade,
            changed: self.changed.clone(),
        })
    }
}

/// Values of a quantity, where there are any.
fn values(repetitions: &[Repetition], quantity: Quantity) -> Vec<f64> {
    let values = repetitions.iter().filter_map(|repetition| repetition.reduction.values.get(&quantity));
    values.copied().filter(|value| value.is_finite()).collect()
}

#[cfg(test)]
mod tests;
