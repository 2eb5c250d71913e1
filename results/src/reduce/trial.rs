//! The loss of one trial of a throughput search. It must not know other trials or what loss is allowed.

use serde::{Deserialize, Serialize};

use crate::dataset::RawStream;
use crate::reduce::{CountedWindow, Packets, doubts, packets};
use crate::tuple::Tuple;

/// How long packets may be on their way: traffic that crosses an edge of the window, ns.
const FLIGHT_NS: f64 = 1e6;

/// Packets of a trial's window, all pairs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCount {
    /// Due by the schedule.
    pub intended: u64,
    /// How many of the intended were rejected by the port, missed by the sender, lost on the way, or corrupt.
    pub lost: u64,
}

impl TrialCount {
    /// 1 - received / intended; 0 where nothing was intended.
    pub fn loss_ratio(&self) -> f64 {
        if self.intended == 0 { 0.0 } else { (self.lost as f64 / self.intended as f64).min(1.0) }
    }
}

/// Counts the window of a trial at the fixed rate of `tuple`; absent where a process left no stream.
///
/// What was lost on the way is told by the receiver's gaps: they are exact to the packet, while the difference
/// of two counts over a window is off by what is in flight at its edges, and a search for no loss at all would
/// never end. Where the difference is larger than edges explain, as after a receiver that went silent, it counts.
pub fn trial(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Option<TrialCount> {
    if window.duration_ns == 0 || !doubts::is_staffed(streams, tuple) {
        return None;
    }
    let rate_pps = tuple.rate.fixed_pps()? as f64;
    let Packets { received, rejected, missed, intended, .. } = packets(streams, window, tuple);
    let intended = intended?;
    let sinks = || streams.iter().filter(|stream| stream.role == wire::Role::Receive);
    let corrupt = window.sum(sinks().flat_map(|sink| &sink.intervals), |record| record.corrupt);
    let inside = |stream: &RawStream| -> i64 {
        let records = stream.intervals.iter().filter(|record| window.overlap_ns(record) > 0);
        records.map(|record| i64::from(record.lost)).sum()
    };
    let gaps = sinks().map(inside).sum::<i64>().max(0) as f64;
    let told = rejected + missed + gaps + corrupt;
    let difference = intended - received;
    let pairs = f64::from(tuple.pairs.get());
    let edges = pairs * 2.0 * (f64::from(tuple.burst.get()) + rate_pps * FLIGHT_NS / 1e9);
    let lost = if difference > told + edges { difference } else { told };
    Some(TrialCount { intended: intended as u64, lost: lost.clamp(0.0, intended).round() as u64 })
}
