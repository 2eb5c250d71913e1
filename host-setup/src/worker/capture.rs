//! The first packets at the ends of links: a socket in each container's network namespace, which the kernel fills until
//! it is read. It costs what is captured a copy, so that nothing is measured meanwhile. It must not know what the
//! packets are.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt, socket,
};
use nix::sys::time::TimeSpec;

use super::container::Container;
use crate::failure::During;
use crate::lines::{send_all, to_line};
use crate::protocol::{Bulk, Failure, FailureKind, Message};
use crate::scene::checked::CheckedLink;

/// Most packets of each end.
pub(crate) const PACKETS_MAX: u32 = 10_000;
/// What the kernel keeps for a packet besides its bytes, and then some.
const PACKET_BYTES: usize = 4096;
/// Longest packet, bytes.
const BYTES_MAX: usize = 1 << 16;

/// What waits to be read.
pub(super) struct Capture {
    packets: u32,
    ends: Vec<(String, OwnedFd)>,
}

impl Capture {
    /// Begins at every container.
    pub(super) fn begin(containers: &[Container], packets: u32) -> Result<Capture, Failure> {
        let refuse = |message: String| Err(Failure::new(FailureKind::Request, message));
        if packets == 0 || packets > PACKETS_MAX {
            return refuse(format!("capture {packets} packets: at most {PACKETS_MAX} are kept of an end"));
        }
        let mut ends = Vec::new();
        for container in containers {
            let name = &container.checked.name;
            if !matches!(container.checked.link, CheckedLink::Interface(_)) {
                return refuse(format!(
                    "capture at {name}: a vhost-user port is memory that it shares with the switch, which nobody else \
                     sees; capture where ports are interfaces of the kernel"
                ));
            }
            let Some(network) = &container.network else {
                return refuse(format!("capture at {name}: its network namespace cannot be entered here"));
            };
            ends.push((name.clone(), listen(network, packets).scene(|| format!("capture at {name}"))?));
        }
        Ok(Capture { packets, ends })
    }

    /// Hands over what was captured at a container, as a pcap file.
    pub(super) fn send(&self, container: &str, to: impl AsFd) -> Result<(), Failure> {
        let doing = || format!("hand over what was captured at {container}");
        let end = self.ends.iter().find(|(name, _)| name == container);
        let (name, socket) = end.ok_or("nothing is captured there").request(doing)?;
        let mut file = header();
        for _ in 0..self.packets {
            if !next(socket, &mut file).scene(doing)? {
                break;
            }
        }
        let blake3 = blake3::hash(&file).to_hex().to_string();
        let bulk = Bulk { bulk: format!("{name}.pcap"), len: file.len() as u64, blake3 };
        let line = to_line(&Message::Bulk(bulk)).scene(doing)?;
        send_all(to.as_fd(), &line).scene(doing)?;
        send_all(to.as_fd(), &file).scene(doing)
    }
}

/// A socket that hears everything in a network namespace.
fn listen(network: &File, packets: u32) -> nix::Result<OwnedFd> {
    let own = File::open("/proc/self/ns/net").map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    setns(network, CloneFlags::CLONE_NEWNET)?;
    let made = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll);
    setns(&own, CloneFlags::CLONE_NEWNET)?;
    let made = made?;
    let room = packets as usize * PACKET_BYTES;
    // Only root may ask for more than the system's limit; a user captures what fits.
    if setsockopt(&made, RcvBufForce, &room).is_err() {
        setsockopt(&made, RcvBuf, &room)?;
    }
    setsockopt(&made, ReceiveTimestampns, &true)?;
    Ok(made)
}

/// Head of a pcap file of Ethernet frames with times in ns.
fn header() -> Vec<u8> {
    let mut out = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
    out.extend(2u16.to_le_bytes());
    out.extend(4u16.to_le_bytes());
    for word in [0, 0, BYTES_MAX as u32, 1] {
        out.extend(u32::to_le_bytes(word));
    }
    out
}

/// Adds the next packet; false if there is none.
fn next(socket: &OwnedFd, file: &mut Vec<u8>) -> nix::Result<bool> {
    let mut bytes = vec![0; BYTES_MAX];
    let mut control = cmsg_space!(TimeSpec);
    let (length, time) = {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Ok(heard) => {
                let time = heard.cmsgs()?.find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(time) => Some(time),
                    _ => None,
                });
                (heard.bytes, time)
            }
            Err(Errno::EAGAIN) => return Ok(false),
            Err(error) => return Err(error),
        }
    };
    let kept = length.min(BYTES_MAX);
    let (s, ns) = time.map_or((0, 0), |time| (time.tv_sec() as u32, time.tv_nsec() as u32));
    for word in [s, ns, kept as u32, length as u32] {
        file.extend(word.to_le_bytes());
    }
    file.extend(&bytes[..kept]);
    Ok(true)
}
