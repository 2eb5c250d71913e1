//! The port: packets in and out, a burst at a time, over whatever carries them. One file a backend.
//! It must not know roles, time or counts; the loops above are generic over it, so that nothing in them is
//! called through a pointer.

mod mmsg;
pub mod raw;
pub mod raw_mmsg;
pub mod udp;
pub mod udp_mmsg;
mod udp_sockets;

use std::io;

use crate::payload::{Arrival, Header};

/// How much a poll has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Less than it could have.
    Less,
    /// All that it can: more may be waiting.
    Burst,
}

impl Found {
    /// For `count` packets, of `most` that one poll takes.
    #[inline]
    pub fn of(count: usize, most: usize) -> Self {
        match count {
            0 => Self::Nothing,
            _ if count < most => Self::Less,
            _ => Self::Burst,
        }
    }
}

/// Something that packets go out of and come in by. Nothing in it blocks.
pub trait Port {
    /// Hands packets over, in order, until one is refused, and returns how many were taken. What follows a
    /// refused packet is refused with it and is not tried again. A single header that is no data goes out by every
    /// queue of the port, and what is returned is how many frames of it were taken.
    ///
    /// # Errors
    /// Anything but a lack of room: the port cannot go on.
    fn send(&mut self, burst: &[Header]) -> io::Result<usize>;

    /// Polls once, and replaces what is in `arrivals` by what has come: a burst at most, or nothing.
    ///
    /// # Errors
    /// The port cannot go on.
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found>;

    /// Calls into the backend so far: system calls, or bursts.
    fn calls(&self) -> u64;

    /// Packets that arrived and were dropped for lack of room before `receive` could have them, so far.
    ///
    /// # Errors
    /// They cannot be read.
    fn drops(&self) -> io::Result<u64>;

    /// Packets that were taken and that the other side has not fetched yet, as far as this port knows: they are
    /// lost if it is closed now.
    fn in_flight(&self) -> usize {
        0
    }
}

/// Socket buffers, both ways: some 10,000 of the smallest packets, 10 ms at 1 Mpps. It is within the
/// limit of systems that have raised it, and the same for root, who may pass any limit.
const SOCKET_BUFFER_BYTES: libc::c_int = 4 << 20;
/// Room for one received frame or datagram; longer ones are none of ours, and are cut.
const RECEIVE_BYTES: usize = 2048;

/// Makes a refusal for lack of room a count of 0. `ENOBUFS` is a queue's refusal, below the socket.
fn taken(sent: io::Result<usize>) -> io::Result<usize> {
    match sent {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS) => Ok(0),
        other => other,
    }
}

/// Makes an empty queue `None`. So is `ECONNREFUSED`: it reports that an announcement came before the other
/// end had opened its socket, and nothing about what is received.
fn received<T>(received: io::Result<T>) -> io::Result<Option<T>> {
    match received {
        Ok(received) => Ok(Some(received)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}
