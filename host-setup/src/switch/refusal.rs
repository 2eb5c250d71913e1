//! Why a switch cannot be what was asked, in words. It must not know any switch.

use std::fmt;

use super::uplink::By;
use crate::eal::Memory;

/// What a switch was asked to be, and cannot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The switch.
    pub switch: String,
    /// What it cannot have.
    pub asked: ShapePart,
    /// Why not, in words.
    pub why: String,
}

/// A part of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShapePart {
    /// This number of ports.
    Ports(u32),
    /// This number of polling cores.
    Cores(u32),
    /// This number of queues a port.
    Queues(u16),
    /// This kind of memory, or none.
    Memory(Option<Memory>),
    /// This kind of uplink.
    Uplink(By),
}

/// `basicfwd cannot use 2 switch cores: it forwards on one core`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { switch, asked, why } = self;
        match asked {
            ShapePart::Ports(ports) => write!(f, "{switch} cannot have {ports} ports: {why}"),
            ShapePart::Cores(cores) => write!(f, "{switch} cannot use {cores} switch cores: {why}"),
            ShapePart::Queues(queues) => write!(f, "{switch} cannot have {queues} queues a port: {why}"),
            ShapePart::Uplink(by) => write!(f, "{switch} cannot reach a second host by {by}: {why}"),
            ShapePart::Memory(memory) => {
                let memory = match memory {
                    Some(Memory::NoHuge) => "without hugepages",
                    Some(Memory::Hugepages2m) => "with hugepages",
                    None => "without memory",
                };
                write!(f, "{switch} cannot be run {memory}: {why}")
            }
        }
    }
}

impl std::error::Error for Refusal {}
