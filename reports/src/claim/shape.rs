//! What a row of values looks like: flat, logarithmic, rising, falling, following another up to a plateau.
//! Three-valued, over intervals. It must not know tests or axes.

use super::interval::Interval;
use super::syntax::{Comparison, Shape};
use super::truth::{self, Truth};
use crate::number;

/// A row: horizontal value, value, and what it is compared with (for a plateau).
pub(super) struct Step {
    pub x: f64,
    pub value: Interval,
    pub other: Option<Interval>,
}

impl Step {
    /// What it would be with intervals so many times narrower.
    pub fn narrowed(&self, by: f64) -> Step {
        let other = self.other.map(|other| other.narrowed(by));
        Step { x: self.x, value: self.value.narrowed(by), other }
    }
}

/// Whether the row, ascending in `x`, has the shape.
pub(super) fn judge(shape: Shape, row: &[Step]) -> Truth {
    match shape {
        _ if row.is_empty() => Truth::NotMeasured,
        Shape::Flat(within) => flat(row, within),
        Shape::Increasing => truth::all(&steps(row, Comparison::Less)),
        Shape::Decreasing => truth::all(&steps(row, Comparison::More)),
        Shape::Logarithmic(within) => logarithmic(row, within),
        Shape::Plateau(within) => plateau(row, within),
    }
}

fn steps(row: &[Step], comparison: Comparison) -> Vec<Truth> {
    match row.len() {
        1 => vec![Truth::Inconclusive],
        _ => row.windows(2).map(|pair| comparison.judge(pair[0].value, pair[1].value)).collect(),
    }
}

/// Each value is at least `1 - within` of each other one.
fn flat(row: &[Step], within: f64) -> Truth {
    let scaled: Vec<Interval> = row.iter().map(|step| step.value.times(Interval::exact(1.0 - within))).collect();
    let mut truths = Vec::with_capacity(row.len());
    for (place, step) in row.iter().enumerate() {
        for (other, least) in scaled.iter().enumerate() {
            if place != other {
                truths.push(Comparison::AtLeast.judge(step.value, *least));
            }
        }
    }
    truth::all(&truths)
}

/// Least squares of the means over log2 x; each interval has to lie within reach of the line.
fn logarithmic(row: &[Step], within: f64) -> Truth {
    if row.len() < 3 {
        return Truth::Inconclusive;
    }
    let count = row.len() as f64;
    let logs: Vec<f64> = row.iter().map(|step| number::log2(step.x)).collect();
    let mean_x = logs.iter().sum::<f64>() / count;
    let mean_y = row.iter().map(|step| step.value.mean).sum::<f64>() / count;
    let spread: f64 = logs.iter().map(|log| (log - mean_x) * (log - mean_x)).sum();
    let shared: f64 = logs.iter().zip(row).map(|(log, step)| (log - mean_x) * (step.value.mean - mean_y)).sum();
    if spread <= 0.0 {
        return Truth::Inconclusive;
    }
    let slope = shared / spread;
    let reach = within * row.iter().map(|step| step.value.mean).fold(0.0, f64::max);
    let distances = logs.iter().zip(row).map(|(log, step)| {
        let line = Interval::exact(mean_y + slope * (log - mean_x));
        let off = step.value.plus(line.negated());
        let inside = Comparison::AtMost.judge(off, Interval::exact(reach));
        truth::all(&[inside, Comparison::AtLeast.judge(off, Interval::exact(-reach))])
    });
    let mut truths: Vec<Truth> = distances.collect();
    truths.push(if slope > 0.0 { Truth::Holds } else { Truth::Refuted });
    truth::all(&truths)
}

/// Some place before which values follow the others, and from which they are flat.
fn plateau(row: &[Step], within: f64) -> Truth {
    let follows: Vec<Truth> =
        row.iter().map(|step| step.other.map_or(Truth::NotMeasured, |other| step.value.about(other, within))).collect();
    let choices: Vec<Truth> = (0..=row.len())
        .map(|place| {
            let level = if place == row.len() { Truth::Holds } else { flat(&row[place..], within) };
            truth::all(&[truth::all(&follows[..place]), level])
        })
        .collect();
    truth::any(&choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[(f64, f64)], others: Option<&[f64]>) -> Vec<Step> {
        let step = |(place, &(x, value)): (usize, &(f64, f64))| Step {
            x,
            value: Interval::new(value * 0.99, value, value * 1.01),
            other: others.map(|others| Interval::exact(others[place])),
        };
        values.iter().enumerate().map(step).collect()
    }

    #[test]
    fn shapes_are_told_apart() {
        let level = row(&[(1.0, 10.0), (2.0, 10.1), (4.0, 9.9)], None);
        let rising = row(&[(1.0, 10.0), (2.0, 20.0), (4.0, 30.0), (8.0, 40.0)], None);
        assert_eq!(judge(Shape::Flat(0.05), &level), Truth::Holds);
        assert_eq!(judge(Shape::Flat(0.02), &level), Truth::Inconclusive);
        assert_eq!(judge(Shape::Flat(0.05), &rising), Truth::Refuted);
        assert_eq!(judge(Shape::Increasing, &rising), Truth::Holds);
        assert_eq!(judge(Shape::Decreasing, &rising), Truth::Refuted);
        assert_eq!(judge(Shape::Logarithmic(0.1), &rising), Truth::Holds);
        let steep = row(&[(1.0, 1.0), (2.0, 2.0), (4.0, 100.0), (8.0, 4.0)], None);
        assert_eq!(judge(Shape::Logarithmic(0.1), &steep), Truth::Refuted);
    }

    #[test]
    fn a_plateau_follows_and_then_stays() {
        let offered = [1.0, 2.0, 5.0, 10.0];
        let saturated = row(&[(1.0, 1.0), (2.0, 2.0), (5.0, 3.0), (10.0, 3.01)], Some(&offered));
        let collapsing = row(&[(1.0, 1.0), (2.0, 2.0), (5.0, 3.0), (10.0, 1.0)], Some(&offered));
        assert_eq!(judge(Shape::Plateau(0.05), &saturated), Truth::Holds);
        assert_eq!(judge(Shape::Plateau(0.05), &collapsing), Truth::Refuted);
    }
}
