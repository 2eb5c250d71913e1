//! Any bytes as an archive, packed as archives are: no crash, and nothing outside of what it is unpacked to.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use pipeline::archive::{Depth, Limits, open, verify};

fuzz_target!(|bytes: &[u8]| {
    let packed = zstd::bulk::compress(bytes, 1).expect("zstd works");
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&packed).expect("there is room");
    if let Ok(opened) = open(file.path(), Limits::default(), Depth::Digests) {
        let _ = verify(&opened);
    }
});
