//! What was measured is true: the kernel's token bucket on a bridge's port says what must be received, and
//! counts what it drops. It counts frames without FCS, as `frame_bytes` does.

use wire::{Io, Role};

use crate::both_ends::{Ran, check_send};
use crate::link::Link;
use crate::pairs::run;

const WARMUP_MS: u64 = 200;
const WINDOW_MS: u64 = 2_000;
const INTERVAL_MS: u64 = 10;
/// How far the received rate may be from the bucket's.
const TOLERANCE: f64 = 0.01;
/// A neighbour who takes the processor away for longer than the bucket or its queue lasts spoils a measurement;
/// six in a row he does not spoil.
const ATTEMPTS: u32 = 6;

/// A link that lets `rate_bytes` a second through.
struct Shaped {
    link: Link,
    rate_bytes: u64,
}

impl Shaped {
    fn new(io: Io, rate_bytes: u64) -> Option<Self> {
        let link = Link::bridged(matches!(io, Io::Udp | Io::UdpMmsg))?;
        // The bucket is what may pass at once after a pause: 8 ms, or 0.4 % of the window. The queue lasts half
        // a second: so long a sender may be kept from sending.
        let (bucket_bytes, queue_bytes) = (rate_bytes * WINDOW_MS / 1_000 / 250, rate_bytes / 2);
        let tbf = format!("tbf rate {}bit burst {bucket_bytes} limit {queue_bytes}", rate_bytes * 8);
        match link.run_middle(&format!("tc qdisc add dev to_right root {tbf}")) {
            Ok(_) => Some(Self { link, rate_bytes }),
            Err(why) => {
                eprintln!("skipped: no token bucket here: {why}");
                None
            }
        }
    }

    /// Frames that the bucket's queue had no room for, as the kernel counts them.
    fn dropped(&self) -> u64 {
        let said = self.link.run_middle("tc -s qdisc show dev to_right").expect("tc tells");
        let count = said.split_once("(dropped ").and_then(|(_, rest)| rest.split_once(','));
        count.and_then(|(count, _)| count.parse().ok()).unwrap_or_else(|| panic!("no drops in {said:?}"))
    }

    /// Offers three times what the bucket lets through, so that its queue is never empty.
    fn overload(&self, io: Io, frame_bytes: u16) -> Ran {
        run(&self.link, (Role::Send, Role::Receive), io, |request| {
            request.frame_bytes = frame_bytes;
            request.rate_pps = request.rate_pps.map(|_| 3 * self.rate_bytes / u64::from(frame_bytes));
            let schedule = &mut request.schedule;
            schedule.warmup_ns = WARMUP_MS * 1_000_000;
            schedule.duration_ns = WINDOW_MS * 1_000_000;
            schedule.interval_ns = INTERVAL_MS * 1_000_000;
        })
    }
}

fn received_in_window(ran: &Ran) -> u64 {
    let window = (WARMUP_MS / INTERVAL_MS) as usize..((WARMUP_MS + WINDOW_MS) / INTERVAL_MS) as usize;
    ran.right.intervals()[window].iter().map(|record| u64::from(record.packets)).sum()
}

fn is_true(io: Io, frame_bytes: u16, rate_mbps: u64) {
    let rate_bytes = rate_mbps * 1_000_000 / 8;
    let expected = (rate_bytes * WINDOW_MS / 1_000) as f64 / f64::from(frame_bytes);
    for attempt in 1..=ATTEMPTS {
        let Some(shaped) = Shaped::new(io, rate_bytes) else { return };
        let ran = shaped.overload(io, frame_bytes);
        check_send(&ran);
        let (lost, dropped) = (ran.received.lost, shaped.dropped() + ran.received.socket_drops);
        let ratio = received_in_window(&ran) as f64 / expected;
        let what = format!(
            "{io:?}, {frame_bytes} B at {rate_mbps} Mbit/s: {ratio:.4} of what the bucket gives, {lost} lost of {} sent, \
             {dropped} dropped, {} missed",
            ran.sent.sent, ran.sent.missed
        );
        // Lost is what the receiver found missing, dropped what the kernel says; end markers are dropped, too.
        assert!((lost..=lost + 64).contains(&dropped), "{what}");
        if (ratio - 1.0).abs() <= TOLERANCE && lost > 0 {
            eprintln!("{what}");
            return;
        }
        assert!(attempt < ATTEMPTS, "{what}");
        eprintln!("measured again, for this machine is busy: {what}");
    }
}

/// One test, so that its measurements do not disturb each other.
#[test]
fn what_a_link_of_known_rate_lets_through_is_what_is_received_and_the_rest_is_lost() {
    for (frame_bytes, rate_mbps) in [(64, 10), (1500, 20)] {
        for io in [Io::Udp, Io::Raw] {
            is_true(io, frame_bytes, rate_mbps);
        }
    }
}
