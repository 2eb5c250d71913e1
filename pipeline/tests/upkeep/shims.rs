//! Libraries that are put before a program's own: a wall clock that is wrong, a file that is slow to open. Made by the
//! C compiler that is there.

use std::path::PathBuf;
use std::process::Command;

use super::bench::Bench;

/// A shim, compiled. None, with the reason printed, where there is no C compiler.
pub fn shim(bench: &Bench, name: &str) -> Option<String> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/upkeep/shims").join(format!("{name}.c"));
    let library = bench.path(&format!("{name}.so"));
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    match made {
        Ok(status) if status.success() => Some(library.display().to_string()),
        other => {
            println!("skipped: cc makes no library: {other:?}");
            None
        }
    }
}
