//! Whole Ethernet frames: IPv4 and UDP around a payload, with both checksums right, written once and then
//! changed only where packets differ. It must not know sockets or what the payload means.
//!
//! The UDP checksum is the complement of a sum over words (RFC 768, RFC 1071), so the words that never change
//! are summed once, and for each packet only the port and the header's check are added (with `touch`, the pattern,
//! too): the rest of a header adds up to nothing.

mod expected;
mod shortest;
#[cfg(test)]
mod tests;

use wire::Role;

use self::expected::Expected;
use self::shortest::Shortest;
use crate::checksum::{fold, sum, unfolded_sum};
use crate::headers::{ETHERNET_BYTES, IPV4_BYTES, OVERHEAD_BYTES, UDP_BYTES};
use crate::payload::{Arrival, HEADER_BYTES, Header, Kind, Payload};
use crate::traffic::{End, Traffic};

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
    expected: Expected,
    /// What frames of the other end are, if they are the shortest of one flow.
    shortest: Option<Shortest>,
    /// Whether this end wants numbers only: then [`Self::read_all`] may tell of an [`Arrival::Series`].
    counts: bool,
    /// Not folded, in the machine's byte order; the same in both directions.
    pseudo_header_sum: u64,
}

impl Layout {
    /// The frames of `traffic`.
    pub fn of(traffic: &Traffic) -> Self {
        let layout = Self::new(traffic.payload, traffic.flows, traffic.local, traffic.remote, traffic.originates());
        Self { counts: traffic.role == Role::Receive, ..layout }
    }

    /// Frames from `local` to `remote` and back around `payload`. The end that spreads its traffic over flows
    /// uses one UDP port a flow, counted up from its first; the other end uses one.
    pub fn new(payload: Payload, flows: u16, local: End, remote: End, spreads: bool) -> Self {
        let ends_with_header = !payload.touch() && payload.header_bytes() == HEADER_BYTES;
        let template = render(payload, local, remote);
        let theirs = render(payload, remote, local);
        let expected = Expected::of(&theirs, !spreads);
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
        let is_shortest = ends_with_header && flows == 1 && payload.bytes() == HEADER_BYTES;
        let shortest = is_shortest.then(|| Shortest::of(&theirs, pseudo_header_sum));
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
            shortest,
            counts: false,
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
                write_checksum(headers, constant_sum + u64::from(Payload::write_header(place, header)));
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
        let mut total = u64::from(self.constant_sum) + u64::from(self.payload.write(payload, header));
        if self.payload.touch() {
            total += u64::from(sum(&payload[self.payload.header_bytes()..self.payload.bytes()]));
        }
        if self.flows > 1 {
            total += u64::from(header.flow);
            let (at, first) =
                if self.spreads { (UDP_AT, self.local.udp_port) } else { (UDP_AT + 2, self.remote.udp_port) };
            headers[at..at + 2].copy_from_slice(&first.wrapping_add(header.flow).to_be_bytes());
        }
        if let Some(headers) = headers.first_chunk_mut() {
            write_checksum(headers, total);
        }
    }

    /// What each of the received `frames` is, appended to `arrivals`: ours only if it comes from the other end to this
    /// one, with the right protocol, ports, lengths and checksums.
    #[inline]
    pub fn read_all<'a>(&self, frames: impl Iterator<Item = &'a [u8]>, arrivals: &mut Vec<Arrival>) {
        match &self.shortest {
            Some(shortest) if self.counts => self.read_series(shortest, frames, arrivals),
            _ => arrivals.extend(frames.map(|frame| self.read(frame))),
        }
    }

    /// What one received frame is, of any length.
    #[inline]
    pub fn read(&self, frame: &[u8]) -> Arrival {
        match self.read_expected(frame) {
            Some(header) => Arrival::Ours(header),
            None => self.judge(frame),
        }
    }

    #[inline]
    fn read_series<'a>(
        &self,
        shortest: &Shortest,
        frames: impl Iterator<Item = &'a [u8]>,
        arrivals: &mut Vec<Arrival>,
    ) {
        let (mut first, mut next) = (0, 0);
        let end = |arrivals: &mut Vec<Arrival>, first, next| {
            if first < next {
                arrivals.push(Arrival::Series { first, count: next - first });
            }
        };
        // Not a loop, which would ask of each frame whether it was the last.
        frames.for_each(|frame| match shortest.sequence(frame) {
            Some(sequence) if sequence == next => next += 1,
            sequence => {
                end(arrivals, first, next);
                (first, next) = sequence.map_or((0, 0), |sequence| (sequence, sequence + 1));
                if sequence.is_none() {
                    arrivals.push(self.judge(frame));
                }
            }
        });
        end(arrivals, first, next);
    }

    /// What nearly every frame is: traffic of the other end, not changed on the way. Its headers are then known but for
    /// the flow's port and the checksum, so neither they nor the sum over them are worked out.
    #[inline]
    fn read_expected(&self, frame: &[u8]) -> Option<Header> {
        let (start, behind) = frame.split_first_chunk::<{ OVERHEAD_BYTES + HEADER_BYTES }>()?;
        let (headers, place) = start.split_first_chunk::<OVERHEAD_BYTES>()?;
        let (constants, checksum) = headers.split_first_chunk::<UDP_CHECKSUM_AT>()?;
        let flow = self.expected.flow(constants)?;
        let (header, check) = Payload::read_header(place.first_chunk()?, self.flows)?;
        let sum_behind = if behind.is_empty() { 0 } else { self.sum_behind(behind, &header)? };
        let checksum = u16::from_be_bytes([checksum[0], checksum[1]]);
        let sum = u64::from(self.constant_sum) + u64::from(flow) + u64::from(check) + sum_behind + u64::from(checksum);
        // No sender of ours says "no checksum", which is what 0 means.
        let sums_fit = checksum != 0 && (fold(sum) == 0xffff || !self.is_checked());
        (frame.len() == self.frame_bytes() && flow < self.flows && sums_fit).then_some(header)
    }

    /// The sum of what stands behind the header, if it is as it is to be. Apart, so that the shortest frames, which
    /// are the ones that come fast, have the registers to themselves.
    #[inline(never)]
    fn sum_behind(&self, behind: &[u8], header: &Header) -> Option<u64> {
        let sum = if self.is_checked() { sum(behind) } else { 0 };
        self.payload.is_filled(behind, header).then_some(sum.into())
    }

    /// Whether the checksum is looked at.
    #[inline]
    fn is_checked(&self) -> bool {
        self.payload.bytes() <= CHECKED_BYTES_MAX || self.payload.touch()
    }

    /// What a frame is, field by field.
    #[inline(never)]
    fn judge(&self, frame: &[u8]) -> Arrival {
        let Some((headers, payload)) = frame.split_first_chunk::<OVERHEAD_BYTES>() else { return Arrival::Foreign };
        if !self.addressed(headers) {
            return Arrival::Foreign;
        }
        let arrival = self.payload.read(payload);
        let intact = || {
            payload.len() == self.payload.bytes()
                && self.lengths_fit(headers)
                && ipv4_checksum_fits(headers)
                && self.udp_checksum_fits(headers, frame)
        };
        match arrival {
            Arrival::Foreign => Arrival::Foreign,
            _ if intact() => arrival,
            Arrival::Ours(header) if header.kind != Kind::Data => Arrival::Foreign,
            _ => Arrival::Corrupt,
        }
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

    /// Whether the UDP checksum is right, in a frame whose addresses and lengths are.
    #[inline]
    fn udp_checksum_fits(&self, headers: &[u8; OVERHEAD_BYTES], frame: &[u8]) -> bool {
        if headers[UDP_CHECKSUM_AT..] == [0, 0] {
            // "No checksum": no sender of ours says that.
            return false;
        }
        !self.is_checked() || fold(self.pseudo_header_sum + unfolded_sum(&frame[UDP_AT..])) == 0xffff
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
