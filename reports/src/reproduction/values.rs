//! Values of two sides at the same place, and their quotient with its doubt. It must not know what they are of.

use results::metric::Metric;
use results::tuple::Value;

use super::relative::Relative;
use crate::claim::interval::Interval;

/// A value of one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Sided {
    /// Mean over repetitions, in the unit of the row.
    pub mean: f64,
    /// Ends of its 95 % interval; absent with one repetition.
    pub interval: Option<(f64, f64)>,
    /// Valid repetitions.
    pub n: u32,
    /// Names the page of its test on its side.
    pub key: Option<String>,
}

/// A quotient; its ends are those of all quotients of values within both intervals, so that it covers at least what
/// either interval does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotient {
    /// Ratio of the means.
    pub value: f64,
    /// Absent where a side has no interval, or the divisor's reaches 0.
    pub interval: Option<(f64, f64)>,
}

/// One place of a figure or table on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct PairRow {
    /// Where: the axis values as shown, the outer one first.
    pub place: Vec<String>,
    /// The row's axis values as data, by which other rows find it.
    pub at: Vec<Value>,
    /// What the values are, and in which unit.
    pub metric: Metric,
    /// Their value.
    pub theirs: Option<Sided>,
    /// Our value.
    pub ours: Option<Sided>,
    /// Ours over theirs.
    pub ratio: Option<Quotient>,
    /// Both values over the base of their own side; absent for the base itself and where there is none.
    pub relative: Option<Relative>,
}

impl PairRow {
    /// A row without what is derived from others.
    pub fn new(
        place: Vec<String>,
        at: Vec<Value>,
        metric: Metric,
        theirs: Option<Sided>,
        ours: Option<Sided>,
    ) -> PairRow {
        let ratio =
            theirs.as_ref().zip(ours.as_ref()).and_then(|(theirs, ours)| Quotient::of(ours.range(), theirs.range()));
        PairRow { place, at, metric, theirs, ours, ratio, relative: None }
    }
}

impl Sided {
    pub(super) fn range(&self) -> Interval {
        match self.interval {
            Some((low, high)) => Interval::new(low, self.mean, high),
            None => Interval::unbounded(self.mean),
        }
    }
}

impl Quotient {
    /// The quotient of two ranges; none where the divisor reaches 0.
    pub(super) fn of(dividend: Interval, divisor: Interval) -> Option<Quotient> {
        if divisor.mean == 0.0 {
            return None;
        }
        let Interval { low, mean, high } = dividend.divided_by(divisor);
        Some(Quotient { value: mean, interval: (low.is_finite() && high.is_finite()).then_some((low, high)) })
            .filter(|quotient| quotient.value.is_finite())
    }

    pub(super) fn range(&self) -> Interval {
        match self.interval {
            Some((low, high)) => Interval::new(low, self.value, high),
            None => Interval::unbounded(self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quotient_holds_every_quotient_of_its_ends(
            a in 1.0f64..1e6, b in 1.0f64..1e6, wide_a in 0.0f64..0.5, wide_b in 0.0f64..0.5
        ) {
            let range = |mean: f64, wide: f64| Interval::new(mean * (1.0 - wide), mean, mean * (1.0 + wide));
            let quotient = Quotient::of(range(a, wide_a), range(b, wide_b)).expect("the divisor is not 0");
            let (low, high) = quotient.interval.expect("both are finite");
            for (x, y) in [(a, b), (a * (1.0 - wide_a), b * (1.0 + wide_b)), (a * (1.0 + wide_a), b * (1.0 - wide_b))] {
                let slack = 1e-12 * (x / y).abs();
                prop_assert!(low - slack <= x / y && x / y <= high + slack);
            }
        }
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(Quotient::of(Interval::exact(1.0), Interval::exact(0.0)), None);
        let wide = Quotient::of(Interval::exact(1.0), Interval::new(-1.0, 1.0, 3.0)).expect("a mean");
        assert_eq!(wide, Quotient { value: 1.0, interval: None });
    }
}
