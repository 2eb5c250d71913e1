//! The request: everything that one generator process is told before it opens its port.
//! It must not name paths, hosts or programs beyond the container that the generator runs in.

use serde::{Deserialize, Serialize};

/// What the process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sends at a rate, open loop.
    Send,
    /// Receives and counts.
    Receive,
    /// Sends at a rate, open loop, and times each answer.
    Client,
    /// Answers each packet.
    Server,
}

/// How packets get in and out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Io {
    /// A connected UDP socket, one system call a packet.
    Udp,
    /// A connected UDP socket, `sendmmsg` and `recvmmsg`.
    UdpMmsg,
    /// `AF_PACKET`, one system call a frame.
    Raw,
    /// `AF_PACKET`, `sendmmsg` and `recvmmsg`.
    RawMmsg,
    /// A DPDK port.
    Dpdk,
}

/// What an empty poll, a full queue or a wait for the next deadline does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Busy-polls: the core is this process's own.
    Spin,
    /// Calls `sched_yield`: the core is shared.
    Yield,
}

/// One end of a flow. Addresses in the usual notation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `aa:bb:cc:dd:ee:ff`.
    pub mac: String,
    /// Dotted quad.
    pub ipv4: String,
    /// First UDP port; flow `i` uses `udp_port + i` at the sending end.
    pub udp_port: u16,
}

/// The times of a measurement, in nanoseconds from the common start. Traffic flows for
/// `warmup + duration + cooldown`; only what lies in `duration` is averaged later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Traffic before the window.
    pub warmup_ns: u64,
    /// The window.
    pub duration_ns: u64,
    /// Traffic after the window.
    pub cooldown_ns: u64,
    /// Length of an accounting interval.
    pub interval_ns: u64,
    /// How long a receiver waits at most for what is still in flight after it was told to stop.
    pub drain_ns_max: u64,
}

impl Schedule {
    /// How long traffic flows, in nanoseconds.
    pub fn traffic_ns(&self) -> u64 {
        self.warmup_ns + self.duration_ns + self.cooldown_ns
    }

    /// How many accounting intervals the traffic and the longest drain span.
    pub fn intervals(&self) -> u64 {
        (self.traffic_ns() + self.drain_ns_max).div_ceil(self.interval_ns.max(1)) + 1
    }
}

/// The port to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Port {
    /// A network interface of the container.
    Interface {
        /// The interface's name, `eth0`.
        name: String,
    },
    /// A DPDK port, by the arguments for the EAL that the caller made.
    Dpdk {
        /// In order, without the program's name.
        eal_args: Vec<String>,
    },
}

/// One measurement, as one generator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`crate::VERSION`].
    pub version: u32,
    /// What the process does.
    pub role: Role,
    /// How packets get in and out.
    pub io: Io,
    /// The port to open.
    pub port: Port,
    /// Frame size in bytes without FCS, 60 to 1514.
    pub frame_bytes: u16,
    /// Packets a burst, 1 to 1024. A receiver reads at most so many at once.
    pub burst: u16,
    /// Offered rate in packets per second of this sender; absent for receivers and servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_pps: Option<u64>,
    /// Number of flows (UDP source ports) the packets are spread over, round robin by packet.
    pub flows: u16,
    /// Number of queues of the port.
    pub queues: u16,
    /// Whether the payload behind the header is written by senders and checked by receivers.
    pub touch: bool,
    /// What waiting does.
    pub wait: Wait,
    /// The times.
    pub schedule: Schedule,
    /// The generator's own end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// Round trips kept one by one; further ones go into a histogram.
    pub rtt_samples_max: u64,
    /// Folder for the records, writable, in memory.
    pub output: String,
}

impl Request {
    /// Packets that the schedule wants sent: [`bursts_intended`] whole bursts; 0 without a rate. A generator
    /// that was not stopped early reports exactly so many as `attempted + missed`.
    pub fn packets_intended(&self) -> u64 {
        let bursts = bursts_intended(self.schedule.traffic_ns(), self.rate_pps.unwrap_or(0), self.burst);
        bursts.saturating_mul(u64::from(self.burst))
    }
}

/// How many bursts of `burst` packets a schedule of `traffic_ns` at `rate_pps` has: burst `k` is due
/// `k * burst / rate_pps` seconds after the start, and those due before the end belong to it, whole.
pub fn bursts_intended(traffic_ns: u64, rate_pps: u64, burst: u16) -> u64 {
    let burst_ns_rate = u128::from(burst.max(1)) * 1_000_000_000;
    let bursts = (u128::from(traffic_ns) * u128::from(rate_pps)).div_ceil(burst_ns_rate);
    u64::try_from(bursts).unwrap_or(u64::MAX)
}
