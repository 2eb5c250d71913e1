//! Sums, means and spreads. They must not know distributions.

use crate::statistics::{SampleError, require};

/// The sum in the given order, with the rounding error of each step carried along (Neumaier, "Rundungsfehler-
/// analyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54, 1974).
pub fn sum(values: &[f64]) -> f64 {
    let mut sum = 0.0f64;
    let mut carried = 0.0f64;
    for &value in values {
        let next = sum + value;
        carried += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    // An overflow leaves no error to carry, only an indeterminate difference.
    if sum.is_finite() { sum + carried } else { sum }
}

/// The arithmetic mean.
///
/// # Errors
///
/// No values, or one that is not finite.
pub fn mean(values: &[f64]) -> Result<f64, SampleError> {
    require(values, 1)?;
    Ok(sum(values) / values.len() as f64)
}

/// The sample variance, divided by n - 1, by the corrected two-pass algorithm (Chan, Golub, LeVeque,
/// "Algorithms for computing the sample variance", The American Statistician 37, 1983, equation 1.7).
///
/// # Errors
///
/// Fewer than two values, or one that is not finite.
pub fn variance(values: &[f64]) -> Result<f64, SampleError> {
    require(values, 2)?;
    let n = values.len() as f64;
    let mean = sum(values) / n;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean) * (value - mean)).collect();
    let deviations: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let rest = sum(&deviations);
    Ok(((sum(&squares) - rest * rest / n) / (n - 1.0)).max(0.0))
}

/// The sample standard deviation: the square root of [`variance`].
///
/// # Errors
///
/// As [`variance`].
pub fn standard_deviation(values: &[f64]) -> Result<f64, SampleError> {
    Ok(variance(values)?.sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn degenerate_samples() {
        assert_eq!(mean(&[]), Err(SampleError::TooFew { have: 0, need: 1 }));
        assert_eq!(mean(&[3.0]), Ok(3.0));
        assert_eq!(variance(&[3.0]), Err(SampleError::TooFew { have: 1, need: 2 }));
        assert_eq!(standard_deviation(&[0.1; 10]), Ok(0.0));
        assert_eq!(mean(&[1.0, f64::NAN]), Err(SampleError::NotFinite));
        assert_eq!(variance(&[1.0, f64::INFINITY]), Err(SampleError::NotFinite));
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn small_terms_beside_large_ones_are_not_lost() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(variance(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]), Ok(30.0));
    }

    proptest! {
        #[test]
        fn a_mean_lies_within_its_sample_and_moves_with_it(
            values in prop::collection::vec(-1e6..1e6f64, 2..50), shift in -1e6..1e6f64,
        ) {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let centre = mean(&values).unwrap();
            prop_assert!(least - 1e-9 <= centre && centre <= largest + 1e-9);
            let shifted: Vec<f64> = values.iter().map(|value| value + shift).collect();
            prop_assert!((mean(&shifted).unwrap() - centre - shift).abs() < 1e-8);
            let spread = variance(&values).unwrap();
            prop_assert!((variance(&shifted).unwrap() - spread).abs() <= 1e-6 * spread.max(1e-3));
        }
    }
}
