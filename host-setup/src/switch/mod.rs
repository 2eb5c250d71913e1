//! Switches, by name: what each is configured with, as text that goes into a key, and behind one small
//! trait how it is run. A switch must not know experiments, traffic, or how containers are made: it is
//! handed network namespaces and hands back links.

mod linux_bridge;

use std::path::Path;
use std::time::Instant;

use nix::unistd::Pid;

use crate::failure::During;
use crate::protocol::{Failure, PortCounters};
use crate::scene::checked::CheckedContainer;

/// Names of the switches that the project knows, in the order in which they are listed.
pub const KNOWN: [&str; 8] = ["linux-bridge", "basicfwd", "testpmd", "direct", "ovs", "snabb", "sriov", "vpp"];

/// A switch that cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The project knows it; this version does not drive it.
    #[error("this version of septet-host does not drive {0} yet")]
    NotDriven(String),
    /// Nobody knows it.
    #[error("there is no switch called {0:?}")]
    Unknown(String),
    /// It cannot have so many ports.
    #[error("{kind} cannot have {ports} ports: {reason}")]
    Ports {
        /// The switch.
        kind: &'static str,
        /// What was asked.
        ports: u32,
        /// Why not.
        reason: &'static str,
    },
    /// It cannot use the CPUs that it was given.
    #[error("{kind} cannot use the {cpus} CPUs given to it: {reason}")]
    Cpus {
        /// The switch.
        kind: &'static str,
        /// How many it was given.
        cpus: usize,
        /// Why not.
        reason: &'static str,
    },
}

/// The whole configuration of a switch of `kind` with one port a container, `ports` of them, on `cpus`
/// (empty for a switch that runs in the kernel on its callers' CPUs): every value that is set, one a line,
/// with names that are the same in each run. It is part of keys: a change of this text makes every
/// measurement through the switch dirty.
pub fn render(kind: &str, ports: u32, cpus: &[u32]) -> Result<String, RenderError> {
    match kind {
        linux_bridge::KIND => linux_bridge::render(ports, cpus),
        _ if KNOWN.contains(&kind) => Err(RenderError::NotDriven(kind.into())),
        _ => Err(RenderError::Unknown(kind.into())),
    }
}

/// I/O techniques that a switch takes, by name; nothing for one that is not driven.
pub(crate) fn io(kind: &str) -> Option<&'static [&'static str]> {
    (kind == linux_bridge::KIND).then_some(&linux_bridge::IO)
}

/// A switch that stands. Dropping it is not enough: [`Switch::stop`] takes it down.
pub(crate) trait Switch {
    /// One more port, linked into the network namespace of `process`, as the container's link says. The
    /// container's end is left down: whoever is inside gives it its addresses.
    fn attach(&mut self, container: &CheckedContainer, process: Pid) -> Result<(), Failure>;
    /// Returns when every port forwards.
    fn ready(&mut self, deadline: Instant) -> Result<(), Failure>;
    /// What the ports counted, in order of attaching.
    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure>;
    /// Takes down everything that [`start`] and [`Switch::attach`] made.
    fn stop(&mut self) -> Result<(), Failure>;
}

/// Starts a switch of a kind that [`render`] has accepted.
pub(crate) fn start(kind: &str) -> Result<Box<dyn Switch>, Failure> {
    match kind {
        linux_bridge::KIND => Ok(Box::new(linux_bridge::LinuxBridge::start()?)),
        other => Err(RenderError::NotDriven(other.into())).request(|| format!("start switch {other}")),
    }
}

/// What a container's namespace must have set before its link comes up, as `(path below /proc/sys, value)`.
pub(crate) fn container_sysctls(kind: &str) -> &'static [(&'static str, &'static str)] {
    if kind == linux_bridge::KIND { &linux_bridge::SYSCTLS } else { &[] }
}

/// Writes settings of the network namespace that this process is in; one that does not exist is left out.
pub(crate) fn set_sysctls(settings: &[(&str, &str)]) -> Result<(), Failure> {
    for (name, value) in settings {
        match std::fs::write(Path::new("/proc/sys").join(name), value) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.scene(|| format!("set {} to {value}", name.replace('/', ".")))?,
        }
    }
    Ok(())
}
