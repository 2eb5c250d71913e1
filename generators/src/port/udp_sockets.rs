//! The UDP sockets of one end, opened and bound. It must not know how packets are moved through them.
//!
//! A socket has one source port, so whoever spreads traffic over flows needs one for each, connected to the
//! other end. The other end has one socket: connected if there is one flow, else told the address by packet.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};

use super::SOCKET_BUFFER_BYTES;
use crate::failure::{Attempt, Failure};
use crate::sys::socket;
use crate::traffic::Traffic;

/// The sockets of one end.
pub struct UdpSockets {
    /// One for each flow where this end spreads traffic over flows, else one.
    pub sockets: Vec<UdpSocket>,
    /// The other end's address for each flow, where the one socket is not connected; else empty.
    pub peers: Vec<SocketAddrV4>,
    /// The next socket to poll.
    turn: usize,
}

impl UdpSockets {
    pub fn open(traffic: &Traffic) -> Result<Self, Failure> {
        let flows = 0..traffic.flows;
        let (local, remote) = (traffic.local, traffic.remote);
        let address = |end: crate::traffic::End, flow: u16| SocketAddrV4::new(end.ipv4, end.udp_port + flow);
        let (sockets, peers) = if traffic.originates() {
            let open = |flow| open_one(address(local, flow), Some(address(remote, 0)));
            (flows.map(open).collect::<Result<_, _>>()?, Vec::new())
        } else if traffic.flows == 1 {
            (vec![open_one(address(local, 0), Some(address(remote, 0)))?], Vec::new())
        } else {
            (vec![open_one(address(local, 0), None)?], flows.map(|flow| address(remote, flow)).collect())
        };
        Ok(Self { sockets, peers, turn: 0 })
    }

    /// The socket that packets of `flow` leave by.
    #[inline]
    pub fn of_flow(&self, flow: u16) -> &UdpSocket {
        &self.sockets[usize::from(flow) % self.sockets.len()]
    }

    /// The socket to poll now; the sockets take turns.
    #[inline]
    pub fn next(&mut self) -> &UdpSocket {
        self.turn = if self.turn + 1 < self.sockets.len() { self.turn + 1 } else { 0 };
        &self.sockets[self.turn]
    }

    pub fn drops(&self) -> io::Result<u64> {
        self.sockets.iter().map(|socket| socket::drops(socket).map(u64::from)).sum()
    }
}

fn open_one(local: SocketAddrV4, remote: Option<SocketAddrV4>) -> Result<UdpSocket, Failure> {
    let udp = UdpSocket::bind(local)
        .attempt(|| format!("bind a UDP socket to {local} (is the address on the interface, and the port free?)"))?;
    let prepare = || {
        udp.set_nonblocking(true)?;
        socket::enlarge_buffers(&udp, SOCKET_BUFFER_BYTES);
        // A frame longer than the interface allows is an error, not two fragments.
        socket::set_option(&udp, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
        // Without this the kernel hides from UDP that a queue below the socket refused a packet.
        socket::set_option(&udp, libc::IPPROTO_IP, libc::IP_RECVERR, 1)
    };
    prepare().attempt(|| format!("set the options of the UDP socket at {local}"))?;
    if let Some(remote) = remote {
        udp.connect(remote).attempt(|| format!("connect the UDP socket at {local} to {remote}"))?;
    }
    Ok(udp)
}
