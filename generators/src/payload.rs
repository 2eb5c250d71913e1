//! What stands in the UDP payload of every packet of ours: a header of 22 bytes (18 in frames too short for
//! its check), big-endian, and behind it the bytes that `touch` writes and checks.
//! It must not know Ethernet, IP, sockets or what a packet is sent for.
//!
//! ```text
//!  0      2      4         10              16     18         22
//!  magic  flow   sequence  timestamp (ns)  sum    check      pattern ...
//! ```
//!
//! `sum` is the Internet checksum of the first 18 bytes (RFC 1071): they add up to nothing, whatever they say, so
//! the UDP checksum around them depends on the check alone. `check` is the CRC-32C of the same bytes, its least
//! significant byte first, as SCTP sends it (RFC 9260, appendix A).

use crate::checksum::{fold, sum};
use crate::sys::crc::crc32c;

/// Bytes of the header without its check.
pub const HEADER_BYTES_MIN: usize = 18;
/// Bytes of the header with its check.
pub const HEADER_BYTES: usize = 22;
/// The bits of a sequence number: more than any schedule has packets.
pub const SEQUENCE_MASK: u64 = (1 << 48) - 1;
/// The bits of a timestamp; it wraps after 78 hours.
pub const STAMP_MASK: u64 = (1 << 48) - 1;

/// What a packet of ours says, told by its magic number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Traffic; it alone is counted.
    Data,
    /// The sender has finished; the sequence field is the number of packets that it sent.
    End,
    /// The receiver exists; for switches that learn addresses.
    Announcement,
}

impl Kind {
    pub(crate) const fn magic(self) -> u16 {
        match self {
            Self::Data => 0x53d7,
            Self::End => 0x53e7,
            Self::Announcement => 0x53a7,
        }
    }

    fn of_magic(magic: u16) -> Option<Self> {
        [Self::Data, Self::End, Self::Announcement].into_iter().find(|kind| kind.magic() == magic)
    }
}

/// The header of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the packet says.
    pub kind: Kind,
    /// Which source port it goes out of: the sequence number modulo the number of flows.
    pub flow: u16,
    /// Consecutive from 0 for each sender, over all of its flows; 48 bits.
    pub sequence: u64,
    /// When its burst was handed to the port, by the sender's clock: nanoseconds, the low 48 bits.
    pub stamp_ns: u64,
}

impl Header {
    /// Writes it with its sum, without its check, in as few words as it takes.
    #[inline(always)]
    fn write(&self, place: &mut [u8; HEADER_BYTES_MIN]) {
        let stamp_ns = self.stamp_ns & STAMP_MASK;
        let ids = u64::from(self.kind.magic()) << 16 | u64::from(self.flow);
        let sequence = self.sequence & SEQUENCE_MASK;
        let (first, second) = (ids << 32 | sequence >> 16, sequence << 48 | stamp_ns);
        let halves = |word: u64| (word >> 32) + (word & 0xffff_ffff);
        let sum = !fold(halves(first) + halves(second));
        place[0..8].copy_from_slice(&first.to_be_bytes());
        place[8..16].copy_from_slice(&second.to_be_bytes());
        place[16..18].copy_from_slice(&sum.to_be_bytes());
    }

    /// The magic number, and what stands behind it as the header of a packet of `kind`.
    #[inline]
    fn read(place: &[u8; HEADER_BYTES_MIN], kind: Kind) -> (u16, Self) {
        let [m0, m1, f0, f1, s0, s1, s2, s3, s4, s5, t0, t1, t2, t3, t4, t5, _, _] = *place;
        let header = Self {
            kind,
            flow: u16::from_be_bytes([f0, f1]),
            sequence: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
            stamp_ns: u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5]),
        };
        (u16::from_be_bytes([m0, m1]), header)
    }
}

/// What one received packet turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A packet of ours.
    Ours(Header),
    /// Traffic of ours in the order in which it was sent: `count` packets, numbered from `first` on, of the only flow.
    /// For those who have no use for the other fields of so many headers.
    Series {
        /// The first of the sequence numbers.
        first: u64,
        /// How many there are.
        count: u64,
    },
    /// Traffic of ours by its magic number, with a length, header or pattern that fails its check.
    Corrupt,
    /// Anything else. An end marker or announcement that fails its check proves nothing and is one too.
    Foreign,
}

/// The payload of one measurement: all packets have the same length and number of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    bytes: usize,
    flows: u16,
    touch: bool,
}

impl Payload {
    /// A payload of `bytes` bytes, at least [`HEADER_BYTES_MIN`] (shorter ones are made so long), whose flow
    /// numbers are below `flows`. With `touch` the bytes behind the header are written and checked.
    pub fn new(bytes: usize, flows: u16, touch: bool) -> Self {
        Self { bytes: bytes.max(HEADER_BYTES_MIN), flows, touch }
    }

    /// The payload's length, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the bytes behind the header are written and checked.
    pub fn touch(&self) -> bool {
        self.touch
    }

    /// The bytes of the header: with its check where that fits.
    pub fn header_bytes(&self) -> usize {
        if self.bytes >= HEADER_BYTES { HEADER_BYTES } else { HEADER_BYTES_MIN }
    }

    /// Writes `header`, and with `touch` the pattern of its sequence number, to `payload`. Returns the check, as a word
    /// to add up, or 0 where there is none: whoever has to make a checksum need not read back what was just written.
    ///
    /// # Panics
    /// If `payload` is shorter than [`Self::bytes`]: buffers are made from this very number.
    // Always: the check costs those nothing who have no use for it.
    #[inline(always)]
    pub fn write(&self, payload: &mut [u8], header: &Header) -> u32 {
        let payload = &mut payload[..self.bytes];
        let mut check = 0;
        if let Some(place) = payload.first_chunk_mut() {
            check = Self::write_header(place, header);
        } else if let Some(place) = payload.first_chunk_mut() {
            header.write(place);
        }
        if self.touch {
            write_pattern(&mut payload[self.header_bytes()..], header.sequence);
        }
        check
    }

    /// Writes a header with its check, and returns that, as [`Self::write`] does.
    #[inline(always)]
    pub fn write_header(place: &mut [u8; HEADER_BYTES], header: &Header) -> u32 {
        let Some((start, end)) = place.split_first_chunk_mut() else { return 0 };
        header.write(start);
        let check = crc32c(start);
        end.copy_from_slice(&check.to_le_bytes());
        check.swap_bytes()
    }

    /// The header of traffic and its check, as a word to add up, if `place` holds one of `flows` flows with its check
    /// intact. What anything else is, [`Self::read`] says.
    #[inline(always)]
    pub fn read_header(place: &[u8; HEADER_BYTES], flows: u16) -> Option<(Header, u32)> {
        let (start, found) = place.split_first_chunk()?;
        let (magic, header) = Header::read(start, Kind::Data);
        let check = crc32c(start);
        let intact = magic == Kind::Data.magic() && header.flow < flows && found == check.to_le_bytes();
        intact.then_some((header, check.swap_bytes()))
    }

    /// Whether the bytes behind the header are as they are to be, as far as anybody wants to know.
    #[inline]
    pub fn is_filled(&self, behind: &[u8], header: &Header) -> bool {
        !self.touch || has_pattern(behind, header.sequence)
    }

    /// What a received payload is.
    #[inline]
    pub fn read(&self, payload: &[u8]) -> Arrival {
        let Some(kind) = payload.first_chunk().and_then(|magic| Kind::of_magic(u16::from_be_bytes(*magic))) else {
            return Arrival::Foreign;
        };
        let damaged = if kind == Kind::Data { Arrival::Corrupt } else { Arrival::Foreign };
        if payload.len() != self.bytes {
            return damaged;
        }
        let Some(start) = payload.first_chunk() else { return damaged };
        let (_, header) = Header::read(start, kind);
        if header.flow >= self.flows {
            return damaged;
        }
        let checked =
            payload.get(HEADER_BYTES_MIN..HEADER_BYTES).is_none_or(|found| found == crc32c(start).to_le_bytes());
        if !checked || sum(start) != 0xffff {
            return damaged;
        }
        if self.is_filled(&payload[self.header_bytes()..], &header) { Arrival::Ours(header) } else { damaged }
    }
}

/// The pattern's words: every one depends on the sequence number and on its place.
#[inline]
fn pattern(sequence: u64) -> impl Iterator<Item = [u8; 8]> {
    let mut word = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eb7_e75e_b7e7_5eb7;
    std::iter::from_fn(move || {
        word = word.wrapping_add(0xd1b5_4a32_d192_ed03);
        Some(word.to_le_bytes())
    })
}

#[inline(never)]
fn write_pattern(bytes: &mut [u8], sequence: u64) {
    let mut words = pattern(sequence);
    let mut chunks = bytes.chunks_exact_mut(8);
    for (chunk, word) in chunks.by_ref().zip(words.by_ref()) {
        chunk.copy_from_slice(&word);
    }
    for (byte, wanted) in chunks.into_remainder().iter_mut().zip(words.next().unwrap_or_default()) {
        *byte = wanted;
    }
}

fn has_pattern(bytes: &[u8], sequence: u64) -> bool {
    let mut words = pattern(sequence);
    let chunks = bytes.chunks_exact(8);
    let tail = chunks.remainder();
    let mut different = 0;
    // No early exit: intact packets are the rule, and a loop without branches is vectorised.
    for (chunk, word) in chunks.zip(words.by_ref()) {
        let mut found = [0; 8];
        found.copy_from_slice(chunk);
        different |= u64::from_ne_bytes(found) ^ u64::from_ne_bytes(word);
    }
    different == 0 && words.next().is_some_and(|last| tail.iter().zip(last).all(|(found, wanted)| *found == wanted))
}
