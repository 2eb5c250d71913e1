//! Virtual functions of a network card, between which the card switches. It must not know what is at the ends.

use super::{Cores, Descriptor, Drawn, Ends, Entry, Forwards, MemoryUse, Ports, Queues};

/// The line in the table.
pub(super) static ENTRY: Entry = Entry { descriptor, driver: None };

fn descriptor() -> Descriptor {
    Descriptor {
        name: "sriov".into(),
        io: vec!["dpdk".into()],
        ends: Ends::Interfaces,
        forwards: Forwards::Learning,
        uplink: true,
        ports: Ports { most: 64, even: true, why: "it is built with 1 to 32 pairs of them".into() },
        cores: Cores::None { why: "the card forwards by itself".into() },
        queues: Queues::Many,
        memory: MemoryUse::None { why: "the card has its own".into() },
        drawn: Drawn::Card,
        programs: false,
        packages: Vec::new(),
        needs_root: Some("it makes virtual functions".into()),
        configuration: None,
    }
}
