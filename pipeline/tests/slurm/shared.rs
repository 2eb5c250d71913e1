//! A store that hosts share on a file system without locks between them: each host believes that it has every lock, as
//! with NFS's `local_lock=all`. Tried by strace, which answers `flock` in the kernel's place, and by hosts that have
//! identities of their own.

use std::path::Path;
use std::process::{Command, Stdio};

use super::bed::Testbed;
use super::bench::SMALL;
use super::cluster;

/// Runs at once on each host.
const ROUNDS: usize = 4;

#[test]
fn hosts_that_share_a_store_and_no_locks_lose_nothing_of_each_other() {
    let traces = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !traces.is_ok_and(|status| status.success()) {
        println!("skipped: strace is not there, or may not trace");
        return;
    }
    let Some(bed) = Testbed::up(&["north", "south"]) else { return };
    let folder = cluster::folder();
    let septet = Path::new(env!("CARGO_BIN_EXE_septet"));
    std::fs::write(folder.path().join("small.toml"), SMALL.replace("repetitions = 2", "repetitions = 1"))
        .expect("it is ours");
    let mut children = Vec::new();
    for host in ["north", "south"] {
        let own = folder.path().join(host);
        std::fs::create_dir(&own).expect("it is ours");
        std::fs::write(own.join("boot"), format!("{host}-0000-4000-8000-000000000000\n")).expect("it is ours");
        bed.said(host, &format!("mount --bind {}/boot /proc/sys/kernel/random/boot_id", own.display()));
        let script = format!(
            "cd {}; for round in $(seq {ROUNDS}); do strace -f -qq -b execve -o /dev/null -e trace=flock -e \
             inject=flock:retval=0 {} run ../small.toml --store ../store --no-report -k --force D=throughput; [ $? -le 1 ] || exit 9; done",
            own.display(),
            septet.display()
        );
        let mut command = bed.in_host(host, "sh");
        command.arg("-c").arg(script).env("HOME", &own).env("XDG_CACHE_HOME", own.join("cache"));
        command.env("XDG_CONFIG_HOME", &own).env_remove("SEPTET_STORE");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        children.push(command.spawn().expect("nsenter starts"));
    }
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        // Suspect repetitions are given up, since both hosts share their cores.
        assert!(
            output.status.success() || errors.contains("GIVEN UP") && !errors.contains("septet: failed"),
            "{errors}"
        );
    }
    // Whatever lies in the store is known to its index, and the other way round.
    let results = || {
        let shelves = std::fs::read_dir(folder.path().join("store/results")).expect("results").flatten();
        let is_shelf = |name: &str| name.len() == 2;
        let shelves = shelves.filter(|shelf| is_shelf(&shelf.file_name().to_string_lossy()));
        shelves.map(|shelf| std::fs::read_dir(shelf.path()).expect("a shelf").count()).sum::<usize>()
    };
    let said = |arguments: &[&str]| {
        let mut command = Command::new(septet);
        let output =
            command.args(arguments).arg("--store").arg(folder.path().join("store")).output().expect("it starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let stats: serde_json::Value = serde_json::from_str(&said(&["store", "stats", "--json"])).expect("JSON");
    println!("{stats:#}");
    assert!(results() >= 2 * 2 * ROUNDS, "{} results", results());
    assert_eq!(stats["results"].as_u64(), Some(results() as u64), "{stats:#}");
    said(&["store", "verify", "-n"]);
    assert_eq!(std::fs::read_dir(folder.path().join("store/tmp")).expect("it is there").count(), 0);
}
