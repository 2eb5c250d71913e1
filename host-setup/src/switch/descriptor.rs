//! What a switch is and what it can do, as data that an agent sends with its facts: whoever checks, plans, renders,
//! draws or explains asks this, and nobody asks for names. It must not know how a switch is run.

use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, ShapePart};
use super::template::Template;
use super::uplink::{By, Uplink};
use super::{End, RenderError, Shape};
use crate::eal::Memory;

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What experiments call it.
    pub name: String,
    /// I/O techniques that it takes, by name.
    pub io: Vec<String>,
    /// What is at the ends of its links.
    pub ends: Ends,
    /// How it finds the port for a packet.
    pub forwards: Forwards,
    /// Whether it reaches a second host.
    pub uplink: bool,
    /// How many ports it can have.
    pub ports: Ports,
    /// How many cores it can poll on.
    pub cores: Cores,
    /// How many queues a port can have.
    pub queues: Queues,
    /// What its memory is made of, and how much it takes.
    pub memory: MemoryUse,
    /// How it is drawn.
    pub drawn: Drawn,
    /// Whether it is made of programs, which can come from a stack and are in keys by their content.
    pub programs: bool,
    /// Packages of the system that have its programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Why only root can run it; absent if others can, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_root: Option<String>,
    /// Whether a port of it takes another application after one has ended, so that a set-up can have several windows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renews: bool,
    /// How its configuration is rendered; absent for one whose driver does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Template>,
}

/// What containers find at their ends of a switch's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// Each a network interface of the kernel.
    Interfaces,
    /// Each a vhost-user socket to make; the switch connects to it.
    Listening,
    /// Each a vhost-user socket that the switch makes.
    Connecting,
    /// Each a virtual function of a network card.
    Functions,
    /// No switch: of each two, the first is the device and connects to the second.
    Alternating,
}

/// How a switch finds the port for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwards {
    /// From the first port to the second and back, from the third to the fourth, looking at no address.
    Pairs,
    /// By the addresses that it has seen at its ports.
    Learning,
}

/// How many ports a switch can have, from one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Most of them.
    pub most: u32,
    /// Whether there must be an even number of them.
    pub even: bool,
    /// Why no others, in words.
    pub why: String,
}

/// How many cores a switch can poll on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "limit", rename_all = "kebab-case")]
pub enum Cores {
    /// None.
    None {
        /// Why not, in words.
        why: String,
    },
    /// One.
    One {
        /// Why no other number, in words.
        why: String,
    },
    /// One or more.
    Many,
    /// One or more, no more than there are queues of all ports.
    ManyQueues,
}

/// How many queues a port can have, from one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "limit", rename_all = "kebab-case")]
pub enum Queues {
    /// One.
    One {
        /// Why no more, in words.
        why: String,
    },
    /// One or more.
    Many,
}

/// What memory of its own a switch has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum MemoryUse {
    /// None.
    None {
        /// Why not, in words.
        why: String,
    },
    /// DPDK's, or like it.
    Pages {
        /// What it can be made of.
        modes: Vec<Memory>,
        /// Why of nothing else, in words.
        why: String,
        /// What it takes for itself, MiB.
        own_mib: u32,
        /// What it takes for each port, MiB.
        port_mib: u32,
    },
}

/// How a switch is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drawn {
    /// In the kernel, with virtual Ethernet pairs.
    Kernel,
    /// Not at all: the two ports face each other.
    Direct,
    /// In user space, with virtio ports.
    Virtio,
    /// Inside of a network card, with a virtual function a container.
    Card,
}

impl Ends {
    /// The end of container number `place`.
    pub fn of(self, place: usize) -> End {
        match self {
            Ends::Interfaces => End::Interface,
            Ends::Functions => End::Function,
            Ends::Listening => End::ListeningDriver,
            Ends::Connecting => End::Driver,
            Ends::Alternating if place.is_multiple_of(2) => End::Device,
            Ends::Alternating => End::ListeningDriver,
        }
    }

    /// The number of the folder in which container number `place` meets the other end of its link.
    pub fn folder(self, place: usize) -> usize {
        if self == Ends::Alternating { place / 2 } else { place }
    }
}

impl Cores {
    /// The cores of a switch that a test offers so many: none are given to one that can use none.
    pub fn given(&self, offered: u32) -> u32 {
        if matches!(self, Cores::None { .. }) { 0 } else { offered }
    }
}

impl MemoryUse {
    /// What it can be made of; nothing for a switch without memory of its own.
    pub fn modes(&self) -> &[Memory] {
        match self {
            MemoryUse::None { .. } => &[],
            MemoryUse::Pages { modes, .. } => modes,
        }
    }
}

impl Descriptor {
    /// Whether it takes an I/O technique.
    pub fn takes(&self, io: &str) -> bool {
        self.io.iter().any(|taken| taken == io)
    }

    /// The switch's memory with so many ports, MiB.
    pub fn memory_mib(&self, ports: u32) -> u32 {
        match &self.memory {
            MemoryUse::None { .. } => 0,
            MemoryUse::Pages { own_mib, port_mib, .. } => ports.saturating_mul(*port_mib).saturating_add(*own_mib),
        }
    }

    /// The shape that it has when a test offers this; what it cannot have is not in it.
    pub fn shape(&self, offered: &Shape) -> Shape {
        let memory = offered.memory.filter(|_| !self.memory.modes().is_empty());
        Shape { cores: self.cores.given(offered.cores), memory, ..*offered }
    }

    /// The one rule of what it can be: experiments are checked by it, plans are made by it, and what it refuses is
    /// not rendered.
    ///
    /// # Errors
    /// The first of what was asked that it cannot have.
    pub fn check(&self, shape: &Shape) -> Result<(), Refusal> {
        let Shape { ports, cores, queues, memory, uplink } = *shape;
        let refuse = |asked, why: &str| Err(Refusal { switch: self.name.clone(), asked, why: why.to_string() });
        if let Some(Uplink { by, .. }) = uplink {
            match self.uplinks() {
                [] => return refuse(ShapePart::Uplink(by), "it does not reach a second host"),
                takes if !takes.contains(&by) => {
                    let names: Vec<&str> = takes.iter().map(|by| by.name()).collect();
                    return refuse(ShapePart::Uplink(by), &format!("it takes {}", names.join(", ")));
                }
                _ => {}
            }
        }
        // Where one side of each pair is on another host, their number may be odd.
        let is_odd = uplink.is_none() && self.ports.even && !ports.is_multiple_of(2);
        if ports == 0 || ports > self.ports.most || is_odd {
            return refuse(ShapePart::Ports(ports), &self.ports.why);
        }
        match &self.queues {
            _ if queues == 0 => return refuse(ShapePart::Queues(queues), "a port has one at least"),
            Queues::One { why } if queues != 1 => return refuse(ShapePart::Queues(queues), why),
            Queues::One { .. } | Queues::Many => {}
        }
        match (&self.cores, cores) {
            (Cores::None { why }, 1..) => return refuse(ShapePart::Cores(cores), why),
            (Cores::One { why }, 0 | 2..) => return refuse(ShapePart::Cores(cores), why),
            (Cores::Many | Cores::ManyQueues, 0) => return refuse(ShapePart::Cores(cores), "it polls on one at least"),
            (Cores::ManyQueues, _) if cores > ports.saturating_mul(queues.into()) => {
                let why = "it forwards a queue of a port on one core only, and there are fewer queues than cores";
                return refuse(ShapePart::Cores(cores), why);
            }
            _ => {}
        }
        match (&self.memory, memory) {
            (MemoryUse::None { why }, Some(_)) => refuse(ShapePart::Memory(memory), why),
            (MemoryUse::Pages { .. }, None) => refuse(ShapePart::Memory(None), "it has memory of its own"),
            (MemoryUse::Pages { modes, why, .. }, Some(mode)) if !modes.contains(&mode) => {
                refuse(ShapePart::Memory(memory), why)
            }
            _ => Ok(()),
        }
    }

    /// By what it can reach a second host, best first; nothing for a switch that cannot.
    pub fn uplinks(&self) -> &'static [By] {
        match (self.uplink, self.ends) {
            (false, _) => &[],
            (true, Ends::Interfaces | Ends::Functions) => &[By::Kernel],
            (true, _) => &[By::Pci, By::AfXdp, By::AfPacket],
        }
    }

    /// Whether a test that offers so many ports of a host, cores and queues is possible on any host: with any memory
    /// that it can have, and any uplink if it is `remote`.
    ///
    /// # Errors
    /// What it cannot have anywhere.
    pub fn possible(&self, ports: u32, cores: u32, queues: u16, remote: bool) -> Result<(), Refusal> {
        if let (Cores::None { why }, 2..) = (&self.cores, cores) {
            return Err(Refusal { switch: self.name.clone(), asked: ShapePart::Cores(cores), why: why.clone() });
        }
        let memory = self.memory.modes().first().copied();
        let any = self.uplinks().first().copied().unwrap_or(By::Kernel);
        let uplink = remote.then_some(Uplink { by: any, side: 0 });
        self.check(&self.shape(&Shape { ports, cores, queues, memory, uplink }))
    }

    /// The whole configuration in this shape: every value that is set, one a line, with names that are the same in
    /// each run. It is part of keys: a change of this text makes every measurement through the switch dirty.
    ///
    /// # Errors
    /// When it cannot be in this shape, or nobody here drives it.
    pub fn render(&self, shape: &Shape) -> Result<String, RenderError> {
        let driver = super::entry(&self.name).map(|entry| entry.driver.as_ref());
        match (&self.configuration, driver) {
            (Some(template), _) => {
                self.check(shape)?;
                Ok(template.render(shape, self.memory_mib(shape.ports)) + &uplinked(shape))
            }
            (None, Some(Some(driver))) => {
                self.check(shape)?;
                Ok((driver.render)(shape) + &uplinked(shape))
            }
            (None, Some(None)) => Err(RenderError::NotDriven(self.name.clone())),
            (None, None) => Err(RenderError::Unknown(self.name.clone())),
        }
    }
}

/// What a configuration ends with where there is an uplink, whoever renders the rest.
fn uplinked(shape: &Shape) -> String {
    shape.uplink.map_or(String::new(), |Uplink { by, side }| format!("uplink by {by} on side {side}\n"))
}
