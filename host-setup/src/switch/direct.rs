//! No switch: the virtio device that one container drives is served by the other, so nothing forwards and
//! nothing is counted in between. The upper bound that every switch is read against.

use super::{Cores, Descriptor, Drawn, Driver, Ends, Entry, Forwards, MemoryUse, Ports, Queues, Shape, Site, Switch};
use crate::protocol::Failure;

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: None, beside: None, start, sysctls: &[] }) };

fn descriptor() -> Descriptor {
    Descriptor {
        name: "direct".into(),
        io: vec!["dpdk".into()],
        ends: Ends::Alternating,
        forwards: Forwards::Pairs,
        uplink: false,
        ports: Ports { most: 64, even: true, why: "they are joined in pairs".into() },
        cores: Cores::None { why: "there is no switch that could run on them".into() },
        queues: Queues::Many,
        memory: MemoryUse::None { why: "there is no switch that could use it".into() },
        drawn: Drawn::Direct,
        programs: false,
        packages: Vec::new(),
        needs_root: None,
        renews: true,
        configuration: None,
    }
}

fn render(_shape: &Shape) -> String {
    "pairs of virtio-user and vhost, without a switch\n".into()
}

fn start(_site: &Site) -> Result<Box<dyn Switch>, Failure> {
    Ok(Box::new(Direct))
}

struct Direct;

impl Switch for Direct {}
