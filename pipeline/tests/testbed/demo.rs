//! `make demo-remote`'s script: the experiment is found from where it was started, and what it leaves is a report.

use std::path::Path;
use std::process::Command;

use super::bed::script;
use super::remote::tests;

/// One short test over a bridge on each side.
const BETWEEN: &str = "[[tests]]\nid = \"bridge\"\nD = \"throughput\"\nL = \"remote\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = 64\n\
                       R = \"2kpps\"\nB = 8\nio = \"udp\"\n";

#[test]
fn the_demo_measures_between_two_hosts_from_the_folder_in_which_it_was_started() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make the namespaces of emulated hosts");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir(folder.path().join("experiments")).expect("a folder");
    std::fs::write(folder.path().join("experiments/between.toml"), tests(BETWEEN)).expect("a file");
    let programs = Path::new(env!("CARGO_BIN_EXE_septet")).parent().expect("it is in a folder");
    let mut demo = Command::new("sh");
    demo.arg(script().with_file_name("demo.sh")).arg(programs).arg("experiments/between.toml");
    // Nobody's own files have a part in it.
    demo.current_dir(folder.path()).env("HOME", folder.path()).env("XDG_CACHE_HOME", folder.path().join("cache"));
    let output = demo.env_remove("SEPTET_STORE").output().expect("sh starts");
    let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words}");
    assert!(words.contains("[hosts.north]") && words.contains("south:cable0"), "{words}");
    let page = std::fs::read_to_string(folder.path().join("out/between/index.html")).expect("a report");
    assert!(page.contains("linux-bridge"));
}
