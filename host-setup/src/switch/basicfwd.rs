//! DPDK's skeleton sample: port 0 to port 1 and back, 2 to 3 and back, on one core. It is built from the source
//! that the distribution installs, never by the agent, and lies beside it. It must not know what is at the ends.

use std::path::PathBuf;

use super::forwarder::{Forwarder, Names, ports, text};
use super::source::Source;
use super::{RenderError, Shape, Site, Software, check_dpdk};
use crate::failure::During;
use crate::protocol::Failure;
use crate::{applications, eal};

pub(super) const KIND: &str = "basicfwd";
/// Its name beside the agent.
pub(crate) const PROGRAM: &str = "basicfwd";
/// What the sample takes for itself, MiB.
const OWN_MIB: u32 = 64;
/// What it takes for each port: 8191 packet buffers, MiB.
const PORT_MIB: u32 = 20;

pub(super) fn memory_mib(ports: u32) -> u32 {
    OWN_MIB + ports * PORT_MIB
}

fn arguments(shape: &Shape, names: &Names) -> Result<Vec<String>, RenderError> {
    let memory = check_dpdk(KIND, shape)?;
    if shape.cores != 1 {
        return Err(RenderError::Cpus { kind: KIND, cpus: shape.cores, reason: "it forwards on one core" });
    }
    if shape.queues != 1 {
        return Err(RenderError::Queues { kind: KIND, queues: shape.queues, reason: "it uses one" });
    }
    let mut arguments = eal::arguments(memory, memory_mib(shape.ports), &names.cores);
    arguments.extend(ports(&names.sockets, shape.queues));
    Ok(arguments)
}

pub(super) fn render(shape: &Shape) -> Result<String, RenderError> {
    Ok(text(PROGRAM, &arguments(shape, &Names::neutral(shape.cores, shape.ports))?))
}

/// The program of a stack, or else the one that lies beside the agent, or a copy of it.
fn made_of(source: &Source, beside: impl FnOnce() -> Result<PathBuf, String>) -> Result<Software, String> {
    let programs = source.own(&[&["bin/basicfwd"]])?;
    let programs = programs.map_or_else(|| beside().map(|program| vec![program]), Ok)?;
    let drivers = &["bus_vdev", "mempool_ring", "net_vhost"];
    Ok(Software { programs, packages: &[], drivers, libraries: source.libraries.clone() })
}

pub(super) fn software(source: &Source) -> Result<Software, String> {
    made_of(source, || {
        applications::beside(PROGRAM).map_err(|_| {
            "basicfwd is not built: `make build` makes it where DPDK's development files and examples are installed \
             (Debian: libdpdk-dev, dpdk-doc)"
                .into()
        })
    })
}

pub(super) fn start(site: &Site) -> Result<Forwarder, Failure> {
    let doing = || "start basicfwd".to_string();
    let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
    let arguments = arguments(&shape, &Names::of(site.scene)?).request(doing)?;
    let software = made_of(&site.source()?, || Ok(site.programs.join(PROGRAM))).host(doing)?;
    Forwarder::new(site, KIND, software, arguments)
}
