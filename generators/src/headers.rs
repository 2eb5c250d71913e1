//! How long the headers of a frame are, bytes.

/// Ethernet II, without the FCS.
pub const ETHERNET_BYTES: usize = 14;
/// IPv4 without options.
pub const IPV4_BYTES: usize = 20;
/// UDP.
pub const UDP_BYTES: usize = 8;
/// Ethernet, IPv4 and UDP headers before the payload.
pub const OVERHEAD_BYTES: usize = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
