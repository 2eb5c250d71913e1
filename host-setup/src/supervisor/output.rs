//! Standard output towards the client: queued, so that a client that does not read never keeps the agent
//! from noticing a signal or the end of its input. It must not know what is written.

use std::collections::VecDeque;
use std::io::Stdout;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::unistd::write;

use crate::failure::During;
use crate::protocol::Failure;

/// A pipe that poll calls writable takes this much without blocking.
const CHUNK_BYTES: usize = 4096;
/// Beyond this nothing more is taken from the worker until the client reads.
const QUEUED_BYTES_MAX: usize = 1 << 20;

pub(super) struct Output {
    stdout: Stdout,
    queue: VecDeque<u8>,
}

impl Output {
    pub(super) fn new() -> Output {
        Output { stdout: std::io::stdout(), queue: VecDeque::new() }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.queue.extend(bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= QUEUED_BYTES_MAX
    }

    /// Writes a little; to be called when poll calls the descriptor writable.
    pub(super) fn write(&mut self) -> nix::Result<()> {
        let (front, _) = self.queue.as_slices();
        match write(self.stdout.as_fd(), &front[..front.len().min(CHUNK_BYTES)]) {
            Ok(length) => drop(self.queue.drain(..length)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes what is queued, as the last thing, unless a signal comes or the client is gone.
    pub(super) fn write_rest(&mut self, signals: &SignalFd) -> Result<(), Failure> {
        while !self.is_empty() {
            let mut fds = [PollFd::new(self.fd(), PollFlags::POLLOUT), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => Err(error).host(|| "write an answer".into())?,
            }
            let signal = fds[1].revents().is_some_and(|events| !events.is_empty());
            if signal || self.write().is_err() {
                break;
            }
        }
        Ok(())
    }
}
