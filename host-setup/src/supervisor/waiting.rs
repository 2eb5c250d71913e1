//! A lease request that waits for another holder. It must not know what a lease is for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::protocol::Setup;

/// How often a client that waits is told for whom.
const SAY_EVERY: Duration = Duration::from_secs(3);
/// How often the lock is tried when its holder cannot be watched.
const RETRY: Duration = Duration::from_millis(50);

pub(super) struct Waiting {
    /// The number of the request that waits.
    pub id: u64,
    pub setup: Setup,
    until: Instant,
    said: Option<Instant>,
    watch: Option<OwnedFd>,
}

impl Waiting {
    pub(super) fn new(id: u64, setup: Setup, wait_ms: u64) -> Waiting {
        let until = Instant::now() + Duration::from_millis(wait_ms.min(u64::from(u32::MAX)));
        Waiting { id, setup, until, said: None, watch: None }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Whether trying the lock makes sense now: the holder is known to hold it as long as a connection to it
    /// does not hang up.
    pub(super) fn must_try(&self) -> bool {
        let hung_up = |watch: &OwnedFd| {
            let mut fds = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
            !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(0))
        };
        self.is_over() || self.must_say() || self.watch.as_ref().is_none_or(hung_up)
    }

    /// Whether it is time to tell the client.
    pub(super) fn must_say(&self) -> bool {
        self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY)
    }

    pub(super) fn has_said(&mut self) {
        self.said = Some(Instant::now());
    }

    /// A connection to the holder, if there is one.
    pub(super) fn watch(&mut self, watch: Option<OwnedFd>) {
        self.watch = watch;
    }

    /// Wakes a poll when the holder lets go.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(AsFd::as_fd)
    }

    /// When to look again whatever happens.
    pub(super) fn next(&self) -> Instant {
        if self.watch.is_some() { self.until } else { self.until.min(Instant::now() + RETRY) }
    }
}
