//! Whole Ethernet frames: IPv4 and UDP around a payload, with both checksums right, written once and then
//! changed only where packets differ. It must not know sockets or what the payload means.
//!
//! The UDP checksum is the complement of a sum over words (RFC 768, RFC 1071), so the words that never change
//! are summed once, and for each packet only the ports and the header's words, which are at hand, are added
//! (with `touch`, the pattern's, too).

use crate::payload::{Arrival, HEADER_BYTES, Header, Payload};
use crate::traffic::{End, Traffic};

/// Ethernet, IPv4 and UDP headers before the payload.
pub const OVERHEAD_BYTES: usize = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const UDP_AT: usize = ETHERNET_BYTES + IPV4_BYTES;
const UDP_CHECKSUM_AT: usize = UDP_AT + 6;
const PROTOCOL_UDP: u8 = 17;

/// Receivers verify the UDP checksum of payloads up to this length, and of longer ones when they read the
/// payload anyway (`touch`): beyond it, the sum would cost more than all the rest of the receive path.
const CHECKED_BYTES_MAX: usize = 256;

/// The frames that one end sends and the frames that it expects.
#[derive(Clone, Debug)]
pub struct Layout {
    payload: Payload,
    flows: u16,
    local: End,
    remote: End,
    /// Whether this end sends traffic, rather than answers of it: then its source port tells the flow.
    spreads: bool,
    /// Whether the payload's header is written with its check, and nothing behind it.
    ends_with_header: bool,
    template: Vec<u8>,
    /// Folded sum over everything under the UDP checksum but what [`Self::write`] writes; of the port that tells the
    /// flow, the first.
    constant_sum: u16,
    /// The headers of frames from the other end, of the first flow and without the UDP checksum.
    expected: [u8; OVERHEAD_BYTES],
    /// Not folded, in the machine's byte order; the same in both directions.
    pseudo_header_sum: u64,
}

impl Layout {
    /// The frames of `traffic`.
    pub fn of(traffic: &Traffic) -> Self {
        Self::new(traffic.payload, traffic.flows, traffic.local, traffic.remote, traffic.originates())
    }

    /// Frames from `local` to `remote` and back around `payload`. The end that spreads its traffic over flows
    /// uses one UDP port a flow, counted up from its first; the other end uses one.
    pub fn new(payload: Payload, flows: u16, local: End, remote: End, spreads: bool) -> Self {
        let ends_with_header = !payload.touch() && payload.header_bytes() == HEADER_BYTES;
        let template = render(payload, local, remote);
        let mut expected = [0; OVERHEAD_BYTES];
        expected.copy_from_slice(&render(payload, remote, local)[..OVERHEAD_BYTES]);
        let udp_bytes = (UDP_BYTES + payload.bytes()) as u16;
        let written_from = OVERHEAD_BYTES + if payload.touch() { payload.bytes() } else { payload.header_bytes() };
        let addresses = u64::from(sum(&local.ipv4.octets())) + u64::from(sum(&remote.ipv4.octets()));
        // The length stands in the pseudo-header and in the header.
        let numbers = u64::from(PROTOCOL_UDP) + 2 * u64::from(udp_bytes);
        let ports = u64::from(local.udp_port) + u64::from(remote.udp_port);
        let constant_sum = fold(addresses + numbers + ports + u64::from(sum(&template[written_from..])));
        let pseudo_header = [local.ipv4.octets(), remote.ipv4.octets()].concat();
        let pseudo_header_sum =
            unfolded_sum(&pseudo_header) + u64::from(u16::from(PROTOCOL_UDP).to_be()) + u64::from(udp_bytes.to_be());
        Self {
            payload,
            flows,
            local,
            remote,
            spreads,
            ends_with_header,
            template,
            constant_sum,
            expected,
            pseudo_header_sum,
        }
    }

    /// Bytes of a frame, without FCS.
    pub fn frame_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.payload.bytes()
    }

    /// A frame to keep and [`Self::write`] into: everything but the payload's header and the checksum.
    pub fn template(&self) -> &[u8] {
        &self.template
    }

    /// Makes each frame, which began as [`Self::template`], the packet of its header.
    ///
    /// # Panics
    /// If a frame is shorter than the template.
    #[inline]
    pub fn write_all<'a>(&self, frames: impl Iterator<Item = &'a mut [u8]>, headers: &[Header]) {
        if !self.ends_with_header || self.flows > 1 {
            return frames.zip(headers).for_each(|(frame, header)| self.write(frame, header));
        }
        // One flow, and nothing behind the header: what speed is asked of. All but the header is a constant.
        let constant_sum = u64::from(self.constant_sum);
        for (frame, header) in frames.zip(headers) {
            if let Some(start) = frame.first_chunk_mut::<{ OVERHEAD_BYTES + HEADER_BYTES }>()
                && let Some((headers, payload)) = start.split_first_chunk_mut()
                && let Some(place) = payload.first_chunk_mut()
            {
                let sum = constant_sum + u64::from(header.flow) + Payload::write_header(place, header);
                write_checksum(headers, sum);
            }
        }
    }

    /// Makes `frame`, which began as [`Self::template`], the packet of `header`.
    ///
    /// # Panics
    /// If `frame` is shorter than the template.
    #[inline]
    pub fn write(&self, frame: &mut [u8], header: &Header) {
        let (headers, payload) = frame.split_at_mut(OVERHEAD_BYTES);
        let mut total = u64::from(self.constant_sum) + u64::from(header.flow) + self.payload.write(payload, header);
        if self.payload.touch() {
            total += u64::from(sum(&payload[self.payload.header_bytes()..self.payload.bytes()]));
        }
        if self.flows > 1 {
            let (at, first) =
                if self.spreads { (UDP_AT, self.local.udp_port) } else { (UDP_AT + 2, self.remote.udp_port) };
            headers[at..at + 2].copy_from_slice(&first.wrapping_add(header.flow).to_be_bytes());
        }
        if let Some(headers) = headers.first_chunk_mut() {
            write_checksum(headers, total);
        }
    }

    /// What a received frame is: ours only if it comes from the other end to this one, with the right
    /// protocol, ports, lengths and checksums.
    #[inline]
    pub fn read(&self, frame: &[u8]) -> Arrival {
        let Some((headers, payload)) = frame.split_first_chunk::<OVERHEAD_BYTES>() else { return Arrival::Foreign };
        // Mostly the headers are just what the other end's template has, so nothing in them need be looked at.
        let expected = self.is_expected(headers);
        if !expected && !self.addressed(headers) {
            return Arrival::Foreign;
        }
        let arrival = self.payload.read(payload);
        let lengths_fit = || payload.len() == self.payload.bytes() && (expected || self.lengths_fit(headers));
        let checksums_fit = || (expected || ipv4_checksum_fits(headers)) && self.udp_checksum_fits(headers, frame);
        if arrival == Arrival::Foreign || (lengths_fit() && checksums_fit()) {
            return arrival;
        }
        match arrival {
            Arrival::Ours(header) if header.kind != crate::payload::Kind::Data => Arrival::Foreign,
            _ => Arrival::Corrupt,
        }
    }

    /// Whether all but the UDP checksum and the port that tells the flow is as the other end writes it, unchanged on
    /// the way, and the flow is one of ours.
    #[inline]
    fn is_expected(&self, headers: &[u8; OVERHEAD_BYTES]) -> bool {
        let ports = &headers[UDP_AT..UDP_AT + 4];
        let (spread, fixed) = if self.spreads { (&ports[2..], &ports[..2]) } else { (&ports[..2], &ports[2..]) };
        let first = if self.spreads { self.local.udp_port } else { self.remote.udp_port };
        let other =
            if self.spreads { &self.expected[UDP_AT..UDP_AT + 2] } else { &self.expected[UDP_AT + 2..UDP_AT + 4] };
        headers[..UDP_AT] == self.expected[..UDP_AT]
            && headers[UDP_AT + 4..UDP_CHECKSUM_AT] == self.expected[UDP_AT + 4..UDP_CHECKSUM_AT]
            && fixed == other
            && u16::from_be_bytes([spread[0], spread[1]]).wrapping_sub(first) < self.flows
    }

    /// Whether the frame is UDP over IPv4 without options or fragments, from the other end to this one.
    #[inline]
    fn addressed(&self, headers: &[u8; OVERHEAD_BYTES]) -> bool {
        let port = |at: usize| u16::from_be_bytes([headers[at], headers[at + 1]]);
        let (ours, theirs) = (port(UDP_AT + 2), port(UDP_AT));
        let (spread, fixed, first, single) = match self.spreads {
            true => (ours, theirs, self.local.udp_port, self.remote.udp_port),
            false => (theirs, ours, self.remote.udp_port, self.local.udp_port),
        };
        headers[0..6] == self.local.mac.octets()
            && headers[12..15] == [0x08, 0x00, 0x45]
            && headers[20] & 0x3f == 0
            && headers[21] == 0
            && headers[23] == PROTOCOL_UDP
            && headers[26..30] == self.remote.ipv4.octets()
            && headers[30..34] == self.local.ipv4.octets()
            && fixed == single
            && spread.wrapping_sub(first) < self.flows
    }

    #[inline]
    fn lengths_fit(&self, headers: &[u8; OVERHEAD_BYTES]) -> bool {
        let udp_bytes = UDP_BYTES + self.payload.bytes();
        let field = |at: usize| usize::from(u16::from_be_bytes([headers[at], headers[at + 1]]));
        field(16) == IPV4_BYTES + udp_bytes && field(UDP_AT + 4) == udp_bytes
    }

    /// Of frames with the right addresses and lengths.
    #[inline]
    fn udp_checksum_fits(&self, headers: &[u8; OVERHEAD_BYTES], frame: &[u8]) -> bool {
        if headers[UDP_CHECKSUM_AT..] == [0, 0] {
            // "No checksum": no sender of ours says that.
            return false;
        }
        if self.payload.bytes() > CHECKED_BYTES_MAX && !self.payload.touch() {
            return true;
        }
        let covered = &frame[UDP_AT..];
        // The shortest frames are the ones that come fast: a sum of known length needs no loop.
        let sum = match <&[u8; UDP_BYTES + HEADER_BYTES]>::try_from(covered) {
            Ok(short) => unfolded_sum(short),
            Err(_) => unfolded_sum(covered),
        };
        fold(self.pseudo_header_sum + sum) == 0xffff
    }
}

/// A frame from `local` to `remote` with an empty header in its payload, and no UDP checksum.
fn render(payload: Payload, local: End, remote: End) -> Vec<u8> {
    let ip_bytes = (IPV4_BYTES + UDP_BYTES + payload.bytes()) as u16;
    let mut frame = Vec::with_capacity(OVERHEAD_BYTES + payload.bytes());
    frame.extend(remote.mac.octets());
    frame.extend(local.mac.octets());
    frame.extend([0x08, 0x00]);
    frame.extend([0x45, 0x00]);
    frame.extend(ip_bytes.to_be_bytes());
    // Identification 0 with "don't fragment", as RFC 6864 allows; hop limit 64.
    frame.extend([0x00, 0x00, 0x40, 0x00, 64, PROTOCOL_UDP, 0x00, 0x00]);
    frame.extend(local.ipv4.octets());
    frame.extend(remote.ipv4.octets());
    let checksum = !sum(&frame[ETHERNET_BYTES..UDP_AT]);
    frame[ETHERNET_BYTES + 10..ETHERNET_BYTES + 12].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(local.udp_port.to_be_bytes());
    frame.extend(remote.udp_port.to_be_bytes());
    frame.extend(((UDP_BYTES + payload.bytes()) as u16).to_be_bytes());
    frame.extend([0x00, 0x00]);
    frame.resize(OVERHEAD_BYTES + payload.bytes(), 0);
    frame
}

#[inline]
fn ipv4_checksum_fits(headers: &[u8; OVERHEAD_BYTES]) -> bool {
    sum(&headers[ETHERNET_BYTES..UDP_AT]) == 0xffff
}

/// Writes the UDP checksum, `total` being the sum of all under it.
#[inline]
fn write_checksum(headers: &mut [u8; OVERHEAD_BYTES], total: u64) {
    // 0 means "no checksum"; its other representation means the same number (RFC 768).
    let checksum = match !fold(total) {
        0 => 0xffff,
        checksum => checksum,
    };
    headers[UDP_CHECKSUM_AT..UDP_CHECKSUM_AT + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// The ones' complement sum of the 16-bit big-endian words of `bytes`; an odd last byte is padded with 0.
#[inline]
fn sum(bytes: &[u8]) -> u16 {
    u16::from_be(fold(unfolded_sum(bytes)))
}

/// The same sum in the machine's byte order, not folded: the order of bytes does not matter to a ones'
/// complement sum as long as it is the same throughout (RFC 1071, section 2B), and words of 32 bits fold to
/// the same value.
#[inline(always)]
fn unfolded_sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks();
    let (halves, last) = tail.as_chunks();
    let words = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word)));
    let tail = halves.iter().copied().chain(last.iter().map(|byte| [*byte, 0]));
    words.sum::<u64>() + tail.map(|half| u64::from(u16::from_ne_bytes(half))).sum::<u64>()
}

/// A sum, folded to 16 bits: halves are added with the carry brought round (RFC 1071), in a word twice as wide, where
/// adding the word turned by half its width does so. Without branches: which sums carry, no processor can foresee.
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}
