//! VPP with vhost-user ports in one bridge domain. It must not know what is at the ends.

use super::{Cores, Descriptor, Drawn, Ends, Entry, Forwards, MemoryUse, Ports, Queues};
use crate::eal::Memory;

/// The line in the table.
pub(super) static ENTRY: Entry = Entry { descriptor, driver: None };

fn descriptor() -> Descriptor {
    Descriptor {
        name: "vpp".into(),
        io: vec!["dpdk".into()],
        ends: Ends::Listening,
        forwards: Forwards::Learning,
        uplink: true,
        ports: Ports { most: 64, even: true, why: "it is built with 1 to 32 pairs of them".into() },
        cores: Cores::Many,
        queues: Queues::Many,
        memory: MemoryUse::Pages {
            modes: vec![Memory::Hugepages2m, Memory::NoHuge],
            why: "it has buffers of its own".into(),
            own_mib: 512,
            port_mib: 0,
        },
        drawn: Drawn::Virtio,
        programs: true,
        packages: Vec::new(),
        needs_root: None,
        configuration: None,
    }
}
