//! DPDK's skeleton sample: port 0 to port 1 and back, 2 to 3 and back, on one core. It is built from the source
//! that the distribution installs, never by the agent, and lies beside it. It must not know what is at the ends.

use std::path::PathBuf;

use super::forwarder::{Forwarder, Names, pages, ports, text};
use super::source::Source;
use super::{Cores, Descriptor, Driver, Entry, MemoryUse, Queues, Shape, Site, Software, Switch, vhost};
use crate::eal::Memory;
use crate::failure::During;
use crate::protocol::Failure;
use crate::{applications, eal};

/// The line in the table.
pub(super) static ENTRY: Entry = Entry {
    descriptor,
    driver: Some(Driver { render, programs: Some(software), beside: Some(PROGRAM), start, sysctls: &[] }),
};

const NAME: &str = "basicfwd";
/// The program's name beside the agent.
const PROGRAM: &str = "basicfwd";
/// What the sample takes for itself, MiB.
const OWN_MIB: u32 = 64;
/// What it takes for each port: 8191 packet buffers, MiB.
const PORT_MIB: u32 = 20;

fn descriptor() -> Descriptor {
    let memory = MemoryUse::Pages {
        modes: vec![Memory::Hugepages2m, Memory::NoHuge],
        why: "it is a DPDK program".into(),
        own_mib: OWN_MIB,
        port_mib: PORT_MIB,
    };
    Descriptor {
        cores: Cores::One { why: "it forwards on one core".into() },
        queues: Queues::One { why: "it uses one".into() },
        ..vhost::descriptor(NAME, memory)
    }
}

fn arguments(shape: &Shape, names: &Names) -> Vec<String> {
    let memory_mib = OWN_MIB + shape.ports * PORT_MIB;
    let mut arguments = eal::arguments(pages(shape), memory_mib, &names.cores);
    arguments.extend(ports(&names.sockets, shape.queues));
    arguments
}

fn render(shape: &Shape) -> String {
    text(PROGRAM, &arguments(shape, &Names::neutral(shape.cores, shape.ports)))
}

/// The program of a stack, or else the one that lies beside the agent, or a copy of it.
fn made_of(source: &Source, beside: impl FnOnce() -> Result<PathBuf, String>) -> Result<Software, String> {
    let own = source.own(&[&["bin/basicfwd"]])?;
    let system = if own.is_none() { vec![beside()?] } else { Vec::new() };
    Ok(Software::of(own, || system, source, &[], &["bus_vdev", "mempool_ring", "net_vhost"]))
}

fn software(source: &Source) -> Result<Software, String> {
    made_of(source, || {
        applications::beside(PROGRAM).map_err(|_| {
            "basicfwd is not built: `make build` makes it where DPDK's development files and examples are installed \
             (Debian: libdpdk-dev, dpdk-doc)"
                .into()
        })
    })
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    let doing = || "start basicfwd".to_string();
    let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
    let arguments = arguments(&shape, &Names::of(site.scene)?);
    let software = made_of(&site.source()?, || Ok(site.programs.join(PROGRAM))).host(doing)?;
    Forwarder::waiting(site, NAME, software, arguments)
}
