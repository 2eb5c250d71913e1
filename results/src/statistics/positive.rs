//! Intervals of what cannot be negative: rates, ratios, times. It must not know what is measured.

use crate::statistics::special::exp;

/// Beyond so many half widths the mean says nothing; ends stay numbers that can be written down.
const RATIO_MAX: f64 = 30.0;

/// The ends of the interval of a positive mean, given the half width `h` of a symmetric one. Where that one stays at
/// or above zero it is the answer. Where it would not, the mean is far less certain than its own size, and the
/// interval is that on a logarithmic scale, mean · exp(±h / mean): the standard error of the logarithm is, to first
/// order, the standard error divided by the mean (Meeker, Escobar, "Statistical Methods for Reliability Data", Wiley,
/// 1998, on normal-approximation intervals of positive parameters). A mean that is not positive keeps the symmetric one.
pub fn ends(mean: f64, half_width: f64) -> (f64, f64) {
    let half = half_width.abs();
    if mean > 0.0 && half > mean {
        let factor = exp((half / mean).min(RATIO_MAX));
        return (mean / factor, mean * factor);
    }
    (mean - half, mean + half)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stays_above_zero_is_symmetric() {
        assert_eq!(ends(10.0, 4.0), (6.0, 14.0));
        assert_eq!(ends(10.0, 10.0), (0.0, 20.0));
        assert_eq!(ends(0.0, 0.0), (0.0, 0.0));
        let (low, high) = ends(1.0, 2.0);
        assert!((low - 0.135_335_283).abs() < 1e-8 && (high - 7.389_056_099).abs() < 1e-8, "{low} {high}");
    }

    proptest! {
        #[test]
        fn a_positive_mean_lies_in_a_positive_interval(mean in 1e-9..1e12f64, half in 0.0..1e15f64) {
            let (low, high) = ends(mean, half);
            prop_assert!(0.0 <= low && low <= mean && mean <= high && high.is_finite());
            prop_assert!(high >= mean + half.min(RATIO_MAX * mean) * 0.999_999);
        }
    }
}
