//! Round-trip times of the bursts that were due inside the window. It must not know rates or ratios.
//!
//! Statistics are exact over raw samples. Round trips beyond the generator's cap, or of bursts that it had
//! forgotten when the answer came, are only in buckets of three significant digits and belong to no burst:
//! all of them count, those of the warm-up and the cool-down too, each at its bucket's highest value, which is
//! at most 0.1 % too long.

use std::collections::BTreeMap;

use wire::{OverflowRecord, Role, RttRecord};

use crate::dataset::RawStream;
use crate::metric::Quantity;
use crate::reduce::CountedWindow;
use crate::statistics::bootstrap::{InBurst, percentile_of_many, percentiles_by_bursts};
use crate::statistics::percentile::{EXCEEDANCES_MIN, Share, of_sorted, rank};
use crate::summary::Reduction;
use crate::tuple::Tuple;

/// Percentiles that are reported.
const PERCENTILES: [(Quantity, Share); 5] = [
    (Quantity::RttP50, Share::P50),
    (Quantity::RttP90, Share::P90),
    (Quantity::RttP99, Share::P99),
    (Quantity::RttP999, Share::P999),
    (Quantity::RttP9999, Share::P9999),
];

/// Round trips up to which intervals come from resampled bursts; beyond, from the large-sample form.
const RESAMPLED_MAX: usize = 100_000;

/// Adds the round trips of all clients to the reduction. A percentile with fewer than [`EXCEEDANCES_MIN`]
/// independent bursts expected beyond it is refused. Intervals within the repetition are left out where round
/// trips are in buckets.
pub fn round_trips(reduction: &mut Reduction, streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) {
    let clients = || streams.iter().filter(|stream| stream.role == Role::Client);
    let due = tuple.rate.fixed_pps().map(|rate_pps| window.bursts(rate_pps, tuple.burst.get()));
    let inside = |record: &&RttRecord| due.as_ref().is_none_or(|due| due.contains(&u64::from(record.burst)));
    // Clients have bursts of their own: a number for each client and burst.
    let values: Vec<InBurst> = (0u64..)
        .zip(clients())
        .flat_map(|(client, stream)| stream.rtts.iter().filter(inside).map(move |record| (client, record)))
        .map(|(client, record)| InBurst { value: record.rtt_ns, burst: client << 32 | u64::from(record.burst) })
        .collect();
    let mut rtts_ns: Vec<u32> = values.iter().map(|value| value.value).collect();
    rtts_ns.sort_unstable();
    let mut buckets: Vec<OverflowRecord> =
        clients().flat_map(|client| &client.overflow).copied().filter(|bucket| bucket.count > 0).collect();
    buckets.sort_unstable_by_key(|bucket| bucket.rtt_ns);

    let sorted = Sorted { rtts_ns: &rtts_ns, buckets: &buckets };
    let count = sorted.count();
    reduction.rtt_count = count;
    if count == 0 {
        return;
    }
    reduction.values.insert(Quantity::RttMean, sorted.sum_ns() as f64 / count as f64);
    reduction.values.insert(Quantity::RttMin, sorted.at_rank(1) as f64);
    reduction.values.insert(Quantity::RttMax, sorted.at_rank(count) as f64);
    let bursts = Bursts::of(&values);
    for (quantity, share) in PERCENTILES {
        if share.exceedances_expected(bursts.count()) >= EXCEEDANCES_MIN {
            reduction.values.insert(quantity, sorted.at_rank(rank(share, count)) as f64);
        } else {
            reduction.refused.insert(quantity, bursts.count());
        }
    }
    if buckets.is_empty() {
        reduction.within = within(values, &rtts_ns, bursts);
    }
}

/// The 95 % intervals of percentiles by what this repetition alone can tell.
fn within(values: Vec<InBurst>, sorted: &[u32], bursts: Bursts) -> BTreeMap<Quantity, (f64, f64)> {
    let intervals: Vec<_> = if values.len() <= RESAMPLED_MAX {
        // The seed is the sample's own size: the same samples, the same interval.
        let seed = values.len() as u64;
        percentiles_by_bursts(values, &PERCENTILES.map(|(_, share)| share), seed)
    } else {
        let interval = |share| {
            let percentile = of_sorted(sorted, share).unwrap_or(0);
            percentile_of_many(sorted, &bursts.below(&values, percentile), share)
        };
        PERCENTILES.iter().map(|&(_, share)| interval(share)).collect()
    };
    let told = PERCENTILES.iter().zip(intervals);
    told.filter_map(|((quantity, _), interval)| {
        let interval = interval.ok()?;
        Some((*quantity, (f64::from(interval.low), f64::from(interval.high))))
    })
    .collect()
}

/// Where bursts begin among values: those of a burst arrive together, save few.
struct Bursts {
    /// Distinct numbers, ascending.
    numbers: Vec<u64>,
}

impl Bursts {
    fn of(values: &[InBurst]) -> Bursts {
        let mut numbers: Vec<u64> = Vec::new();
        for value in values {
            if numbers.last() != Some(&value.burst) {
                numbers.push(value.burst);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Bursts { numbers }
    }

    fn count(&self) -> u64 {
        self.numbers.len() as u64
    }

    /// For each burst its values at or below a limit, and all of them.
    fn below(&self, values: &[InBurst], limit: u32) -> Vec<(u32, u32)> {
        let mut counts = vec![(0, 0); self.numbers.len()];
        let (mut known, mut place) = (None, 0);
        for value in values {
            if known != Some(value.burst) {
                known = Some(value.burst);
                place = self.numbers.partition_point(|&number| number < value.burst);
            }
            if let Some((below, all)) = counts.get_mut(place) {
                *below += u32::from(value.value <= limit);
                *all += 1;
            }
        }
        counts
    }
}

/// Round trips in order of their times: single ones, and buckets of them.
struct Sorted<'a> {
    rtts_ns: &'a [u32],
    buckets: &'a [OverflowRecord],
}

impl Sorted<'_> {
    fn count(&self) -> u64 {
        self.buckets.iter().fold(self.rtts_ns.len() as u64, |count, bucket| count.saturating_add(bucket.count))
    }

    fn sum_ns(&self) -> u128 {
        let single: u128 = self.rtts_ns.iter().map(|&rtt_ns| u128::from(rtt_ns)).sum();
        let bucketed = self.buckets.iter().map(|bucket| u128::from(bucket.rtt_ns) * u128::from(bucket.count));
        bucketed.fold(single, u128::saturating_add)
    }

    /// The `rank`-th smallest time, from 1; the largest beyond the last.
    fn at_rank(&self, rank: u64) -> u64 {
        let mut singles = self.rtts_ns;
        let mut left = rank;
        for bucket in self.buckets {
            let before = singles.partition_point(|&rtt_ns| u64::from(rtt_ns) <= bucket.rtt_ns);
            if left <= before as u64 {
                break;
            }
            left -= before as u64;
            singles = &singles[before..];
            if left <= bucket.count {
                return bucket.rtt_ns;
            }
            left -= bucket.count;
        }
        let place = usize::try_from(left.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = singles.last().or(self.rtts_ns.last()).map_or(0, |&rtt_ns| u64::from(rtt_ns));
        let largest = self.buckets.last().map_or(last, |bucket| bucket.rtt_ns.max(last));
        singles.get(place).map_or(largest, |&rtt_ns| u64::from(rtt_ns))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_are_those_of_all_times_sorted(
            mut rtts_ns in prop::collection::vec(0u32..50, 0..40),
            mut buckets in prop::collection::vec((0u64..60, 1u64..5), 0..20),
        ) {
            rtts_ns.sort_unstable();
            buckets.sort_unstable();
            let buckets: Vec<OverflowRecord> =
                buckets.into_iter().map(|(rtt_ns, count)| OverflowRecord { rtt_ns, count }).collect();
            let mut all: Vec<u64> = rtts_ns.iter().map(|&rtt_ns| u64::from(rtt_ns)).collect();
            all.extend(buckets.iter().flat_map(|bucket| std::iter::repeat_n(bucket.rtt_ns, bucket.count as usize)));
            all.sort_unstable();
            let sorted = Sorted { rtts_ns: &rtts_ns, buckets: &buckets };
            prop_assert_eq!(sorted.count(), all.len() as u64);
            prop_assert_eq!(sorted.sum_ns(), all.iter().map(|&ns| u128::from(ns)).sum::<u128>());
            for (place, &expected) in (1u64..).zip(&all) {
                prop_assert_eq!(sorted.at_rank(place), expected);
            }
        }
    }
}
