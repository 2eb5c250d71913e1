//! Death in the middle of a window over a DPDK switch: its own, and that of the agent which holds it.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::experiment::eventually;
use super::processes;
use super::remains::{Host, turn};

/// A run in a window that is much longer than a test waits, with every program of `wanted` running.
fn in_a_long_window(bench: &Bench, host: &mut Host, switch: &str, wanted: &[&str]) -> Child {
    bench.write(
        "small.toml",
        &format!(
            "[experiment]\nname = \"small\"\n[protocol]\nduration = \"60s\"\nwarmup = \"20ms\"\ncooldown = \"20ms\"\n\
             repetitions = 1\n[[tests]]\nid = \"one\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"{switch}\"\n\
             P = 64\nR = \"10k\"\nB = 8\n"
        ),
    );
    let errors = File::create(bench.path("errors")).expect("the bench is writable");
    let mut command = bench.command(&["run", "small.toml", "--wait", "5m"]);
    let child = command.stdout(Stdio::null()).stderr(errors).spawn().expect("it starts");
    let pid = i32::try_from(child.id()).expect("pids are small");
    eventually(|| {
        let below = processes::below(pid);
        host.note(&below);
        let runs = |name: &&str| below.iter().any(|process| process.program == **name);
        match wanted.iter().find(|name| !runs(name)) {
            None => Ok(()),
            Some(missing) => Err(format!("{missing} does not run; {}", said(bench))),
        }
    });
    child
}

fn said(bench: &Bench) -> String {
    fs::read_to_string(bench.path("errors")).unwrap_or_default()
}

fn ends(child: &mut Child) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("it does not end");
}

/// Kills the first process of that name, or the agent itself if there is none.
fn kill(child: &Child, name: &str) {
    let below = processes::below(i32::try_from(child.id()).expect("pids are small"));
    let victim = below.iter().find(|process| process.program == name).expect("it runs");
    assert!(victim.kill(), "{victim:?}");
}

const TESTPMD: [&str; 2] = ["dpdk-testpmd", "septet-gen-dpdk"];
const OVS: [&str; 3] = ["ovsdb-server", "ovs-vswitchd-dp", "septet-gen-dpdk"];

#[test]
fn a_switch_that_dies_in_the_middle_is_named_and_nothing_is_left() {
    let _turn = turn();
    let Some(bench) = dpdk_as_root() else { return };
    for (switch, programs) in [("testpmd", &TESTPMD[..]), ("ovs", &OVS[..])] {
        let mut host = Host::look();
        let mut child = in_a_long_window(&bench, &mut host, switch, programs);
        kill(&child, programs[programs.len() - 2]);
        assert_eq!(ends(&mut child), Some(1), "{}", said(&bench));
        assert!(said(&bench).contains("it ended with status 137"), "{}", said(&bench));
        host.is_given_back();
    }
}

#[test]
fn an_agent_that_is_killed_takes_its_switch_along() {
    let _turn = turn();
    let Some(bench) = dpdk_as_root() else { return };
    for (switch, programs) in [("testpmd", &TESTPMD[..]), ("ovs", &OVS[..])] {
        let mut host = Host::look();
        let mut child = in_a_long_window(&bench, &mut host, switch, programs);
        kill(&child, "septet-host");
        assert_eq!(ends(&mut child), Some(3), "{}", said(&bench));
        // Hugepages are a setting of the host: the next start gives them back, all else is gone by itself.
        bench.septet(&["host", "restore"]).code(0);
        host.is_given_back();
    }
}

fn dpdk_as_root() -> Option<Bench> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: the switches need root");
        return None;
    }
    let bench = Bench::with_dpdk()?;
    let plan = |switch: &str| {
        bench.write(
            "probe.toml",
            &format!(
                "[experiment]\nname = \"probe\"\n[protocol]\nduration = \"1s\"\nwarmup = \"20ms\"\ncooldown = \"20ms\"\n\
                 repetitions = 1\n[[tests]]\nid = \"one\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
                 V = \"{switch}\"\nP = 64\nR = \"10k\"\nB = 8\n"
            ),
        );
        bench.septet(&["plan", "probe.toml"]).code(0).stdout
    };
    for switch in ["testpmd", "ovs"] {
        let plan = plan(switch);
        if plan.contains("1 skipped") {
            println!("skipped: {plan}");
            return None;
        }
    }
    Some(bench)
}
