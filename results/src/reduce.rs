//! One repetition's raw samples to its values and the doubts that the samples themselves raise. Pure: the
//! same samples, the same values to the last bit. It must not know files, hosts or other repetitions.
//!
//! Time counts from the common start. Interval `i` (from 0) covers `[i * interval_ns, (i + 1) * interval_ns)`;
//! it counts in proportion to what of it lies inside the window `[warmup, warmup + duration)`, so wholly when
//! the window is made of whole intervals. What the schedule intended is counted in bursts that are due inside
//! the window. Packets cross the window's edges in flight, hence a received count can exceed the intended one
//! by a little: loss ratios are never shown below 0.
//!
//! A client's intervals hold answers, not requests: what it sent is what was intended less rejected less
//! missed. A searched rate offers nothing by itself; reduce a trial under the tuple with the trial's rate.

mod doubts;
mod latency;
mod spread;
mod trial;
mod windows;

use std::collections::BTreeMap;

use wire::{IntervalRecord, Role, Schedule, bursts_intended};

use crate::axes::Dimension;
use crate::dataset::RawStream;
use crate::metric::Quantity;
use crate::summary::Reduction;
use crate::tuple::Tuple;

pub use spread::within_window;
pub use trial::{TrialCount, trial};
pub use windows::average;

/// The part of a repetition that counts, in nanoseconds from the common start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedWindow {
    /// When counting begins.
    pub warmup_ns: u64,
    /// How long it is.
    pub duration_ns: u64,
    /// Length of an accounting interval.
    pub interval_ns: u64,
}

impl From<&Schedule> for CountedWindow {
    fn from(schedule: &Schedule) -> CountedWindow {
        CountedWindow {
            warmup_ns: schedule.warmup_ns,
            duration_ns: schedule.duration_ns,
            interval_ns: schedule.interval_ns,
        }
    }
}

impl CountedWindow {
    /// When counting ends.
    fn end_ns(&self) -> u64 {
        self.warmup_ns.saturating_add(self.duration_ns)
    }

    /// Nanoseconds of the record's interval that lie inside.
    fn overlap_ns(&self, record: &IntervalRecord) -> u64 {
        let starts_ns = u64::from(record.index.saturating_sub(1)).saturating_mul(self.interval_ns);
        let ends_ns = starts_ns.saturating_add(self.interval_ns);
        ends_ns.min(self.end_ns()).saturating_sub(starts_ns.max(self.warmup_ns))
    }

    /// The sum of a field over the window, of all records given.
    fn sum<'a>(&self, records: impl IntoIterator<Item = &'a IntervalRecord>, field: fn(&IntervalRecord) -> u32) -> f64 {
        let weighted: u128 =
            records.into_iter().map(|record| u128::from(field(record)) * u128::from(self.overlap_ns(record))).sum();
        let interval_ns = u128::from(self.interval_ns.max(1));
        (weighted / interval_ns) as f64 + (weighted % interval_ns) as f64 / interval_ns as f64
    }

    /// Numbers of the bursts that are due inside, from the first to before the last.
    fn bursts(&self, rate_pps: u64, burst: u16) -> std::ops::Range<u64> {
        bursts_intended(self.warmup_ns, rate_pps, burst)..bursts_intended(self.end_ns(), rate_pps, burst)
    }
}

/// The role that offers packets and the role whose count of them is the result.
fn roles(dimension: Dimension) -> (Role, Role) {
    match dimension {
        Dimension::Throughput => (Role::Send, Role::Receive),
        Dimension::Latency => (Role::Client, Role::Server),
    }
}

/// Reduces the streams of one repetition of the test `tuple` over `window`.
///
/// Rates and ratios of all pairs together, round-trip times of all clients together; where a process left no
/// stream at all there are no values, only flags.
pub fn reduce(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Reduction {
    let mut reduction = Reduction { flags: doubts::shortfall(streams, window, tuple), ..Reduction::default() };
    if window.duration_ns == 0 || !doubts::is_staffed(streams, tuple) {
        return reduction;
    }
    let packets = packets(streams, window, tuple);
    rates(&mut reduction.values, &packets, window, tuple);
    ratios(&mut reduction.values, &packets);
    if tuple.dimension == Dimension::Latency {
        latency::round_trips(&mut reduction, streams, window, tuple);
    }
    reduction.flags.extend(doubts::unsteady(streams, window, tuple));
    reduction.flags.extend(doubts::of_offer(streams, window, tuple, &packets));
    reduction.flags.sort_unstable();
    reduction.flags.dedup();
    reduction
}

/// Counts the packets of the window.
fn packets(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Packets {
    let (source, sink) = roles(tuple.dimension);
    let measured = if tuple.dimension == Dimension::Throughput { sink } else { source };
    let records = |role| streams.iter().filter(move |stream| stream.role == role).flat_map(|stream| &stream.intervals);
    let intended = tuple.rate.fixed_pps().map(|rate_pps| {
        let bursts = window.bursts(rate_pps, tuple.burst.get());
        (bursts.end - bursts.start) as f64 * f64::from(tuple.burst.get()) * f64::from(tuple.pairs.get())
    });
    Packets {
        received: window.sum(records(measured), |record| record.packets),
        sent: match tuple.dimension {
            Dimension::Throughput => Some(window.sum(records(source), |record| record.packets)),
            Dimension::Latency => None,
        },
        rejected: window.sum(records(source), |record| record.rejected),
        missed: window.sum(records(source), |record| record.missed),
        intended,
    }
}

/// Packets of the window, all pairs together; fractions come from intervals that lie partly inside.
struct Packets {
    received: f64,
    /// Packets sent, if counted; a client does not count them an interval.
    sent: Option<f64>,
    rejected: f64,
    missed: f64,
    /// By the schedule; absent for searched rates.
    intended: Option<f64>,
}

impl Packets {
    fn sent(&self) -> Option<f64> {
        self.sent.or_else(|| self.intended.map(|intended| (intended - self.rejected - self.missed).max(0.0)))
    }
}

/// P x 8 x pps, and for layer 1 the 24 bytes that each frame without FCS takes beside itself: FCS 4, preamble
/// and delimiter 8, gap 12 (IEEE 802.3).
const L1_OVERHEAD_BYTES: f64 = 24.0;

fn rates(values: &mut BTreeMap<Quantity, f64>, packets: &Packets, window: &CountedWindow, tuple: &Tuple) {
    let per_second = |count: f64| count * 1e9 / window.duration_ns as f64;
    let rx_pps = per_second(packets.received);
    values.insert(Quantity::RxPps, rx_pps);
    values.insert(Quantity::RxBps, rx_pps * f64::from(tuple.packet.get()) * 8.0);
    values.insert(Quantity::RxBpsL1, rx_pps * (f64::from(tuple.frame_bytes()) + L1_OVERHEAD_BYTES) * 8.0);
    if let Some(sent) = packets.sent() {
        values.insert(Quantity::TxPps, per_second(sent));
    }
    if let Some(rate_pps) = tuple.rate.fixed_pps() {
        values.insert(Quantity::OfferedPps, rate_pps as f64 * f64::from(tuple.pairs.get()));
    }
}

fn ratios(values: &mut BTreeMap<Quantity, f64>, packets: &Packets) {
    if let Some(sent) = packets.sent().filter(|&sent| sent > 0.0) {
        values.insert(Quantity::PathLossRatio, (1.0 - packets.received / sent).max(0.0));
    }
    if let Some(intended) = packets.intended.filter(|&intended| intended > 0.0) {
        values.insert(Quantity::LossRatio, (1.0 - packets.received / intended).max(0.0));
        values.insert(Quantity::RejectedRatio, packets.rejected / intended);
        values.insert(Quantity::MissedRatio, packets.missed / intended);
    }
}
