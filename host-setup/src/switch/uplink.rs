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

/// Cards that DPDK can have whole, by the kernel's driver that has them before: what of DPDK drives them. Others stay with
/// the kernel's driver under DPDK as well, or were never looked at.
const CARDS: [(&str, &[&str]); 11] = [
    ("bnxt_en", &["net_bnxt"]),
    ("e1000e", &["net_e1000"]),
    ("ena", &["net_ena"]),
    ("i40e", &["net_i40e"]),
    ("iavf", &["net_iavf"]),
    ("ice", &["net_ice"]),
    ("igb", &["net_e1000"]),
    ("igbvf", &["net_e1000"]),
    ("igc", &["net_igc"]),
    ("ixgbe", &["net_ixgbe"]),
    ("ixgbevf", &["net_ixgbe"]),
];

/// What of DPDK drives a card that the kernel has with this driver, and that DPDK is given whole.
pub fn card_drivers(kernel: &str) -> Option<&'static [&'static str]> {
    CARDS.iter().find(|(driver, _)| *driver == kernel).map(|(_, drivers)| *drivers)
}

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

    /// Drivers of DPDK that it takes, besides those of a switch without an uplink; for a card that the kernel had with the
    /// driver `card`.
    pub(crate) fn drivers(self, card: Option<&str>) -> Vec<&'static str> {
        match self {
            By::Kernel => Vec::new(),
            By::AfPacket => vec!["net_af_packet"],
            By::AfXdp => vec!["net_af_xdp"],
            By::Pci => {
                let of_card = card.and_then(card_drivers).unwrap_or_default();
                [&["bus_pci"], of_card].concat()
            }
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

    /// The kernel's drivers of cards that can be got at so: what is taken of DPDK differs between them. One that is absent
    /// where it makes no difference.
    pub(crate) fn cards(self) -> Vec<Option<&'static str>> {
        match self {
            By::Pci => CARDS.iter().map(|(driver, _)| Some(*driver)).collect(),
            _ => vec![None],
        }
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
/// not run through it. For a card that is had whole the kernel's driver of it decides which drivers of DPDK's it takes.
pub fn component(switch: &str, by: By, card: Option<&str>) -> String {
    card.map_or_else(|| format!("{switch}-{by}"), |card| format!("{switch}-{by}-{card}"))
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
