//! Intervals of what cannot be negative: rates, ratios, times. It must not know what is measured.

use crate::statistics::special::exp;

/// Beyond so many half widths the mean says nothing; ends stay numbers that can be written down.
const RATIO_MAX: f64 = 30.0;
/// Up to this part of the mean a half width is small: on a logarithmic scale the upper end would move by less than an
/// eighth of it, and `± h` says it shorter.
const SMALL: f64 = 0.2;

/// The ends of the interval of a positive mean, given the half width `h` of a symmetric one.
///
/// Where `h` is small beside the mean, that one is the answer. Where it is not, few repetitions of a positive quantity
/// spread widely, which as a rule means a long tail upwards: a sample that met nothing of the tail has a mean and a
/// spread that are both too small, so it is the upper end that is passed too often. It is taken on a logarithmic scale,
/// mean · exp(h / mean): the standard error of the logarithm is, to first order, the standard error divided by the mean
/// (Meeker, Escobar, "Statistical Methods for Reliability Data", Wiley, 1998, on normal-approximation intervals of
/// positive parameters). The lower end stays the symmetric one while that is above zero, and is that of the same scale
/// where it would not be. A mean that is not positive keeps the symmetric interval.
pub fn ends(mean: f64, half_width: f64) -> (f64, f64) {
    let half = half_width.abs();
    if mean > 0.0 && half > SMALL * mean {
        let factor = exp((half / mean).min(RATIO_MAX));
        let low = if half < mean { mean - half } else { mean / factor };
        return (low, mean * factor);
    }
    (mean - half, mean + half)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_well_is_symmetric_and_nothing_ends_below_zero() {
        assert_eq!(ends(10.0, 2.0), (8.0, 12.0));
        assert_eq!(ends(0.0, 0.0), (0.0, 0.0));
        let (low, high) = ends(10.0, 5.0);
        assert!(low == 5.0 && (high - 16.487_212_707).abs() < 1e-8, "{low} {high}");
        let (low, high) = ends(1.0, 2.0);
        assert!((low - 0.135_335_283).abs() < 1e-8 && (high - 7.389_056_099).abs() < 1e-8, "{low} {high}");
    }

    proptest! {
        #[test]
        fn a_positive_mean_lies_in_a_positive_interval(mean in 1e-9..1e12f64, half in 0.0..1e15f64) {
            let (low, high) = ends(mean, half);
            prop_assert!(0.0 < low && low <= mean && mean <= high && high.is_finite());
            prop_assert!(high >= mean + half.min(RATIO_MAX * mean) * 0.999_999);
        }
    }
}
