//! A scene that has been checked: what a client may ask, as types that cannot hold anything else.
//! Pure; it must not know what is on the host.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::{Container, Function, Interface, Link, Runtime, Scene, Uplink, VhostUser};
use crate::switch::uplink::{By, SIDES_MAX, UPLINK, card_drivers};

/// Most containers of a scene; 8vs8 is 16.
pub const CONTAINERS_MAX: usize = 64;
/// Largest output folder, bytes.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 30;
/// Most neighbours of a container.
pub const NEIGHBOURS_MAX: usize = 1024;
/// Most queues of a port.
pub const QUEUES_MAX: u16 = 64;
/// One more than the largest CPU number.
pub const CPUS_MAX: u32 = 1024;

/// What is wrong with a scene, in words that follow "failed to build a scene: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SceneError {
    /// Where in the scene.
    pub place: String,
    /// What.
    pub problem: String,
}

/// A unicast Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Mac, String> {
        let problem = || format!("{} is not a unicast address like 02:00:00:00:00:01", quoted(text));
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && !part.starts_with('+')).ok_or_else(problem)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| problem())?;
        }
        if parts.next().is_some() || bytes[0] & 1 == 1 || bytes == [0; 6] {
            return Err(problem());
        }
        Ok(Mac(bytes))
    }
}

/// A link that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckedLink {
    /// A network interface of the kernel.
    Interface(CheckedInterface),
    /// A vhost-user socket.
    VhostUser {
        /// Name of its folder.
        folder: String,
        /// Address of the container's end.
        mac: Mac,
    },
    /// A virtual function of a network card.
    Function {
        /// Address of the function.
        mac: Mac,
        /// The interface that it is in the container; absent for one that the application gets whole.
        interface: Option<CheckedInterface>,
    },
}

impl CheckedLink {
    /// Address of the container's end.
    pub fn mac(&self) -> Mac {
        match self {
            CheckedLink::Interface(interface) => interface.mac,
            CheckedLink::VhostUser { mac, .. } | CheckedLink::Function { mac, .. } => *mac,
        }
    }

    /// Whether its application drives it by DPDK, which reads of `/proc` what it may use.
    pub fn is_for_dpdk(&self) -> bool {
        self.interface().is_none()
    }

    /// The network interface that the container has, if it has one.
    pub fn interface(&self) -> Option<&CheckedInterface> {
        match self {
            CheckedLink::Interface(interface) => Some(interface),
            CheckedLink::Function { interface, .. } => interface.as_ref(),
            CheckedLink::VhostUser { .. } => None,
        }
    }
}

/// A network interface that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedInterface {
    /// The interface's name in the container.
    pub name: String,
    /// The interface's MAC address.
    pub mac: Mac,
    /// IPv4 address and prefix length.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    /// Permanent neighbours.
    pub neighbours: Vec<(Ipv4Addr, Mac)>,
}

/// A container that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedContainer {
    /// Unique.
    pub name: String,
    /// A name; whether there is such an application is not known here.
    pub application: String,
    /// CPUs for the application.
    pub cpus: Vec<u32>,
    /// Bytes of its output folder at most.
    pub output_bytes_max: u64,
    /// The container's link to the switch.
    pub link: CheckedLink,
}

/// A scene that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedScene {
    /// How containers are made.
    pub runtime: Runtime,
    /// The switch.
    pub switch: super::Switch,
    /// In order of building.
    pub containers: Vec<CheckedContainer>,
    /// CPU of the agent.
    pub housekeeping: Option<u32>,
}

/// Checks everything that can be checked without the host and without knowing the switch: that is
/// `switch::check`.
pub fn check(scene: &Scene) -> Result<CheckedScene, SceneError> {
    let count = scene.containers.len();
    if count == 0 || count > CONTAINERS_MAX {
        return Err(wrong("containers", format!("there are {count}, and must be 1 to {CONTAINERS_MAX}")));
    }
    check_cpus("switch", &scene.switch.cpus)?;
    if scene.switch.queues == 0 || scene.switch.queues > QUEUES_MAX {
        return Err(wrong("switch", format!("{} queues are not between 1 and {QUEUES_MAX}", scene.switch.queues)));
    }
    if let Some(uplink) = &scene.switch.uplink {
        check_uplink(uplink).map_err(|problem| wrong("uplink", problem))?;
    }
    check_cpus("housekeeping", scene.housekeeping.as_slice())?;
    let containers = scene.containers.iter().map(check_container).collect::<Result<Vec<_>, _>>()?;
    unique(containers.iter().map(|container| container.name.clone()), "container names")?;
    unique(containers.iter().map(|container| container.link.mac().to_string()), "MAC addresses")?;
    let addresses = containers.iter().filter_map(|container| container.link.interface()?.ipv4);
    unique(addresses.map(|(address, _)| address.to_string()), "IPv4 addresses")?;
    Ok(CheckedScene {
        runtime: scene.runtime,
        switch: scene.switch.clone(),
        containers,
        housekeeping: scene.housekeeping,
    })
}

fn check_uplink(uplink: &Uplink) -> Result<(), String> {
    let Uplink { device, by, side, card } = uplink;
    if *side >= SIDES_MAX {
        return Err(format!("there is no side {side}"));
    }
    match (by, card) {
        (By::Pci, Some(card)) if card_drivers(card).is_some() => {}
        (By::Pci, Some(card)) => return Err(format!("no driver of DPDK's is known for cards of {}", quoted(card))),
        (By::Pci, None) => return Err("which driver the kernel has for the card is not said".into()),
        (_, None) => {}
        (_, Some(_)) => return Err("an interface stays with the kernel's driver".into()),
    }
    let fits = match by {
        By::Pci => is_pci_address(device),
        By::Kernel | By::AfPacket | By::AfXdp => is_interface(device),
    };
    let kind = if *by == By::Pci { "a PCI address like 0000:01:00.0" } else { "the name of an interface" };
    if fits { Ok(()) } else { Err(format!("{} is not {kind}", quoted(device))) }
}

/// Whether it can be the name of an interface that is given to a switch: what it stands in means nothing else then.
pub fn is_interface(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    is_word(name, 15, allowed) && !matches!(name, "lo" | "all" | "default")
}

/// Whether it is a PCI address as the kernel writes it, `0000:01:00.0`.
pub fn is_pci_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '.']).collect();
    let hex = |part: &&str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let shape = parts.iter().zip([4, 2, 2, 1]).all(|(part, length)| hex(part, length));
    parts.len() == 4 && shape && text.as_bytes()[4] == b':' && text.as_bytes()[7] == b':' && text.as_bytes()[10] == b'.'
}

fn check_container(container: &Container) -> Result<CheckedContainer, SceneError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !is_word(&container.name, 12, allowed) {
        return Err(wrong("container", format!("{} is not a name of [a-z0-9-]{{1,12}}", quoted(&container.name))));
    }
    if container.name == UPLINK {
        return Err(wrong("container", format!("{UPLINK} is the port to another host")));
    }
    let place = || format!("container {}", container.name);
    if !is_word(&container.application, 64, |byte| allowed(byte) || byte == b'.' || byte == b'_') {
        return Err(wrong(&place(), format!("{} is not the name of an application", quoted(&container.application))));
    }
    check_cpus(&place(), &container.cpus)?;
    if !(4096..=OUTPUT_BYTES_MAX).contains(&container.output_bytes_max) {
        let problem = format!(
            "an output folder of {} bytes is not between 4096 and {OUTPUT_BYTES_MAX}",
            container.output_bytes_max
        );
        return Err(wrong(&place(), problem));
    }
    let link = check_link(&container.link).map_err(|problem| wrong(&place(), problem))?;
    Ok(CheckedContainer {
        name: container.name.clone(),
        application: container.application.clone(),
        cpus: container.cpus.clone(),
        output_bytes_max: container.output_bytes_max,
        link,
    })
}

fn check_link(link: &Link) -> Result<CheckedLink, String> {
    match link {
        Link::Interface(interface) => check_interface(interface).map(CheckedLink::Interface),
        Link::VhostUser(VhostUser { folder, mac }) => {
            if !is_word(folder, 12, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
                return Err(format!("{} is not a name of [a-z0-9-]{{1,12}}", quoted(folder)));
            }
            Ok(CheckedLink::VhostUser { folder: folder.clone(), mac: mac.parse()? })
        }
        Link::Function(Function { mac, interface }) => {
            let mac: Mac = mac.parse()?;
            let interface = interface.as_ref().map(check_interface).transpose()?;
            if interface.as_ref().is_some_and(|interface| interface.mac != mac) {
                return Err(format!("its interface has another address than the function {mac}"));
            }
            Ok(CheckedLink::Function { mac, interface })
        }
    }
}

fn check_interface(link: &Interface) -> Result<CheckedInterface, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !is_word(&link.name, 15, allowed) || link.name == "lo" || link.name == "all" {
        return Err(format!("{} is not the name of an interface", quoted(&link.name)));
    }
    if link.neighbours.len() > NEIGHBOURS_MAX {
        return Err(format!("{} neighbours are more than {NEIGHBOURS_MAX}", link.neighbours.len()));
    }
    let ipv4 = link.ipv4.as_deref().map(check_network).transpose()?;
    let neighbours = link
        .neighbours
        .iter()
        .map(|(address, mac)| Ok((check_address(address)?, mac.parse()?)))
        .collect::<Result<Vec<_>, String>>()?;
    if ipv4.is_none() && !neighbours.is_empty() {
        return Err("it has neighbours and no address".into());
    }
    Ok(CheckedInterface { name: link.name.clone(), mac: link.mac.parse()?, ipv4, neighbours })
}

fn check_network(text: &str) -> Result<(Ipv4Addr, u8), String> {
    let problem = || format!("{} is not an address with a prefix length like 10.0.0.1/16", quoted(text));
    let (address, prefix) = text.split_once('/').ok_or_else(problem)?;
    let prefix: u8 = prefix.parse().ok().filter(|prefix| (1..=32).contains(prefix)).ok_or_else(problem)?;
    Ok((check_address(address)?, prefix))
}

fn check_address(text: &str) -> Result<Ipv4Addr, String> {
    let problem = || format!("{} is not the IPv4 address of a host", quoted(text));
    let address: Ipv4Addr = text.parse().map_err(|_| problem())?;
    let unusable =
        address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_loopback();
    if unusable { Err(problem()) } else { Ok(address) }
}

fn check_cpus(place: &str, cpus: &[u32]) -> Result<(), SceneError> {
    match cpus.iter().find(|cpu| **cpu >= CPUS_MAX) {
        Some(cpu) => Err(wrong(place, format!("there is no CPU {cpu}"))),
        None if cpus.len() > CPUS_MAX as usize => Err(wrong(place, "it names CPUs more than once".into())),
        None => Ok(()),
    }
}

fn is_word(text: &str, length_max: usize, allowed: impl Fn(u8) -> bool) -> bool {
    (1..=length_max).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with(['-', '.'])
}

pub(crate) fn unique(values: impl Iterator<Item = String>, what: &str) -> Result<(), SceneError> {
    let mut seen = BTreeSet::new();
    for value in values {
        if let Some(value) = seen.replace(value) {
            return Err(wrong("containers", format!("{what} must differ, and {value} is there twice")));
        }
    }
    Ok(())
}

/// Foreign text, bounded and without control characters.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    format!("{short:?}")
}

pub(crate) fn wrong(place: &str, problem: String) -> SceneError {
    SceneError { place: place.into(), problem }
}
