//! Switches, by name: what each is configured with, as text that goes into a key, and behind one small
//! trait how it is run. A switch must not know experiments, traffic, or how containers are made: it is
//! handed network namespaces or folders for sockets, and hands back links.
//!
//! Places kept for others: a `snabb`, `vpp` or `sriov` is one more file here, and a line in each table below.

mod basicfwd;
mod direct;
mod fitting;
mod forwarder;
mod linux_bridge;
mod ovs;
mod plugins;
mod program;
mod source;
mod telemetry;
mod testpmd;
mod unixctl;
mod vhost;

use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::unistd::Pid;

pub(crate) use self::basicfwd::PROGRAM as BASICFWD;
pub use self::fitting::check;
use self::source::Wanted;
pub(crate) use self::source::{Source, Stacks};
pub(crate) use self::vhost::{folder as vhost_folder, make_folders, remove_folders};
use crate::component::{self, ComponentError, Linker};
use crate::eal::Memory;
use crate::facts::Privilege;
use crate::failure::During;
use crate::protocol::{Failure, PortCounters};
use crate::scene::checked::{CheckedContainer, CheckedScene};

/// Names of the switches that the project knows, in the order in which they are listed.
pub const KNOWN: [&str; 8] = ["linux-bridge", "basicfwd", "testpmd", "direct", "ovs", "snabb", "sriov", "vpp"];
/// The one that is no switch.
pub const DIRECT: &str = direct::KIND;

/// I/O technique of the switches that have vhost-user ports.
const DPDK: [&str; 1] = ["dpdk"];

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
    #[error("{kind} cannot use {cpus} switch cores: {reason}")]
    Cpus {
        /// The switch.
        kind: &'static str,
        /// How many it was given.
        cpus: u32,
        /// Why not.
        reason: &'static str,
    },
    /// Its ports cannot have so many queues.
    #[error("{kind} cannot have {queues} queues a port: {reason}")]
    Queues {
        /// The switch.
        kind: &'static str,
        /// What was asked.
        queues: u16,
        /// Why not.
        reason: &'static str,
    },
    /// It cannot have that memory.
    #[error("{kind} cannot be run {}: {reason}", match .memory { Some(Memory::NoHuge) => "without hugepages", Some(Memory::Hugepages2m) => "with hugepages", None => "without memory" })]
    Memory {
        /// The switch.
        kind: &'static str,
        /// What was asked.
        memory: Option<Memory>,
        /// Why not.
        reason: &'static str,
    },
}

/// What of a switch is chosen for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Ports, one a container.
    pub ports: u32,
    /// CPUs on which it polls; none for a switch that runs in the kernel on its callers' CPUs. Its main and
    /// control threads are not among them: they keep to the housekeeping CPU.
    pub cores: u32,
    /// Queues of each port.
    pub queues: u16,
    /// What its memory is made of; absent for a switch without memory of its own.
    pub memory: Option<Memory>,
}

impl Shape {
    /// Of a scene's switch and so many containers.
    pub fn of(switch: &crate::scene::Switch, containers: usize) -> Shape {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (ports, cores) = (count(containers), count(switch.cpus.len()));
        Shape { ports, cores, queues: switch.queues, memory: switch.memory }
    }
}

/// The whole configuration of a switch of `kind`: every value that is set, one a line, with names that are the
/// same in each run. It is part of keys: a change of this text makes every measurement through the switch dirty.
pub fn render(kind: &str, shape: &Shape) -> Result<String, RenderError> {
    match kind {
        linux_bridge::KIND => linux_bridge::render(shape),
        direct::KIND => direct::render(shape),
        testpmd::KIND => testpmd::render(shape),
        basicfwd::KIND => basicfwd::render(shape),
        ovs::KIND => ovs::render(shape),
        _ if KNOWN.contains(&kind) => Err(RenderError::NotDriven(kind.into())),
        _ => Err(RenderError::Unknown(kind.into())),
    }
}

/// What a container finds at its end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A network interface of the kernel.
    Interface,
    /// A vhost-user socket to connect to, as the driver of a virtio device.
    Driver,
    /// A vhost-user socket to make and to be connected to, as the driver of a virtio device.
    ListeningDriver,
    /// A vhost-user socket to connect to, as the device: the switch's part, without a switch.
    Device,
}

/// The end of container number `place` of a switch of `kind`.
pub fn end(kind: &str, place: usize) -> End {
    match kind {
        direct::KIND if place.is_multiple_of(2) => End::Device,
        direct::KIND | testpmd::KIND | basicfwd::KIND | ovs::KIND => End::ListeningDriver,
        _ => End::Interface,
    }
}

/// Memory of a switch of `kind` for a key and for the hugepages that a measurement needs, MiB.
pub fn memory_mib(kind: &str, ports: u32) -> u32 {
    match kind {
        testpmd::KIND => testpmd::memory_mib(ports),
        basicfwd::KIND => basicfwd::memory_mib(ports),
        ovs::KIND => ovs::MEMORY_MIB,
        _ => 0,
    }
}

/// I/O techniques that a switch takes, by name; nothing for one that is not driven.
pub(crate) fn io(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        linux_bridge::KIND => Some(&linux_bridge::IO),
        direct::KIND | testpmd::KIND | basicfwd::KIND | ovs::KIND => Some(&DPDK),
        _ => None,
    }
}

/// What a switch is made of: programs that are run, their package, drivers that DPDK loads by itself, and folders of
/// libraries that go before the system's.
#[derive(Debug)]
pub(crate) struct Software {
    pub programs: Vec<PathBuf>,
    pub packages: &'static [&'static str],
    pub drivers: &'static [&'static str],
    pub libraries: Vec<PathBuf>,
}

impl Software {
    /// Where its programs find libraries.
    pub(crate) fn linker(&self) -> Linker {
        Linker::of_host().searching_first(&self.libraries)
    }

    /// What its programs are started with so that they do.
    fn environment(&self) -> Vec<String> {
        let folders: Vec<String> = self.libraries.iter().map(|folder| folder.display().to_string()).collect();
        if folders.is_empty() { Vec::new() } else { vec![format!("LD_LIBRARY_PATH={}", folders.join(":"))] }
    }

    /// All files that are in use, programs first, then drivers.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, ComponentError> {
        let drivers = component::plugins::wanted(&self.linker(), &self.programs, self.drivers)?;
        Ok(self.programs.iter().cloned().chain(drivers).collect())
    }
}

/// The programs of a switch; nothing for one without, or the reason why it cannot be run here.
pub(crate) fn software(kind: &str, privilege: Privilege, source: &Source) -> Result<Option<Software>, String> {
    let software = match kind {
        testpmd::KIND => testpmd::software(source)?,
        basicfwd::KIND => basicfwd::software(source)?,
        ovs::KIND if privilege != Privilege::Root => return Err("ovs needs root: its datapath makes taps".into()),
        ovs::KIND => ovs::software(source)?,
        _ => return Ok(None),
    };
    if let Some(program) = software.programs.iter().find(|program| !program.is_file()) {
        let packages = software.packages.join(", ");
        return Err(format!("{kind} is not installed: {} is not there (package {packages})", program.display()));
    }
    if source.place.is_some() {
        let failed = |error: ComponentError| format!("failed to {error}");
        let files = software.files().map_err(failed)?;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let loaded = software.linker().closure(&files).map_err(failed)?;
        if let Some(problem) = source::untrusted(loaded.iter().map(|file| &*file.path)) {
            return Err(problem);
        }
    }
    Ok(Some(software))
}

/// What is made of programs of a source, or else of the system's.
fn made_of(
    source: &Source,
    wanted: &[Wanted],
    packages: &'static [&'static str],
    drivers: &'static [&'static str],
) -> Result<Software, String> {
    let inside: Vec<&[&str]> = wanted.iter().map(|wanted| wanted.inside).collect();
    let system = || wanted.iter().map(|wanted| wanted.system.into()).collect();
    let programs = source.own(&inside)?.unwrap_or_else(system);
    Ok(Software { programs, packages, drivers, libraries: source.libraries.clone() })
}

/// What a switch that is being started needs to know.
pub(crate) struct Site<'a> {
    /// The scene that it is part of.
    pub scene: &'a CheckedScene,
    /// Where the agent keeps copies of programs that lie beside it.
    pub programs: &'a Path,
    /// What names of stacks mean.
    pub stacks: &'a Stacks,
}

impl Site<'_> {
    /// Where the scene's switch comes from.
    fn source(&self) -> Result<Source, Failure> {
        let crate::scene::Switch { kind, stack, .. } = &self.scene.switch;
        self.stacks.source(stack, kind).request(|| format!("find {kind}"))
    }
}

/// A switch that stands. Dropping it is not enough: [`Switch::stop`] takes it down.
pub(crate) trait Switch {
    /// One more port, for a container whose namespaces `process` holds. A link's end there is left down:
    /// whoever is inside gives it its addresses.
    fn attach(&mut self, container: &CheckedContainer, process: Pid) -> Result<(), Failure>;
    /// Returns when every port forwards, or waits for nothing but an application to open its end.
    fn ready(&mut self, deadline: Instant) -> Result<(), Failure>;
    /// Goes on joining the ports to applications that run; whether every port forwards. It is asked again and
    /// again until then, so it does not wait.
    fn join(&mut self) -> Result<bool, Failure> {
        Ok(true)
    }
    /// What the ports counted, in order of attaching.
    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure>;
    /// What its program, which runs, says of its own version; none for one that is not asked.
    fn reported(&mut self) -> Result<Option<String>, Failure> {
        Ok(None)
    }
    /// Processes of the switch, with a name for people.
    fn processes(&self) -> Vec<(String, Pid)> {
        Vec::new()
    }
    /// Is told of a process that has ended; if it is one of its own, what the switch would say of that.
    fn ended(&mut self, _process: Pid, _status: i32) -> Option<(String, Vec<String>)> {
        None
    }
    /// Takes down everything that [`start`] and [`Switch::attach`] made.
    fn stop(&mut self) -> Result<(), Failure>;
}

/// Starts the switch of a scene, whose configuration [`render`] has made.
pub(crate) fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    match site.scene.switch.kind.as_str() {
        linux_bridge::KIND => Ok(Box::new(linux_bridge::LinuxBridge::start()?)),
        direct::KIND => Ok(Box::new(direct::Direct)),
        testpmd::KIND => Ok(Box::new(testpmd::start(site)?)),
        basicfwd::KIND => Ok(Box::new(basicfwd::start(site)?)),
        ovs::KIND => Ok(Box::new(ovs::Ovs::start(site)?)),
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

/// A shape for what has ports of vhost-user sockets and memory of its own.
fn check_dpdk(kind: &'static str, shape: &Shape) -> Result<Memory, RenderError> {
    if shape.ports == 0 || shape.ports > 64 || !shape.ports.is_multiple_of(2) {
        return Err(RenderError::Ports { kind, ports: shape.ports, reason: "it is built with 1 to 32 pairs of them" });
    }
    if shape.queues == 0 {
        return Err(RenderError::Queues { kind, queues: 0, reason: "a port has one at least" });
    }
    shape.memory.ok_or(RenderError::Memory { kind, memory: None, reason: "it is a DPDK program" })
}
