//! Many stands at once, played by a stand-in: this program, started as an agent, that speaks the agent's protocol and
//! measures nothing. Nothing of it is evidence about networks; it shows what the dispatcher does with a hundred
//! stands of which some fail tests and some die.
//!
//!   cargo test --release --workspace --test stands                        12 stands, 400 tests
//!   SEPTET_STANDS=100 SEPTET_TESTS=10000 SEPTET_WINDOW_MS=1000 cargo test ... --test stands     as many as are wanted
//!
//! How long stands waited for their next test, and the memory used, is printed and not judged.

// A program of its own prints what it saw.
#![allow(clippy::print_stdout)]

mod agent;
mod between;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use host_setup::protocol::Achieved;
use pipeline::agent::Agent;
use pipeline::conditions::{Conditions, KnownSurroundings, Prospect};
use pipeline::experiment::Test;
use pipeline::key::Key;
use pipeline::run::{self, RunRequest, Watcher};
use pipeline::stand::{Ground, Post, Stand};
use pipeline::store::{Record, Standing};
use pipeline::workspace::Workspace;

/// One of so many tests fails, and one of so many stands dies in the midst of a test.
const FAILS_ONE_OF: usize = 20;
const DIES_ONE_OF: usize = 50;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("agent") {
        return agent::play();
    }
    let number = |name: &str, usual: usize| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => usual,
    };
    many(number("SEPTET_STANDS", 12), number("SEPTET_TESTS", 400), number("SEPTET_WINDOW_MS", 50), true);
    println!("test many_stands ... ok");
    many(12, 400, 50, false);
    println!("test many_stands_stop_at_a_failure ... ok");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::env::set_current_dir(folder.path()).expect("it is ours");
    fs::create_dir("turns").expect("it is ours");
    between::hosts(folder.path());
    println!("test a_stand_of_two_hosts ... ok");
}

/// An experiment of `tests` fixed rates, each a multiple of what an accounting interval needs.
fn experiment(tests: usize, window_ms: usize) -> String {
    let rates: Vec<String> = (1..=10).map(|rate| format!("{}", rate * 10_000)).collect();
    format!(
        r#"
[experiment]
name = "many"
[protocol]
duration = "{window_ms}ms"
warmup = "10ms"
cooldown = "10ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = {{ from = 64, to = {}, step = 1 }}
R = [{}]
B = 4
io = "udp"
"#,
        63 + tests.div_ceil(10),
        rates.join(", ")
    )
}

/// What a run told.
#[derive(Default)]
struct Told {
    stored: Vec<Key>,
    failed: BTreeMap<String, String>,
    lost: BTreeSet<String>,
    prepared: usize,
}

impl Watcher for Told {
    fn waiting(&mut self, holder: &str) {
        panic!("nobody holds a stand of a stand-in: {holder}");
    }
    fn unquiet(&mut self, words: &str) {
        panic!("nobody waits for a quiet stand: {words}");
    }
    fn prepared(&mut self, _: &Achieved) {
        self.prepared += 1;
    }
    fn left(&mut self, _: u64, _: Duration) {}
    fn begins(&mut self, _: &Test, _: &str) {}
    fn tried(&mut self, _: &Test, _: u32, _: f64) {}
    fn stored(&mut self, _: &Test, record: &Record) {
        self.stored.push(record.key);
    }
    fn failed(&mut self, test: &Test, reason: &str, _: &[String]) {
        let known = self.failed.insert(test.tuple.to_string(), reason.to_string());
        assert_eq!(known, None, "{} failed twice", test.tuple);
    }
    fn lost(&mut self, stand: &str, _: &str) {
        assert!(self.lost.insert(stand.to_string()), "{stand} is lost twice");
    }
}

fn many(stands: usize, tests: usize, window_ms: usize, keep_going: bool) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // Where agents leave word of whose turn it is to fail or to die.
    std::env::set_current_dir(folder.path()).expect("it is ours");
    let dying = (stands / DIES_ONE_OF).max(1);
    fs::create_dir("turns").expect("it is ours");
    fs::write("turns/dying", dying.to_string()).expect("it is ours");
    fs::write("many.toml", experiment(tests, window_ms)).expect("it is ours");

    let own = std::env::current_exe().expect("it runs");
    let mut agents: Vec<Agent> = (0..stands).map(|_| Agent::spawn(&own).expect("a stand-in starts")).collect();
    let facts = agents[0].facts(false).expect("a stand-in has facts");
    let ground = Ground::from(facts);
    let conditions = Conditions::new(&ground);
    let workspace = Workspace::load("many.toml".as_ref(), None).expect("the experiment is right");
    let mut shared = KnownSurroundings::default();
    for test in workspace.tests() {
        let prospect = conditions.judge(test, &mut shared);
        assert!(matches!(prospect, Prospect::Ready(_)), "{}: {prospect:?}", test.tuple);
    }
    let seats = agents.iter_mut().enumerate();
    let seats = seats.map(|(place, agent)| Stand {
        name: format!("stand-{place}"),
        hosts: vec![Post { name: "a host".to_string(), agent }],
        conditions: &conditions,
        shares_host: false,
        may_differ: BTreeSet::new(),
    });
    let request = RunRequest {
        keep_going,
        only: &|_| true,
        force: &|_| false,
        twins: &[],
        time_limit: None,
        wait: Duration::ZERO,
        until_quiet: None,
        keep: None,
        interrupted: &|| false,
    };
    let mut told = Told::default();
    let began = Instant::now();
    let finished = run::run(&workspace, seats.collect(), &request, &mut told).expect("the run ends well");
    let took = began.elapsed();

    let count = workspace.tests().len();
    let index = workspace.store.index().expect("the store can be read");
    let valid = index.entries().iter().filter(|entry| entry.standing == Standing::Valid).count();
    assert_eq!(valid, told.stored.len());
    if !keep_going {
        // What runs elsewhere ends; what a stand was given as its next test is not begun.
        let ended = told.stored.len() + told.failed.len();
        assert!((1..=stands).contains(&told.failed.len()), "{:?}", told.failed);
        assert!(ended < count / 2, "{ended} of {count} were measured, of which one of {FAILS_ONE_OF} fails");
        assert_eq!(index.entries().len(), ended);
        return;
    }
    assert_eq!(told.prepared, stands);
    assert_eq!(told.lost.len(), dying, "{:?}", told.lost);
    assert!(finished.lost.is_none() && !finished.interrupted && !finished.out_of_time);
    // Every test is stored or has failed for a reason, once each.
    assert_eq!((finished.measured as usize, finished.failed.len()), (told.stored.len(), told.failed.len()));
    assert_eq!(told.stored.len() + told.failed.len(), count);
    assert_eq!(told.stored.iter().collect::<BTreeSet<_>>().len(), told.stored.len(), "a key was measured twice");
    assert!(told.failed.values().all(|reason| reason.contains("stand-in")), "{:?}", told.failed);
    assert_eq!(told.failed.len(), count / FAILS_ONE_OF, "tests that were to fail");
    assert_eq!(index.entries().len(), count);

    let status = fs::read_to_string("/proc/self/status").expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_string();
    println!(
        "{stands} stands, {count} tests of {window_ms} ms in {:.1} s: {} stored, {} failed, {} stands lost",
        took.as_secs_f64(),
        told.stored.len(),
        told.failed.len(),
        told.lost.len()
    );
    let idle = finished.idle;
    let mean = idle.total.as_secs_f64() * 1e3 / idle.count.max(1) as f64;
    println!(
        "a stand waited {mean:.3} ms for its next test in the mean, {:.1} ms at most, more than 10 ms {} times of {}",
        idle.max.as_secs_f64() * 1e3,
        idle.long,
        idle.count
    );
    println!("peak memory {peak}");
    drop(agents);
}
