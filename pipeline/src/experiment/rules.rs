//! Which values cannot go together in one test, and why. Pure; it must not know groups, files or hosts: what
//! only this machine cannot do is a skipped test, not an error.

use std::fmt;

use results::axes::{Axis, Dimension, FrameSize, Io, Locality, PacketSize, Rate, VSwitch, io_name};
use results::tuple::Tuple;

/// Why a test is impossible anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The switch does not reach a second host.
    NotRemote(VSwitch),
    /// The kernel's bridge has no ports that DPDK could open.
    BridgeIo,
    /// The switch's ports are no sockets.
    SocketIo(VSwitch, Io),
    /// Without FCS an Ethernet frame is not that long.
    TooLong(PacketSize),
    /// The switch cannot use more than one core, and is not to be flattered by a budget that it leaves unused.
    OneCore(VSwitch, u16),
    /// A search looks for a throughput.
    SearchOfLatency,
}

impl Fault {
    /// The first fault of a test, if it has one.
    pub fn of(tuple: &Tuple) -> Option<Fault> {
        let variant = &tuple.variant;
        let vswitch = tuple.vswitch;
        let in_pairs = matches!(vswitch, VSwitch::Direct | VSwitch::Basicfwd | VSwitch::Testpmd | VSwitch::Snabb);
        if tuple.locality == Locality::Remote && in_pairs {
            return Some(Fault::NotRemote(vswitch));
        }
        match (vswitch, variant.io) {
            (VSwitch::LinuxBridge, Io::Dpdk) => return Some(Fault::BridgeIo),
            (VSwitch::LinuxBridge, _) | (_, Io::Dpdk) => {}
            (_, io) => return Some(Fault::SocketIo(vswitch, io)),
        }
        if variant.frame == FrameSize::NoFcs && tuple.packet.get() > FRAME_BYTES_MAX {
            return Some(Fault::TooLong(tuple.packet));
        }
        let many_cores = matches!(vswitch, VSwitch::Testpmd | VSwitch::Ovs | VSwitch::Vpp);
        if variant.switch_cores > 1 && !many_cores {
            return Some(Fault::OneCore(vswitch, variant.switch_cores));
        }
        if tuple.dimension == Dimension::Latency && !matches!(tuple.rate, Rate::Pps(_)) {
            return Some(Fault::SearchOfLatency);
        }
        None
    }

    /// The axis whose value is to be changed.
    pub fn axis(self) -> Axis {
        match self {
            Fault::NotRemote(_) => Axis::V,
            Fault::BridgeIo | Fault::SocketIo(..) => Axis::Io,
            Fault::TooLong(_) => Axis::P,
            Fault::OneCore(..) => Axis::SwitchCores,
            Fault::SearchOfLatency => Axis::R,
        }
    }

    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            Fault::NotRemote(_) => "linux-bridge, ovs, sriov and vpp do; or exclude the two together",
            Fault::BridgeIo => "linux-bridge takes udp, udp-mmsg, raw and raw-mmsg; or exclude the two together",
            Fault::SocketIo(..) => "only linux-bridge takes sockets; leave io out, or exclude the two together",
            Fault::TooLong(_) => "P is 64 to 1514, or 64 to 1518 with frame = \"with-fcs\"",
            Fault::OneCore(..) => "testpmd, ovs and vpp can use more; or exclude the two together",
            Fault::SearchOfLatency => "give R a number, or D = \"throughput\"",
        }
    }
}

/// Longest Ethernet frame without FCS: 14 bytes of header and 1500 of payload.
const FRAME_BYTES_MAX: u16 = 1514;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::NotRemote(vswitch) => write!(f, "V = '{vswitch}' does not reach a second host (L = 'remote')"),
            Fault::BridgeIo => f.write_str("V = 'linux-bridge' does not take io = 'dpdk'"),
            Fault::SocketIo(vswitch, io) => {
                write!(f, "V = '{vswitch}' takes io = 'dpdk' only, not '{}'", io_name(io))
            }
            Fault::TooLong(packet) => {
                write!(f, "P = {} is longer than an Ethernet frame without FCS", packet.get())
            }
            Fault::OneCore(vswitch, cores) => write!(f, "V = '{vswitch}' cannot use switch_cores = {cores}"),
            Fault::SearchOfLatency => f.write_str("a search for R finds a throughput, not a latency"),
        }
    }
}
