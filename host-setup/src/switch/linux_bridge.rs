//! The kernel's own bridge, with one veth pair a container. It runs on the CPUs of those who send through
//! it, so it can be given none. It lives in the agent's network namespace and dies with it.

use std::time::{Duration, Instant};

use netlink_packet_route::link::{BridgeStpState, InfoBridge, InfoBridgePort};
use nix::poll::{PollTimeout, poll};
use nix::unistd::Pid;

use super::uplink::{NEUTRAL, UPLINK, Uplink};
use super::{Cores, Descriptor, Drawn, Driver, Ends, Entry, Forwards, MemoryUse, Ports, Queues, Shape, Site, Switch};
use crate::failure::During;
use crate::netlink::{self, Netlink, PortState};
use crate::protocol::{Failure, FailureKind, PortCounters};
use crate::scene;
use crate::scene::checked::{CheckedContainer, CheckedLink, Mac};

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: None, beside: None, start, sysctls: &SYSCTLS }) };

/// Whatever opens a network interface of the kernel.
const IO: [&str; 4] = ["udp", "udp-mmsg", "raw", "raw-mmsg"];

const BRIDGE: &str = "br0";
/// Links of the switch, to delete them together.
const GROUP: u32 = 7;
/// The group of links that are in none.
const NO_GROUP: u32 = 0;
const ENDS: netlink::Ends = netlink::Ends { mtu_bytes: 1500, txqueuelen_packets: 1000, queues: 1 };
/// In the kernel's unit for bridges, hundredths of a second.
const AGEING_CS: u32 = 30_000;
const PRIORITY: u16 = 32_768;

/// Settings of the namespace of the bridge, and of each container: a default that the host's administrator
/// changed must not change a measurement, and nobody but applications sends: no router solicitations, and no
/// "port unreachable" within the first quarter of an hour, in milliseconds. One that a kernel does not have is
/// left out.
pub(super) const SYSCTLS: [(&str, &str); 10] = [
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv4/conf/all/forwarding", "0"),
    ("net/ipv4/conf/default/forwarding", "0"),
    ("net/ipv4/icmp_ratelimit", "1000000"),
    ("net/bridge/bridge-nf-call-iptables", "0"),
    ("net/bridge/bridge-nf-call-ip6tables", "0"),
    ("net/bridge/bridge-nf-call-arptables", "0"),
];

fn port_name(port: usize) -> String {
    format!("p{port}")
}

/// The address of the bridge on a side of a test.
fn bridge_mac(side: u8) -> Mac {
    Mac([0x02, 0x73, 0x65, 0x70, 0xff, side])
}

/// The address of a port on a side of a test: no two bridges of a cable have one in common.
fn port_mac(side: u8, port: usize) -> Mac {
    Mac([0x02, 0x73, 0x65, 0x70, 0xfe - side, u8::try_from(port).unwrap_or(u8::MAX)])
}

/// The side that a shape is on; a local test has no other than the first.
fn side(uplink: Option<Uplink>) -> u8 {
    uplink.map_or(0, |uplink| uplink.side)
}

fn descriptor() -> Descriptor {
    Descriptor {
        name: "linux-bridge".into(),
        io: IO.map(str::to_owned).into(),
        ends: Ends::Interfaces,
        forwards: Forwards::Learning,
        uplink: true,
        ports: Ports { most: 64, even: false, why: "it is built with 1 to 64".into() },
        cores: Cores::None { why: "it runs in the kernel, on the CPUs of those who send through it".into() },
        queues: Queues::One { why: "a veth pair has one".into() },
        memory: MemoryUse::None { why: "it runs in the kernel".into() },
        drawn: Drawn::Kernel,
        programs: false,
        packages: Vec::new(),
        needs_root: None,
        renews: true,
        configuration: None,
    }
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    Ok(Box::new(LinuxBridge::start(site.scene.switch.uplink.clone())?))
}

fn render(shape: &Shape) -> String {
    let netlink::Ends { mtu_bytes, txqueuelen_packets, queues } = ENDS;
    let side = side(shape.uplink);
    let bridge_mac = bridge_mac(side);
    let mut text = format!(
        "bridge {BRIDGE} mac={bridge_mac} mtu={mtu_bytes} txqueuelen={txqueuelen_packets} stp=off \
         priority={PRIORITY} ageing={AGEING_CS}cs mcast-snooping=off mcast-querier=off \
         nf-call-iptables=off nf-call-ip6tables=off nf-call-arptables=off group-fwd-mask=0\n"
    );
    for port in 0..shape.ports as usize {
        text.push_str(&format!(
            "veth {} mac={} mtu={mtu_bytes} txqueuelen={txqueuelen_packets} queues={queues} learning=on \
             flood=on mcast-flood=on bcast-flood=on hairpin=off isolated=off guard=off neigh-suppress=off\n",
            port_name(port),
            port_mac(side, port)
        ));
    }
    if shape.uplink.is_some() {
        text.push_str(&format!(
            "interface {NEUTRAL} as it is, learning=on flood=on mcast-flood=on bcast-flood=on hairpin=off isolated=off \
             guard=off neigh-suppress=off\n"
        ));
    }
    text.push_str(&format!(
        "container mtu={mtu_bytes} txqueuelen={txqueuelen_packets} queues={queues} \
         arp=off-with-neighbours-or-without-address\n"
    ));
    for (name, value) in SYSCTLS {
        text.push_str(&format!("sysctl {}={value}\n", name.replace('/', ".")));
    }
    text
}

fn bridge_settings() -> Vec<InfoBridge> {
    vec![
        InfoBridge::StpState(BridgeStpState::Disabled),
        InfoBridge::Priority(PRIORITY),
        InfoBridge::AgeingTime(AGEING_CS),
        InfoBridge::MulticastSnooping(false),
        InfoBridge::MulticastQuerier(false),
        InfoBridge::NfCallIpTables(false),
        InfoBridge::NfCallIp6Tables(false),
        InfoBridge::NfCallArpTables(false),
        InfoBridge::GroupFwdMask(0),
    ]
}

fn port_settings() -> Vec<InfoBridgePort> {
    vec![
        InfoBridgePort::Learning(true),
        InfoBridgePort::UnicastFlood(true),
        InfoBridgePort::MulticastFlood(true),
        InfoBridgePort::BroadcastFlood(true),
        InfoBridgePort::HairpinMode(false),
        InfoBridgePort::Isolated(false),
        InfoBridgePort::Guard(false),
        InfoBridgePort::NeighSupress(false),
    ]
}

/// A bridge that stands.
struct LinuxBridge {
    netlink: Netlink,
    index: u32,
    containers: Vec<String>,
    uplink: Option<scene::Uplink>,
}

impl LinuxBridge {
    fn start(uplink: Option<scene::Uplink>) -> Result<LinuxBridge, Failure> {
        super::set_sysctls(&SYSCTLS)?;
        let mac = bridge_mac(uplink.as_ref().map_or(0, |uplink| uplink.side));
        let mut netlink = Netlink::open().scene(|| "open a netlink socket".into())?;
        netlink
            .add_bridge(BRIDGE, mac, ENDS.mtu_bytes, ENDS.txqueuelen_packets, bridge_settings())
            .scene(|| "create a bridge".into())
            .map_err(|failure| failure.advise("the kernel must have bridges: modprobe bridge"))?;
        let mut bridge = LinuxBridge { netlink, index: 0, containers: Vec::new(), uplink };
        match bridge.raise() {
            Ok(()) => Ok(bridge),
            Err(failure) => {
                bridge.stop()?;
                Err(failure)
            }
        }
    }

    fn raise(&mut self) -> Result<(), Failure> {
        self.netlink.set_up(BRIDGE, false).scene(|| "bring the bridge up".into())?;
        self.netlink.set_group(BRIDGE, GROUP).scene(|| "put the bridge into its group".into())?;
        self.index = self.netlink.index_of(BRIDGE).scene(|| "find the bridge".into())?;
        if let Some(scene::Uplink { device, .. }) = &self.uplink {
            let doing = || format!("join {device} to the bridge");
            // Not of the group: with the bridge gone it is free again.
            self.netlink.enslave(device, self.index, NO_GROUP).scene(doing)?;
            self.netlink.set_bridge_port(device, port_settings()).scene(doing)?;
        }
        Ok(())
    }

    /// The bridge's interfaces, each with what is at the other end.
    fn ports(&self) -> Vec<(String, String)> {
        let ports = self.containers.iter().enumerate().map(|(port, container)| (port_name(port), container.clone()));
        ports.chain(self.uplink.iter().map(|uplink| (uplink.device.clone(), UPLINK.to_owned()))).collect()
    }

    /// The first port that does not forward yet.
    fn not_ready(&mut self) -> Result<Option<(String, PortState)>, Failure> {
        for (name, to) in self.ports() {
            let state = self.netlink.port_state(&name).scene(|| format!("read the state of port {name}"))?;
            if !(state.up && state.forwarding) {
                return Ok(Some((format!("{name}, to {to}"), state)));
            }
        }
        Ok(None)
    }
}

impl Switch for LinuxBridge {
    fn attach(&mut self, container: &CheckedContainer, process: Pid) -> Result<(), Failure> {
        let port = self.containers.len();
        let near = port_name(port);
        let CheckedLink::Interface(link) = &container.link else {
            let message = format!("attach container {}: its link is no network interface", container.name);
            return Err(Failure::new(FailureKind::Request, message));
        };
        let side = self.uplink.as_ref().map_or(0, |uplink| uplink.side);
        if link.mac == bridge_mac(side) || (0..=64).any(|port| port_mac(side, port) == link.mac) {
            let message =
                format!("attach container {}: {} is an address of the bridge's own", container.name, link.mac);
            return Err(Failure::new(FailureKind::Request, message));
        }
        let doing = || format!("attach container {} to the bridge", container.name);
        self.netlink.add_veth((&near, port_mac(side, port)), (&link.name, link.mac), process, ENDS).scene(doing)?;
        // Known from here on, so that a failure below takes it down again.
        self.containers.push(container.name.clone());
        self.netlink.enslave(&near, self.index, GROUP).scene(doing)?;
        self.netlink.set_bridge_port(&near, port_settings()).scene(doing)
    }

    fn ready(&mut self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let Some((port, state)) = self.not_ready()? else { return Ok(()) };
            if Instant::now() >= deadline {
                let message =
                    format!("wait for port {port} of the bridge: up {}, forwarding {}", state.up, state.forwarding);
                return Err(Failure::new(FailureKind::Scene, message));
            }
            let pause = PollTimeout::try_from(Duration::from_millis(1)).unwrap_or(PollTimeout::ZERO);
            poll(&mut [], pause).scene(|| "wait for the bridge".into())?;
        }
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        let ports = self.ports();
        let mut counters = Vec::with_capacity(ports.len());
        for (name, container) in ports {
            let doing = || format!("read the counters of port {name}");
            let Some(stats) = self.netlink.counters(&name).scene(doing)? else { continue };
            counters.push(PortCounters {
                container,
                received: stats.rx_packets,
                sent: stats.tx_packets,
                received_dropped: stats.rx_dropped,
                sent_dropped: stats.tx_dropped,
            });
        }
        Ok(counters)
    }

    fn stop(&mut self) -> Result<(), Failure> {
        self.containers.clear();
        self.netlink.delete_group(GROUP).scene(|| "delete the bridge and its ports".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_is_pinned() {
        let remote = |side| {
            let uplink = Some(Uplink { by: crate::switch::uplink::By::Kernel, side });
            render(&Shape { ports: 1, cores: 0, queues: 1, memory: None, uplink })
        };
        assert!(remote(0).contains("interface UPLINK as it is") && remote(1).contains("mac=02:73:65:70:fd:00"));
        let shape = |ports, cores| Shape { ports, cores, queues: 1, memory: None, uplink: None };
        let text = render(&shape(2, 0));
        assert_eq!(blake3::hash(text.as_bytes()).to_hex().as_str(), PINNED, "{text}");
        let refused = |shape| descriptor().check(&shape).is_err();
        assert!([shape(0, 0), shape(65, 0), shape(2, 1)].map(refused).iter().all(|refused| *refused));
    }

    /// The digest of a configuration of two ports. If this must change, every measurement through a linux-bridge
    /// becomes dirty.
    const PINNED: &str = "e57ace3f41cf9bce8f91e47f24d44eab0d0db3a9f31441d4e7a42b0132abccaa";
}
