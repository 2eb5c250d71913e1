//! Intervals and their arithmetic (Moore, "Interval Analysis", 1966), without directed rounding: doubts of
//! measurements are far wider than that of the last bit. It must not know what is measured.

use super::truth::Truth;

/// A value with its doubt; ends may be infinite, never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub low: f64,
    pub mean: f64,
    pub high: f64,
}

impl Interval {
    pub fn new(low: f64, mean: f64, high: f64) -> Interval {
        let lowest = |value: f64| if value.is_nan() { f64::NEG_INFINITY } else { value };
        let highest = |value: f64| if value.is_nan() { f64::INFINITY } else { value };
        Interval { low: lowest(low), mean: if mean.is_nan() { 0.0 } else { mean }, high: highest(high) }
    }

    pub fn exact(value: f64) -> Interval {
        Interval::new(value, value, value)
    }

    /// A value of which nothing is known but itself.
    pub fn unbounded(mean: f64) -> Interval {
        Interval::new(f64::NEG_INFINITY, mean, f64::INFINITY)
    }

    pub fn negated(self) -> Interval {
        Interval::new(-self.high, -self.mean, -self.low)
    }

    pub fn plus(self, other: Interval) -> Interval {
        Interval::new(self.low + other.low, self.mean + other.mean, self.high + other.high)
    }

    pub fn times(self, other: Interval) -> Interval {
        let products = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high];
        if products.iter().any(|product| product.is_nan()) {
            return Interval::unbounded(self.mean * other.mean);
        }
        let low = products.iter().copied().fold(f64::INFINITY, f64::min);
        Interval::new(low, self.mean * other.mean, products.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    /// Unbounded when the divisor may be 0.
    pub fn divided_by(self, other: Interval) -> Interval {
        if other.low <= 0.0 && other.high >= 0.0 {
            return Interval::unbounded(if other.mean == 0.0 { 0.0 } else { self.mean / other.mean });
        }
        let inverse = Interval::new(1.0 / other.high, 1.0 / other.mean, 1.0 / other.low);
        let product = self.times(inverse);
        Interval::new(product.low, self.mean / other.mean, product.high)
    }

    /// What it would be, were it so many times narrower.
    pub fn narrowed(self, by: f64) -> Interval {
        Interval {
            low: self.mean - (self.mean - self.low) / by,
            high: self.mean + (self.high - self.mean) / by,
            ..self
        }
    }

    /// Whether it lies below `other`; equality of ends counts unless `strictly`.
    pub fn below(self, other: Interval, strictly: bool) -> Truth {
        let (surely, surely_not) = match strictly {
            true => (self.high < other.low, self.low >= other.high),
            false => (self.high <= other.low, self.low > other.high),
        };
        match (surely, surely_not) {
            (true, _) => Truth::Holds,
            (_, true) => Truth::Refuted,
            _ => Truth::Inconclusive,
        }
    }

    /// Whether it differs from `other` by at most `part` of it.
    pub fn about(self, other: Interval, part: f64) -> Truth {
        let ends = [other.low.abs(), other.high.abs()];
        let reach = |size: f64| part * size;
        let difference = self.plus(other.negated());
        let furthest = difference.low.abs().max(difference.high.abs());
        let nearest = if difference.low <= 0.0 && difference.high >= 0.0 {
            0.0
        } else {
            difference.low.abs().min(difference.high.abs())
        };
        let least = if other.low <= 0.0 && other.high >= 0.0 { 0.0 } else { ends[0].min(ends[1]) };
        if furthest <= reach(least) {
            Truth::Holds
        } else if nearest > reach(ends[0].max(ends[1])) {
            Truth::Refuted
        } else {
            Truth::Inconclusive
        }
    }
}

/// Intervals that would have to be this many times narrower are beyond reach: that takes a thousand times as many
/// repetitions.
const TOO_WIDE_MAX: f64 = 32.0;

/// How many times too wide the intervals of a comparison are that is inconclusive; nothing where none that is in reach
/// decides it. `judged` is its truth with intervals that many times narrower.
pub(crate) fn too_wide(judged: impl Fn(f64) -> Option<Truth>) -> Option<f64> {
    let factors = std::iter::successors(Some(1.0), |factor| Some(factor * std::f64::consts::SQRT_2));
    let mut within = factors.take_while(|factor| *factor <= TOO_WIDE_MAX);
    within.find(|factor| matches!(judged(*factor), Some(Truth::Holds | Truth::Refuted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(mean: f64, half: f64) -> Interval {
        Interval::new(mean - half, mean, mean + half)
    }

    #[test]
    fn overlap_cannot_be_told() {
        assert_eq!(interval(1.0, 0.2).below(interval(2.0, 0.2), true), Truth::Holds);
        assert_eq!(interval(2.0, 0.2).below(interval(1.0, 0.2), true), Truth::Refuted);
        assert_eq!(interval(1.0, 0.6).below(interval(2.0, 0.6), true), Truth::Inconclusive);
        assert_eq!(Interval::unbounded(1.0).below(interval(2.0, 0.1), true), Truth::Inconclusive);
        assert_eq!(interval(100.0, 1.0).about(interval(102.0, 1.0), 0.05), Truth::Holds);
        assert_eq!(interval(100.0, 1.0).about(interval(120.0, 1.0), 0.05), Truth::Refuted);
        assert_eq!(interval(100.0, 1.0).about(interval(105.0, 1.0), 0.05), Truth::Inconclusive);
    }

    #[test]
    fn what_narrower_intervals_decide_says_how_much_narrower() {
        let (a, b) = (interval(1.0, 0.6), interval(2.0, 0.6));
        let needed = too_wide(|by| Some(a.narrowed(by).below(b.narrowed(by), true)));
        assert!(needed.is_some_and(|by| (1.2..1.8).contains(&by)), "{needed:?}");
        let same = too_wide(|by| Some(a.narrowed(by).below(a.narrowed(by), true)));
        assert_eq!(same, None, "equals are never told apart");
        assert_eq!(too_wide(|_| None), None);
    }

    proptest! {
        #[test]
        fn arithmetic_holds_every_pair_of_members(
            a in -1e3f64..1e3, b in -1e3f64..1e3, wide in 0.0f64..10.0, s in -1.0f64..1.0, t in -1.0f64..1.0
        ) {
            let (x, y) = (interval(a, wide), interval(b, wide));
            let (u, v) = (a + s * wide, b + t * wide);
            for (result, value) in [(x.plus(y), u + v), (x.times(y), u * v), (x.divided_by(y), u / v)] {
                let slack = 1e-9 * (1.0 + value.abs());
                prop_assert!(value.is_nan() || (result.low <= value + slack && value <= result.high + slack));
            }
        }
    }
}
