//! CRC-32C, Castagnoli's (RFC 9260, appendix A), with which iSCSI and SCTP protect what they send, and for which
//! processors have an instruction. It must not know what the bytes mean.

/// The CRC-32C of `bytes`: by the processor where the program was built for one that can, which is so where DPDK is, and
/// from tables elsewhere.
#[inline(always)]
pub fn crc32c<const N: usize>(bytes: &[u8; N]) -> u32 {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse4.2"))]
    // SAFETY: the program is built for processors that have what the function needs.
    return unsafe { by_instruction(bytes) };
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.2")))]
    TABLES.checksum(bytes)
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse4.2"))))]
static TABLES: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISCSI);

#[cfg(all(target_arch = "x86_64", any(test, target_feature = "sse4.2")))]
#[target_feature(enable = "sse4.2")]
#[inline]
fn by_instruction<const N: usize>(bytes: &[u8; N]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u16, _mm_crc32_u64};

    let (words, rest) = bytes.as_chunks();
    let (pairs, last) = rest.as_chunks();
    let word = |state, word: &[u8; 8]| _mm_crc32_u64(state, u64::from_le_bytes(*word));
    let pair = |state, pair: &[u8; 2]| _mm_crc32_u16(state, u16::from_le_bytes(*pair));
    let state = words.iter().fold(u64::from(u32::MAX), word) as u32;
    !last.iter().fold(pairs.iter().fold(state, pair), |state, byte| _mm_crc32_u8(state, *byte))
}

#[cfg(test)]
// Why a test was skipped is told.
#[allow(clippy::print_stderr)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_value_is_the_published_one() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[cfg(target_arch = "x86_64")]
    proptest! {
        #[test]
        fn the_instruction_agrees_with_the_tables(bytes: [u8; 29]) {
            if !is_x86_feature_detected!("sse4.2") {
                eprintln!("skipped: this processor has no SSE 4.2");
                return Ok(());
            }
            // SAFETY: the processor has what the function needs.
            prop_assert_eq!(unsafe { by_instruction(&bytes) }, TABLES.checksum(&bytes));
        }
    }
}
