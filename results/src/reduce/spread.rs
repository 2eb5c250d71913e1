//! How much the mean of one window is worth by its own samples, neighbours being alike. It must not know other windows.

use wire::Role;

use crate::axes::Dimension;
use crate::dataset::RawStream;
use crate::reduce::CountedWindow;
use crate::statistics::precise;
use crate::tuple::Tuple;

/// The variance of what a repetition is judged by (received packets/s, or the mean round trip in ns), times the length of
/// the window in seconds; absent where the window has too few samples to tell.
pub fn within_window(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Option<f64> {
    let seconds = window.duration_ns as f64 / 1e9;
    let values = match tuple.dimension {
        Dimension::Throughput => rates(streams, window),
        Dimension::Latency => round_trips(streams, window, tuple),
    };
    precise::within(&values, seconds).ok()
}

/// Received packets/s of each whole interval of the window, all receivers together.
fn rates(streams: &[RawStream], window: &CountedWindow) -> Vec<f64> {
    let interval_ns = window.interval_ns.max(1);
    let first = window.warmup_ns.div_ceil(interval_ns);
    let count = (window.warmup_ns.saturating_add(window.duration_ns) / interval_ns).saturating_sub(first);
    // No window is so long that this would not fit; a record of somebody else's may say so.
    let recorded = streams.iter().map(|stream| stream.intervals.len()).max().unwrap_or(0);
    let mut packets = vec![0.0; usize::try_from(count).unwrap_or(usize::MAX).min(recorded)];
    let sinks = streams.iter().filter(|stream| stream.role == Role::Receive);
    for record in sinks.flat_map(|stream| &stream.intervals) {
        let place = u64::from(record.index.saturating_sub(1)).checked_sub(first);
        if let Some(slot) = place.and_then(|place| packets.get_mut(usize::try_from(place).ok()?)) {
            *slot += f64::from(record.packets);
        }
    }
    packets.iter_mut().for_each(|packets| *packets *= 1e9 / interval_ns as f64);
    packets
}

/// Round trips of bursts that were due in the window, ns, in the order of their bursts.
fn round_trips(streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Vec<f64> {
    let Some(rate_pps) = tuple.rate.fixed_pps() else { return Vec::new() };
    let due = window.bursts(rate_pps, tuple.burst.get());
    let clients = streams.iter().filter(|stream| stream.role == Role::Client);
    let inside = clients.flat_map(|stream| &stream.rtts).filter(|record| due.contains(&u64::from(record.burst)));
    let mut placed: Vec<(u32, u32)> = inside.map(|record| (record.burst, record.rtt_ns)).collect();
    placed.sort_unstable_by_key(|(burst, _)| *burst);
    placed.into_iter().map(|(_, rtt_ns)| f64::from(rtt_ns)).collect()
}
