//! A mean over repetitions of several stands. It must not know what a stand is.

use crate::statistics::mean::{mean, variance};
use crate::statistics::student::t_95;
use crate::statistics::{SampleError, require};

/// The half width of the 95 % interval of a mean over stands, from what their own means differ by: stands are
/// the independent units, repetitions on one of them are not (one-way random effects: Searle, Casella,
/// McCulloch, "Variance components", 1992, 3.4; the stands' means as a sample of Student's).
///
/// # Errors
///
/// Fewer than two stands, a stand without a value, or a value that is not finite.
pub fn half_width(stands: &[Vec<f64>]) -> Result<f64, SampleError> {
    let means: Result<Vec<f64>, SampleError> = stands.iter().map(|values| mean(values)).collect();
    let means = means?;
    require(&means, 2)?;
    Ok(t_95(means.len() - 1) * (variance(&means)? / means.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degenerate_samples() {
        assert_eq!(half_width(&[]), Err(SampleError::TooFew { have: 0, need: 2 }));
        assert_eq!(half_width(&[vec![1.0, 2.0]]), Err(SampleError::TooFew { have: 1, need: 2 }));
        assert_eq!(half_width(&[vec![1.0], vec![]]), Err(SampleError::TooFew { have: 0, need: 1 }));
        assert_eq!(half_width(&[vec![1.0, 3.0], vec![2.0]]), Ok(0.0));
    }

    #[test]
    fn many_repetitions_do_not_make_up_for_few_stands() {
        let few = half_width(&[vec![10.0; 2], vec![12.0; 2]]).unwrap();
        let many = half_width(&[vec![10.0; 200], vec![12.0; 200]]).unwrap();
        assert_eq!(few, many);
        assert!((many - 12.706_204_736_432_1).abs() < 1e-9, "{many}");
    }
}
