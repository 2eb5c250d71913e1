//! A test that can be measured: what planning knows of it, and measuring needs. It must not know how either is done.

use std::sync::Arc;

use host_setup::cores::CorePlan;
use host_setup::eal::Memory;
use host_setup::scene::{Runtime, Uplink};
use host_setup::switch::{Ends, Shape};

use results::tuple::Tuple;

use crate::manifest::Manifest;
use crate::traffic::{self, Seating};

/// A test that can be measured here.
#[derive(Clone, Debug)]
pub struct Ready {
    /// All that can change it.
    pub manifest: Manifest,
    /// The test's side on each host: one, or the senders' and the receivers'.
    pub sides: Arc<[Side]>,
}

/// A test's part on one host.
#[derive(Clone, Debug)]
pub struct Side {
    /// Who does what on which core.
    pub cores: CorePlan,
    /// NUMA node of the card that its packets go through, where there is one.
    pub near: Option<u32>,
    /// How its containers are made.
    pub runtime: Runtime,
    /// The switch's rendered configuration.
    pub configuration: Arc<str>,
    /// What the memory of its DPDK programs is made of; absent for one that has none.
    pub memory: Option<Memory>,
    /// The side's switch.
    pub switch: SwitchPlan,
    /// The switch's way to the other host, if there is one.
    pub uplink: Option<Uplink>,
    /// The network card whose virtual functions are at the ends of its links; absent for another switch.
    pub card: Option<Card>,
}

/// A network card whose virtual functions are given to containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The card's interface.
    pub interface: String,
    /// Libraries of DPDK that drive its functions, in the order in which they are loaded.
    pub drivers: &'static [&'static str],
}

impl Ready {
    /// Whether a set-up can have several windows: traffic is started again over the same switch. Where it has two hosts, or
    /// programs of a site's own, it has one.
    pub fn renews(&self, tuple: &Tuple) -> bool {
        let can = |side: &Side| side.switch.renews && side.card.is_none();
        self.sides.len() == 1 && self.sides.iter().all(can) && traffic::of_site(tuple).is_none()
    }
}

impl Side {
    /// What generators find there.
    pub fn seating(&self) -> Seating<'_> {
        let drivers = self.card.as_ref().map_or(&[][..], |card| card.drivers);
        Seating { ends: self.switch.ends, cores: &self.cores, memory: self.memory, drivers }
    }
}

/// What of its switch was chosen for a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchPlan {
    /// What containers find at their ends of its links.
    pub ends: Ends,
    /// The switch's ports, cores, queues and memory.
    pub shape: Shape,
    /// How much memory it has, MiB.
    pub memory_mib: u32,
    /// Whether its ports take other applications after those before have ended.
    pub renews: bool,
}
