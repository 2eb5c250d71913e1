//! `kill -9` between the windows of one set-up, and in the second of them: a set-up of which a window is missing is none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bench::Bench;
use super::experiment::{nothing_unfinished, stored};
use super::kills::{Random, Victim, kill_one, number, seed, wait};
use super::processes;
use super::remains::{Host, turn};

/// Whose deaths end a run: the next one begins anew.
const ENDING: [Victim; 3] = [Victim::Pipeline, Victim::Supervisor, Victim::Worker];
/// Whose deaths cost a set-up: the run goes on.
const COSTLY: [Victim; 2] = [Victim::Container, Victim::Generator];
/// Kills without `SEPTET_KILLS`.
const KILLS: usize = ENDING.len() + 1;
/// From the end of the first window to the kill, at most: while generators are started again, and until the second
/// window is over.
const BETWEEN_MS: u64 = 100;
const BEHIND_MS: u64 = 1_300;
/// The first set-ups of a test of which nothing is known have two windows.
const EXPERIMENT: &str = r#"
[experiment]
name = "small"
[protocol]
precision = 0.9
cap = "1min"
warmup = "20ms"
cooldown = "20ms"
[[tests]]
id = "rate"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = 64
R = 20000
B = 32
io = "udp-mmsg"
"#;

/// Waits until the generators of the first window have ended; false if the run ends before.
fn await_end_of_first_window(child: &mut Child, host: &mut Host) -> bool {
    let pid = i32::try_from(child.id()).expect("pids are small");
    let mut first: BTreeSet<i32> = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().expect("it is ours").is_none() {
        assert!(Instant::now() < deadline, "no window ends");
        let below = processes::below(pid);
        host.note(&below);
        let generators = below.iter().filter(|process| process.program == "septet-gen");
        let running: BTreeSet<i32> = generators.map(|process| process.pid).collect();
        match first.len() {
            0 | 1 => first = running,
            _ if first.is_disjoint(&running) => return true,
            _ => {}
        }
    }
    false
}

/// One run, killed after the first window of its first set-up; whether it was.
fn round(bench: &Bench, victim: Victim, random: &mut Random) -> bool {
    let mut host = Host::look();
    let stored_before = stored(bench);
    let errors = File::create(bench.path("errors")).expect("the bench is writable");
    let mut command = bench.command(&["run", "small.toml"]);
    let mut child = command.stdout(Stdio::null()).stderr(errors).spawn().expect("it starts");
    let mut killed = await_end_of_first_window(&mut child, &mut host);
    if killed {
        let most_ms = [BETWEEN_MS, BEHIND_MS][random.below(2) as usize];
        std::thread::sleep(Duration::from_millis(random.below(most_ms)));
        killed = kill_one(&mut child, victim, random, &mut host);
    }
    let status = wait(&mut child);
    host.is_given_back();

    let errors = fs::read_to_string(bench.path("errors")).expect("it is there");
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(victim.allows(status), "{status}\n{errors}");
    assert!(status.success() || victim == Victim::Pipeline || errors.contains("failed to"), "{status}\n{errors}");
    let is_told = |line: &&str| line.trim_start().starts_with('[') || line.starts_with("FAILED");
    let told = errors.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter(is_told).count() as u64;
    let now = stored(bench) - stored_before;
    assert!((told..=told + 1).contains(&now), "{now} are stored\n{errors}");
    windows_are_whole(bench);
    killed
}

/// Each set-up that counts has all the windows that were chosen for it; how many set-ups with several windows there are.
fn windows_are_whole(bench: &Bench) -> usize {
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    let shown = bench.septet(&["show", &key, "--json"]);
    if stored(bench) == 0 {
        return 0;
    }
    let records = shown.code(0).json();
    let valid = records.as_array().expect("records are listed").iter();
    let valid = valid.filter(|record| record["status"]["state"] == "valid");
    let windows = |record: &Value| record["windows"].as_array().map_or(1, Vec::len);
    valid
        .inspect(|record| {
            let chosen = record["chosen"]["windows"].as_u64().unwrap_or(1);
            assert_eq!(windows(record) as u64, chosen, "a set-up has lost a window: {record}");
        })
        .filter(|record| windows(record) > 1)
        .count()
}

/// The next run measures what is missing, and leaves nothing unfinished.
fn goes_on(bench: &Bench) {
    bench.septet(&["run", "small.toml"]).code(0);
    let again = bench.septet(&["run", "small.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{again:?}");
    stored(bench);
    nothing_unfinished(bench);
    assert!(windows_are_whole(bench) > 0, "no set-up has several windows");
}

#[test]
fn a_kill_between_windows_of_a_set_up_leaves_nothing_and_no_part_of_it() {
    let _turn = turn();
    let kills = number("SEPTET_KILLS").map_or(KILLS, |kills| kills as usize);
    let mut random = Random::new(seed());
    let mut done = 0;
    for turn in 0.. {
        // What is known of a kind of test would choose one window.
        let bench = Bench::new();
        let runtime = ["netns", "auto"][turn % 2];
        bench.write("small.toml", &format!("{EXPERIMENT}runtime = \"{runtime}\"\n"));
        for victim in ENDING.into_iter().chain([COSTLY[turn / 2 % 2]]) {
            println!("{victim:?}; {runtime}");
            done += usize::from(round(&bench, victim, &mut random));
        }
        goes_on(&bench);
        if done >= kills {
            return;
        }
        assert!(turn < 4 * kills, "{done} victims were found");
    }
}
