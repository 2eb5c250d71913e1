//! Statistics of samples, by topic. Pure functions, each citing its method; arithmetic in a fixed order with
//! nothing but `+ - * /` and square roots, so that every machine computes the same bits. They must not know
//! what the numbers measure.

pub mod best;
pub mod bootstrap;
pub mod difference;
pub mod family;
pub mod mean;
pub mod outliers;
pub mod percentile;
pub mod positive;
pub mod precise;
pub mod random;
pub mod sequential;
pub mod special;
pub mod stands;
pub mod steady;
pub mod student;

/// The sample does not allow the statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// Fewer values than the statistic needs.
    #[error("compute a statistic of {have} values: it needs {need}")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// A value is infinite or no number.
    #[error("compute a statistic: a value is infinite or not a number")]
    NotFinite,
}

/// At least `need` values, all of them finite.
fn require(values: &[f64], need: usize) -> Result<(), SampleError> {
    if values.len() < need {
        return Err(SampleError::TooFew { have: values.len(), need });
    }
    if values.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(SampleError::NotFinite) }
}
