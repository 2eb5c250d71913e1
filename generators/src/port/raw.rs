//! `raw`: an `AF_PACKET` socket, one `send` or `recv` a frame, frames built whole.
//! It must not know counts or time.
//!
//! Frames pass the interface's queueing discipline (no `PACKET_QDISC_BYPASS`): what shapes an interface
//! shapes all techniques alike, and what its queue refuses is told apart from what is lost.

use std::io;
use std::os::fd::OwnedFd;

use wire::{Port as Place, Role};

use super::{Found, Port, RECEIVE_BYTES, SOCKET_BUFFER_BYTES, received, taken};
use crate::failure::{Attempt, Failure};
use crate::frame::Layout;
use crate::payload::{Arrival, Header};
use crate::sys::socket;
use crate::traffic::Traffic;

/// Packet sockets, one system call a frame.
pub struct RawPort {
    socket: OwnedFd,
    layout: Layout,
    outgoing: Vec<u8>,
    incoming: Box<[u8; RECEIVE_BYTES]>,
    calls: u64,
}

impl RawPort {
    /// Binds a packet socket to the interface of `traffic`.
    ///
    /// # Errors
    /// There is no such interface, or the right to open packet sockets (`CAP_NET_RAW`) is missing.
    pub fn open(traffic: &Traffic) -> Result<Self, Failure> {
        let layout = Layout::of(traffic);
        Ok(Self {
            socket: open_socket(traffic)?,
            outgoing: layout.template().to_vec(),
            layout,
            incoming: Box::new([0; RECEIVE_BYTES]),
            calls: 0,
        })
    }
}

/// A packet socket that sees all that the interface receives and nothing that it sends; for senders one that
/// sees nothing, so that the kernel copies nothing for nobody.
pub(super) fn open_socket(traffic: &Traffic) -> Result<OwnedFd, Failure> {
    let Place::Interface { name } = &traffic.port else {
        return Err(Failure::new("open a packet socket: the port is not a network interface"));
    };
    let protocol = if traffic.role == Role::Send { socket::NO_PROTOCOL } else { socket::EVERY_PROTOCOL };
    let open = || {
        let opened = socket::packet(name, protocol)?;
        socket::set_option(&opened, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        socket::enlarge_buffers(&opened, SOCKET_BUFFER_BYTES);
        Ok(opened)
    };
    open().attempt(|| format!("open a packet socket on {name} (does it exist, and may we: CAP_NET_RAW?)"))
}

impl Port for RawPort {
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        for (sent, header) in burst.iter().enumerate() {
            self.layout.write(&mut self.outgoing, header);
            self.calls += 1;
            if taken(socket::send(&self.socket, &self.outgoing))? == 0 {
                return Ok(sent);
            }
        }
        Ok(burst.len())
    }

    #[inline]
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        arrivals.clear();
        self.calls += 1;
        if let Some(bytes) = received(socket::receive(&self.socket, &mut self.incoming[..]))? {
            arrivals.push(self.layout.read(&self.incoming[..bytes.min(RECEIVE_BYTES)]));
        }
        Ok(Found::of(arrivals.len(), 1))
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn drops(&self) -> io::Result<u64> {
        socket::drops(&self.socket).map(u64::from)
    }
}
