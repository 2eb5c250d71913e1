//! A test's coordinates: the tuple (D, L, S, V, P, R, B), the variant, its name, and the value on each axis.
//! It must not know protocols, keys, or how a matrix is written.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::axes::{
    Axis, Burst, Dimension, FrameSize, Io, Locality, PacketSize, Pairs, Rate, RuntimeChoice, VSwitch, io_name,
};

/// The stack that is there without any being named: what the host's own packages install.
pub const STACK_DEFAULT: &str = "system";

static STACK_SHARED: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(STACK_DEFAULT));

/// One test's coordinates. Equal tuples are the same test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tuple {
    /// D.
    pub dimension: Dimension,
    /// L.
    pub locality: Locality,
    /// S.
    pub pairs: Pairs,
    /// V.
    pub vswitch: VSwitch,
    /// P.
    pub packet: PacketSize,
    /// R, a sender.
    pub rate: Rate,
    /// B.
    pub burst: Burst,
    /// What else tells two tests apart.
    pub variant: Variant,
}

/// What else tells two tests apart; each has a default that names and keys leave out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Variant {
    /// I/O technique; the default depends on V.
    pub io: Io,
    /// Whether payload is written and checked.
    pub touch: bool,
    /// Queues a port.
    pub queues: u16,
    /// Flows a sender.
    pub flows: u16,
    /// Named choice of where components come from; shared, since a million tests have the same.
    #[serde(serialize_with = "stack_to_text", deserialize_with = "stack_from_text")]
    pub stack: Arc<str>,
    /// Cores given to the switch.
    pub switch_cores: u16,
    /// Container runtime asked for.
    pub runtime: RuntimeChoice,
    /// What P counts.
    pub frame: FrameSize,
}

fn stack_to_text<S: Serializer>(stack: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stack)
}

fn stack_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(deserializer).map(Arc::from)
}

impl Variant {
    /// What a test through `vswitch` is when nothing else is said.
    pub fn default_for(vswitch: VSwitch) -> Variant {
        let Plain { io, touch, queues, flows, switch_cores, runtime, frame } = Plain::through(vswitch);
        Variant { io, touch, queues, flows, stack: STACK_SHARED.clone(), switch_cores, runtime, frame }
    }
}

/// A default variant without its stack, which is shared: threads that make names would wait for one another.
struct Plain {
    io: Io,
    touch: bool,
    queues: u16,
    flows: u16,
    switch_cores: u16,
    runtime: RuntimeChoice,
    frame: FrameSize,
}

impl Plain {
    fn through(vswitch: VSwitch) -> Plain {
        let (runtime, frame) = (RuntimeChoice::Auto, FrameSize::NoFcs);
        Plain { io: vswitch.io_default(), touch: false, queues: 1, flows: 1, switch_cores: 1, runtime, frame }
    }
}

/// The value of a test on one axis: what figures plot, tables list, and selections compare.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number: S counts pairs, P bytes, R packets per second, B packets.
    Number(u64),
    /// A name.
    Name(String),
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::Name(a), Value::Name(b)) => a.cmp(b),
            (Value::Number(_), Value::Name(_)) => Ordering::Less,
            (Value::Name(_), Value::Number(_)) => Ordering::Greater,
        }
    }
}

impl Tuple {
    /// Frame size on the link in bytes without FCS.
    pub fn frame_bytes(&self) -> u16 {
        match self.variant.frame {
            FrameSize::NoFcs => self.packet.get(),
            FrameSize::WithFcs => self.packet.get() - 4,
        }
    }

    /// The test's value on an axis.
    pub fn value(&self, axis: Axis) -> Value {
        let name = |text: &str| Value::Name(text.to_string());
        match axis {
            Axis::D => name(self.dimension.name()),
            Axis::L => name(self.locality.name()),
            Axis::S => Value::Number(u64::from(self.pairs.get())),
            Axis::V => name(self.vswitch.name()),
            Axis::P => Value::Number(u64::from(self.packet.get())),
            Axis::R => match self.rate {
                Rate::Pps(pps) => Value::Number(u64::from(pps)),
                searched => Value::Name(searched.to_string()),
            },
            Axis::B => Value::Number(u64::from(self.burst.get())),
            Axis::Io => name(io_name(self.variant.io)),
            Axis::Touch => name(if self.variant.touch { "true" } else { "false" }),
            Axis::Queues => Value::Number(u64::from(self.variant.queues)),
            Axis::Flows => Value::Number(u64::from(self.variant.flows)),
            Axis::Stack => name(&self.variant.stack),
            Axis::SwitchCores => Value::Number(u64::from(self.variant.switch_cores)),
            Axis::Runtime => name(self.variant.runtime.name()),
            Axis::Frame => name(self.variant.frame.name()),
        }
    }

    /// The test's value on an axis as names and reports write it: `1vs1`, `64B`, `1Mpps`, `raw-mmsg`.
    pub fn shown(&self, axis: Axis) -> String {
        match axis {
            Axis::S => self.pairs.to_string(),
            Axis::P => self.packet.to_string(),
            Axis::R => self.rate.to_string(),
            _ => match self.value(axis) {
                Value::Number(number) => number.to_string(),
                Value::Name(name) => name,
            },
        }
    }
}

/// The test's name: its tuple and every variant that is not the default,
/// `throughput/local/1vs1/linux-bridge/64B/1Mpps/b64+io=raw-mmsg`.
impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuple { dimension, locality, pairs, vswitch, packet, rate, burst, variant } = self;
        // Names are made of every test of a plan: names of axes are written as they are, which formatting takes longer for.
        for part in [dimension.name(), "/", locality.name(), "/"] {
            f.write_str(part)?;
        }
        pairs.fmt(f)?;
        for part in ["/", vswitch.name(), "/"] {
            f.write_str(part)?;
        }
        packet.fmt(f)?;
        f.write_str("/")?;
        rate.fmt(f)?;
        f.write_str("/")?;
        burst.fmt(f)?;
        let Variant { io, touch, queues, flows, stack, switch_cores, runtime, frame } = variant;
        let default = Plain::through(*vswitch);
        if *io != default.io {
            write!(f, "+io={}", io_name(*io))?;
        }
        if *touch != default.touch {
            write!(f, "+touch={touch}")?;
        }
        if *queues != default.queues {
            write!(f, "+queues={queues}")?;
        }
        if *flows != default.flows {
            write!(f, "+flows={flows}")?;
        }
        if **stack != *STACK_DEFAULT {
            write!(f, "+stack={stack}")?;
        }
        if *switch_cores != default.switch_cores {
            write!(f, "+switch_cores={switch_cores}")?;
        }
        if *runtime != default.runtime {
            write!(f, "+runtime={runtime}")?;
        }
        if *frame != default.frame {
            write!(f, "+frame={frame}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(rate: Rate) -> Tuple {
        Tuple {
            dimension: Dimension::Throughput,
            locality: Locality::Local,
            pairs: Pairs::new(1).unwrap(),
            vswitch: VSwitch::LINUX_BRIDGE,
            packet: PacketSize::new(64).unwrap(),
            rate,
            burst: Burst::new(64).unwrap(),
            variant: Variant::default_for(VSwitch::LINUX_BRIDGE),
        }
    }

    #[test]
    fn a_name_is_the_tuple_and_every_variant_that_is_not_the_default() {
        let mut test = tuple(Rate::Pps(1_000_000));
        assert_eq!(test.to_string(), "throughput/local/1vs1/linux-bridge/64B/1Mpps/b64");
        test.variant.io = Io::RawMmsg;
        test.variant.flows = 4;
        assert_eq!(test.to_string(), "throughput/local/1vs1/linux-bridge/64B/1Mpps/b64+io=raw-mmsg+flows=4");
    }

    #[test]
    fn rates_are_written_exactly_in_the_largest_unit() {
        let shown = |pps| tuple(Rate::Pps(pps)).shown(Axis::R);
        assert_eq!(
            [1, 999, 1_000, 1_500, 2_500_000, 12_500_000, 1_000_001, 1_000_000_000].map(shown),
            ["1pps", "999pps", "1kpps", "1.5kpps", "2.5Mpps", "12.5Mpps", "1.000001Mpps", "1000Mpps"]
        );
    }
}
