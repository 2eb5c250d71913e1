//! The Internet checksum: ones' complement sums of 16-bit words (RFC 1071).
//! It must not know what is summed.

/// The ones' complement sum of the 16-bit big-endian words of `bytes`; an odd last byte is padded with 0.
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    u16::from_be(fold(unfolded_sum(bytes)))
}

/// The same sum in the machine's byte order, not folded: the order of bytes does not matter to a ones'
/// complement sum as long as it is the same throughout (RFC 1071, section 2B), and words of 32 bits fold to
/// the same value.
#[inline(always)]
pub fn unfolded_sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks();
    let (halves, last) = tail.as_chunks();
    let words = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word)));
    let tail = halves.iter().copied().chain(last.iter().map(|byte| [*byte, 0]));
    words.sum::<u64>() + tail.map(|half| u64::from(u16::from_ne_bytes(half))).sum::<u64>()
}

/// A sum, folded to 16 bits: halves are added with the carry brought round (RFC 1071), in a word twice as wide, where
/// adding the word turned by half its width does so. Without branches: which sums carry, no processor can foresee.
#[inline]
pub fn fold(sum: u64) -> u16 {
    fold_half((sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32)
}

/// The same of a sum of 32 bits. Of any but 0 it is not 0: of the two zeros, it is the other one.
#[inline]
pub fn fold_half(sum: u32) -> u16 {
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}
