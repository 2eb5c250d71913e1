//! A digest of the whole file inside the file. Whatever is damaged is found before the Parquet library sees
//! it: a damaged page can make that library ask for more memory than there is, which no caller survives. It
//! must not know columns.
//!
//! The metadata entry [`SEAL_KEY`] holds the BLAKE3 of the file, in hexadecimal, computed as if each of its
//! own digits were 0. It is the last of our entries, so that no name can be taken for it.

/// Metadata key of the seal.
pub const SEAL_KEY: &str = "septet.samples.blake3";
/// The seal of a file that has none yet.
pub const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What stands between key and value in the footer: a string field follows (Thrift compact protocol), of 64
/// bytes.
const BETWEEN: [u8; 2] = [0x18, 64];

/// Puts the digest into a file that was written with [`UNSEALED`]. `None` if there is no place for it.
pub fn seal(bytes: &mut [u8]) -> Option<()> {
    let place = place(bytes)?;
    let digest = digest(bytes, place);
    bytes[place..place + UNSEALED.len()].copy_from_slice(digest.as_bytes());
    Some(())
}

/// Whether the file is what was sealed; `None` if it has no seal.
pub fn is_intact(bytes: &[u8]) -> Option<bool> {
    let place = place(bytes)?;
    Some(&bytes[place..place + UNSEALED.len()] == digest(bytes, place).as_bytes())
}

/// Where the digits are.
fn place(bytes: &[u8]) -> Option<usize> {
    let key = SEAL_KEY.as_bytes();
    let between = bytes.windows(key.len()).rposition(|window| window == key)? + key.len();
    let place = between + BETWEEN.len();
    (bytes.get(between..place)? == BETWEEN && bytes.len() >= place + UNSEALED.len()).then_some(place)
}

fn digest(bytes: &[u8], place: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..place]).update(UNSEALED.as_bytes()).update(&bytes[place + UNSEALED.len()..]);
    hasher.finalize().to_hex().to_string()
}
