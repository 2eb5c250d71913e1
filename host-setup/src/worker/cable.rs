//! The cable between two hosts, tried out before anything is measured over it: whether there is a carrier, and whether
//! the agent that is asked the same at the same time is at the other end and hears packets of full size. Some drivers
//! never tell that a link is down, so that nothing later would say so. It must not know what will be measured.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

use crate::failure::During;
use crate::netlink::Netlink;
use crate::protocol::{CABLE_MTU_BYTES, CableSeen, Failure, FailureKind};
use crate::scene::checked::is_interface;
use crate::sys;

/// Longest time that is waited.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// Addresses of the two ends, which are there as long as this lasts.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(169, 254, 115, 101), Ipv4Addr::new(169, 254, 115, 102)];
const PREFIX: u8 = 24;
const PORT: u16 = 49_199;
/// Headers of IPv4 and UDP, bytes.
const HEADERS: usize = 28;
const SIZE: usize = CABLE_MTU_BYTES as usize - HEADERS;
/// Between two packets.
const PAUSE: Duration = Duration::from_millis(5);
/// How many are sent yet when both have heard each other: the last one may not have been heard.
const FAREWELLS: u32 = 4;

/// Looks at an interface of this namespace and speaks over it.
pub(super) fn look(name: &str, end: u8, word: u64, patience: Duration) -> Result<CableSeen, Failure> {
    let doing = || format!("look at the cable at {name}");
    let (Some(own), Some(other)) = (ADDRESSES.get(usize::from(end)), ADDRESSES.get(1 - usize::from(end.min(1)))) else {
        return Err(Failure::new(FailureKind::Request, format!("{}: there is no end {end}", doing())));
    };
    if !is_interface(name) {
        return Err(Failure::new(FailureKind::Request, format!("look at a cable: {name:?} is no interface")));
    }
    let mut netlink = Netlink::open().scene(doing)?;
    let index = netlink.index_of(name).scene(doing)?;
    netlink.set_up(name, true).scene(doing)?;
    let deadline = Instant::now() + patience;
    while !netlink.carrier(name).scene(doing)?.up && Instant::now() < deadline {
        pause(PAUSE).scene(doing)?;
    }
    let carrier = netlink.carrier(name).scene(doing)?;
    let speed_mbps = sys::link_speed_mbps(name);
    let mut seen = CableSeen { carrier: carrier.up, mtu_bytes: carrier.mtu_bytes, speed_mbps, heard: false };
    if !seen.carrier || seen.mtu_bytes < CABLE_MTU_BYTES {
        return Ok(seen);
    }
    netlink.add_ipv4(index, *own, PREFIX).scene(doing)?;
    let heard = converse(*own, *other, word, deadline);
    netlink.delete_ipv4(index, *own, PREFIX).scene(doing)?;
    seen.heard = heard.scene(doing)?;
    Ok(seen)
}

/// Says the word until both have heard it; whether the other end was heard.
fn converse(own: Ipv4Addr, other: Ipv4Addr, word: u64, deadline: Instant) -> std::io::Result<bool> {
    let socket = UdpSocket::bind((own, PORT))?;
    socket.set_read_timeout(Some(PAUSE))?;
    let (mut heard, mut is_heard, mut farewells) = (false, false, 0);
    let mut bytes = [0; SIZE + 1];
    while Instant::now() < deadline && farewells < FAREWELLS {
        farewells += u32::from(heard && is_heard);
        let mut packet = [0; SIZE];
        packet[..8].copy_from_slice(&word.to_be_bytes());
        packet[8] = u8::from(heard);
        match socket.send_to(&packet, (other, PORT)) {
            // Nobody answers for the address, or listens at the port, yet.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error),
        }
        let next = Instant::now() + PAUSE;
        while Instant::now() < next {
            match socket.recv_from(&mut bytes) {
                Ok((SIZE, from)) if from.ip() == other && bytes[..8] == word.to_be_bytes() => {
                    heard = true;
                    is_heard |= bytes[8] == 1;
                }
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    ErrorKind::Interrupted | ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable => {}
                    _ => return Err(error),
                },
            }
        }
    }
    Ok(heard)
}

fn pause(time: Duration) -> nix::Result<()> {
    poll(&mut [], PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO)).map(drop)
}
