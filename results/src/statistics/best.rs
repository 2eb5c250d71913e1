//! The largest of several noisy means, without the bias of having looked. It must not know the axis that the
//! candidates lie on.

use crate::statistics::SampleError;
use crate::statistics::mean::mean;

/// A candidate that was chosen, and what may be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Place of the candidate.
    pub candidate: usize,
    /// Its values that had no part in the choice: their mean is not biased by it.
    pub values: Vec<f64>,
}

/// Chooses the candidate with the largest mean over one half of its values, those in even places, and hands
/// back the other half to estimate from. The mean of the largest of noisy means is too large, since luck is
/// chosen too; values that the choice did not see know nothing of luck (sample splitting: Cox, "A note on
/// data-splitting for the evaluation of significance levels", Biometrika 62, 1975). Of equal ones the first is
/// chosen. Values should be in the order in which they were measured, in blocks, so that both halves saw the
/// same conditions.
///
/// # Errors
///
/// No candidates, one with fewer than two values, or a value that is not finite.
pub fn best_of(candidates: &[Vec<f64>]) -> Result<Best, SampleError> {
    let mut best: Option<(f64, usize)> = None;
    for (place, values) in candidates.iter().enumerate() {
        if values.len() < 2 {
            return Err(SampleError::TooFew { have: values.len(), need: 2 });
        }
        mean(values)?;
        let choosing = mean(&half(values, 0))?;
        if best.is_none_or(|(largest, _)| choosing > largest) {
            best = Some((choosing, place));
        }
    }
    let (_, candidate) = best.ok_or(SampleError::TooFew { have: 0, need: 1 })?;
    Ok(Best { candidate, values: half(&candidates[candidate], 1) })
}

fn half(values: &[f64], first: usize) -> Vec<f64> {
    values.iter().skip(first).step_by(2).copied().collect()
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
        assert_eq!(best_of(&[vec![1.0; 4], vec![1.0; 4]]), Ok(Best { candidate: 0, values: vec![1.0; 2] }));
        assert_eq!(best_of(&[vec![1.0, 9.0], vec![2.0, 8.0]]), Ok(Best { candidate: 1, values: vec![8.0] }));
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
            split += mean(&best_of(&candidates).unwrap().values).unwrap();
        }
        let (naive, split) = (naive / f64::from(trials), split / f64::from(trials));
        assert!(naive > 0.3, "the naive maximum should show its bias: {naive}");
        assert!(split.abs() < 0.02, "{split}");
    }
}
