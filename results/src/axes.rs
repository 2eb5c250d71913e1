//! The names and values of axes: what a test's tuple (D, L, S, V, P, R, B) and its variant are made of.
//! Invalid values cannot be written down. It must not know files, places in files, or what a value costs.

mod vswitch;

use std::fmt;

use serde::{Deserialize, Serialize};
pub use wire::Io;

pub use self::vswitch::VSwitch;

/// An axis of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Axis {
    /// Test dimension.
    D,
    /// Hosts used.
    L,
    /// Container set.
    S,
    /// Virtual switch.
    V,
    /// Packet size.
    P,
    /// Offered rate a sender.
    R,
    /// Burst size.
    B,
    /// I/O technique.
    #[serde(rename = "io")]
    Io,
    /// Whether payload is written and checked.
    #[serde(rename = "touch")]
    Touch,
    /// Queues a port.
    #[serde(rename = "queues")]
    Queues,
    /// Flows a sender.
    #[serde(rename = "flows")]
    Flows,
    /// Where components come from.
    #[serde(rename = "stack")]
    Stack,
    /// Cores given to the switch.
    #[serde(rename = "switch_cores")]
    SwitchCores,
    /// Container runtime.
    #[serde(rename = "runtime")]
    Runtime,
    /// What P counts.
    #[serde(rename = "frame")]
    Frame,
}

impl Axis {
    /// Every axis, the tuple first.
    pub const ALL: [Axis; 15] = [
        Axis::D,
        Axis::L,
        Axis::S,
        Axis::V,
        Axis::P,
        Axis::R,
        Axis::B,
        Axis::Io,
        Axis::Touch,
        Axis::Queues,
        Axis::Flows,
        Axis::Stack,
        Axis::SwitchCores,
        Axis::Runtime,
        Axis::Frame,
    ];

    /// The name in experiments.
    pub fn name(self) -> &'static str {
        match self {
            Axis::D => "D",
            Axis::L => "L",
            Axis::S => "S",
            Axis::V => "V",
            Axis::P => "P",
            Axis::R => "R",
            Axis::B => "B",
            Axis::Io => "io",
            Axis::Touch => "touch",
            Axis::Queues => "queues",
            Axis::Flows => "flows",
            Axis::Stack => "stack",
            Axis::SwitchCores => "switch_cores",
            Axis::Runtime => "runtime",
            Axis::Frame => "frame",
        }
    }

    /// The axis of that name.
    pub fn from_name(name: &str) -> Option<Axis> {
        Axis::ALL.into_iter().find(|axis| axis.name() == name)
    }

    /// What a plot's axis is labelled with.
    pub fn label(self) -> &'static str {
        match self {
            Axis::D => "Test dimension",
            Axis::L => "Hosts",
            Axis::S => "Container pairs",
            Axis::V => "Virtual switch",
            Axis::P => "Packet size (bytes)",
            Axis::R => "Offered rate per sender (pps)",
            Axis::B => "Burst size (packets)",
            Axis::Io => "I/O technique",
            Axis::Touch => "Payload touched",
            Axis::Queues => "Queues",
            Axis::Flows => "Flows",
            Axis::Stack => "Stack",
            Axis::SwitchCores => "Switch cores",
            Axis::Runtime => "Container runtime",
            Axis::Frame => "Frame size counts",
        }
    }

    /// Whether its values are numbers and can stand on a numeric scale.
    pub fn is_numeric(self) -> bool {
        matches!(self, Axis::S | Axis::P | Axis::R | Axis::B | Axis::Queues | Axis::Flows | Axis::SwitchCores)
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An enum whose values have names; `parse` and `name` come from one list, so that they cannot disagree.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant),* }
        impl $name {
            /// Every value, in the order in which reports list them.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The name in experiments, test names and reports.
            pub fn name(self) -> &'static str { match self { $($name::$variant => $text),* } }
            /// The value of that name.
            pub fn from_name(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.name()) }
        }
    };
}

named! {
    /// D: what a test measures.
    Dimension {
        /// Sender and receiver, one way.
        Throughput = "throughput",
        /// Client and server, round trip.
        Latency = "latency",
    }
}
named! {
    /// L: hosts used.
    Locality {
        /// Both ends and the switch are on one host.
        Local = "local",
        /// Two hosts, cabled directly.
        Remote = "remote",
    }
}
named! {
    /// The container runtime that a test asks for.
    RuntimeChoice {
        /// LXC when root and LXC are there, else netns; what was chosen is in the key.
        Auto = "auto",
        /// Namespaces made by the agent.
        Netns = "netns",
        /// LXC.
        Lxc = "lxc",
    }
}
named! {
    /// What P counts.
    FrameSize {
        /// The frame without its 4-byte FCS, as in the paper.
        NoFcs = "no-fcs",
        /// The frame with FCS, as RFC 2544's sizes are.
        WithFcs = "with-fcs",
    }
}

/// The name of an I/O technique.
pub fn io_name(io: Io) -> &'static str {
    match io {
        Io::Udp => "udp",
        Io::UdpMmsg => "udp-mmsg",
        Io::Raw => "raw",
        Io::RawMmsg => "raw-mmsg",
        Io::Dpdk => "dpdk",
    }
}

/// Every I/O technique, in the order in which reports list them.
pub const IO_ALL: [Io; 5] = [Io::Udp, Io::UdpMmsg, Io::Raw, Io::RawMmsg, Io::Dpdk];

/// S: N pairs of containers, `NvsN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Pairs(u16);

impl Pairs {
    /// Most pairs that a test may have.
    pub const MAX: u16 = 64;

    /// `count` pairs, 1 to [`Pairs::MAX`].
    pub fn new(count: u16) -> Option<Pairs> {
        (1..=Pairs::MAX).contains(&count).then_some(Pairs(count))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = itoa::Buffer::new();
        let pairs = digits.format(self.0);
        [pairs, "vs", pairs].into_iter().try_for_each(|part| f.write_str(part))
    }
}

/// P: packet size in bytes, 64 to 1514 (1518 where FCS is counted); what it counts is [`FrameSize`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PacketSize(u16);

impl PacketSize {
    /// `bytes`, if a frame can have that size at all.
    pub fn new(bytes: u16) -> Option<PacketSize> {
        (64..=1518).contains(&bytes).then_some(PacketSize(bytes))
    }

    /// In bytes, as the experiment counts.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for PacketSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(itoa::Buffer::new().format(self.0))?;
        f.write_str("B")
    }
}

/// B: packets a burst, 1 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Burst(u16);

impl Burst {
    /// `packets`, 1 to 1024.
    pub fn new(packets: u16) -> Option<Burst> {
        (1..=1024).contains(&packets).then_some(Burst(packets))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("b")?;
        f.write_str(itoa::Buffer::new().format(self.0))
    }
}

/// R: what a sender offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rate {
    /// Packets per second, 1 to 1e9.
    Pps(u32),
    /// The highest rate without loss, to be searched.
    Ndr,
    /// The highest rate with at most this loss, in millionths, to be searched.
    Pdr(u32),
}

impl Rate {
    /// Highest rate that can be asked for, packets per second.
    pub const PPS_MAX: u64 = wire::bounds::RATE_PPS_MAX;

    /// A fixed rate, 1 to [`Rate::PPS_MAX`].
    pub fn pps(pps: u64) -> Option<Rate> {
        if (1..=Rate::PPS_MAX).contains(&pps) { u32::try_from(pps).ok().map(Rate::Pps) } else { None }
    }

    /// The fixed rate, if it is one.
    pub fn fixed_pps(self) -> Option<u64> {
        match self {
            Rate::Pps(pps) => Some(u64::from(pps)),
            Rate::Ndr | Rate::Pdr(_) => None,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Rate::Pps(pps) => {
                let (unit, size) = match pps {
                    1_000_000.. => ("Mpps", 1_000_000),
                    1_000.. => ("kpps", 1_000),
                    _ => ("pps", 1),
                };
                let (whole, mut fraction) = (pps / size, pps % size);
                if fraction == 0 {
                    f.write_str(itoa::Buffer::new().format(whole))?;
                    return f.write_str(unit);
                }
                let mut digits = size.ilog10() as usize;
                while fraction % 10 == 0 {
                    fraction /= 10;
                    digits -= 1;
                }
                write!(f, "{whole}.{fraction:0digits$}{unit}")
            }
            Rate::Ndr => f.write_str("ndr"),
            Rate::Pdr(millionths) => write!(f, "pdr{millionths}ppm"),
        }
    }
}

macro_rules! from_number {
    ($($name:ident($type:ty) $what:literal),*) => { $(
        impl TryFrom<$type> for $name {
            type Error = OutOfRange;
            fn try_from(value: $type) -> Result<$name, OutOfRange> { $name::new(value).ok_or(OutOfRange($what)) }
        }
        impl From<$name> for $type {
            fn from(value: $name) -> $type { value.get() }
        }
    )* };
}
from_number!(Pairs(u16) "S", PacketSize(u16) "P", Burst(u16) "B");

/// A stored value is outside its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value out of range for axis {0}")]
pub struct OutOfRange(pub &'static str);
