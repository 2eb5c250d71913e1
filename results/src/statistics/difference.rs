//! Two samples held against each other: the ratio of their means with its interval, whether the difference is
//! real, and what many such questions at once ask for. It must not know what is compared.

use crate::statistics::mean::{mean, variance};
use crate::statistics::percentile::{Share, interpolated};
use crate::statistics::student::{t_95, t_quantile, t_within};
use crate::statistics::{SampleError, require};

/// Part of families of comparisons in which nothing moved that may name something all the same.
pub const FAMILY_ERROR_MAX: f64 = 0.05;

/// A ratio of two means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The later mean over the earlier one.
    pub value: f64,
    /// Its 95 % interval; absent where the earlier mean cannot be told from 0, so that any ratio is possible.
    pub interval: Option<(f64, f64)>,
}

/// A sample as a comparison sees it.
#[derive(Clone, Copy, Debug)]
struct Side {
    mean: f64,
    /// Of the mean: the sample's variance over its size.
    variance: f64,
    freedom: f64,
}

fn side(values: &[f64]) -> Result<Side, SampleError> {
    require(values, 2)?;
    let n = values.len() as f64;
    Ok(Side { mean: mean(values)?, variance: variance(values)? / n, freedom: n - 1.0 })
}

/// Degrees of freedom of a difference whose two parts have these variances (Welch, "The generalization of
/// Student's problem when several different population variances are involved", Biometrika 34, 1947), rounded
/// down: a little too wide rather than too narrow.
fn freedom(first: (f64, f64), second: (f64, f64)) -> usize {
    let ((a, a_freedom), (b, b_freedom)) = (first, second);
    let sum = a + b;
    if sum <= 0.0 {
        return 1;
    }
    // By parts of the sum, so that tiny variances do not vanish when squared.
    let (a, b) = (a / sum, b / sum);
    ((1.0 / (a * a / a_freedom + b * b / b_freedom)).floor() as usize).max(1)
}

/// `after` over `before` with its 95 % interval: all ratios that a Welch test at 5 % does not contradict
/// (Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16, 1954).
///
/// # Errors
///
/// Fewer than two values on a side, or one that is not finite.
pub fn ratio(before: &[f64], after: &[f64]) -> Result<Ratio, SampleError> {
    let (before, after) = (side(before)?, side(after)?);
    let value = after.mean / before.mean;
    if !value.is_finite() {
        return Ok(Ratio { value, interval: None });
    }
    let freedom = freedom((before.variance * value * value, before.freedom), (after.variance, after.freedom));
    let t = t_95(freedom);
    // Relative to the earlier mean, so that sizes of values do not matter.
    let (v, w) = (before.variance / (before.mean * before.mean), after.variance / (before.mean * before.mean));
    let g = t * t * v;
    if g >= 1.0 {
        return Ok(Ratio { value, interval: None });
    }
    let reach = t * (w * (1.0 - g) + value * value * v).sqrt();
    Ok(Ratio { value, interval: Some(((value - reach) / (1.0 - g), (value + reach) / (1.0 - g))) })
}

/// The standard error of the difference of two means, as a part of the earlier one.
///
/// # Errors
///
/// Fewer than two values on a side, or one that is not finite.
pub fn relative_error(before: &[f64], after: &[f64]) -> Result<f64, SampleError> {
    let (before, after) = (side(before)?, side(after)?);
    let part = (before.variance + after.variance).sqrt() / before.mean.abs();
    Ok(if part.is_finite() { part } else { 0.0 })
}

/// The error that no test of a family is believed to stay below: the lower quartile of all their
/// [`relative_error`]s. Of many tests of three repetitions some look free of noise by chance, above all where a
/// system has two states and all three met the same one; they must not pass for proof. (As the constant in the
/// denominator of Tusher, Tibshirani, Chu, "Significance analysis of microarrays applied to the ionizing
/// radiation response", PNAS 98, 2001, but as a least error, so that tests with more of it pay nothing.)
pub fn least_error(errors: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = errors.iter().copied().filter(|error| error.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    if sorted.is_empty() { 0.0 } else { interpolated(&sorted, Share::P25) }
}

/// The probability of a difference of means at least as large where there is none, by Welch's test (as above)
/// with an error of no less than `error_min`, a part of the earlier mean. Two samples without any error differ
/// surely or not at all.
///
/// # Errors
///
/// Fewer than two values on a side, or one that is not finite.
pub fn p_value(before: &[f64], after: &[f64], error_min: f64) -> Result<f64, SampleError> {
    let (before, after) = (side(before)?, side(after)?);
    let difference = (after.mean - before.mean).abs();
    let error = (before.variance + after.variance).sqrt().max(error_min * before.mean.abs());
    if error == 0.0 {
        return Ok(if difference == 0.0 { 1.0 } else { 0.0 });
    }
    let freedom = freedom((before.variance, before.freedom), (after.variance, after.freedom));
    Ok((1.0 - t_within(difference / error, freedom)).clamp(0.0, 1.0))
}

/// The least change, as a part of the earlier mean, that [`p_value`] would call real every other time beside
/// `tests - 1` others and after [`holm`] at its strictest; absent where the earlier mean is 0.
///
/// # Errors
///
/// Fewer than two values on a side, or one that is not finite.
pub fn detectable(before: &[f64], after: &[f64], error_min: f64, tests: usize) -> Result<Option<f64>, SampleError> {
    let (before, after) = (side(before)?, side(after)?);
    let freedom = freedom((before.variance, before.freedom), (after.variance, after.freedom));
    let t = t_quantile(1.0 - FAMILY_ERROR_MAX / tests.max(1) as f64, freedom);
    let part = t * ((before.variance + after.variance).sqrt() / before.mean.abs()).max(error_min);
    Ok((part.is_finite() && before.mean != 0.0).then_some(part))
}

/// Probabilities of a family of tests, in any order, each so enlarged that whoever believes those up to
/// [`FAMILY_ERROR_MAX`] errs at all in no more than that part of families (Holm, "A simple sequentially
/// rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(a.cmp(&b)));
    let mut adjusted = vec![1.0; probabilities.len()];
    let mut largest = 0.0f64;
    for (rank, place) in order.into_iter().enumerate() {
        let left = (probabilities.len() - rank) as f64;
        largest = largest.max((left * probabilities[place]).min(1.0));
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn degenerate_samples() {
        assert_eq!(p_value(&[1.0], &[1.0, 2.0], 0.0), Err(SampleError::TooFew { have: 1, need: 2 }));
        assert_eq!(p_value(&[1.0, 1.0], &[1.0, 1.0], 0.0), Ok(1.0));
        assert_eq!(p_value(&[1.0, 1.0], &[2.0, 2.0], 0.0), Ok(0.0));
        assert_eq!(ratio(&[2.0, 2.0], &[3.0, 3.0]), Ok(Ratio { value: 1.5, interval: Some((1.5, 1.5)) }));
        assert_eq!(ratio(&[-1.0, 1.0], &[3.0, 3.0]).unwrap().interval, None);
        assert_eq!(ratio(&[-1.0, 1.2], &[3.0, 3.0]).unwrap().interval, None, "the earlier mean may be 0");
        assert_eq!(ratio(&[1.0, f64::NAN], &[3.0, 3.0]), Err(SampleError::NotFinite));
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }

    #[test]
    fn what_can_be_detected_is_what_would_be_called_real() {
        let before = [99.0, 100.0, 101.0, 100.5, 99.5];
        let least = detectable(&before, &before, 0.0, 7).unwrap().unwrap();
        let moved = |part: f64| before.map(|value| value + 100.0 * part);
        let probability = |part| p_value(&before, &moved(part), 0.0).unwrap() * 7.0;
        assert!(probability(least * 1.01) < FAMILY_ERROR_MAX && probability(least * 0.99) > FAMILY_ERROR_MAX);
        assert_eq!(detectable(&[0.0; 3], &[0.0; 3], 0.0, 1), Ok(None));
    }

    #[test]
    fn a_sample_that_looks_free_of_noise_is_no_proof() {
        assert_eq!(least_error(&[]), 0.0);
        assert_eq!(least_error(&[0.0, 0.01, 0.02, 0.03, 0.04]), 0.01);
        let (before, after) = ([100.0, 100.01, 100.0], [102.0, 102.01, 102.0]);
        assert!(p_value(&before, &after, 0.0).unwrap() < 1e-6);
        assert!(p_value(&before, &after, 0.01).unwrap() > 0.05);
        assert_eq!(relative_error(&[0.0, 0.0], &[1.0, 1.0]), Ok(0.0));
    }

    #[test]
    fn probabilities_are_enlarged_step_by_step() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(adjusted.iter().zip(expected).all(|(ours, theirs)| (ours - theirs).abs() < 1e-12), "{adjusted:?}");
    }

    proptest! {
        #[test]
        fn a_ratio_does_not_depend_on_the_unit(
            before in prop::collection::vec(900.0..1100.0f64, 2..8),
            after in prop::collection::vec(900.0..1100.0f64, 2..8),
            unit in 1e-6..1e6f64,
        ) {
            let scaled = |values: &[f64]| values.iter().map(|value| value * unit).collect::<Vec<_>>();
            let (plain, other) = (ratio(&before, &after).unwrap(), ratio(&scaled(&before), &scaled(&after)).unwrap());
            prop_assert!((plain.value - other.value).abs() < 1e-9);
            prop_assert_eq!(plain.interval.is_some(), other.interval.is_some());
            if let Some((low, high)) = plain.interval {
                prop_assert!(low <= plain.value && plain.value <= high);
            }
        }

        #[test]
        fn holm_keeps_the_order_and_enlarges(probabilities in prop::collection::vec(0.0..1.0f64, 1..20)) {
            let adjusted = holm(&probabilities);
            for (a, (&p, &q)) in probabilities.iter().zip(&adjusted).enumerate() {
                prop_assert!(q >= p && q <= 1.0);
                for (b, &other) in probabilities.iter().enumerate() {
                    prop_assert!(p.total_cmp(&other).is_ge() || adjusted[a] <= adjusted[b]);
                }
            }
        }
    }
}
