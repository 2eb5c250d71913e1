//! What a request can ask for at most: the one place that has these numbers, for generators, which refuse more, and for
//! whoever asks, who says so earlier.

use crate::request::Io;

/// Smallest frame, without FCS.
pub const FRAME_BYTES_MIN: u16 = 60;
/// Largest frame, without FCS: 14 bytes of header and 1500 of payload.
pub const FRAME_BYTES_MAX: u16 = 1514;
/// Packets a burst; the kernel takes no more in one call.
pub const BURST_MAX: u16 = 1024;
/// Flows of any port.
pub const FLOWS_MAX: u16 = 4096;
/// Flows of a UDP port: each costs the sender a socket.
pub const UDP_FLOWS_MAX: u16 = 64;
/// Fastest offered rate.
pub const RATE_PPS_MAX: u64 = 1_000_000_000;
/// Longest time of a schedule.
pub const TIME_NS_MAX: u64 = 24 * 3_600 * 1_000_000_000;
/// Shortest accounting interval.
pub const INTERVAL_NS_MIN: u64 = 100_000;
/// Accounting intervals in one measurement.
pub const INTERVALS_MAX: u64 = 10_000_000;
/// Bursts of a client: records number them.
pub const CLIENT_BURSTS_MAX: u64 = u32::MAX as u64;

/// Flows of a port of a technique.
pub fn flows_max(io: Io) -> u16 {
    match io {
        Io::Udp | Io::UdpMmsg => UDP_FLOWS_MAX,
        Io::Raw | Io::RawMmsg | Io::Dpdk => FLOWS_MAX,
    }
}
