//! Any bytes as an archive, as a plain tar, which is read like a packed one: no crash, and nothing outside of what it is
//! unpacked to. With `$TMPDIR` in memory no disk is waited for.

#![no_main]

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pipeline::archive::{Depth, Limits, open, verify};

/// One file without a name for all inputs.
static FILE: LazyLock<File> = LazyLock::new(|| tempfile::tempfile().expect("a temporary file"));

fuzz_target!(|bytes: &[u8]| {
    let mut file = &*FILE;
    file.set_len(0).and_then(|()| file.rewind()).expect("it is ours");
    file.write_all(bytes).expect("there is room");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    if let Ok(opened) = open(Path::new(&path), Limits::default(), Depth::Digests) {
        let _ = verify(&opened);
    }
});
