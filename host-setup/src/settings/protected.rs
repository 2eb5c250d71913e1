//! Which network interfaces are never touched: those that carry a default route or the connection of an
//! administrator, and whatever those stand on. Pure over a tree. It must not know what would be done to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lease::tree::Tree;

/// Port of ssh where nothing else is known.
pub const SSH_PORT: u16 = 22;

const NET: &str = "sys/class/net";
const ESTABLISHED: &str = "01";
/// Flag of a route over another host (`RTF_GATEWAY`).
const GATEWAY: u32 = 2;

/// One route of the kernel's tables.
struct Route {
    interface: String,
    destination: IpAddr,
    prefix: u32,
    /// Whether another host is on the way there.
    gateway: bool,
}

/// Interfaces that are never touched, each with the reason, in words that complete "it ...". `ssh_ports` are
/// the local ports at which administrators' connections end.
pub fn protected(tree: &dyn Tree, ssh_ports: &[u16]) -> BTreeMap<String, String> {
    let routes = routes(tree);
    let mut found = BTreeMap::new();
    for route in routes.iter().filter(|route| route.prefix == 0 && route.interface != "lo") {
        found.insert(route.interface.clone(), "carries the default route".to_owned());
    }
    // All connections of a host take long to read, and say nothing new of an interface that stays anyway.
    let is_open = |route: &Route| route.interface != "lo" && !found.contains_key(&route.interface);
    let peers = if routes.iter().any(is_open) { ssh_peers(tree, ssh_ports) } else { Vec::new() };
    for peer in peers {
        let way = routes.iter().filter(|route| route.leads_to(peer)).max_by_key(|route| route.prefix);
        if let Some(route) = way {
            found.entry(route.interface.clone()).or_insert_with(|| format!("carries the ssh connection from {peer}"));
        }
    }
    let mut open: Vec<String> = found.keys().cloned().collect();
    while let Some(above) = open.pop() {
        for (below, why) in stands_on(tree, &above) {
            if !found.contains_key(&below) {
                found.insert(below.clone(), why);
                open.push(below);
            }
        }
    }
    found
}

/// Whether anything goes through an interface at all: a route other than of its own link, or another
/// interface on top of it; in words that complete "it ...".
pub(crate) fn in_use(tree: &dyn Tree, interface: &str) -> Option<String> {
    if let Some(route) = routes(tree).into_iter().find(|route| route.interface == interface && !route.is_local()) {
        return Some(format!("has a route to {}/{}", route.destination, route.prefix));
    }
    let names = tree.list(&format!("{NET}/{interface}"));
    names.iter().find_map(|name| Some(format!("carries {}", name.strip_prefix("upper_")?)))
}

/// Whether more goes through an interface than to the hosts of its own network: a route over a gateway, which would
/// not come back with its addresses, or another interface on top of it; in words that complete "it ...".
pub(crate) fn leads_elsewhere(tree: &dyn Tree, interface: &str) -> Option<String> {
    if let Some(route) = routes(tree).into_iter().find(|route| route.interface == interface && route.gateway) {
        return Some(format!("has a route to {}/{} over a gateway", route.destination, route.prefix));
    }
    let names = tree.list(&format!("{NET}/{interface}"));
    names.iter().find_map(|name| Some(format!("carries {}", name.strip_prefix("upper_")?)))
}

/// What an interface needs: ports of a bridge or bond, the interface below a VLAN, the physical function.
fn stands_on(tree: &dyn Tree, interface: &str) -> Vec<(String, String)> {
    let lower = tree.list(&format!("{NET}/{interface}"));
    let lower = lower.iter().filter_map(|name| name.strip_prefix("lower_"));
    let mut below: Vec<(String, String)> =
        lower.map(|name| (name.to_owned(), format!("carries {interface}, which must stay"))).collect();
    for name in tree.list(&format!("{NET}/{interface}/device/physfn/net")) {
        below.push((name, format!("is the physical function of {interface}, which must stay")));
    }
    below
}

impl Route {
    fn leads_to(&self, address: IpAddr) -> bool {
        match (self.destination, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix.min(32)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix.min(128)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Whether the route is the link's own: multicast and link-local ones come with every interface that is up.
    fn is_local(&self) -> bool {
        match self.destination {
            IpAddr::V4(address) => address.is_link_local() || address.is_multicast(),
            IpAddr::V6(address) => address.is_unicast_link_local() || address.is_multicast(),
        }
    }
}

fn routes(tree: &dyn Tree) -> Vec<Route> {
    let v4 = tree.read("proc/net/route").unwrap_or_default();
    let v6 = tree.read("proc/net/ipv6_route").unwrap_or_default();
    v4.lines().skip(1).filter_map(route_v4).chain(v6.lines().filter_map(route_v6)).collect()
}

fn route_v4(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, destination, _, flags, _, _, _, mask, ..] = words[..] else { return None };
    let destination = IpAddr::V4(ipv4(destination)?);
    let gateway = u32::from_str_radix(flags, 16).ok()? & GATEWAY != 0;
    Some(Route { interface: interface.into(), destination, prefix: ipv4(mask)?.to_bits().count_ones(), gateway })
}

fn route_v6(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, prefix, _, _, _, _, _, _, flags, interface] = words[..] else { return None };
    // The kernel's own entries (RTF_REJECT) lead nowhere.
    const REJECT: u32 = 0x200;
    let flags = u32::from_str_radix(flags, 16).ok()?;
    if flags & REJECT != 0 {
        return None;
    }
    let destination = IpAddr::V6(Ipv6Addr::from_bits(u128::from_str_radix(destination, 16).ok()?));
    let (prefix, gateway) = (u32::from_str_radix(prefix, 16).ok()?, flags & GATEWAY != 0);
    Some(Route { interface: interface.into(), destination, prefix, gateway })
}

/// Eight digits that are four bytes of the network in the machine's order.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(u32::from_str_radix(text, 16).ok()?.to_ne_bytes()))
}

/// Four such words.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    let mut bytes = [0; 16];
    for (place, four) in bytes.chunks_exact_mut(4).enumerate() {
        let word = u32::from_str_radix(text.get(place * 8..place * 8 + 8)?, 16).ok()?;
        four.copy_from_slice(&word.to_ne_bytes());
    }
    Some(Ipv6Addr::from(bytes))
}

/// The other ends of established connections to a local port of ssh.
fn ssh_peers(tree: &dyn Tree, ports: &[u16]) -> Vec<IpAddr> {
    let mut peers = Vec::new();
    for file in ["proc/net/tcp", "proc/net/tcp6"] {
        for line in tree.read(file).unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, local, remote, ESTABLISHED, ..] = words[..] else { continue };
            let port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            let Some((address, _)) = remote.rsplit_once(':').filter(|_| port.is_some_and(|port| ports.contains(&port)))
            else {
                continue;
            };
            let address = match address.len() {
                8 => ipv4(address).map(IpAddr::V4),
                _ => ipv6(address).map(|address| address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)),
            };
            peers.extend(address.filter(|address| !address.is_loopback()));
        }
    }
    peers
}
