//! A switch that does nothing but exist: what a new one must bring, and all of it. For tests.

use super::{Cores, Descriptor, Drawn, Driver, Ends, Entry, Forwards, MemoryUse, Ports, Queues, Shape, Site, Switch};
use crate::eal::Memory;
use crate::protocol::Failure;

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: None, beside: None, start, sysctls: &[] }) };

fn descriptor() -> Descriptor {
    Descriptor {
        name: "idle".into(),
        io: vec!["dpdk".into()],
        ends: Ends::Connecting,
        forwards: Forwards::Learning,
        uplink: true,
        ports: Ports { most: 6, even: false, why: "it has six".into() },
        cores: Cores::One { why: "it sleeps on one".into() },
        queues: Queues::Many,
        memory: MemoryUse::Pages {
            modes: vec![Memory::NoHuge],
            why: "it needs little".into(),
            own_mib: 1,
            port_mib: 2,
        },
        drawn: Drawn::Virtio,
        programs: false,
        packages: Vec::new(),
        needs_root: None,
        renews: false,
        configuration: None,
    }
}

fn render(shape: &Shape) -> String {
    format!("idle with {} ports\n", shape.ports)
}

fn start(_site: &Site) -> Result<Box<dyn Switch>, Failure> {
    Ok(Box::new(Idle))
}

struct Idle;

impl Switch for Idle {}
