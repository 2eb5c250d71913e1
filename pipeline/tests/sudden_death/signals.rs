//! Signals in the middle of a window: asked to end, a run ends tidily, or at once; robbed of a part, it says which.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bench::Bench;
use super::experiment::{self, goes_on, in_a_long_window, stored};
use super::processes::{self, Process};
use super::remains::{Host, turn};

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("pids are small"))
}

/// Waits for the end: the exit code, and how long it took.
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
    let _turn = turn();
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
    let _turn = turn();
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
    goes_on(&bench);
}

/// Kills one of a run's processes in the middle of a window: how the run ends, and what it says.
fn robbed_of(whom: impl Fn(&Process, i32) -> bool, expected: i32, words: &str) {
    let bench = Bench::new();
    let mut host = Host::look();
    let mut child = in_a_long_window(&bench, &mut host);
    let septet = pid(&child).as_raw();
    let below = processes::below(septet);
    let agent = below.iter().find(|process| process.parent == septet).expect("it has an agent").pid;
    let victim = below.iter().find(|process| whom(process, agent)).expect("it is there");
    assert!(victim.kill(), "{victim:?}");
    let (code, _) = ends(&mut child);
    let errors = fs::read_to_string(bench.path("errors")).expect("it is there");
    assert_eq!(code, Some(expected), "{errors}");
    assert!(errors.contains(words), "{errors}");
    host.is_given_back();
}

#[test]
fn a_part_that_dies_in_the_middle_is_named_long_before_the_window_would_end() {
    let _turn = turn();
    robbed_of(|process, agent| process.pid == agent, 3, "failed to hear from septet-host");
    robbed_of(|process, agent| process.parent == agent, 3, "the worker died");
    robbed_of(|process, _| process.program == "septet-gen", 1, "alive: it ended with status 137");
}
