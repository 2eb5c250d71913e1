//! CRC-32C, Castagnoli's (RFC 9260, appendix A), of the header that every packet carries: what iSCSI and SCTP protect
//! theirs with, for which processors have an instruction. It must not know what the bytes mean.

use crate::payload::HEADER_BYTES_MIN;

/// The CRC-32C of a header: by the processor where the program was built for one that can, which is so where DPDK is,
/// and from tables elsewhere.
#[inline(always)]
pub fn crc32c(header: &[u8; HEADER_BYTES_MIN]) -> u32 {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse4.2"))]
    // SAFETY: the program is built for processors that have what the function needs.
    return unsafe { by_instruction(header) };
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.2")))]
    TABLES.checksum(header)
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse4.2"))))]
static TABLES: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISCSI);

#[cfg(all(target_arch = "x86_64", any(test, target_feature = "sse4.2")))]
#[target_feature(enable = "sse4.2")]
#[inline]
fn by_instruction(header: &[u8; HEADER_BYTES_MIN]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u16, _mm_crc32_u64};

    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = *header;
    let state = _mm_crc32_u64(u64::from(u32::MAX), u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    let state = _mm_crc32_u64(state, u64::from_le_bytes([i, j, k, l, m, n, o, p]));
    !_mm_crc32_u16(state as u32, u16::from_le_bytes([q, r]))
}

#[cfg(test)]
// Why a test was skipped is told.
#[allow(clippy::print_stderr)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_value_is_the_published_one() {
        assert_eq!(TABLES.checksum(b"123456789"), 0xe306_9283);
    }

    #[cfg(target_arch = "x86_64")]
    proptest! {
        #[test]
        fn the_instruction_agrees_with_the_tables(header: [u8; HEADER_BYTES_MIN]) {
            if !is_x86_feature_detected!("sse4.2") {
                eprintln!("skipped: this processor has no SSE 4.2");
                return Ok(());
            }
            // SAFETY: the processor has what the function needs.
            prop_assert_eq!(unsafe { by_instruction(&header) }, TABLES.checksum(&header));
        }
    }
}
