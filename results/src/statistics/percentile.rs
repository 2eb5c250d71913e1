//! Percentiles by nearest rank, and how many samples one needs. They must not know what is sampled.

use std::cmp::Ordering;

/// Fewest samples that must be expected beyond a percentile for it to be reported: with fewer it rests on a
/// handful of outliers.
pub const EXCEEDANCES_MIN: u64 = 10;

/// The share of samples at or below a percentile, in ten-thousandths: exact, so that ranks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// 2.5 %.
    pub const P2_5: Share = Share(250);
    /// 25 %.
    pub const P25: Share = Share(2_500);
    /// 50 %.
    pub const P50: Share = Share(5_000);
    /// 75 %.
    pub const P75: Share = Share(7_500);
    /// 90 %.
    pub const P90: Share = Share(9_000);
    /// 97.5 %.
    pub const P97_5: Share = Share(9_750);
    /// 99 %.
    pub const P99: Share = Share(9_900);
    /// 99.9 %.
    pub const P999: Share = Share(9_990);
    /// 99.99 %.
    pub const P9999: Share = Share(9_999);
    const WHOLE: u128 = 10_000;

    /// A share in ten-thousandths, 1 to 10,000.
    pub fn from_ten_thousandths(parts: u16) -> Option<Share> {
        (1..=10_000).contains(&parts).then_some(Share(parts))
    }

    /// How many of `count` samples lie beyond it, by expectation, rounded down.
    pub fn exceedances_expected(self, count: u64) -> u64 {
        (u128::from(count) * (Share::WHOLE - u128::from(self.0)) / Share::WHOLE) as u64
    }
}

/// The nearest rank, from 1: the smallest `k` with `k / count` at least `share`, the inverse of the empirical
/// distribution function (Hyndman, Fan, "Sample quantiles in statistical packages", The American
/// Statistician 50, 1996, definition 1). 0 for no samples.
pub fn rank(share: Share, count: u64) -> u64 {
    (u128::from(count) * u128::from(share.0)).div_ceil(Share::WHOLE) as u64
}

/// The percentile of a sorted sample by [`rank`]; none of an empty one.
pub fn of_sorted<T: Copy + PartialOrd>(sorted: &[T], share: Share) -> Option<T> {
    debug_assert!(sorted.is_sorted_by(|a, b| a.partial_cmp(b) != Some(Ordering::Greater)));
    let rank = usize::try_from(rank(share, sorted.len() as u64)).ok()?;
    sorted.get(rank.checked_sub(1)?).copied()
}

/// The percentile of a sorted sample by linear interpolation between the ranks around `1 + (n - 1) share`
/// (Hyndman, Fan, definition 7, numpy's default); not a number for an empty one.
pub fn interpolated(sorted: &[f64], share: Share) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = last as u128 * u128::from(share.0);
    let (below, rest) = ((place / Share::WHOLE) as usize, (place % Share::WHOLE) as f64 / Share::WHOLE as f64);
    let above = sorted[(below + 1).min(last)];
    sorted[below] + (above - sorted[below]) * rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn degenerate_samples() {
        assert_eq!(of_sorted::<u32>(&[], Share::P50), None);
        assert_eq!(of_sorted(&[7], Share::P9999), Some(7));
        assert_eq!(of_sorted(&[1, 2, 3, 4], Share::P50), Some(2));
        assert_eq!(Share::P99.exceedances_expected(999), 9);
        assert_eq!(Share::P99.exceedances_expected(1000), 10);
    }

    proptest! {
        #[test]
        fn enough_samples_lie_at_or_below_it_and_no_smaller_one_would_do(
            mut values in prop::collection::vec(0u32..100, 1..200), parts in 1u16..=10_000,
        ) {
            values.sort_unstable();
            let share = Share::from_ten_thousandths(parts).unwrap();
            let percentile = of_sorted(&values, share).unwrap();
            let at_most = |limit: u32| values.iter().filter(|&&value| value <= limit).count() * 10_000;
            prop_assert!(at_most(percentile) >= usize::from(parts) * values.len());
            if percentile > 0 {
                prop_assert!(at_most(percentile - 1) < usize::from(parts) * values.len());
            }
        }
    }
}
