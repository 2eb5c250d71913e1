//! Interfaces of the network namespace that the process is in, and their way into another and back. It must not know
//! why one is moved, or what is noted of it.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use crate::lease::interface::{Change, Interface, Links};
use crate::netlink::{Netlink, NetlinkError};

/// The interfaces of the process's own namespace.
pub(crate) struct HostLinks;

impl Links for HostLinks {
    fn all(&mut self) -> io::Result<Vec<Interface>> {
        Netlink::open().and_then(|mut netlink| all(&mut netlink)).map_err(io::Error::other)
    }

    fn free(&mut self, name: &str) {
        let _ = Netlink::open().and_then(|mut netlink| netlink.detach_xdp(name));
    }

    fn change(&mut self, name: &str, change: &Change) -> io::Result<()> {
        Netlink::open().and_then(|mut netlink| make(&mut netlink, name, change)).map_err(io::Error::other)
    }
}

/// Moves an interface into the network namespace of a process.
pub(crate) fn send_to(name: &str, pid: Pid) -> io::Result<()> {
    let moved = Netlink::open().and_then(|mut netlink| netlink.move_to(name, pid));
    moved.map_err(io::Error::other)
}

/// Moves an interface from the network namespace of a process into this one.
pub(crate) fn fetch_from(name: &str, pid: Pid) -> io::Result<()> {
    let own = File::open("/proc/self/ns/net")?;
    let there = File::open(format!("/proc/{pid}/ns/net"))?;
    inside(&there, &own, |netlink| netlink.move_into(name, own.as_fd()))?.map_err(io::Error::other)
}

/// Moves an interface into another network namespace, down and under another name.
pub(crate) fn lend(name: &str, namespace: &File, called: &str) -> io::Result<()> {
    let moved = Netlink::open().and_then(|mut netlink| move_as(&mut netlink, name, namespace, called));
    moved.map_err(io::Error::other)
}

/// Moves an interface from another network namespace into this one, down and under another name.
pub(crate) fn take_back(namespace: &File, name: &str, called: &str) -> io::Result<()> {
    let own = File::open("/proc/self/ns/net")?;
    let moved = inside(namespace, &own, |netlink| move_as(netlink, name, &own, called))?;
    moved.map_err(io::Error::other)
}

/// Whether an interface of another network namespace has a carrier.
pub(crate) fn has_carrier(namespace: &File, name: &str) -> io::Result<bool> {
    let own = File::open("/proc/self/ns/net")?;
    inside(namespace, &own, |netlink| netlink.has_carrier(name))?.map_err(io::Error::other)
}

/// Does something in another network namespace. The process is single-threaded, and is there for a moment.
fn inside<Done>(
    namespace: &File,
    own: &File,
    act: impl FnOnce(&mut Netlink) -> Result<Done, NetlinkError>,
) -> io::Result<Result<Done, NetlinkError>> {
    setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
    let netlink = Netlink::open();
    setns(own.as_fd(), CloneFlags::CLONE_NEWNET)?;
    Ok(netlink.and_then(|mut netlink| act(&mut netlink)))
}

fn move_as(netlink: &mut Netlink, name: &str, namespace: &File, called: &str) -> Result<(), NetlinkError> {
    let index = netlink.index_of(name)?;
    make(netlink, name, &Change::Up(false))?;
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes
        .extend([LinkAttribute::NetNsFd(namespace.as_fd().as_raw_fd()), LinkAttribute::IfName(called.to_owned())]);
    netlink.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
}

fn all(netlink: &mut Netlink) -> Result<Vec<Interface>, NetlinkError> {
    let links = netlink.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let addresses = netlink.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    let mut found: Vec<(u32, Interface)> = Vec::new();
    for message in links {
        if let RouteNetlinkMessage::NewLink(link) = message {
            found.extend(interface(&link).map(|interface| (link.header.index, interface)));
        }
    }
    for message in addresses {
        if let RouteNetlinkMessage::NewAddress(message) = message
            && let Some((_, interface)) = found.iter_mut().find(|(index, _)| *index == message.header.index)
        {
            interface.addresses.extend(address(&message));
        }
    }
    Ok(found.into_iter().map(|(_, interface)| interface).collect())
}

fn interface(link: &LinkMessage) -> Option<Interface> {
    let mut found = Interface {
        name: String::new(),
        mac: String::new(),
        kind: None,
        mtu_bytes: 0,
        up: link.header.flags.contains(LinkFlags::Up),
        addresses: Vec::new(),
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => found.name.clone_from(name),
            LinkAttribute::Address(bytes) => {
                found.mac = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
            }
            LinkAttribute::Mtu(bytes) => found.mtu_bytes = *bytes,
            LinkAttribute::LinkInfo(infos) => {
                let kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
                found.kind = found.kind.or(kind);
            }
            _ => {}
        }
    }
    (!found.name.is_empty()).then_some(found)
}

/// An address that somebody gave the interface: link-local ones of IPv6 come by themselves.
fn address(message: &AddressMessage) -> Option<(IpAddr, u8)> {
    let of = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Local(address) => Some((0, *address)),
        AddressAttribute::Address(address) => Some((1, *address)),
        _ => None,
    };
    let (_, address) = message.attributes.iter().filter_map(of).min_by_key(|(rank, _)| *rank)?;
    let by_itself = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    (!by_itself).then_some((address, message.header.prefix_len))
}

fn make(netlink: &mut Netlink, name: &str, change: &Change) -> Result<(), NetlinkError> {
    let index = netlink.index_of(name)?;
    let mut link = LinkMessage::default();
    link.header.index = index;
    match change {
        Change::Rename(name) => link.attributes.push(LinkAttribute::IfName(name.clone())),
        Change::Mtu(bytes) => link.attributes.push(LinkAttribute::Mtu(*bytes)),
        Change::Up(up) => {
            link.header.flags = if *up { LinkFlags::Up } else { LinkFlags::empty() };
            link.header.change_mask = LinkFlags::Up;
        }
        Change::Address(address, prefix) => {
            let mut message = AddressMessage::default();
            message.header.family = match address {
                IpAddr::V4(_) => AddressFamily::Inet,
                IpAddr::V6(_) => AddressFamily::Inet6,
            };
            message.header.index = index;
            message.header.prefix_len = *prefix;
            message.attributes = vec![AddressAttribute::Local(*address), AddressAttribute::Address(*address)];
            return netlink.create(RouteNetlinkMessage::NewAddress(message));
        }
    }
    netlink.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
}
