//! Asks a DPDK program for the counts of its ports, over the socket that every such program has. It must not
//! know which program, or what the ports are joined to.

use std::time::Duration;

use nix::sys::socket::sockopt::{ReceiveTimeout, SendTimeout};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::Value;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::failure::During;
use crate::protocol::{Failure, PortCounters};

/// Where it is for programs of root, which the worker always is, at least in its own namespaces.
const SOCKET: &str = "/var/run/dpdk/rte/dpdk_telemetry.v2";
/// The program answers from a CPU that it may share with what polls.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any answer about one port, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Removes the socket of a program that has ended.
pub(super) fn remove() {
    // The next program would take another name if it were left.
    let _ = std::fs::remove_file(SOCKET);
}

/// The version of its DPDK, with which a program introduces itself.
pub(super) fn version() -> Result<Option<String>, Failure> {
    let doing = || "ask a DPDK program for its version".to_string();
    let greeting: Value = serde_json::from_slice(&hear(&dial().scene(doing)?).scene(doing)?).scene(doing)?;
    Ok(greeting["version"].as_str().map(str::to_owned))
}

/// What the ports counted, the container of each given.
pub(super) fn counters(containers: &[String]) -> Result<Vec<PortCounters>, Failure> {
    let doing = || "ask a DPDK program for its counts".to_string();
    let socket = dial().scene(doing)?;
    // It introduces itself first.
    hear(&socket).scene(doing)?;
    let mut counters = Vec::with_capacity(containers.len());
    for (port, container) in containers.iter().enumerate() {
        let question = format!("/ethdev/stats,{port}");
        send(socket.as_raw_fd(), question.as_bytes(), MsgFlags::MSG_NOSIGNAL).scene(doing)?;
        let answer = hear(&socket).scene(doing)?;
        let answer: Value = serde_json::from_slice(&answer).scene(doing)?;
        let count = |name: &str| answer["/ethdev/stats"][name].as_u64();
        let missing = || "an answer without counts";
        counters.push(PortCounters {
            container: container.clone(),
            received: count("ipackets").ok_or_else(missing).scene(doing)?,
            sent: count("opackets").ok_or_else(missing).scene(doing)?,
            received_dropped: count("imissed").unwrap_or(0) + count("rx_nombuf").unwrap_or(0),
            sent_dropped: count("oerrors").unwrap_or(0),
        });
    }
    Ok(counters)
}

fn dial() -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    let patience = TimeVal::milliseconds(i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX));
    setsockopt(&socket, ReceiveTimeout, &patience)?;
    setsockopt(&socket, SendTimeout, &patience)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(SOCKET)?)?;
    Ok(socket)
}

fn hear(socket: &OwnedFd) -> nix::Result<Vec<u8>> {
    let mut bytes = vec![0; ANSWER_BYTES_MAX];
    let length = recv(socket.as_raw_fd(), &mut bytes, MsgFlags::empty())?;
    bytes.truncate(length);
    Ok(bytes)
}
