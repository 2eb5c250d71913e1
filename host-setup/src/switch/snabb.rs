//! Snabb's learning bridge over vhost-user ports, on one core. It must not know what is at the ends.

use super::{Cores, Descriptor, Drawn, Ends, Entry, Forwards, MemoryUse, Ports, Queues};
use crate::eal::Memory;

/// The line in the table.
pub(super) static ENTRY: Entry = Entry { descriptor, driver: None };

fn descriptor() -> Descriptor {
    Descriptor {
        name: "snabb".into(),
        io: vec!["dpdk".into()],
        ends: Ends::Listening,
        forwards: Forwards::Learning,
        uplink: false,
        ports: Ports { most: 64, even: true, why: "it is built with 1 to 32 pairs of them".into() },
        cores: Cores::One { why: "its engine is one process".into() },
        queues: Queues::One { why: "its vhost-user app has one".into() },
        memory: MemoryUse::Pages {
            modes: vec![Memory::Hugepages2m],
            why: "it takes hugepages only".into(),
            own_mib: 64,
            port_mib: 8,
        },
        drawn: Drawn::Virtio,
        programs: true,
        packages: Vec::new(),
        needs_root: Some("it reserves hugepages by itself".into()),
        configuration: None,
    }
}
