//! Any text as a claim: no crash, and an error points into the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reports::claim::parse;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(claim) = parse(text) {
        let _ = claim.check(&[]);
        let _ = claim.judge(&[]);
    }
});
