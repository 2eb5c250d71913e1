//! Manual pages as their readers' tool sees them.

#![allow(clippy::print_stdout, reason = "a skip says why")]

use std::process::Command;

#[test]
fn mandoc_finds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let man = Command::new(env!("CARGO_BIN_EXE_septet")).arg("man").arg(folder.path()).output().expect("septet starts");
    assert!(man.status.success(), "{}", String::from_utf8_lossy(&man.stderr));
    let pages: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a page").path()).collect();
    assert!(pages.iter().any(|page| page.ends_with("septet-experiment.5")), "{pages:?}");
    let Ok(output) = Command::new("mandoc").args(["-T", "lint", "-W", "style"]).args(&pages).output() else {
        println!("skipped: mandoc is not installed (Debian: mandoc)");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    // Pages that are not installed cannot be found.
    let findings: Vec<&str> = said.lines().filter(|line| !line.contains("referenced manual not found")).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
