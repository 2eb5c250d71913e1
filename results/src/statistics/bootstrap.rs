//! Intervals of percentiles of samples that come in bursts. It must not know where bursts come from.

use crate::statistics::percentile::{EXCEEDANCES_MIN, Share, of_sorted, rank};
use crate::statistics::random::Random;

/// Resamples that an interval is made of.
pub const RESAMPLES: usize = 1000;

/// A value and the burst that it belongs to; bursts of different repetitions need different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InBurst {
    /// The value, ns.
    pub value: u32,
    /// The burst's number.
    pub burst: u64,
}

/// A percentile with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentileInterval {
    /// The percentile of the sample, by nearest rank.
    pub value: u32,
    /// Lower end.
    pub low: u32,
    /// Upper end.
    pub high: u32,
}

/// There are too few independent bursts for the percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tell a percentile from {bursts} bursts: {EXCEEDANCES_MIN} of them should lie beyond it; measure longer")]
pub struct TooFewBursts {
    /// How many there are.
    pub bursts: u64,
}

/// The percentile of values in bursts with a 95 % percentile-bootstrap interval that resamples whole bursts,
/// because packets of one burst are not independent (Efron, Tibshirani, "An introduction to the bootstrap",
/// 1993, chapters 8 and 13; clusters: Davison, Hinkley, "Bootstrap methods and their application", 1997, 3.8).
/// The same values in any order and the same seed give the same interval.
///
/// # Errors
///
/// Fewer than [`EXCEEDANCES_MIN`] bursts are expected beyond the percentile.
pub fn percentile_by_bursts(
    mut values: Vec<InBurst>,
    share: Share,
    seed: u64,
) -> Result<PercentileInterval, TooFewBursts> {
    values.sort_unstable();
    let mut numbers: Vec<u64> = values.iter().map(|value| value.burst).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let bursts = numbers.len() as u64;
    let refused = TooFewBursts { bursts };
    if share.exceedances_expected(bursts) < EXCEEDANCES_MIN {
        return Err(refused);
    }
    // Bursts by place, so that a resample is a list of how often each was drawn.
    let places: Vec<usize> = values.iter().map(|value| numbers.partition_point(|&n| n < value.burst)).collect();
    let mut sizes = vec![0u64; numbers.len()];
    places.iter().for_each(|&place| sizes[place] += 1);

    let mut random = Random::seeded(seed);
    let mut drawn = vec![0u32; numbers.len()];
    let mut percentiles: Vec<u32> = (0..RESAMPLES)
        .filter_map(|_| {
            drawn.fill(0);
            (0..bursts).for_each(|_| drawn[random.below(bursts) as usize] += 1);
            let count = sizes.iter().zip(&drawn).map(|(size, &times)| size * u64::from(times)).sum();
            let mut left = rank(share, count);
            let at = places.iter().position(|&place| {
                left = left.saturating_sub(u64::from(drawn[place]));
                left == 0
            })?;
            Some(values[at].value)
        })
        .collect();
    percentiles.sort_unstable();
    let end = |share| of_sorted(&percentiles, share).ok_or(refused);
    let sample: Vec<u32> = values.iter().map(|value| value.value).collect();
    Ok(PercentileInterval {
        value: of_sorted(&sample, share).ok_or(refused)?,
        low: end(Share::P2_5)?,
        high: end(Share::P97_5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `bursts` bursts of 8 equal values, each evenly among 0 to 999.
    fn bursts(bursts: u64, random: &mut Random) -> Vec<InBurst> {
        let one = |burst| {
            let value = random.below(1000) as u32;
            (0..8).map(move |_| InBurst { value, burst })
        };
        (0..bursts).flat_map(one).collect()
    }

    #[test]
    fn degenerate_samples() {
        assert_eq!(percentile_by_bursts(vec![], Share::P50, 1), Err(TooFewBursts { bursts: 0 }));
        let values = bursts(99, &mut Random::seeded(1));
        assert_eq!(percentile_by_bursts(values, Share::P90, 1), Err(TooFewBursts { bursts: 99 }));
        let equal = (0..200).map(|burst| InBurst { value: 5, burst }).collect();
        assert_eq!(percentile_by_bursts(equal, Share::P90, 1), Ok(PercentileInterval { value: 5, low: 5, high: 5 }));
    }

    #[test]
    fn the_order_of_values_does_not_matter() {
        let values = bursts(150, &mut Random::seeded(3));
        let reversed = values.iter().rev().copied().collect();
        assert_eq!(percentile_by_bursts(values, Share::P90, 9), percentile_by_bursts(reversed, Share::P90, 9));
    }

    #[test]
    fn intervals_hold_the_true_percentile_although_packets_of_a_burst_are_alike() {
        let mut random = Random::seeded(11);
        let samples = 300;
        let held = (0..samples)
            .filter(|&seed| {
                let interval = percentile_by_bursts(bursts(150, &mut random), Share::P90, seed).unwrap();
                assert!(interval.low <= interval.value && interval.value <= interval.high);
                (interval.low..=interval.high).contains(&899)
            })
            .count();
        assert!(held as f64 >= 0.92 * samples as f64, "{held} of {samples}");
    }
}
