//! Any bytes as a generation, as they are and packed: no crash, nothing but what its name says is taken, and what is
//! taken is written and read as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::store::{Generation, GenerationName};

fuzz_target!(|bytes: &[u8]| {
    let name: GenerationName =
        "20260101T000000000Z-0123456789abcdef-0123456789abcdef".parse().expect("it is a name");
    assert!(Generation::parse(bytes, "e", &name).is_err(), "nothing has the digest of its name by chance");
    let packed = zstd::bulk::compress(bytes, 1).expect("zstd works");
    assert!(Generation::parse(&packed, "e", &name).is_err());
    // With every digest made to fit.
    let Ok(generation) = serde_json::from_slice::<Generation>(bytes) else { return };
    let Ok((name, file)) = generation.file() else { return };
    if let Ok(read) = Generation::parse(&file, &generation.experiment, &name) {
        assert_eq!(read.file().ok().map(|(name, _)| name), Some(name.clone()));
        assert_eq!(read.tests, generation.tests);
        assert!(Generation::parse(&file, "another", &name).is_err(), "it is of its own experiment");
    }
});
