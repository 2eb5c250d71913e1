//! What goes wrong: interruption, sudden death, damage, a disk that refuses. Told, nothing lost.

use std::fs;
use std::io::BufReader;
use std::process::{Child, ChildStderr, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bench::{Bench, SMALL, pid, wait};

/// Starts a run and returns once it has stored its first repetition.
fn run_until_first(bench: &Bench) -> (Child, BufReader<ChildStderr>) {
    bench.until(&["run", "small.toml"], "[1/")
}

/// What is stored is sound, and the next run goes on where the last one was cut.
fn goes_on(bench: &Bench) {
    let left = bench.septet(&["store", "verify", "--json"]).code(0).json();
    let stored = left["results"].as_u64().expect("a number");
    assert!((1..6).contains(&stored), "{left}");
    let run = bench.septet(&["run", "small.toml", "--json"]).code(0).json();
    assert_eq!(run["measured"].as_u64(), Some(6 - stored), "{run}");
    bench.septet(&["store", "verify"]).code(0);
    bench.septet(&["status", "small.toml", "-q"]).code(0);
    let unfinished = fs::read_dir(bench.path(".septet/tmp")).expect("it is there").count();
    assert_eq!(unfinished, 0, "unfinished work is left in tmp");
}

#[test]
fn ctrl_c_once_ends_tidily_and_the_next_run_goes_on() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let (mut child, _lines) = run_until_first(&bench);
    kill(pid(&child), Signal::SIGINT).expect("it lives");
    assert_eq!(wait(&mut child), 130);
    goes_on(&bench);
}

#[test]
fn sudden_death_loses_no_finished_repetition() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let (mut child, _lines) = run_until_first(&bench);
    kill(pid(&child), Signal::SIGKILL).expect("it lives");
    wait(&mut child);
    goes_on(&bench);
}

#[test]
fn a_dead_agent_is_told_and_the_next_run_goes_on() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let (mut child, _lines) = run_until_first(&bench);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("it lives");
    let agent: i32 = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("it has an agent");
    kill(Pid::from_raw(agent), Signal::SIGKILL).expect("it lives");
    assert_eq!(wait(&mut child), 3);
    goes_on(&bench);
}

#[test]
fn two_runs_at_once_wait_for_each_other_and_measure_nothing_twice() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let start = || {
        let mut command = bench.command(&["run", "small.toml", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let runs = [start(), start()].map(|child| child.wait_with_output().expect("it ends"));
    let measured: u64 = runs
        .iter()
        .map(|output| {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
            json["measured"].as_u64().expect("a number")
        })
        .sum();
    assert_eq!(measured, 6);
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn damage_is_found_and_named() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml"]).code(0);
    let samples = bench.files(".septet/results").into_keys().find(|name| name.ends_with("samples.parquet"));
    let path = bench.path(".septet/results").join(samples.expect("there are samples"));
    let sound = fs::read(&path).expect("it can be read");

    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    fs::write(&path, flipped).expect("it is ours");
    let told = bench.septet(&["store", "verify", "-n"]).code(4);
    assert!(told.stderr.contains("samples.parquet") && told.stderr.contains("--only"), "{}", told.stderr);

    fs::write(&path, &sound[..sound.len() / 2]).expect("it is ours");
    bench.septet(&["store", "verify", "-n"]).code(4);
    fs::remove_file(&path).expect("it is ours");
    bench.septet(&["store", "verify", "-n"]).code(4);
    fs::write(&path, sound).expect("it is ours");
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn a_newer_store_is_refused_with_its_number() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    fs::create_dir(bench.path(".septet")).expect("it is ours");
    bench.write(".septet/format", "{\"format\": 99}");
    let ran = bench.septet(&["run", "small.toml"]).code(3);
    assert!(ran.stderr.contains("99"), "{}", ran.stderr);
}

#[test]
fn a_store_that_cannot_be_written_is_told() {
    let Some(bench) = Bench::as_nobody() else { return };
    bench.write("small.toml", SMALL);
    fs::create_dir(bench.path(".septet")).expect("it is root's");
    let ran = bench.septet(&["run", "small.toml"]).code(3);
    assert!(ran.stderr.contains(".septet"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn a_folder_with_other_files_is_not_written_over() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    fs::create_dir(bench.path("mine")).expect("it is ours");
    bench.write("mine/thesis.tex", "mine");
    let ran = bench.septet(&["report", "small.toml", "-o", "mine"]).code(2);
    assert!(ran.stderr.contains("mine"), "{}", ran.stderr);
}
