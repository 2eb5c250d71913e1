//! Switches: a table with a line for each, and what can be asked of any. A switch is a file of its own with what it
//! is ([`Descriptor`], as data) and how it is rendered, found and run (`Driver`); nothing else knows its name. A
//! switch must not know experiments, traffic, or how containers are made: it is handed network namespaces or folders
//! for sockets, and hands back links.

mod basicfwd;
pub mod custom;
mod descriptor;
mod direct;
mod dpctl;
mod fitting;
mod forwarder;
mod kept;
mod linux_bridge;
mod ovs;
mod plugins;
mod program;
mod refusal;
mod running;
mod snabb;
mod software;
mod source;
mod sriov;
mod telemetry;
mod template;
mod testpmd;
mod unixctl;
pub mod uplink;
mod vhost;
mod vpp;
mod vppctl;

use std::path::Path;
use std::sync::LazyLock;

pub(crate) use self::custom::Customs;
pub use self::descriptor::{Cores, Descriptor, Drawn, Ends, Forwards, MemoryUse, Ports, Queues};
pub use self::fitting::check;
pub(crate) use self::fitting::check_with;
pub use self::refusal::{Refusal, ShapePart};
pub(crate) use self::running::{Site, Switch};
pub(crate) use self::software::{Software, library_path, software};
pub(crate) use self::source::{Source, Stacks, untrusted};
pub use self::template::{HOLES, Misfit, Piece, Template};
pub use self::uplink::Uplink;
pub(crate) use self::vhost::{folder as vhost_folder, make_folders, remove_folders};
use crate::eal::Memory;
use crate::failure::During;
use crate::protocol::Failure;

/// Every switch of this version, in the order in which they are listed. A new one is its file and its line here.
static TABLE: &[&Entry] = &[
    &linux_bridge::ENTRY,
    &basicfwd::ENTRY,
    &testpmd::ENTRY,
    &direct::ENTRY,
    &ovs::ENTRY,
    &snabb::ENTRY,
    &snabb::SLEEPING,
    &sriov::ENTRY,
    &vpp::ENTRY,
    #[cfg(test)]
    &idle::ENTRY,
];

/// A line of the table.
pub(crate) struct Entry {
    /// What it is.
    pub descriptor: fn() -> Descriptor,
    /// How it is run; absent for one that this version knows and cannot run.
    pub driver: Option<Driver>,
}

/// Finds a switch's programs in a source, or says why they cannot be run.
type Programs = fn(&Source) -> Result<Software, String>;

/// How a switch is rendered, found and run.
pub(crate) struct Driver {
    /// The configuration in a shape that its descriptor allows; see [`Descriptor::render`].
    pub render: fn(&Shape) -> String,
    /// Where its programs are; absent for one that is not made of any.
    pub programs: Option<Programs>,
    /// The program among them that is the project's own and lies beside the agent.
    pub beside: Option<&'static str>,
    /// Starts that of a scene whose configuration is as rendered.
    pub start: fn(&Site) -> Result<Box<dyn Switch>, Failure>,
    /// What a container's namespace must have set before its link comes up, as `(path below /proc/sys, value)`.
    pub sysctls: &'static [(&'static str, &'static str)],
}

/// What of a switch is chosen for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Ports, one a container. An uplink is another one.
    pub ports: u32,
    /// CPUs on which it polls; none for a switch that runs in the kernel on its callers' CPUs. Its main and
    /// control threads are not among them: they keep to the housekeeping CPU.
    pub cores: u32,
    /// Queues of each port.
    pub queues: u16,
    /// What its memory is made of; absent for a switch without memory of its own.
    pub memory: Option<Memory>,
    /// The switch's way to another host; absent where all containers are on one.
    pub uplink: Option<Uplink>,
}

impl Shape {
    /// The shape of a scene's switch with so many containers.
    pub fn of(switch: &crate::scene::Switch, containers: usize) -> Shape {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (ports, cores) = (count(containers), count(switch.cpus.len()));
        let uplink = switch.uplink.as_ref().map(|uplink| uplink.shape());
        Shape { ports, cores, queues: switch.queues, memory: switch.memory, uplink }
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
    /// A virtual function of a network card.
    Function,
}

/// A switch that cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// This version knows the switch, and does not drive it.
    #[error("this version of septet-host does not drive {0} yet")]
    NotDriven(String),
    /// Nobody knows it.
    #[error("there is no switch called {0:?}")]
    Unknown(String),
    /// The switch cannot be what was asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The switches of this version, in the order in which they are listed.
pub fn descriptors() -> &'static [Descriptor] {
    static DESCRIPTORS: LazyLock<Vec<Descriptor>> =
        LazyLock::new(|| TABLE.iter().map(|entry| (entry.descriptor)()).collect());
    &DESCRIPTORS
}

/// The switch of this version of that name.
pub fn descriptor(name: &str) -> Option<&'static Descriptor> {
    descriptors().iter().find(|descriptor| descriptor.name == name)
}

/// Names of the switches of which this version drives the programs: those that can come from a stack.
pub(crate) fn with_programs() -> impl Iterator<Item = &'static str> {
    let of_programs =
        |(entry, _): &(&&Entry, &Descriptor)| entry.driver.as_ref().is_some_and(|driver| driver.programs.is_some());
    TABLE.iter().zip(descriptors()).filter(of_programs).map(|(_, descriptor)| &*descriptor.name)
}

/// Programs of switches that lie beside the agent.
pub(crate) fn programs_beside() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter_map(|entry| entry.driver.as_ref()?.beside)
}

/// The whole configuration of a switch of this version; see [`Descriptor::render`].
///
/// # Errors
/// When there is none of that name, it is not driven, or it cannot be in this shape.
pub fn render(name: &str, shape: &Shape) -> Result<String, RenderError> {
    descriptor(name).ok_or_else(|| RenderError::Unknown(name.into()))?.render(shape)
}

fn entry(name: &str) -> Option<&'static Entry> {
    let place = descriptors().iter().position(|descriptor| descriptor.name == name)?;
    TABLE.get(place).copied()
}

/// Whether this agent drives a switch.
pub(crate) fn is_driven(name: &str) -> bool {
    entry(name).is_some_and(|entry| entry.driver.is_some())
}

fn driver(name: &str) -> Result<&'static Driver, RenderError> {
    let entry = entry(name).ok_or_else(|| RenderError::Unknown(name.into()))?;
    entry.driver.as_ref().ok_or_else(|| RenderError::NotDriven(name.into()))
}

/// Starts the switch of a scene, whose configuration [`render`] has made.
pub(crate) fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    let name = &site.scene.switch.kind;
    if site.customs.get(name).is_some() {
        return site.customs.start(site);
    }
    let driver = driver(name).request(|| format!("start switch {name}"))?;
    (driver.start)(site)
}

/// What a container's namespace must have set before its link comes up.
pub(crate) fn container_sysctls(name: &str) -> &'static [(&'static str, &'static str)] {
    driver(name).map_or(&[], |driver| driver.sysctls)
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

#[cfg(test)]
mod idle;
#[cfg(test)]
mod tests;
