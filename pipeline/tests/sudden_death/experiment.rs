//! An experiment that is measured within a second, and what a store has of it. It must not know what is tested.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::processes;
use super::remains::Host;

/// Repetitions of one round of it.
pub const REPETITIONS: u64 = 4;

/// Writes the experiment. Each round has tests that no other has, so that all of them are to be measured.
pub fn write(bench: &Bench, round: usize, runtime: &str) {
    write_through(bench, round, runtime, "linux-bridge", "system");
}

/// Writes the experiment for a DPDK switch of a stack, at rates that generators reach on cores shared with it.
pub fn write_through(bench: &Bench, round: usize, runtime: &str, switch: &str, stack: &str) {
    let (fast, slow) = if switch == "linux-bridge" { (50_000, 1_000) } else { (10_000, 500) };
    let (fast, slow) = (fast + round, slow + round);
    let (fast_io, slow_io) = if switch == "linux-bridge" { ("udp-mmsg", "raw") } else { ("dpdk", "dpdk") };
    let common = format!(
        "L = \"local\"\nS = \"1vs1\"\nV = \"{switch}\"\nP = 64\nruntime = \"{runtime}\"\nstack = \"{stack}\"\n"
    );
    bench.write(
        "small.toml",
        &format!(
            "[experiment]\nname = \"small\"\ntitle = \"Small\"\n\
             [protocol]\nduration = \"60ms\"\nwarmup = \"20ms\"\ncooldown = \"20ms\"\nrepetitions = 2\n\
             [[tests]]\nid = \"rate\"\nD = \"throughput\"\n{common}R = {fast}\nB = 32\nio = \"{fast_io}\"\n\
             [[tests]]\nid = \"rtt\"\nD = \"latency\"\n{common}R = {slow}\nB = 4\nio = \"{slow_io}\"\n\
             [[figure]]\nid = \"rates\"\nfrom = \"rate\"\nx = \"P\"\ny = \"rx_kpps\"\n"
        ),
    );
}

/// A run in the middle of a window that is much longer than a test waits. What it says is in `errors`.
pub fn in_a_long_window(bench: &Bench, host: &mut Host) -> Child {
    write(bench, 0, "auto");
    bench.edit("small.toml", "duration = \"60ms\"", "duration = \"60s\"");
    let errors = File::create(bench.path("errors")).expect("the bench is writable");
    let mut command = bench.command(&["run", "small.toml"]);
    let child = command.stdout(Stdio::null()).stderr(errors).spawn().expect("it starts");
    let pid = i32::try_from(child.id()).expect("pids are small");
    eventually(|| {
        let below = processes::below(pid);
        host.note(&below);
        match below.iter().filter(|process| process.program == "septet-gen").count() {
            2 => Ok(()),
            count => Err(format!("{count} generators run")),
        }
    });
    child
}

/// Results in the store, failed ones counted; all of it is sound and nothing strange lies in it.
#[track_caller]
pub fn stored(bench: &Bench) -> u64 {
    if !bench.path(".septet/format").exists() {
        return 0;
    }
    let verified = bench.septet(&["store", "verify", "--json"]).code(0).json();
    assert!(verified["strangers"].as_array().is_none_or(Vec::is_empty), "{verified}");
    verified["results"].as_u64().expect("a number")
}

/// Valid repetitions of each test that is not skipped, by name.
#[track_caller]
pub fn valid(bench: &Bench) -> Vec<(String, u64)> {
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    let tests = plan["tests"].as_array().expect("tests are listed");
    let of = |test: &serde_json::Value| {
        let name = test["name"].as_str().expect("a name").to_string();
        (name, test["repetitions"]["have"].as_u64().expect("a number"))
    };
    tests.iter().map(of).collect()
}

/// The next run measures what is missing and no more, and leaves nothing unfinished behind; how many it measured.
#[track_caller]
pub fn goes_on(bench: &Bench) -> u64 {
    let missing: u64 = valid(bench).iter().map(|(_, have)| 2 - have).sum();
    let ran = bench.septet(&["run", "small.toml", "--json"]).code(0);
    let measured = ran.json()["measured"].as_u64().expect("a number");
    let suspect = ran.stderr.lines().filter(|line| line.contains("SUSPECT")).count() as u64;
    assert_eq!(measured, missing + suspect, "{}", ran.stderr);
    let again = bench.septet(&["run", "small.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{again:?}");
    stored(bench);
    nothing_unfinished(bench);
    measured
}

/// No file of a write that was cut short is left.
#[track_caller]
pub fn nothing_unfinished(bench: &Bench) {
    let unfinished: Vec<String> = bench
        .files("")
        .into_keys()
        .filter(|name| {
            name.starts_with(".septet/tmp/")
                || name.ends_with(".unfinished")
                || ["digests", "read"].iter().any(|kept| name.contains(&format!("septet/{kept}.")))
        })
        .collect();
    assert_eq!(unfinished, Vec::<String>::new());
}

/// Waits until a condition holds; a deadline is a failure. Others may measure on this host meanwhile.
#[track_caller]
pub fn eventually(mut holds: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(why) = holds() {
        assert!(Instant::now() < deadline, "{why}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
