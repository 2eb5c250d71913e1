//! Sockets beyond the standard library: packet sockets, options, drop counters, plain send and recv.
//! It must not know frames, roles or what an error means to a measurement.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::checked;

/// All protocols, for [`packet`]: everything that the interface receives.
pub const EVERY_PROTOCOL: u16 = libc::ETH_P_ALL as u16;
/// No protocol, for [`packet`]: a socket that only sends.
pub const NO_PROTOCOL: u16 = 0;

/// A non-blocking `AF_PACKET` socket of whole frames, bound to `interface`.
///
/// # Errors
/// The system calls'; `NotFound` if there is no such interface.
pub fn packet(interface: &str, protocol: u16) -> io::Result<OwnedFd> {
    let name = std::ffi::CString::new(interface).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer is to a string that ends with 0 and lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // Protocol 0 until it is bound, so that no frame of another interface is queued in between.
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes no pointers; the descriptor it returns is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(checked(libc::socket(libc::AF_PACKET, kind, 0))?) };
    // SAFETY: all zeros is a valid sockaddr_ll; the pointer is to it and the length its own.
    unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = index as libc::c_int;
        let bytes = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        checked(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), bytes))?;
    }
    Ok(socket)
}

/// Sets an option whose value is an `int`.
///
/// # Errors
/// The system call's.
pub fn set_option(socket: &impl AsFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let bytes = size_of::<libc::c_int>() as libc::socklen_t;
    let file = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer is to an int of ours, as the length says.
    checked(unsafe { libc::setsockopt(file, level, option, (&raw const value).cast(), bytes) })?;
    Ok(())
}

/// Asks for buffers of `bytes` both ways: beyond the system's limit where the process may, else up to it.
pub fn enlarge_buffers(socket: &impl AsFd, bytes: libc::c_int) {
    for (forced, limited) in [(libc::SO_SNDBUFFORCE, libc::SO_SNDBUF), (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF)] {
        if set_option(socket, libc::SOL_SOCKET, forced, bytes).is_err() {
            // A smaller buffer is no failure: what it drops is counted.
            let _ = set_option(socket, libc::SOL_SOCKET, limited, bytes);
        }
    }
}

/// Packets that the kernel dropped at this socket since it was opened, modulo 2^32 (`SO_MEMINFO`; the same
/// number as `SO_RXQ_OVFL` and, for packet sockets, `PACKET_STATISTICS`, without a control message a packet).
///
/// # Errors
/// The system call's.
pub fn drops(socket: &impl AsFd) -> io::Result<u32> {
    const SK_MEMINFO_DROPS: usize = 8;
    let mut values = [0u32; SK_MEMINFO_DROPS + 1];
    let mut bytes = size_of_val(&values) as libc::socklen_t;
    // SAFETY: the pointers are to an array of ours and to its length in bytes.
    checked(unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, option, values.as_mut_ptr().cast(), &mut bytes)
    })?;
    Ok(values[SK_MEMINFO_DROPS])
}

/// Sends one frame.
///
/// # Errors
/// The system call's; `WouldBlock` if the socket's buffer is full.
#[inline]
pub fn send(socket: &OwnedFd, frame: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a slice.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), libc::MSG_DONTWAIT) };
    Ok(checked(sent)?.cast_unsigned())
}

/// Receives one frame or datagram and says how long it was, which may be longer than `buffer`.
///
/// # Errors
/// The system call's; `WouldBlock` if there is none.
#[inline]
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    let file = socket.as_fd().as_raw_fd();
    // SAFETY: pointer and length are those of a slice that is ours alone.
    let received = unsafe { libc::recv(file, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    Ok(checked(received)?.cast_unsigned())
}
