//! The validated request: what a generator is to do, in types that cannot say anything impossible.
//! It must not open anything; what it refuses, it refuses by words alone.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

pub use wire::bounds::{
    BURST_MAX, FLOWS_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MIN, INTERVAL_NS_MIN, INTERVALS_MAX, RATE_PPS_MAX, TIME_NS_MAX,
    UDP_FLOWS_MAX,
};
use wire::bounds::{CLIENT_BURSTS_MAX, flows_max};
use wire::{Endpoint, Io, Port, Request, Role, Schedule, Wait};

use crate::failure::Failure;
use crate::headers::OVERHEAD_BYTES;
use crate::payload::{Payload, SEQUENCE_MASK};

// All of a schedule's packets can be numbered: it has three times.
const _: () = assert!(3 * (TIME_NS_MAX / 1_000_000_000) * RATE_PPS_MAX < SEQUENCE_MASK);
/// A unicast MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The address's bytes, as sent.
    pub fn octets(&self) -> [u8; 6] {
        self.0
    }

    /// From bytes; `None` for a multicast address or all zeros.
    pub fn from_octets(octets: [u8; 6]) -> Option<Self> {
        (octets[0] & 1 == 0 && octets != [0; 6]).then_some(Self(octets))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|c| c.is_ascii_hexdigit()))?;
            *octet = u8::from_str_radix(part, 16).ok()?;
        }
        if parts.next().is_some() { None } else { Self::from_octets(octets) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// One end of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Unicast.
    pub mac: Mac,
    /// Unicast.
    pub ipv4: Ipv4Addr,
    /// The first of its UDP ports, not 0.
    pub udp_port: u16,
}

/// One measurement, as this process does it.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// What the process does.
    pub role: Role,
    /// How packets get in and out.
    pub io: Io,
    /// The port to open.
    pub port: Port,
    /// Packets a burst, and how many are read at once at most.
    pub burst: u16,
    /// Packets per second; 0 for receivers and servers.
    pub rate_pps: u64,
    /// How many flows packets are spread over, round robin.
    pub flows: u16,
    /// Queues of the port.
    pub queues: u16,
    /// What every packet carries.
    pub payload: Payload,
    /// What waiting does.
    pub wait: Wait,
    /// The times.
    pub schedule: Schedule,
    /// The generator's own end.
    pub local: End,
    /// The other end.
    pub remote: End,
    /// Round trips kept one by one.
    pub rtt_samples_max: u64,
    /// Folder of the records.
    pub output: PathBuf,
}

impl Traffic {
    /// Packets that the schedule wants sent; 0 for receivers and servers.
    pub fn packets_intended(&self) -> u64 {
        wire::bursts_intended(self.schedule.traffic_ns(), self.rate_pps, self.burst) * u64::from(self.burst)
    }

    /// Whether this end sends traffic of its own.
    pub fn originates(&self) -> bool {
        matches!(self.role, Role::Send | Role::Client)
    }

    /// The traffic of `request`.
    ///
    /// # Errors
    /// Names the field that is wrong and what would be right.
    pub fn new(request: Request) -> Result<Self, Failure> {
        let wrong = |what: String| Err(Failure::new(format!("accept the request: {what}")));
        let range = |name: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(Failure::new(format!("accept the request: {name} is {value}, it must be {least} to {most}")))
        };
        if request.version != wire::VERSION {
            return Err(version_mismatch(u64::from(request.version)));
        }
        range("frame_bytes", request.frame_bytes.into(), FRAME_BYTES_MIN.into(), FRAME_BYTES_MAX.into())?;
        range("burst", request.burst.into(), 1, BURST_MAX.into())?;
        range("queues", request.queues.into(), 1, u64::from(u16::MAX))?;
        range("flows", request.flows.into(), 1, flows_max(request.io).into())?;
        check_schedule(&request.schedule, range)?;
        let originates = matches!(request.role, Role::Send | Role::Client);
        match request.rate_pps {
            Some(rate_pps) if originates => range("rate_pps", rate_pps, 1, RATE_PPS_MAX)?,
            None if originates => return wrong("rate_pps is absent, a sender or client needs it".into()),
            Some(_) => return wrong("rate_pps is given, but a receiver or server sends no traffic of its own".into()),
            None => {}
        }
        let local = end("local", &request.local)?;
        let remote = end("remote", &request.remote)?;
        let (name, spread) = if originates { ("local", local) } else { ("remote", remote) };
        range(&format!("{name}.udp_port"), spread.udp_port.into(), 1, u64::from(u16::MAX - request.flows + 1))?;
        if let Port::Interface { name } = &request.port
            && (name.is_empty() || name.len() > 15 || name.bytes().any(|c| c == b'/' || c <= b' ' || c == 0x7f))
        {
            return wrong(format!("port.name {name:?} is not the name of a network interface"));
        }
        if request.output.is_empty() {
            return wrong("output is empty, it must be a folder".into());
        }
        let traffic = Self {
            role: request.role,
            io: request.io,
            port: request.port,
            burst: request.burst,
            rate_pps: request.rate_pps.unwrap_or(0),
            flows: request.flows,
            queues: request.queues,
            payload: Payload::new(usize::from(request.frame_bytes) - OVERHEAD_BYTES, request.flows, request.touch),
            wait: request.wait,
            schedule: request.schedule,
            local,
            remote,
            rtt_samples_max: request.rtt_samples_max,
            output: PathBuf::from(request.output),
        };
        if traffic.role == Role::Client && traffic.packets_intended() / u64::from(traffic.burst) > CLIENT_BURSTS_MAX {
            return wrong("a client's schedule has more bursts than records can number (2^32)".into());
        }
        Ok(traffic)
    }
}

/// What to say to a caller of another version.
pub fn version_mismatch(version: u64) -> Failure {
    Failure::new(format!(
        "accept the request: it has version {version}, this generator speaks version {}; install the two together",
        wire::VERSION
    ))
}

fn check_schedule(
    schedule: &Schedule,
    range: impl Fn(&str, u64, u64, u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    range("schedule.warmup_ns", schedule.warmup_ns, 0, TIME_NS_MAX)?;
    range("schedule.duration_ns", schedule.duration_ns, 1, TIME_NS_MAX)?;
    range("schedule.cooldown_ns", schedule.cooldown_ns, 0, TIME_NS_MAX)?;
    range("schedule.drain_ns_max", schedule.drain_ns_max, 0, TIME_NS_MAX)?;
    range("schedule.interval_ns", schedule.interval_ns, INTERVAL_NS_MIN, TIME_NS_MAX)?;
    range("the number of accounting intervals", schedule.intervals(), 1, INTERVALS_MAX)
}

fn end(name: &str, endpoint: &Endpoint) -> Result<End, Failure> {
    let wrong = |what: String| Failure::new(format!("accept the request: {name}.{what}"));
    let mac = Mac::parse(&endpoint.mac)
        .ok_or_else(|| wrong(format!("mac {:?} is not a unicast address like 02:00:00:00:00:01", endpoint.mac)))?;
    let ipv4: Ipv4Addr = endpoint
        .ipv4
        .parse()
        .map_err(|_| wrong(format!("ipv4 {:?} is not an address like 10.0.0.1", endpoint.ipv4)))?;
    if ipv4.is_unspecified() || ipv4.is_multicast() || ipv4.is_broadcast() {
        return Err(wrong(format!("ipv4 {ipv4} is not a unicast address")));
    }
    if endpoint.udp_port == 0 {
        return Err(wrong("udp_port is 0, it must be 1 to 65535".into()));
    }
    Ok(End { mac, ipv4, udp_port: endpoint.udp_port })
}
