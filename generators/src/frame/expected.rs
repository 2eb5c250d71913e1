//! The headers that frames of the other end have, compared as words. It must not know payloads or checksums.

use super::{UDP_AT, UDP_CHECKSUM_AT};

/// Headers up to the UDP checksum, in words as they lie in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    words: [u64; UDP_CHECKSUM_AT / 8],
    /// Where in the last word the port stands that tells the flow.
    port_shift: u32,
}

impl Expected {
    /// Those of `frame`, whose source port tells the flow, or else its destination port.
    pub(super) fn of(frame: &[u8], source_tells: bool) -> Self {
        let port_at = if source_tells { UDP_AT } else { UDP_AT + 2 };
        Self { words: Self::words(frame), port_shift: (port_at % 8 * 8) as u32 }
    }

    /// By how much the port that tells the flow is beyond that of these headers, if nothing else differs.
    #[inline]
    pub(super) fn flow(&self, headers: &[u8; UDP_CHECKSUM_AT]) -> Option<u16> {
        let port_bits = 0xffff << self.port_shift;
        let port = |word: u64| ((word >> self.port_shift) as u16).swap_bytes();
        let [a, b, c, d, last] = Self::words(headers);
        let [expected_a, expected_b, expected_c, expected_d, expected_last] = self.words;
        let constants = (a ^ expected_a) | (b ^ expected_b) | (c ^ expected_c) | (d ^ expected_d);
        let different = constants | (last ^ expected_last) & !port_bits;
        (different == 0).then(|| port(last).wrapping_sub(port(expected_last)))
    }

    /// The words of headers.
    #[inline(always)]
    pub(super) fn words(headers: &[u8]) -> [u64; UDP_CHECKSUM_AT / 8] {
        let mut words = [0; UDP_CHECKSUM_AT / 8];
        for (word, bytes) in words.iter_mut().zip(headers.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }
}
