//! What stands in the UDP payload of every packet of ours: a header of 22 bytes (18 in frames too short for
//! its check), big-endian, and behind it the bytes that `touch` writes and checks.
//! It must not know Ethernet, IP, sockets or what a packet is sent for.
//!
//! ```text
//!  0      2      4             12              18         22
//!  magic  flow   sequence      timestamp (ns)  check      pattern ...
//! ```

/// Bytes of the header without its check.
pub const HEADER_BYTES_MIN: usize = 18;
/// Bytes of the header with its check.
pub const HEADER_BYTES: usize = 22;
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
    const fn magic(self) -> u16 {
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
    /// Consecutive from 0 for each sender, over all of its flows.
    pub sequence: u64,
    /// When its burst was handed to the port, by the sender's clock: nanoseconds, the low 48 bits.
    pub stamp_ns: u64,
}

impl Header {
    /// The magic number and the flow, as they stand in the first four bytes.
    #[inline]
    fn ids(&self) -> u32 {
        u32::from(self.kind.magic()) << 16 | u32::from(self.flow)
    }

    /// Writes it without its check, in as few words as it takes.
    #[inline]
    fn write(&self, place: &mut [u8; HEADER_BYTES_MIN]) {
        let stamp_ns = self.stamp_ns & STAMP_MASK;
        place[0..8].copy_from_slice(&(u64::from(self.ids()) << 32 | self.sequence >> 32).to_be_bytes());
        place[8..16].copy_from_slice(&(self.sequence << 32 | stamp_ns >> 16).to_be_bytes());
        place[16..18].copy_from_slice(&(stamp_ns as u16).to_be_bytes());
    }

    /// The magic number, and what stands behind it as the header of a packet of `kind`.
    #[inline]
    fn read(place: &[u8; HEADER_BYTES_MIN], kind: Kind) -> (u16, Self) {
        let [m0, m1, f0, f1, s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5] = *place;
        let header = Self {
            kind,
            flow: u16::from_be_bytes([f0, f1]),
            sequence: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            stamp_ns: u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5]),
        };
        (u16::from_be_bytes([m0, m1]), header)
    }

    /// The sum of its words without its check, not folded; words of 32 bits fold to the same as those of 16.
    #[inline]
    fn sum(&self) -> u64 {
        let halves = |word: u64| (word >> 32) + (word & 0xffff_ffff);
        u64::from(self.ids()) + halves(self.sequence) + halves(self.stamp_ns & STAMP_MASK)
    }

    /// 32 bits over its fields. Each round is a bijection of the state, so that headers which differ in one field
    /// only collide with the probability of a random function, 2^-32.
    #[inline]
    fn check(&self) -> u32 {
        let ids = u64::from(self.ids()) << 32;
        let mut state = (self.sequence ^ ids ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
        state ^= state >> 33;
        state = state.wrapping_add(self.stamp_ns & STAMP_MASK).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        state ^= state >> 29;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

/// What one received packet turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A packet of ours.
    Ours(Header),
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

    /// Its length.
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

    /// Writes `header`, and with `touch` the pattern of its sequence number, to `payload`. Returns the sum of
    /// the header's 16-bit big-endian words, not folded (RFC 1071): who has to make a checksum need not read
    /// back what was just written.
    ///
    /// # Panics
    /// If `payload` is shorter than [`Self::bytes`]: buffers are made from this very number.
    // Always: the sum costs those nothing who have no use for it.
    #[inline(always)]
    pub fn write(&self, payload: &mut [u8], header: &Header) -> u64 {
        let payload = &mut payload[..self.bytes];
        if let Some(place) = payload.first_chunk_mut() {
            let sum = Self::write_header(place, header);
            if self.touch {
                write_pattern(&mut payload[HEADER_BYTES..], header.sequence);
            }
            return sum;
        }
        if let Some(place) = payload.first_chunk_mut() {
            header.write(place);
        }
        if self.touch {
            write_pattern(&mut payload[HEADER_BYTES_MIN..], header.sequence);
        }
        header.sum()
    }

    /// Writes a header with its check, and returns the same sum as [`Self::write`].
    #[inline(always)]
    pub fn write_header(place: &mut [u8; HEADER_BYTES], header: &Header) -> u64 {
        let check = header.check();
        if let Some((start, end)) = place.split_first_chunk_mut() {
            header.write(start);
            end.copy_from_slice(&check.to_be_bytes());
        }
        header.sum() + u64::from(check)
    }

    /// The header of traffic, if `place` holds one of `flows` flows with its check intact, and the same sum as
    /// [`Self::write`] returns. What anything else is, [`Self::read`] says.
    #[inline(always)]
    pub fn read_header(place: &[u8; HEADER_BYTES], flows: u16) -> Option<(Header, u64)> {
        let (start, found) = place.split_first_chunk()?;
        let (magic, header) = Header::read(start, Kind::Data);
        let check = header.check();
        let intact = magic == Kind::Data.magic() && header.flow < flows && found == check.to_be_bytes();
        intact.then(|| (header, header.sum() + u64::from(check)))
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
        if let Some(found) = payload.get(HEADER_BYTES_MIN..HEADER_BYTES)
            && found != header.check().to_be_bytes()
        {
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
