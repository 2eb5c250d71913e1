//! Exclusive use of the host: an abstract Unix socket in its network namespace. It works across users, leaves
//! no file, and dies with its owner. It must not know what the host is used for.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, getsockopt, listen, socket, sockopt,
};

use crate::failure::During;
use crate::protocol::Failure;

const NAME: &[u8] = b"septet-host";

/// The answer to an attempt to hold the host.
pub(crate) enum Attempt {
    /// The host is held as long as this, or a copy of it in a child, is open.
    Held(OwnedFd),
    /// Another holds it.
    Busy {
        /// What is known of the holder.
        holder: String,
        /// Hangs up when the holder lets go; absent if that cannot be watched.
        watch: Option<OwnedFd>,
    },
}

/// Tries once.
pub(crate) fn attempt() -> Result<Attempt, Failure> {
    let doing = || "lease the host".to_string();
    let address = UnixAddr::new_abstract(NAME).host(doing)?;
    let own = stream().host(doing)?;
    match bind(own.as_raw_fd(), &address) {
        Ok(()) => {
            listen(&own, Backlog::MAXCONN).host(doing)?;
            Ok(Attempt::Held(own))
        }
        Err(Errno::EADDRINUSE) => {
            let watch = stream().host(doing)?;
            match connect(watch.as_raw_fd(), &address) {
                Ok(()) => Ok(Attempt::Busy { holder: name_of(&watch), watch: Some(watch) }),
                // Let go in between, or bound and not listening yet, or crowded by those who wait.
                Err(_) => Ok(Attempt::Busy { holder: "another process".into(), watch: None }),
            }
        }
        Err(error) => Err(error).host(doing),
    }
}

fn stream() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

/// The kernel knows who listens.
fn name_of(connection: &OwnedFd) -> String {
    match getsockopt(connection, sockopt::PeerCredentials) {
        Ok(peer) => format!("process {} of user {}", peer.pid(), peer.uid()),
        Err(_) => "another process".into(),
    }
}
