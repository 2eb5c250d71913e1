//! Where a series becomes steady: how much of its beginning should be dropped. It must not know what the
//! protocol drops anyway.

use crate::statistics::{SampleError, require};

/// Values a batch.
const BATCH: usize = 5;
/// Fewest batches that the rule is applied to.
const BATCHES_MIN: usize = 10;

/// What MSER-5 says of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steadiness {
    /// Steady from this value on (a multiple of 5).
    From(usize),
    /// The best truncation would drop more than half: not steady within the series.
    Never,
}

/// The truncation that minimises the marginal standard error of the rest, over means of batches of 5
/// (MSER-5: White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69,
/// 1997; batches of 5 and the limit of one half: White, Cobb, Spratt, "A comparison of five steady-state
/// truncation heuristics for simulation", Winter Simulation Conference 2000). Of equal minima the earliest is
/// taken. Values after the last whole batch have no part in it.
///
/// # Errors
///
/// Fewer than 50 values, or one that is not finite.
pub fn mser_5(values: &[f64]) -> Result<Steadiness, SampleError> {
    require(values, BATCH * BATCHES_MIN)?;
    let batches: Vec<f64> =
        values.as_chunks::<BATCH>().0.iter().map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    // From the end on: mean and sum of squared deviations of all batches so far, one batch at a time (Welford,
    // "Note on a method for calculating corrected sums of squares and products", Technometrics 4, 1962).
    let (mut mean, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (kept, (dropped, batch)) in (1u32..).zip(batches.iter().enumerate().rev()) {
        let before = batch - mean;
        mean += before / f64::from(kept);
        squares += before * (batch - mean);
        // Errors of a handful of batches are small by chance.
        if kept as usize >= BATCH {
            let error = squares / (f64::from(kept) * f64::from(kept));
            if error <= best.0 {
                best = (error, dropped);
            }
        }
    }
    let (_, dropped) = best;
    Ok(if dropped * 2 > batches.len() { Steadiness::Never } else { Steadiness::From(dropped * BATCH) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Noise around 100, deterministic.
    fn noise(place: usize) -> f64 {
        100.0 + ((place * 7919) % 101) as f64 / 50.0
    }

    #[test]
    fn degenerate_samples() {
        assert_eq!(mser_5(&[1.0; 49]), Err(SampleError::TooFew { have: 49, need: 50 }));
        assert_eq!(mser_5(&[1.0; 50]), Ok(Steadiness::From(0)));
        let mut values = [1.0; 50];
        values[3] = f64::NAN;
        assert_eq!(mser_5(&values), Err(SampleError::NotFinite));
    }

    #[test]
    fn a_drift_to_the_end_is_never_steady() {
        let values: Vec<f64> = (0..200).map(|place| (place * place) as f64).collect();
        assert_eq!(mser_5(&values), Ok(Steadiness::Never));
    }

    proptest! {
        #[test]
        fn a_slow_start_is_dropped_and_little_more(start in 0usize..60) {
            let values: Vec<f64> = (0..200).map(|place| if place < start { 20.0 } else { noise(place) }).collect();
            let Ok(Steadiness::From(dropped)) = mser_5(&values) else { return Err(TestCaseError::fail("not steady")) };
            prop_assert!(dropped >= start && dropped <= start + 40, "{} of {}", dropped, start);
        }
    }
}
