//! The largest of several noisy means, without the bias of having looked. It must not know the axis that the
//! candidates lie on.

use crate::statistics::mean::mean;
use crate::statistics::{SampleError, student};

/// The best of several candidates, and what may be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Place of the candidate that is best by all values.
    pub candidate: usize,
    /// Values that had no part in the choice of their own candidate: their mean is not biased by it.
    pub values: Vec<f64>,
    /// Mean of the best.
    pub mean: f64,
    /// Half width of its 95 % interval.
    pub half_width: f64,
}

/// The candidate with the largest mean, and an estimate of what choosing so gives. The mean of the largest of
/// noisy means is too large, since luck is chosen too. So the best is chosen by one half of the values, those in
/// even places, and its values in odd places are taken, and the other way round: what is averaged had no part in
/// its own choice (data splitting: Cox, Biometrika 62, 1975; both ways, cross-fitting: Chernozhukov et al.,
/// "Double/debiased machine learning for treatment and structural parameters", The Econometrics Journal 21, 2018).
/// Where one candidate is clearly the best, these are simply its values; where several are close, the estimate is
/// a little too low instead of too high. The interval is Student's, no narrower than the candidate's own, and half
/// as much wider as the choice had moved the mean: two choices from one sample are not independent.
///
/// Values must be in the order in which they were measured, in blocks; of candidates with more values than
/// others, the last ones are left out of the estimate.
///
/// # Errors
///
/// No candidates, one with fewer than two values, or a value that is not finite.
pub fn best_of(candidates: &[Vec<f64>]) -> Result<Best, SampleError> {
    let fewest = candidates.iter().map(Vec::len).min().ok_or(SampleError::TooFew { have: 0, need: 1 })?;
    if fewest < 2 {
        return Err(SampleError::TooFew { have: fewest, need: 2 });
    }
    let candidate = largest(candidates.iter().map(|values| mean(values)))?;
    let half = |values: &[f64], first: usize| -> Vec<f64> {
        values.iter().take(fewest).skip(first).step_by(2).copied().collect()
    };
    let by_even = largest(candidates.iter().map(|values| mean(&half(values, 0))))?;
    let by_odd = largest(candidates.iter().map(|values| mean(&half(values, 1))))?;
    let values: Vec<f64> =
        (0..fewest).map(|place| candidates[if place % 2 == 1 { by_even } else { by_odd }][place]).collect();
    let unbiased = mean(&values)?;
    let (naive, own) = student::interval(&candidates[candidate])?;
    let (_, half_width) = student::interval(&values)?;
    let half_width = half_width.max(own) + (naive - unbiased).abs() / 2.0;
    Ok(Best { candidate, values, mean: unbiased, half_width })
}

/// Place of the largest, the first of equal ones.
fn largest(means: impl Iterator<Item = Result<f64, SampleError>>) -> Result<usize, SampleError> {
    let mut best: Option<(f64, usize)> = None;
    for (place, mean) in means.enumerate() {
        let mean = mean?;
        if best.is_none_or(|(largest, _)| mean > largest) {
            best = Some((mean, place));
        }
    }
    best.map(|(_, place)| place).ok_or(SampleError::TooFew { have: 0, need: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::Random;

    #[test]
    fn degenerate_samples() {
        assert_eq!(best_of(&[]), Err(SampleError::TooFew { have: 0, need: 1 }));
        assert_eq!(best_of(&[vec![1.0]]), Err(SampleError::TooFew { have: 1, need: 2 }));
        assert_eq!(best_of(&[vec![1.0, f64::NAN]]), Err(SampleError::NotFinite));
        let equal = best_of(&[vec![1.0; 4], vec![1.0; 4]]).unwrap();
        assert_eq!((equal.candidate, equal.mean, equal.half_width), (0, 1.0, 0.0));
        let clear = best_of(&[vec![1.0, 1.2, 1.1], vec![2.0, 2.2, 2.1, 2.1]]).unwrap();
        assert_eq!((clear.candidate, clear.values), (1, vec![2.0, 2.2, 2.1]));
    }

    #[test]
    fn the_best_of_equals_is_not_better_than_they_are() {
        let mut random = Random::seeded(5);
        let mut unit = || random.below(2001) as f64 / 1000.0 - 1.0;
        let (mut naive, mut split) = (0.0, 0.0);
        let trials = 4000;
        for _ in 0..trials {
            let candidates: Vec<Vec<f64>> = (0..9).map(|_| (0..6).map(|_| unit()).collect()).collect();
            naive += candidates.iter().map(|values| mean(values).unwrap()).fold(f64::MIN, f64::max);
            split += best_of(&candidates).unwrap().mean;
        }
        let (naive, split) = (naive / f64::from(trials), split / f64::from(trials));
        assert!(naive > 0.3, "the naive maximum should show its bias: {naive}");
        assert!(split.abs() < 0.02, "{split}");
    }
}
