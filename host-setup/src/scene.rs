//! A scene: the switch, the containers and their links that one measurement needs, by names only.
//! It must not name programs or paths; what a name means is the agent's to look up.

pub mod checked;

use serde::{Deserialize, Serialize};

use crate::eal::Memory;
use crate::switch::uplink::{self, By};

/// Where a container's application finds its output folder: writable, in memory, the only such place.
pub const OUTPUT_FOLDER: &str = "/out";
/// Where a container finds the folder that it shares with whoever is at the other end of a vhost-user link.
pub const PORT_FOLDER: &str = "/port";
/// The socket in that folder.
pub const PORT_SOCKET: &str = "vhost.sock";

/// Where a container's application finds a library of DPDK that drives virtual functions: `/drivers/net_e1000.so` for
/// `net_e1000` and for `librte_net_e1000.so.23.0`.
pub fn driver_file(name: &str) -> String {
    let name = name.strip_prefix("librte_").unwrap_or(name);
    format!("/drivers/{}.so", name.split(".so").next().unwrap_or(name))
}

/// One measurement's surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// How containers are made.
    pub runtime: Runtime,
    /// What joins them.
    pub switch: Switch,
    /// In the order of building.
    pub containers: Vec<Container>,
    /// CPU that the agent itself keeps to while the scene stands; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub housekeeping: Option<u32>,
}

/// How containers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Namespaces made by the agent itself.
    Netns,
    /// LXC, inside the agent's namespaces.
    Lxc,
}

impl Runtime {
    /// The name in experiments, keys and reports.
    pub fn name(self) -> &'static str {
        match self {
            Runtime::Netns => "netns",
            Runtime::Lxc => "lxc",
        }
    }
}

/// The switch of a scene.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Name of the kind: `linux-bridge`, later `ovs`, `vpp`, ...
    pub kind: String,
    /// Stack that its components come from.
    pub stack: String,
    /// CPUs given to it; empty for a switch that runs in the kernel on its callers' CPUs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u32>,
    /// Queues of each port.
    pub queues: u16,
    /// What its memory is made of; absent for a switch without memory of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The switch's way to another host; absent where all containers are on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Uplink>,
    /// The rendered configuration, as `switch::render` made it; the agent renders again and
    /// refuses a difference, since this text is in the key.
    pub configuration: String,
}

/// A switch's way to another host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    /// The interface, which must have been moved in, or the PCI address of the device.
    pub device: String,
    /// By what the switch gets at it.
    pub by: By,
    /// Which side of the test this is, 0 or 1.
    pub side: u8,
    /// The kernel's driver of a device that a driver of DPDK's has to itself meanwhile; absent for an interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
}

impl Uplink {
    /// What of it is the switch's shape.
    pub fn shape(&self) -> uplink::Uplink {
        uplink::Uplink { by: self.by, side: self.side }
    }

    /// The name of the component that it is of a switch.
    pub fn component(&self, switch: &str) -> String {
        uplink::component(switch, self.by, self.card.as_deref())
    }
}

/// A container and its one link to the switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Unique in the scene, `[a-z0-9-]{1,12}`: `send-0`, `receive-0`.
    pub name: String,
    /// Name of the application that runs in it: `septet-gen`.
    pub application: String,
    /// CPUs that the application may use; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u32>,
    /// Size of its output folder in memory, bytes at most.
    pub output_bytes_max: u64,
    /// The container's link to the switch.
    pub link: Link,
}

/// One end of a link, inside the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Link {
    /// A network interface of the kernel.
    Interface(Interface),
    /// A vhost-user socket.
    VhostUser(VhostUser),
    /// A virtual function of a network card.
    Function(Function),
}

/// A virtual function that was made for the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Address of the function, `aa:bb:cc:dd:ee:ff`, as the lease's setup has it.
    pub mac: String,
    /// The interface that the kernel makes of it, inside the container; absent for a function that the application
    /// gets whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Interface>,
}

/// A vhost-user socket, which the container finds as [`PORT_SOCKET`] in [`PORT_FOLDER`]. Who of the two ends
/// makes it is the switch's to say (`switch::end`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VhostUser {
    /// Name of the folder, `[a-z0-9-]{1,12}`; the container's own, unless two containers are joined directly.
    pub folder: String,
    /// Address of the container's end, `aa:bb:cc:dd:ee:ff`.
    pub mac: String,
}

/// A network interface, inside the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// The interface's name, `eth0`.
    pub name: String,
    /// The interface's MAC address, `aa:bb:cc:dd:ee:ff`.
    pub mac: String,
    /// IPv4 address and prefix length, `10.0.0.1/16`; absent for raw techniques, whose frames the
    /// container's own IP stack must not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<String>,
    /// Permanent neighbours, `(ipv4, mac)`, so that no ARP is among the measured packets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<(String, String)>,
}
