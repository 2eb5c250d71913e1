//! `udp`: connected UDP sockets, one `send` or `recv` a packet. It must not know Ethernet.

use std::io;

use super::udp_sockets::UdpSockets;
use super::{Found, Port, RECEIVE_BYTES, received, taken};
use crate::failure::Failure;
use crate::payload::{Arrival, Header, Payload};
use crate::sys::socket;
use crate::traffic::Traffic;

/// UDP, one system call a packet.
pub struct UdpPort {
    sockets: UdpSockets,
    payload: Payload,
    outgoing: Vec<u8>,
    incoming: Box<[u8; RECEIVE_BYTES]>,
    calls: u64,
}

impl UdpPort {
    /// Binds and connects the sockets of `traffic`.
    ///
    /// # Errors
    /// Names the address that cannot be used.
    pub fn open(traffic: &Traffic) -> Result<Self, Failure> {
        Ok(Self {
            sockets: UdpSockets::open(traffic)?,
            payload: traffic.payload,
            outgoing: vec![0; traffic.payload.bytes()],
            incoming: Box::new([0; RECEIVE_BYTES]),
            calls: 0,
        })
    }

    fn send_one(&mut self, header: &Header) -> io::Result<usize> {
        self.payload.write(&mut self.outgoing, header);
        self.calls += 1;
        let socket = self.sockets.of_flow(header.flow);
        taken(match self.sockets.peers.get(usize::from(header.flow)) {
            None => socket.send(&self.outgoing),
            Some(peer) => socket.send_to(&self.outgoing, peer),
        })
    }
}

impl Port for UdpPort {
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        for (sent, header) in burst.iter().enumerate() {
            if self.send_one(header)? == 0 {
                return Ok(sent);
            }
        }
        Ok(burst.len())
    }

    #[inline]
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        arrivals.clear();
        self.calls += 1;
        if let Some(bytes) = received(socket::receive(self.sockets.next(), &mut self.incoming[..]))? {
            arrivals.push(self.payload.read(&self.incoming[..bytes.min(RECEIVE_BYTES)]));
        }
        Ok(Found::of(arrivals.len(), 1))
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn drops(&self) -> io::Result<u64> {
        self.sockets.drops()
    }
}
