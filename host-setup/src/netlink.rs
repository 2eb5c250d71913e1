//! Links, addresses and neighbours of the network namespace that the process is in, by rtnetlink: one
//! request, one answer, synchronously. It must not know scenes, switches or containers.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    BridgePortState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkVfInfo, LinkXdp, State, Stats64, VfInfo,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, route::RouteType};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily as Family, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use nix::unistd::Pid;

use crate::scene::checked::Mac;

/// An rtnetlink request that the kernel refused, or an answer that makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetlinkError {
    #[error("{0}")]
    Io(#[from] nix::Error),
    #[error("{0}")]
    Refused(std::io::Error),
    #[error("the kernel's answer cannot be read: {0}")]
    Answer(String),
}

/// What both ends of a veth pair have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub mtu_bytes: u32,
    pub txqueuelen_packets: u32,
    pub queues: u32,
}

/// State of a bridge port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortState {
    pub up: bool,
    pub forwarding: bool,
}

/// Whether a link has somebody at its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    pub up: bool,
    /// Since the link was made.
    pub changes: u32,
    pub mtu_bytes: u32,
}

/// A connection to the kernel. Belongs to the namespace in which it was opened.
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(crate) fn open() -> Result<Netlink, NetlinkError> {
        let socket = socket(Family::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Makes a bridge, down.
    pub(crate) fn add_bridge(
        &mut self,
        name: &str,
        mac: Mac,
        mtu_bytes: u32,
        txqueuelen_packets: u32,
        settings: Vec<InfoBridge>,
    ) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.extend([
            LinkAttribute::Address(mac.0.to_vec()),
            LinkAttribute::Mtu(mtu_bytes),
            LinkAttribute::TxQueueLen(txqueuelen_packets),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(settings))]),
        ]);
        self.create(RouteNetlinkMessage::NewLink(link))
    }

    /// Makes a bridge and a veth pair, to see whether this kernel can.
    pub(crate) fn probe_bridge(&mut self) -> Result<(), NetlinkError> {
        let mac = Mac([0x02, 0, 0, 0, 0, 1]);
        self.add_bridge("probe0", mac, 1500, 1000, Vec::new())?;
        let ends = Ends { mtu_bytes: 1500, txqueuelen_packets: 1000, queues: 1 };
        self.add_veth(("probe1", mac), ("probe2", mac), Pid::this(), ends)
    }

    /// Makes a veth pair: `near` here, `far` in the network namespace of the process `far_pid`; both down.
    pub(crate) fn add_veth(
        &mut self,
        near: (&str, Mac),
        far: (&str, Mac),
        far_pid: Pid,
        ends: Ends,
    ) -> Result<(), NetlinkError> {
        let end = |(name, mac): (&str, Mac)| {
            let mut link = named(name);
            link.attributes.extend([
                LinkAttribute::Address(mac.0.to_vec()),
                LinkAttribute::Mtu(ends.mtu_bytes),
                LinkAttribute::TxQueueLen(ends.txqueuelen_packets),
                LinkAttribute::NumTxQueues(ends.queues),
                LinkAttribute::NumRxQueues(ends.queues),
            ]);
            link
        };
        let mut peer = end(far);
        peer.attributes.push(LinkAttribute::NetNsPid(far_pid.as_raw().unsigned_abs()));
        let mut link = end(near);
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.create(RouteNetlinkMessage::NewLink(link))
    }

    /// Puts a link under a bridge, into a group of links that can be deleted together, and up.
    pub(crate) fn enslave(&mut self, name: &str, bridge_index: u32, group: u32) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes.extend([LinkAttribute::Controller(bridge_index), LinkAttribute::Group(group)]);
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Puts a link into a group of links that can be deleted together.
    pub(crate) fn set_group(&mut self, name: &str, group: u32) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::Group(group));
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Sets up a virtual function of an interface.
    pub(crate) fn set_vf(&mut self, name: &str, wishes: Vec<VfInfo>) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::VfInfoList(vec![LinkVfInfo(wishes)]));
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Sets what a bridge does at one of its ports.
    pub(crate) fn set_bridge_port(&mut self, name: &str, settings: Vec<InfoBridgePort>) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(settings)),
        ]));
        self.acknowledged(RouteNetlinkMessage::NewLink(link), 0)
    }

    /// Brings a link up, with or without address resolution.
    pub(crate) fn set_up(&mut self, name: &str, resolve_addresses: bool) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.header.flags = if resolve_addresses { LinkFlags::Up } else { LinkFlags::Up | LinkFlags::Noarp };
        link.header.change_mask = LinkFlags::Up | LinkFlags::Noarp;
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Whether a link is up, whatever is at its other end.
    pub(crate) fn is_up(&mut self, name: &str) -> Result<bool, NetlinkError> {
        Ok(self.link(name)?.header.flags.contains(LinkFlags::Up))
    }

    /// Deletes every link of a group at once, which is much faster than one by one.
    pub(crate) fn delete_group(&mut self, group: u32) -> Result<(), NetlinkError> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::Group(group));
        self.acknowledged(RouteNetlinkMessage::DelLink(link), 0)
    }

    /// Deletes a link; one that is not there is deleted already.
    pub(crate) fn delete(&mut self, name: &str) -> Result<(), NetlinkError> {
        let Ok(found) = self.link(name) else { return Ok(()) };
        let mut link = LinkMessage::default();
        link.header.index = found.header.index;
        self.acknowledged(RouteNetlinkMessage::DelLink(link), 0)
    }

    pub(crate) fn add_ipv4(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> Result<(), NetlinkError> {
        self.create(RouteNetlinkMessage::NewAddress(address_message(index, address, prefix)))
    }

    pub(crate) fn add_neighbour(&mut self, index: u32, address: Ipv4Addr, mac: Mac) -> Result<(), NetlinkError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.header.kind = RouteType::Unspec;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
            NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()),
        ];
        self.acknowledged(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    pub(crate) fn index_of(&mut self, name: &str) -> Result<u32, NetlinkError> {
        Ok(self.link(name)?.header.index)
    }

    /// Whether a bridge port is up, and forwards.
    pub(crate) fn port_state(&mut self, name: &str) -> Result<PortState, NetlinkError> {
        let mut state = PortState { up: false, forwarding: false };
        for attribute in self.link(name)?.attributes {
            match attribute {
                // A driver that does not tell leaves it unknown.
                LinkAttribute::OperState(oper) => state.up = matches!(oper, State::Up | State::Unknown),
                LinkAttribute::LinkInfo(infos) => {
                    state.forwarding = infos.iter().any(|info| {
                        matches!(info, LinkInfo::PortData(InfoPortData::BridgePort(settings))
                            if settings.contains(&InfoBridgePort::State(BridgePortState::Forwarding)))
                    });
                }
                _ => {}
            }
        }
        Ok(state)
    }

    /// Whether a link has a carrier.
    pub(crate) fn has_carrier(&mut self, name: &str) -> Result<bool, NetlinkError> {
        Ok(self.link(name)?.attributes.contains(&LinkAttribute::Carrier(1)))
    }

    /// The counters of a link, as this end of it counts; nothing if the link is gone.
    pub(crate) fn counters(&mut self, name: &str) -> Result<Option<Stats64>, NetlinkError> {
        let link = match self.link(name) {
            Err(NetlinkError::Refused(error)) if error.raw_os_error() == Some(Errno::ENODEV as i32) => return Ok(None),
            other => other?,
        };
        Ok(link.attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::Stats64(stats) => Some(stats),
            _ => None,
        }))
    }

    /// Whether a link has a carrier, how often that has changed, and its MTU in bytes.
    pub(crate) fn carrier(&mut self, name: &str) -> Result<Carrier, NetlinkError> {
        let mut carrier = Carrier { up: false, changes: 0, mtu_bytes: 0 };
        for attribute in self.link(name)?.attributes {
            match attribute {
                LinkAttribute::Carrier(up) => carrier.up = up != 0,
                LinkAttribute::CarrierChanges(changes) => carrier.changes = changes,
                LinkAttribute::Mtu(bytes) => carrier.mtu_bytes = bytes,
                _ => {}
            }
        }
        Ok(carrier)
    }

    /// Takes away whatever program looks at packets before the kernel does: one outlives its program.
    pub(crate) fn detach_xdp(&mut self, name: &str) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::Xdp(vec![LinkXdp::Fd(-1)]));
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    pub(crate) fn delete_ipv4(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> Result<(), NetlinkError> {
        let message = address_message(index, address, prefix);
        self.acknowledged(RouteNetlinkMessage::DelAddress(message), 0)
    }

    fn link(&mut self, name: &str) -> Result<LinkMessage, NetlinkError> {
        match self.exchange(RouteNetlinkMessage::GetLink(named(name)), 0)? {
            Some(RouteNetlinkMessage::NewLink(link)) => Ok(link),
            other => Err(NetlinkError::Answer(format!("asked for {name}, got {other:?}"))),
        }
    }

    /// Moves a link into the network namespace of a process.
    pub(crate) fn move_to(&mut self, name: &str, pid: Pid) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::NetNsPid(pid.as_raw().unsigned_abs()));
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Moves a link into that network namespace.
    pub(crate) fn move_into(&mut self, name: &str, namespace: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
        self.acknowledged(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Everything of a kind.
    pub(crate) fn dump(&mut self, message: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut found = Vec::new();
        self.send(message, NLM_F_DUMP)?;
        let mut answer = vec![0; 64 << 10];
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
            let mut rest = &answer[..length];
            while !rest.is_empty() {
                let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| NetlinkError::Answer(error.to_string()))?;
                // The next one begins at a multiple of four.
                let size = (parsed.header.length as usize).next_multiple_of(4).max(16).min(rest.len());
                rest = &rest[size..];
                match parsed.payload {
                    _ if parsed.header.sequence_number != self.sequence => {}
                    NetlinkPayload::Done(_) => return Ok(found),
                    NetlinkPayload::Error(error) => return Err(NetlinkError::Refused(error.to_io())),
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    other => return Err(NetlinkError::Answer(format!("unexpected {other:?}"))),
                }
            }
        }
    }

    pub(crate) fn create(&mut self, message: RouteNetlinkMessage) -> Result<(), NetlinkError> {
        self.acknowledged(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    pub(crate) fn acknowledged(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.exchange(message, flags | NLM_F_ACK).map(drop)
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.sequence += 1;
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
        Ok(())
    }

    /// Sends one request and reads its one answer: an acknowledgement (nothing) or a message.
    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
        self.send(message, flags)?;
        let mut answer = vec![0; 64 << 10];
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
            let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer[..length])
                .map_err(|error| NetlinkError::Answer(error.to_string()))?;
            if parsed.header.sequence_number != self.sequence {
                continue;
            }
            return match parsed.payload {
                NetlinkPayload::Error(error) if error.code.is_none() => Ok(None),
                NetlinkPayload::Error(error) => Err(NetlinkError::Refused(error.to_io())),
                NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
                other => Err(NetlinkError::Answer(format!("unexpected {other:?}"))),
            };
        }
    }
}

fn address_message(index: u32, address: Ipv4Addr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.index = index;
    message.header.prefix_len = prefix;
    message.attributes =
        vec![AddressAttribute::Local(IpAddr::V4(address)), AddressAttribute::Address(IpAddr::V4(address))];
    message
}

fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.into()));
    link
}
