//! What is known of drivers, from their sources, that no function of DPDK tells. A driver that is not here is
//! taken at its word in nothing. It must not know ports or packets.

/// Buffers of a queue that were fetched and that the driver, told to look often, has not noticed.
pub const UNNOTICED: u16 = 4;

/// What a driver does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Data come back from sending as they were handed over: the driver copies them, or hands out its memory for
    /// reading only. What is the same in all frames then need not be written again.
    pub keeps_data: bool,
    /// A buffer that has not come back has not been fetched by the other side, but for
    /// [`UNNOTICED`] of each queue, if the driver is told to look often.
    pub returns_when_fetched: bool,
    /// What is sent is copied into buffers of the pool that is received into: it alone is registered with the kernel.
    pub sends_from_incoming: bool,
}

/// The manners of the driver called `name`.
pub fn manners(name: &str) -> Manners {
    let unknown = Manners { keeps_data: false, returns_when_fetched: false, sends_from_incoming: false };
    match name {
        // The other side maps our memory, and writes to what it is given to write to only.
        "net_virtio_user" | "net_virtio" => Manners { keeps_data: true, returns_when_fetched: true, ..unknown },
        // Copied, or dropped, before the call returns.
        "net_vhost" | "net_null" | "net_af_packet" => Manners { keeps_data: true, ..unknown },
        "net_af_xdp" => Manners { keeps_data: true, sends_from_incoming: true, ..unknown },
        _ => unknown,
    }
}
