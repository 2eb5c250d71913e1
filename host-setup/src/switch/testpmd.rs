//! DPDK's testpmd in io mode: port 0 to port 1 and back, 2 to 3 and back. It looks at no address. It must not
//! know what is at the ends.

use super::forwarder::{Forwarder, Names, ports, text};
use super::source::{Source, Wanted};
use super::{RenderError, Shape, Site, Software, check_dpdk, made_of};
use crate::eal;
use crate::failure::During;
use crate::protocol::Failure;

pub(super) const KIND: &str = "testpmd";
const PROGRAMS: [Wanted; 1] = [Wanted { system: "/usr/bin/dpdk-testpmd", inside: &["bin/dpdk-testpmd"] }];
/// Packet buffers for each port: rings on both sides full, and bursts under way.
const BUFFERS_A_PORT: u32 = 8192;
/// What the program takes for itself, MiB.
const OWN_MIB: u32 = 64;
/// Bytes of a packet buffer with its header and its share of the pool, rounded up.
const BUFFER_BYTES: u32 = 2560;

pub(super) fn memory_mib(ports: u32) -> u32 {
    OWN_MIB + (ports * BUFFERS_A_PORT * BUFFER_BYTES).div_ceil(1 << 20).next_multiple_of(2)
}

fn arguments(shape: &Shape, names: &Names) -> Result<Vec<String>, RenderError> {
    let memory = check_dpdk(KIND, shape)?;
    if shape.cores == 0 {
        return Err(RenderError::Cpus { kind: KIND, cpus: 0, reason: "it polls on one at least" });
    }
    if shape.cores > shape.ports * u32::from(shape.queues) {
        let reason = "it forwards a queue of a port on one core only, and there are fewer queues than cores";
        return Err(RenderError::Cpus { kind: KIND, cpus: shape.cores, reason });
    }
    let cpus: Vec<String> = [names.main.clone()].into_iter().chain(names.cores.iter().cloned()).collect();
    let mut arguments = eal::arguments(memory, memory_mib(shape.ports), &cpus);
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
    Ok(arguments)
}

pub(super) fn render(shape: &Shape) -> Result<String, RenderError> {
    Ok(text("dpdk-testpmd", &arguments(shape, &Names::neutral(shape.cores, shape.ports))?))
}

pub(super) fn software(source: &Source) -> Result<Software, String> {
    made_of(source, &PROGRAMS, &["dpdk-dev", "dpdk"], &["bus_vdev", "mempool_ring", "net_vhost"])
}

pub(super) fn start(site: &Site) -> Result<Forwarder, Failure> {
    let doing = || "start testpmd".to_string();
    let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
    let arguments = arguments(&shape, &Names::of(site.scene)?).request(doing)?;
    let software = software(&site.source()?).host(doing)?;
    Forwarder::new(site, KIND, software, arguments)
}
