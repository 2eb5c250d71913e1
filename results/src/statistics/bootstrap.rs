//! Intervals of percentiles of samples that come in bursts. It must not know where bursts come from.

use crate::statistics::percentile::{EXCEEDANCES_MIN, Share, of_sorted, rank};
use crate::statistics::random::Random;

/// Resamples that an interval is made of.
pub const RESAMPLES: usize = 1000;

/// The normal distribution's two-sided 95 % quantile.
const NORMAL_95: f64 = 1.959_963_984_540_054;

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

/// Percentiles of values in bursts, each with a 95 % percentile-bootstrap interval that resamples whole bursts,
/// because packets of one burst are not independent (Efron, Tibshirani, "An introduction to the bootstrap",
/// 1993, chapters 8 and 13; clusters: Davison, Hinkley, "Bootstrap methods and their application", 1997, 3.8).
/// One that fewer than [`EXCEEDANCES_MIN`] bursts are expected beyond is refused. The same values in any order
/// and the same seed give the same intervals.
pub fn percentiles_by_bursts(
    mut values: Vec<InBurst>,
    shares: &[Share],
    seed: u64,
) -> Vec<Result<PercentileInterval, TooFewBursts>> {
    values.sort_unstable();
    let mut numbers: Vec<u64> = values.iter().map(|value| value.burst).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let bursts = numbers.len() as u64;
    let refused = TooFewBursts { bursts };
    let told: Vec<Share> =
        shares.iter().copied().filter(|share| share.exceedances_expected(bursts) >= EXCEEDANCES_MIN).collect();
    // Bursts by place, so that a resample is a list of how often each was drawn.
    let places: Vec<usize> = values.iter().map(|value| numbers.partition_point(|&n| n < value.burst)).collect();
    let mut sizes = vec![0u64; numbers.len()];
    places.iter().for_each(|&place| sizes[place] += 1);

    let mut random = Random::seeded(seed);
    let mut drawn = vec![0u32; numbers.len()];
    let mut resampled: Vec<Vec<u32>> = vec![Vec::with_capacity(RESAMPLES); told.len()];
    for _ in 0..if told.is_empty() { 0 } else { RESAMPLES } {
        drawn.fill(0);
        (0..bursts).for_each(|_| drawn[random.below(bursts) as usize] += 1);
        let count: u64 = sizes.iter().zip(&drawn).map(|(size, &times)| size * u64::from(times)).sum();
        for (share, found) in told.iter().zip(&mut resampled) {
            found.extend(at_resampled_rank(&values, &places, &drawn, rank(*share, count), count));
        }
    }
    let sample: Vec<u32> = values.iter().map(|value| value.value).collect();
    let interval = |share: Share| {
        let place = told.iter().position(|&known| known == share).ok_or(refused)?;
        let mut found = resampled[place].clone();
        found.sort_unstable();
        let end = |share| of_sorted(&found, share).ok_or(refused);
        let value = of_sorted(&sample, share).ok_or(refused)?;
        Ok(PercentileInterval { value, low: end(Share::P2_5)?, high: end(Share::P97_5)? })
    };
    shares.iter().map(|&share| interval(share)).collect()
}

/// The value of that rank (from 1) of `count` values drawn; looked for from the nearer end.
fn at_resampled_rank(values: &[InBurst], places: &[usize], drawn: &[u32], rank: u64, count: u64) -> Option<u32> {
    let times = |at: &usize| u64::from(drawn[places[*at]]);
    if rank <= count / 2 {
        let mut left = rank;
        let at = (0..values.len()).find(|at| {
            left = left.saturating_sub(times(at));
            left == 0
        })?;
        return Some(values[at].value);
    }
    let mut left = count - rank + 1;
    let at = (0..values.len()).rev().find(|at| {
        left = left.saturating_sub(times(at));
        left == 0
    })?;
    Some(values[at].value)
}

/// The same interval for samples so large that resampling takes too long, by the bootstrap's large-sample form:
/// the error of the share of values at or below the percentile, with bursts as clusters, turned back into values
/// (Woodruff, "Confidence intervals for medians and other position measures", Journal of the American
/// Statistical Association 47, 1952; the error of a ratio of cluster totals: Cochran, "Sampling techniques",
/// 1977, 2.11). `sorted` are all values ascending, `bursts` has for each burst its values at or below the
/// percentile, and all of its values.
///
/// # Errors
///
/// Fewer than [`EXCEEDANCES_MIN`] bursts are expected beyond the percentile.
pub fn percentile_of_many(
    sorted: &[u32],
    bursts: &[(u32, u32)],
    share: Share,
) -> Result<PercentileInterval, TooFewBursts> {
    let refused = TooFewBursts { bursts: bursts.len() as u64 };
    if share.exceedances_expected(refused.bursts) < EXCEEDANCES_MIN {
        return Err(refused);
    }
    let value = of_sorted(sorted, share).ok_or(refused)?;
    let n = sorted.len() as f64;
    let below: f64 = bursts.iter().map(|&(below, _)| f64::from(below)).sum::<f64>() / n;
    let residual = |&(own, all): &(u32, u32)| f64::from(own) - below * f64::from(all);
    let squares: f64 = bursts.iter().map(residual).map(|residual| residual * residual).sum();
    let clusters = bursts.len() as f64;
    let error = (squares * clusters / (clusters - 1.0)).sqrt() / n;
    let reach = NORMAL_95 * error * n;
    let centre = rank(share, sorted.len() as u64) as f64;
    let at = |rank: f64| sorted[(rank.max(1.0) as usize - 1).min(sorted.len() - 1)];
    Ok(PercentileInterval { value, low: at((centre - reach).floor()), high: at((centre + reach).ceil()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percentile_by_bursts(values: Vec<InBurst>, share: Share, seed: u64) -> Result<PercentileInterval, TooFewBursts> {
        percentiles_by_bursts(values, &[share], seed)[0]
    }

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

    #[test]
    fn several_at_once_are_what_each_is_alone() {
        let values = bursts(150, &mut Random::seeded(3));
        let shares = [Share::P50, Share::P99, Share::P90];
        let together = percentiles_by_bursts(values.clone(), &shares, 9);
        for (share, together) in shares.into_iter().zip(together) {
            assert_eq!(together, percentile_by_bursts(values.clone(), share, 9));
        }
    }

    #[test]
    fn the_form_for_many_agrees_with_resampling() {
        let mut random = Random::seeded(17);
        let values = bursts(2000, &mut random);
        let mut sorted: Vec<u32> = values.iter().map(|value| value.value).collect();
        sorted.sort_unstable();
        for share in [Share::P50, Share::P90, Share::P99] {
            let percentile = of_sorted(&sorted, share).unwrap();
            let clusters: Vec<(u32, u32)> = values
                .chunks(8)
                .map(|burst| (burst.iter().filter(|value| value.value <= percentile).count() as u32, 8))
                .collect();
            let many = percentile_of_many(&sorted, &clusters, share).unwrap();
            let resampled = percentile_by_bursts(values.clone(), share, 1).unwrap();
            assert_eq!(many.value, resampled.value);
            let width = f64::from(resampled.high - resampled.low);
            let apart = f64::from(many.low.abs_diff(resampled.low).max(many.high.abs_diff(resampled.high)));
            assert!(apart <= 0.35 * width, "{share:?}: {many:?}, {resampled:?}");
        }
        assert_eq!(percentile_of_many(&[1, 2], &[(1, 1), (0, 1)], Share::P50), Err(TooFewBursts { bursts: 2 }));
    }
}
