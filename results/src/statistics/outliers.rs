//! Values far from the rest of their sample: pointed at, never removed. They must not know what a value means.

use crate::statistics::percentile::{Share, interpolated};
use crate::statistics::{SampleError, mean, require};

/// Beyond so many interquartile ranges from the quartiles a value is outside Tukey's fences.
const FENCE: f64 = 1.5;
/// A modified z-score above this is an outlier.
const SCORE_MAX: f64 = 3.5;
/// The normal distribution's third quartile: what makes a median deviation comparable to a standard one.
const NORMAL_QUARTILE: f64 = 0.674_489_750_196_081_7;
/// The square root of pi / 2: the same for a mean deviation.
const NORMAL_MEAN_DEVIATION: f64 = 1.253_314_137_315_500_3;

/// Places of the values outside Tukey's inner fences, 1.5 interquartile ranges beyond the quartiles (Tukey,
/// "Exploratory data analysis", 1977; quartiles interpolated as numpy does).
///
/// # Errors
///
/// No values, or one that is not finite.
pub fn tukey(values: &[f64]) -> Result<Vec<usize>, SampleError> {
    require(values, 1)?;
    let sorted = sorted(values);
    let (low, high) = (interpolated(&sorted, Share::P25), interpolated(&sorted, Share::P75));
    let reach = FENCE * (high - low);
    Ok(places(values, |value| value < low - reach || value > high + reach))
}

/// Places of the values whose modified z-score, 0.6745 (x - median) / MAD, exceeds 3.5 in magnitude (Iglewicz,
/// Hoaglin, "How to detect and handle outliers", 1993). Where more than half of the values are equal, the mean
/// absolute deviation stands in for the MAD, as they advise.
///
/// # Errors
///
/// No values, or one that is not finite.
pub fn median_deviation(values: &[f64]) -> Result<Vec<usize>, SampleError> {
    require(values, 1)?;
    let median = interpolated(&sorted(values), Share::P50);
    let deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    let mad = interpolated(&sorted(&deviations), Share::P50);
    let scale = if mad > 0.0 { mad / NORMAL_QUARTILE } else { mean::mean(&deviations)? * NORMAL_MEAN_DEVIATION };
    Ok(places(values, |value| (value - median).abs() > SCORE_MAX * scale))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn places(values: &[f64], is_far: impl Fn(f64) -> bool) -> Vec<usize> {
    (0..values.len()).filter(|&place| is_far(values[place])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degenerate_samples() {
        for find in [tukey, median_deviation] {
            assert_eq!(find(&[]), Err(SampleError::TooFew { have: 0, need: 1 }));
            assert_eq!(find(&[1.0]), Ok(vec![]));
            assert_eq!(find(&[1.0; 9]), Ok(vec![]));
            assert_eq!(find(&[1.0, f64::NAN]), Err(SampleError::NotFinite));
        }
    }

    #[test]
    fn what_is_far_is_found_on_both_sides() {
        let values = [10.0, 10.2, -50.0, 9.9, 10.1, 10.0, 99.0, 10.3, 9.8];
        assert_eq!(tukey(&values), Ok(vec![2, 6]));
        assert_eq!(median_deviation(&values), Ok(vec![2, 6]));
        assert_eq!(median_deviation(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]), Ok(vec![7]));
    }
}
