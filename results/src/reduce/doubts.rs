//! Doubts that the samples themselves raise. It must not know how the host was, or the totals of the run.

use wire::{IntervalRecord, Role};

use crate::axes::Dimension;
use crate::dataset::RawStream;
use crate::flags::{Flag, IDLE_RATIO_MIN, MISSED_RATIO_MAX, STEADY_RATIO_MAX};
use crate::reduce::{CountedWindow, Packets, roles};
use crate::statistics::steady::{Steadiness, mser_5};
use crate::tuple::Tuple;

/// Part of the intended packets that sent, rejected and missed ones together may differ from.
pub const RATE_TOLERANCE: f64 = 0.005;
/// How late a sender may be without missing a deadline: traffic that moves over an edge of the window.
const EDGE_NS: f64 = 1e6;

/// Whether every process that the test has left a stream.
pub fn is_staffed(streams: &[RawStream], tuple: &Tuple) -> bool {
    let (source, sink) = roles(tuple.dimension);
    let has_all =
        |role: Role| streams.iter().filter(|stream| stream.role == role).count() == usize::from(tuple.pairs.get());
    has_all(source) && has_all(sink)
}

/// [`Flag::SampleShortfall`] where a process is missing, or an interval of the window is.
pub fn shortfall(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Vec<Flag> {
    let interval_ns = window.interval_ns.max(1);
    let expected = window.end_ns().div_ceil(interval_ns) - window.warmup_ns / interval_ns;
    let is_covered = |stream: &RawStream| {
        let inside = stream.intervals.iter().filter(|record| window.overlap_ns(record) > 0);
        inside.count() as u64 >= expected
    };
    if is_staffed(streams, tuple) && window.duration_ns > 0 && streams.iter().all(is_covered) {
        Vec::new()
    } else {
        vec![Flag::SampleShortfall]
    }
}

/// Doubts about what was offered.
pub(super) fn of_offer(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple, packets: &Packets) -> Vec<Flag> {
    let (source, _) = roles(tuple.dimension);
    let sources = || streams.iter().filter(|stream| stream.role == source);
    let mut flags = Vec::new();
    if packets.intended.is_some_and(|intended| packets.missed > intended * MISSED_RATIO_MAX) {
        flags.push(Flag::MissedDeadlines);
    }
    if sources().any(|stream| is_generator_bound(stream, window)) {
        flags.push(Flag::GeneratorBound);
    }
    // A client's intervals hold answers; its requests are checked by the totals of the run.
    if tuple.dimension == Dimension::Throughput && !sources().all(|stream| is_explained(stream, window, tuple)) {
        flags.push(Flag::RateUnexplained);
    }
    flags
}

/// [`Flag::NotSteady`] where the rate of a throughput test still changes inside the window: MSER-5 over the
/// received packets of each interval, from the common start on, would drop more than the warm-up does, and the
/// mean without that part differs by more than [`STEADY_RATIO_MAX`]. Either alone is what noise does: where it
/// is best to cut noise is anywhere. The rates of a latency test are its schedule's.
pub(super) fn unsteady(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Option<Flag> {
    let (_, sink) = roles(tuple.dimension);
    if tuple.dimension == Dimension::Latency || window.interval_ns == 0 {
        return None;
    }
    let sinks = || streams.iter().filter(|stream| stream.role == sink);
    let intervals = sinks().map(|stream| stream.intervals.len()).max().unwrap_or(0);
    let whole = usize::try_from(window.end_ns() / window.interval_ns).unwrap_or(usize::MAX).min(intervals);
    let warmup = usize::try_from(window.warmup_ns.div_ceil(window.interval_ns)).unwrap_or(usize::MAX);
    let mut packets = vec![0.0; whole];
    for record in sinks().flat_map(|stream| &stream.intervals) {
        if let Some(slot) = packets.get_mut(record.index.saturating_sub(1) as usize) {
            *slot += f64::from(record.packets);
        }
    }
    let steady_from = match mser_5(&packets).ok()? {
        Steadiness::From(place) => place,
        Steadiness::Never => warmup.saturating_add(whole.saturating_sub(warmup) / 2),
    };
    let inside = packets.get(warmup..)?;
    let rest = packets.get(steady_from..).filter(|rest| steady_from > warmup && !rest.is_empty())?;
    let expected = inside.iter().sum::<f64>() / inside.len() as f64 * rest.len() as f64;
    // Bursts at the edges move a little from one part to the other.
    let edges = 2.0 * f64::from(tuple.burst.get()) * f64::from(tuple.pairs.get()) + 1.0;
    let moved = (rest.iter().sum::<f64>() - expected).abs();
    (moved > (expected * STEADY_RATIO_MAX).max(edges)).then_some(Flag::NotSteady)
}

/// Whether the generator missed deadlines and had no time left.
fn is_generator_bound(stream: &RawStream, window: &CountedWindow) -> bool {
    let missed = window.sum(&stream.intervals, |record| record.missed);
    let idle_ns = window.sum(&stream.intervals, |record| record.idle_ns);
    missed > 0.0 && idle_ns < window.duration_ns as f64 * IDLE_RATIO_MIN
}

/// Sent, rejected and missed packets together are those that were due, to within [`RATE_TOLERANCE`], a burst
/// and a bounded lateness at each edge, and what a stall across an edge moved: its missed deadlines are booked
/// where it ended.
fn is_explained(stream: &RawStream, window: &CountedWindow, tuple: &Tuple) -> bool {
    let Some(rate_pps) = tuple.rate.fixed_pps() else { return true };
    let burst = f64::from(tuple.burst.get());
    let due = window.bursts(rate_pps, tuple.burst.get());
    let intended = (due.end - due.start) as f64 * burst;
    let accounted: f64 = [
        window.sum(&stream.intervals, |record| record.packets),
        window.sum(&stream.intervals, |record| record.rejected),
        window.sum(&stream.intervals, |record| record.missed),
    ]
    .into_iter()
    .sum();
    let stalls = missed_from(stream, window.warmup_ns, window) + missed_from(stream, window.end_ns(), window);
    let edges = 2.0 * (burst + rate_pps as f64 * EDGE_NS / 1e9) + stalls;
    (accounted - intended).abs() <= intended * RATE_TOLERANCE + edges
}

/// Missed deadlines of the first interval that ends after `ns` and in which the sender did anything.
fn missed_from(stream: &RawStream, ns: u64, window: &CountedWindow) -> f64 {
    let is_active = |record: &&IntervalRecord| {
        let ends_ns = u64::from(record.index).saturating_mul(window.interval_ns);
        ends_ns > ns && (record.packets, record.rejected, record.missed) != (0, 0, 0)
    };
    stream.intervals.iter().find(is_active).map_or(0.0, |record| f64::from(record.missed))
}
