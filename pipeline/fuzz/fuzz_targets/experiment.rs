//! Any text as an experiment: no crash, every error has a place, and every test's name is read as that test again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::experiment::{parse_bytes, select};

/// Tests whose names are read again: a matrix may have millions.
const NAMES: usize = 50;

fuzz_target!(|bytes: &[u8]| {
    match parse_bytes(bytes, "f.toml") {
        Err(diagnostics) => assert!(diagnostics.to_string().contains("f.toml:"), "{diagnostics}"),
        Ok(experiment) => {
            for test in experiment.matrix.tests.iter().take(NAMES) {
                let name = test.tuple.to_string();
                assert_eq!(select::name(&name).map_err(|error| error.to_string()), Ok(test.tuple.clone()), "{name}");
            }
        }
    }
});
