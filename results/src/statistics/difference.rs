//! Two samples held against each other: the ratio of their means with its interval; and what asking many such
//! questions at once does to their answers. It must not know what is compared.

use crate::statistics::mean::{mean, variance};
use crate::statistics::student::t_95;
use crate::statistics::{SampleError, require};

/// A ratio of two means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The later mean over the earlier one.
    pub value: f64,
    /// The ratio's 95 % interval; absent where the earlier mean may be 0, for then any ratio is possible.
    pub interval: Option<(f64, f64)>,
}

/// A sample as a comparison sees it.
#[derive(Clone, Copy, Debug)]
struct Side {
    mean: f64,
    /// The variance of the mean: the sample's variance over its size.
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

/// Probabilities of a family of tests, in any order, each so enlarged that whoever believes those up to a level
/// errs at all in no more than that part of families (Holm, "A simple sequentially
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
        assert_eq!(ratio(&[2.0, 2.0], &[3.0, 3.0]), Ok(Ratio { value: 1.5, interval: Some((1.5, 1.5)) }));
        assert_eq!(ratio(&[-1.0, 1.0], &[3.0, 3.0]).unwrap().interval, None);
        assert_eq!(ratio(&[-1.0, 1.2], &[3.0, 3.0]).unwrap().interval, None, "the earlier mean may be 0");
        assert_eq!(ratio(&[1.0, f64::NAN], &[3.0, 3.0]), Err(SampleError::NotFinite));
        assert_eq!(holm(&[]), Vec::<f64>::new());
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
