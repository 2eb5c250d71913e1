//! Which values cannot go together in one test, and why. Pure; it must not know groups, files or hosts: what
//! only this machine cannot do is a skipped test, not an error. What a switch can do is the switch's to say.

use std::fmt;

use host_setup::switch::{self, Cores, Descriptor, Queues, Refusal, ShapePart};
use results::axes::{Axis, Dimension, FrameSize, Io, Locality, PacketSize, Pairs, Rate, VSwitch, io_name};
use results::tuple::Tuple;
use wire::bounds::FRAME_BYTES_MAX;

/// Why a test is impossible anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The switch does not reach a second host.
    NotRemote(VSwitch),
    /// The switch does not take the I/O technique.
    Io(VSwitch, Io),
    /// Without FCS an Ethernet frame is not that long.
    TooLong(PacketSize),
    /// The switch cannot use more cores, and is not to be flattered by a budget that it leaves unused.
    SwitchCores(VSwitch, u16),
    /// The switch's ports have not so many queues.
    Queues(Refusal),
    /// The switch has not so many ports.
    Ports(Pairs, Refusal),
    /// A search looks for a throughput.
    SearchOfLatency,
}

impl Fault {
    /// The first fault of a test, if it has one.
    pub fn of(tuple: &Tuple) -> Option<Fault> {
        // Of a switch that only some hosts know, planning asks those.
        if let Some(fault) = switch::descriptor(tuple.vswitch.name()).and_then(|it| Fault::of_switch(tuple, it)) {
            return Some(fault);
        }
        if tuple.variant.frame == FrameSize::NoFcs && tuple.packet.get() > FRAME_BYTES_MAX {
            return Some(Fault::TooLong(tuple.packet));
        }
        if tuple.dimension == Dimension::Latency && !matches!(tuple.rate, Rate::Pps(_)) {
            return Some(Fault::SearchOfLatency);
        }
        None
    }

    /// Whether tests that differ on this axis alone can differ in their fault: where they cannot, one is asked for all.
    pub fn depends_on(axis: Axis) -> bool {
        !matches!(axis, Axis::B | Axis::Touch | Axis::Flows | Axis::Stack | Axis::Runtime)
    }

    /// The first thing that a test asks of its switch and that the switch cannot do on any host.
    pub fn of_switch(tuple: &Tuple, descriptor: &Descriptor) -> Option<Fault> {
        let (vswitch, variant) = (tuple.vswitch, &tuple.variant);
        if tuple.locality == Locality::Remote && !descriptor.uplink {
            return Some(Fault::NotRemote(vswitch));
        }
        if !descriptor.takes(io_name(variant.io)) {
            return Some(Fault::Io(vswitch, variant.io));
        }
        let remote = tuple.locality == Locality::Remote;
        let ports = u32::from(tuple.pairs.get()) * if remote { 1 } else { 2 };
        let refusal = descriptor.possible(ports, variant.switch_cores.into(), variant.queues, remote).err()?;
        Some(match refusal.asked {
            ShapePart::Ports(_) => Fault::Ports(tuple.pairs, refusal),
            ShapePart::Queues(_) => Fault::Queues(refusal),
            ShapePart::Uplink(_) => Fault::NotRemote(vswitch),
            ShapePart::Cores(_) | ShapePart::Memory(_) => Fault::SwitchCores(vswitch, variant.switch_cores),
        })
    }

    /// The axis whose value is to be changed.
    pub fn axis(&self) -> Axis {
        match self {
            Fault::NotRemote(_) => Axis::V,
            Fault::Io(..) => Axis::Io,
            Fault::TooLong(_) => Axis::P,
            Fault::SwitchCores(..) => Axis::SwitchCores,
            Fault::Queues(_) => Axis::Queues,
            Fault::Ports(..) => Axis::S,
            Fault::SearchOfLatency => Axis::R,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Fault::NotRemote(_) => format!("{} do; or exclude the two together", those(|it| it.uplink)),
            Fault::Io(vswitch, io) => {
                let name = vswitch.name();
                let takes = switch::descriptor(name).map(|it| list(&it.io)).unwrap_or_default();
                let others = those(|it| it.takes(io_name(*io)));
                format!("{name} takes {takes}; io = '{}' is for {others}; or exclude the two together", io_name(*io))
            }
            Fault::TooLong(_) => "P is 64 to 1514, or 64 to 1518 with frame = \"with-fcs\"".into(),
            Fault::SwitchCores(..) => {
                let many = those(|it| matches!(it.cores, Cores::Many | Cores::ManyQueues));
                format!("{many} can use more; or exclude the two together")
            }
            Fault::Queues(_) => {
                let many = those(|it| matches!(it.queues, Queues::Many));
                format!("{many} can have more; or exclude the two together")
            }
            Fault::Ports(..) => "take fewer pairs; or exclude the two together".into(),
            Fault::SearchOfLatency => "give R a number, or D = \"throughput\"".into(),
        }
    }
}

/// Names of the switches that can do something: `ovs, sriov and vpp`.
fn those(can: impl Fn(&Descriptor) -> bool) -> String {
    let names: Vec<&String> = switch::descriptors().iter().filter(|it| can(it)).map(|it| &it.name).collect();
    list(&names)
}

fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match &names[..] {
        [] => "none".into(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotRemote(vswitch) => write!(f, "V = '{vswitch}' does not reach a second host (L = 'remote')"),
            Fault::Io(vswitch, io) => {
                let io = io_name(*io);
                match switch::descriptor(vswitch.name()).map(|it| &it.io[..]) {
                    Some([one]) => write!(f, "V = '{vswitch}' takes io = '{one}' only, not '{io}'"),
                    _ => write!(f, "V = '{vswitch}' does not take io = '{io}'"),
                }
            }
            Fault::TooLong(packet) => {
                write!(f, "P = {} is longer than an Ethernet frame without FCS", packet.get())
            }
            Fault::SwitchCores(vswitch, cores) => write!(f, "V = '{vswitch}' cannot use switch_cores = {cores}"),
            Fault::Queues(refusal) => refusal.fmt(f),
            Fault::Ports(pairs, refusal) => write!(f, "S = '{pairs}': {refusal}"),
            Fault::SearchOfLatency => f.write_str("a search for R finds a throughput, not a latency"),
        }
    }
}
