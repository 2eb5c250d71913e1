//! What is measured is true: a token bucket of a known rate on the link says what must be received.
//! The token bucket is the kernel's, and counts frames without FCS, as `frame_bytes` does.

use wire::{Io, Role};

use crate::link::Link;
use crate::pairs::{check_send, run};

const WARMUP_MS: u64 = 200;
const WINDOW_MS: u64 = 2_000;
const INTERVAL_MS: u64 = 10;
/// How far the received rate may be from the bucket's.
const TOLERANCE: f64 = 0.01;
/// A neighbour that takes the processor away for longer than the bucket lasts spoils a measurement, not the
/// generator; three in a row it does not spoil.
const ATTEMPTS: u32 = 3;

/// Offers half as much again as a bucket of `rate_mbps` lets through, so that its queue is never empty, and
/// compares what arrived in the window with it.
fn receives_what_the_bucket_gives(io: Io, frame_bytes: u16, rate_mbps: u64) {
    let Some(link) = Link::new(matches!(io, Io::Udp | Io::UdpMmsg)) else { return };
    let rate_bytes = rate_mbps * 1_000_000 / 8;
    let window_bytes = rate_bytes * WINDOW_MS / 1_000;
    // The bucket is what may pass at once after a pause: 0.4 % of the window at most, 8 ms. The queue holds 50 ms.
    let (bucket_bytes, queue_bytes) = (window_bytes / 250, rate_bytes / 20);
    let qdisc = format!("tc qdisc add dev left root tbf rate {rate_mbps}mbit burst {bucket_bytes} limit {queue_bytes}");
    if let Err(why) = link.run_left(&qdisc) {
        eprintln!("skipped: no token bucket here: {why}");
        return;
    }
    let expected = window_bytes as f64 / f64::from(frame_bytes);
    for attempt in 1..=ATTEMPTS {
        let ran = run(&link, (Role::Send, Role::Receive), io, |request| {
            request.frame_bytes = frame_bytes;
            request.rate_pps = request.rate_pps.map(|_| rate_bytes * 3 / 2 / u64::from(frame_bytes));
            let schedule = &mut request.schedule;
            schedule.warmup_ns = WARMUP_MS * 1_000_000;
            schedule.duration_ns = WINDOW_MS * 1_000_000;
            schedule.interval_ns = INTERVAL_MS * 1_000_000;
        });
        check_send(&ran);
        let intervals = ran.right.intervals();
        let window = (WARMUP_MS / INTERVAL_MS) as usize..((WARMUP_MS + WINDOW_MS) / INTERVAL_MS) as usize;
        let received: u64 = intervals[window].iter().map(|record| u64::from(record.packets)).sum();
        let ratio = received as f64 / expected;
        let what = format!(
            "{io:?} of {frame_bytes} B at {rate_mbps} Mbit/s: {received} packets in the window, {ratio:.4} of what the bucket \
             gives; {} lost, {} dropped at the socket, {} missed of {}",
            ran.received.lost, ran.received.socket_drops, ran.sent.missed, ran.intended
        );
        if (ratio - 1.0).abs() <= TOLERANCE && ran.sent.rejected > 0 {
            eprintln!("{what}");
            return;
        }
        assert!(attempt < ATTEMPTS, "{what}");
        eprintln!("measured again, for the machine may have been busy: {what}");
    }
}

#[test]
fn small_udp_packets_arrive_at_the_rate_of_the_link() {
    receives_what_the_bucket_gives(Io::Udp, 64, 20);
}

#[test]
fn small_raw_frames_arrive_at_the_rate_of_the_link() {
    receives_what_the_bucket_gives(Io::Raw, 64, 20);
}

#[test]
fn large_udp_packets_arrive_at_the_rate_of_the_link() {
    receives_what_the_bucket_gives(Io::Udp, 1500, 100);
}

#[test]
fn large_raw_frames_arrive_at_the_rate_of_the_link() {
    receives_what_the_bucket_gives(Io::Raw, 1500, 100);
}
