//! DPDK's testpmd in io mode: port 0 to port 1 and back, 2 to 3 and back. It looks at no address. It must not
//! know what is at the ends.

use super::forwarder::{Forwarder, Names, pages, ports, text};
use super::software::made_of;
use super::source::{ProgramFile, Source};
use super::{Cores, Descriptor, Driver, Entry, MemoryUse, Shape, Site, Software, Switch, vhost};
use crate::eal::{self, Memory};
use crate::failure::During;
use crate::protocol::Failure;

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: Some(software), beside: None, start, sysctls: &[] }) };

const NAME: &str = "testpmd";
const PACKAGES: [&str; 2] = ["dpdk-dev", "dpdk"];
const PROGRAMS: [ProgramFile; 1] = [ProgramFile { system: &["/usr/bin/dpdk-testpmd"], inside: &["bin/dpdk-testpmd"] }];
/// Packet buffers for each port: rings on both sides full, and bursts under way.
const BUFFERS_A_PORT: u32 = 8192;
/// What the program takes for itself, MiB.
const OWN_MIB: u32 = 64;
/// Bytes of a packet buffer with its header and its share of the pool, rounded up.
const BUFFER_BYTES: u32 = 2560;
const PORT_MIB: u32 = (BUFFERS_A_PORT * BUFFER_BYTES) >> 20;

fn descriptor() -> Descriptor {
    let memory = MemoryUse::Pages {
        modes: vec![Memory::Hugepages2m, Memory::NoHuge],
        why: "it is a DPDK program".into(),
        own_mib: OWN_MIB,
        port_mib: PORT_MIB,
    };
    let packages = PACKAGES.map(str::to_owned).into();
    Descriptor { cores: Cores::ManyQueues, packages, ..vhost::descriptor(NAME, memory) }
}

fn arguments(shape: &Shape, names: &Names) -> Vec<String> {
    let cpus: Vec<String> = [names.main.clone()].into_iter().chain(names.cores.iter().cloned()).collect();
    let mut arguments = eal::arguments(pages(shape), OWN_MIB + shape.ports * PORT_MIB, &cpus);
    arguments.extend(ports(&names.sockets, shape.queues));
    let Shape { cores, queues, ports, .. } = shape;
    let own = [
        "--".into(),
        "--forward-mode=io".into(),
        "--burst=32".into(),
        format!("--nb-cores={cores}"),
        format!("--rxq={queues}"),
        format!("--txq={queues}"),
        format!("--total-num-mbufs={}", ports * BUFFERS_A_PORT),
        "--no-mlockall".into(),
        "--disable-link-check".into(),
    ];
    arguments.extend(own);
    arguments
}

fn render(shape: &Shape) -> String {
    text("dpdk-testpmd", &arguments(shape, &Names::neutral(shape.cores, shape.ports)))
}

fn software(source: &Source) -> Result<Software, String> {
    made_of(source, &PROGRAMS, &PACKAGES, &["bus_vdev", "mempool_ring", "net_vhost"])
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
    let arguments = arguments(&shape, &Names::of(site.scene)?);
    let software = software(&site.source()?).host(|| "start testpmd".into())?;
    Forwarder::waiting(site, NAME, software, arguments)
}
