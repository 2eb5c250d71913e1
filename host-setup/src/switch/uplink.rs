//! A switch's way to another host: an interface or a device of the host that becomes one more port of it. It must not
//! know who is at the other end, or how the interface came to be where the switch is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the port in configurations and counters. No container is called so.
pub const UPLINK: &str = "uplink";
/// What stands for the interface or device in configurations that are part of keys.
pub(super) const NEUTRAL: &str = "UPLINK";
/// The most sides that a test has.
pub const SIDES_MAX: u8 = 2;

/// By what a switch gets at what its packets leave through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The kernel's driver of the interface; the switch is in the kernel.
    Kernel,
    /// A packet socket over the kernel's interface.
    AfPacket,
    /// An XDP socket over the kernel's interface.
    AfXdp,
    /// A driver of DPDK's, which has the device to itself.
    Pci,
}

impl By {
    /// Every one.
    pub const ALL: [By; 4] = [By::Kernel, By::AfPacket, By::AfXdp, By::Pci];

    /// The name in configurations and site files.
    pub fn name(self) -> &'static str {
        match self {
            By::Kernel => "kernel",
            By::AfPacket => "af-packet",
            By::AfXdp => "af-xdp",
            By::Pci => "pci",
        }
    }

    /// Drivers of DPDK that it takes, besides those of a switch without an uplink; none where they are not of this
    /// version's knowing.
    pub(crate) fn drivers(self) -> &'static [&'static str] {
        match self {
            By::Kernel => &[],
            By::AfPacket => &["net_af_packet"],
            By::AfXdp => &["net_af_xdp"],
            By::Pci => &["bus_pci"],
        }
    }

    /// Programs of the kernel's that a library of the driver's loads, where the system has them.
    pub(crate) fn objects(self) -> &'static [&'static str] {
        #[cfg(target_arch = "x86_64")]
        const LOADED: [&str; 3] = [
            "/usr/lib/x86_64-linux-gnu/bpf/xsk_def_xdp_prog.o",
            "/usr/lib/x86_64-linux-gnu/bpf/xsk_def_xdp_prog_5.3.o",
            "/usr/lib/x86_64-linux-gnu/bpf/xdp-dispatcher.o",
        ];
        #[cfg(not(target_arch = "x86_64"))]
        const LOADED: [&str; 3] =
            ["/usr/lib/bpf/xsk_def_xdp_prog.o", "/usr/lib/bpf/xsk_def_xdp_prog_5.3.o", "/usr/lib/bpf/xdp-dispatcher.o"];
        if self == By::AfXdp { &LOADED } else { &[] }
    }

    /// The device as DPDK is to make or find it: over an interface of that name, or at that PCI address.
    pub(crate) fn device(self, name: &str) -> String {
        match self {
            By::Kernel | By::Pci => name.to_owned(),
            By::AfPacket => format!("eth_af_packet0,iface={name},qdisc_bypass=1"),
            By::AfXdp => format!("net_af_xdp0,iface={name},start_queue=0,queue_count=1"),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of the component that a switch's uplink is, apart from the switch's own: a test that stays on one host does
/// not run through it.
pub fn component(switch: &str, by: By) -> String {
    format!("{switch}-{by}")
}

/// The uplink as part of a switch's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    /// By what it is got at.
    pub by: By,
    /// Which side of the test the switch is on: addresses of its own differ from side to side.
    pub side: u8,
}
