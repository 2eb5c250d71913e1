//! `udp-mmsg`: connected UDP sockets, `sendmmsg` and `recvmmsg`. It must not know Ethernet.
//!
//! A call sends through one socket, and a socket has one source port: packets of several flows, which take
//! turns, go out one a call. To batch over flows, use `raw-mmsg`.

use std::io;

use super::mmsg::Batch;
use super::udp_sockets::UdpSockets;
use super::{Found, Port, RECEIVE_BYTES, received, taken};
use crate::failure::Failure;
use crate::payload::{Arrival, Header, Payload};
use crate::traffic::Traffic;

/// UDP, one system call a burst.
pub struct UdpMmsgPort {
    sockets: UdpSockets,
    payload: Payload,
    outgoing: Batch,
    incoming: Batch,
    calls: u64,
}

impl UdpMmsgPort {
    /// Binds and connects the sockets of `traffic`.
    ///
    /// # Errors
    /// Names the address that cannot be used.
    pub fn open(traffic: &Traffic) -> Result<Self, Failure> {
        let sockets = UdpSockets::open(traffic)?;
        Ok(Self {
            outgoing: Batch::new(traffic.burst, traffic.payload.bytes(), &[], &sockets.peers),
            incoming: Batch::new(traffic.burst, RECEIVE_BYTES, &[], &[]),
            sockets,
            payload: traffic.payload,
            calls: 0,
        })
    }
}

impl Port for UdpMmsgPort {
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        let burst = &burst[..burst.len().min(self.outgoing.len())];
        for (index, header) in burst.iter().enumerate() {
            self.payload.write(self.outgoing.slot_mut(index), header);
            self.outgoing.address(index, header.flow.into());
        }
        let one_socket = self.sockets.sockets.len() == 1;
        let mut sent = 0;
        for run in burst.chunk_by(|one, other| one_socket || one.flow == other.flow) {
            self.calls += 1;
            let socket = self.sockets.of_flow(run[0].flow);
            let run_sent = taken(self.outgoing.send(socket, sent..sent + run.len()))?;
            sent += run_sent;
            if run_sent < run.len() {
                break;
            }
        }
        Ok(sent)
    }

    #[inline]
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        arrivals.clear();
        self.calls += 1;
        let count = received(self.incoming.receive(self.sockets.next()))?.unwrap_or(0);
        arrivals.extend((0..count).map(|index| self.payload.read(self.incoming.received(index))));
        Ok(Found::of(count, self.incoming.len()))
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn drops(&self) -> io::Result<u64> {
        self.sockets.drops()
    }
}
