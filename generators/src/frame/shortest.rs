//! The shortest frames that hold a whole header, of one flow: what speed is asked of. They are looked at as words, and
//! no further than it takes to know that one is as it was sent, and its number. It must not know what any other is.

use super::expected::Expected;
use super::{UDP_AT, UDP_CHECKSUM_AT};
use crate::checksum::{fold, fold_half, unfolded_sum};
use crate::headers::OVERHEAD_BYTES;
use crate::payload::{HEADER_BYTES, HEADER_BYTES_MIN, Kind};
use crate::sys::crc::crc32c;

/// Their length.
const FRAME_BYTES: usize = OVERHEAD_BYTES + HEADER_BYTES;
/// Where the sequence number begins; before it is the flow.
const SEQUENCE_AT: usize = OVERHEAD_BYTES + 4;
/// Where the check begins.
const CHECK_AT: usize = OVERHEAD_BYTES + HEADER_BYTES_MIN;
/// Where the last word is that is the same in all of them, but for the UDP checksum in it.
const LAST_AT: usize = SEQUENCE_AT - 8;
/// Where in that word the UDP checksum is.
const CHECKSUM_SHIFT: usize = (UDP_CHECKSUM_AT - LAST_AT) * 8;
/// A zero of ones' complement that is larger than any three words.
const NOTHING: u32 = 4 * 0xffff;

/// The frames of the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortest {
    /// Headers up to the UDP checksum.
    headers: [u64; UDP_CHECKSUM_AT / 8],
    /// The last constant word, without the UDP checksum.
    last: u64,
    /// The UDP checksum, were it not for the check: the rest of the header adds nothing. Not folded.
    checksum: u32,
}

impl Shortest {
    /// Those that have the headers of `frame`; `pseudo_header_sum` is in the machine's byte order.
    pub(super) fn of(frame: &[u8], pseudo_header_sum: u64) -> Self {
        let mut start = [0; FRAME_BYTES];
        start[..UDP_CHECKSUM_AT].copy_from_slice(&frame[..UDP_CHECKSUM_AT]);
        start[OVERHEAD_BYTES..][..2].copy_from_slice(&Kind::Data.magic().to_be_bytes());
        let sum = fold(pseudo_header_sum + unfolded_sum(&frame[UDP_AT..UDP_CHECKSUM_AT]));
        let (headers, last) = constants(&start);
        Self { headers, last, checksum: NOTHING - u32::from(sum.to_le()) }
    }

    /// The sequence number of traffic that is as the other end has sent it; `None` of anything else.
    #[inline(always)]
    pub(super) fn sequence(&self, frame: &[u8]) -> Option<u64> {
        let frame: &[u8; FRAME_BYTES] = frame.try_into().ok()?;
        let check = u32::from_le_bytes(bytes(frame, CHECK_AT));
        // Never 0, which would mean that there is none.
        let checksum = fold_half(self.checksum - (check >> 16) - (check & 0xffff));
        let (headers, last) = constants(frame);
        let different_last = last ^ (self.last | u64::from(checksum) << CHECKSUM_SHIFT);
        // Not `==`, which would call a function.
        let pairs = headers.into_iter().zip(self.headers);
        let different = pairs.fold(different_last, |different, (found, expected)| different | (found ^ expected));
        let header = frame[OVERHEAD_BYTES..].first_chunk::<HEADER_BYTES_MIN>()?;
        // The flow before the number is 0.
        (different == 0 && crc32c(header) == check).then(|| u64::from_be_bytes(bytes(frame, SEQUENCE_AT - 2)))
    }
}

/// The words of a frame that are known: its headers, and the last, which overlaps them.
#[inline(always)]
fn constants(frame: &[u8; FRAME_BYTES]) -> ([u64; UDP_CHECKSUM_AT / 8], u64) {
    (Expected::words(&frame[..UDP_CHECKSUM_AT]), u64::from_le_bytes(bytes(frame, LAST_AT)))
}

/// The bytes of a frame from `at` on; that there are so many is known when this is compiled.
#[inline(always)]
fn bytes<const N: usize>(frame: &[u8; FRAME_BYTES], at: usize) -> [u8; N] {
    frame[at..].first_chunk().copied().unwrap_or([0; N])
}
