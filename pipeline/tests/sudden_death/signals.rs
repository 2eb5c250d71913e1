//! Signals that ask a run to end: once tidily, twice at once.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bench::Bench;
use super::experiment::{self, goes_on, stored};
use super::processes;
use super::remains::Host;

/// A run in the middle of a window that is much longer than a test waits.
fn in_a_long_window(bench: &Bench, host: &mut Host) -> Child {
    experiment::write(bench, 0, "auto");
    bench.edit("small.toml", "duration = \"60ms\"", "duration = \"60s\"");
    let mut command = bench.command(&["run", "small.toml"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    experiment::eventually(|| {
        let below = processes::below(pid(&child).as_raw());
        host.note(&below);
        match below.iter().filter(|process| process.program == "septet-gen").count() {
            2 => Ok(()),
            count => Err(format!("{count} generators")),
        }
    });
    child
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("pids are small"))
}

/// Its exit code, and how long it took.
#[track_caller]
fn ends(child: &mut Child) -> (Option<i32>, Duration) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return (status.code(), began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it does not end");
}

#[test]
fn one_signal_of_each_kind_ends_tidily() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let bench = Bench::new();
        let mut host = Host::look();
        let mut child = in_a_long_window(&bench, &mut host);
        kill(pid(&child), signal).expect("it lives");
        assert_eq!(ends(&mut child).0, Some(130), "{signal}");
        host.is_given_back();
        // Tidily: nothing unfinished is left even before the next start.
        experiment::nothing_unfinished(&bench);
        assert_eq!(stored(&bench), 0, "{signal}");
    }
}

#[test]
fn ctrl_c_twice_ends_at_once_and_the_host_is_given_back() {
    let bench = Bench::new();
    let mut host = Host::look();
    let mut child = in_a_long_window(&bench, &mut host);
    // Two signals of a kind that nobody has taken yet are one: the second is repeated until it is over.
    let began = Instant::now();
    while child.try_wait().expect("it is ours").is_none() {
        kill(pid(&child), Signal::SIGINT).expect("it is not reaped");
        assert!(began.elapsed() < Duration::from_secs(1), "it does not end at once");
    }
    let (code, _) = ends(&mut child);
    assert_eq!(code, Some(130));
    host.is_given_back();
    experiment::write(&bench, 0, "auto");
    drop(host);
    goes_on(&bench);
}
