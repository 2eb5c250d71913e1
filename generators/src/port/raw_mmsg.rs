//! `raw-mmsg`: an `AF_PACKET` socket, `sendmmsg` and `recvmmsg`, frames built whole.
//! It must not know counts or time.

use std::io;
use std::os::fd::OwnedFd;

use super::mmsg::Batch;
use super::raw::open_socket;
use super::{Found, Port, RECEIVE_BYTES, received, taken};
use crate::failure::Failure;
use crate::frame::Layout;
use crate::payload::{Arrival, Header};
use crate::sys::socket;
use crate::traffic::Traffic;

/// Packet sockets, one system call a burst.
pub struct RawMmsgPort {
    socket: OwnedFd,
    layout: Layout,
    outgoing: Batch,
    incoming: Batch,
    calls: u64,
}

impl RawMmsgPort {
    /// Binds a packet socket to the interface of `traffic`.
    ///
    /// # Errors
    /// There is no such interface, or the right to open packet sockets (`CAP_NET_RAW`) is missing.
    pub fn open(traffic: &Traffic) -> Result<Self, Failure> {
        let layout = Layout::of(traffic);
        Ok(Self {
            socket: open_socket(traffic)?,
            outgoing: Batch::new(traffic.burst, layout.frame_bytes(), layout.template(), &[]),
            incoming: Batch::new(traffic.burst, RECEIVE_BYTES, &[], &[]),
            layout,
            calls: 0,
        })
    }
}

impl Port for RawMmsgPort {
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        let burst = &burst[..burst.len().min(self.outgoing.len())];
        for (index, header) in burst.iter().enumerate() {
            self.layout.write(self.outgoing.slot_mut(index), header);
        }
        self.calls += 1;
        taken(self.outgoing.send(&self.socket, 0..burst.len()))
    }

    #[inline]
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        arrivals.clear();
        self.calls += 1;
        let count = received(self.incoming.receive(&self.socket))?.unwrap_or(0);
        arrivals.extend((0..count).map(|index| self.layout.read(self.incoming.received(index))));
        Ok(Found::of(count, self.incoming.len()))
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn drops(&self) -> io::Result<u64> {
        socket::drops(&self.socket).map(u64::from)
    }
}
