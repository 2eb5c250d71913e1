//! Any text as a site file: no crash, and every error has a place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::site::parse;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(diagnostics) = parse(text, "f.toml") {
        assert!(diagnostics.to_string().contains("f.toml:"), "{diagnostics}");
    }
});
