//! Runs that are asked to end, or are not to be: while they wait for the host, under nohup, as a background job; and
//! processes that somebody stops for a while.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bench::{Bench, pid, wait};
use super::processes::{self, Process};

/// A test that lasts for some seconds.
fn lasting(name: &str, duration: &str, repetitions: u32) -> String {
    format!(
        "[experiment]\nname = \"{name}\"\n[protocol]\nduration = \"{duration}\"\nwarmup = \"50ms\"\ncooldown = \"50ms\"\n\
         repetitions = {repetitions}\n[[tests]]\nid = \"t\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
         V = \"linux-bridge\"\nP = 64\nR = \"10kpps\"\nB = 8\nio = \"udp\"\n"
    )
}

#[track_caller]
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not seen within a minute: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The processes of a program below another one.
fn below(of: &Child, program: &str) -> Vec<Process> {
    processes::below(pid(of).as_raw()).into_iter().filter(|process| process.program == program).collect()
}

#[test]
fn a_run_that_waits_for_the_host_ends_at_once_and_takes_no_lease() {
    let bench = Bench::new();
    bench.write("long.toml", &lasting("long", "3s", 2));
    bench.write("short.toml", &lasting("short", "60ms", 1));
    let long = ["run", "long.toml", "--store", "long"];
    let mut holder = bench.command(&long).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    until("a generator", || (!below(&holder, "septet-gen").is_empty()).then_some(()));
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (mut waits, mut lines) = bench.until(&["run", "short.toml", "--store", "short"], "waiting for the host");
        let agents = below(&waits, "septet-host");
        let began = Instant::now();
        kill(pid(&waits), signal).expect("it lives");
        assert_eq!(wait(&mut waits), 130, "{signal}");
        assert!(began.elapsed() < Duration::from_millis(1500), "{signal} took {:?}", began.elapsed());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut lines, &mut rest).expect("it can be read");
        assert!(!rest.contains("failed"), "{rest}");
        for agent in agents {
            let gone = || (!Path::new(&format!("/proc/{}", agent.pid)).exists()).then_some(());
            until("the end of its agent", gone);
        }
        assert!(holder.try_wait().expect("it is ours").is_none(), "the host was free meanwhile");
    }
    assert_eq!(wait(&mut holder), 0);
    assert!(!bench.path("short/results").exists() || bench.files("short/results").is_empty());
}

#[test]
fn signals_that_whoever_started_it_ignores_stay_ignored() {
    let bench = Bench::new();
    bench.write("long.toml", &lasting("long", "500ms", 2));
    let started = ["run", "long.toml"];
    let septet = bench.command(&started);
    // As nohup does, and a shell for its background jobs.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP INT; exec \"$@\"", "sh"]).arg(septet.get_program()).args(septet.get_args());
    for (name, value) in septet.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(bench.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.process_group(0).spawn().expect("it starts");
    until("a generator", || (!below(&run, "septet-gen").is_empty()).then_some(()));
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGINT] {
        kill(pid(&run), signal).expect("it lives");
        for agent in below(&run, "septet-host") {
            // A terminal that goes away tells everybody.
            let _ = kill(Pid::from_raw(agent.pid), signal);
        }
    }
    assert_eq!(wait(&mut run), 0);
    bench.septet(&["status", "long.toml", "-q"]).code(0);
}

/// Stops the processes that `whose` finds in a run for so long, once traffic flows; how the run ended.
fn stopped_for(bench: &Bench, time: Duration, whose: impl Fn(&Child) -> Vec<Pid>) -> i32 {
    let mut run =
        bench.command(&["run", "long.toml"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let traffic = || {
        let generators = below(&run, "septet-gen");
        // More packets than the warm-up has; where other programs want the processors too, it is they who tell, not time.
        let busy = |process: &Process| {
            let table = fs::read_to_string(format!("/proc/{}/net/dev", process.pid)).unwrap_or_default();
            let counts = table.lines().filter_map(|line| line.split_once(':')).map(|(_, counts)| counts);
            // Bytes and packets received first, sent from the ninth on.
            counts
                .map(|line| line.split_ascii_whitespace().map(|count| count.parse().unwrap_or(0)).collect::<Vec<u64>>())
                .any(|counts| [1, 9].iter().any(|place| counts.get(*place).is_some_and(|packets| *packets > 1000)))
        };
        (generators.len() == 2 && generators.iter().all(busy)).then_some(())
    };
    until("traffic", traffic);
    let pids = whose(&run);
    assert!(!pids.is_empty(), "nothing to stop");
    for pid in &pids {
        kill(*pid, Signal::SIGSTOP).expect("it lives");
    }
    // As long as it is to be stopped, which is what is tested.
    std::thread::sleep(time);
    for pid in &pids {
        kill(*pid, Signal::SIGCONT).expect("it lives");
    }
    let deadline = Instant::now() + Duration::from_secs(90);
    while run.try_wait().expect("it is ours").is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = run.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("FAILED"), "{said}");
    output.status.code().unwrap_or(-1)
}

fn records(bench: &Bench) -> Vec<serde_json::Value> {
    let plan = bench.septet(&["plan", "long.toml", "--json"]).code(0).json();
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    bench.septet(&["show", &key, "--json"]).code(0).json().as_array().expect("records").clone()
}

#[test]
fn a_generator_that_was_stopped_leaves_a_suspect_repetition_that_is_measured_again() {
    for nth in [0, 1] {
        let bench = Bench::new();
        bench.write("long.toml", &lasting("long", "3s", 1));
        let one = |run: &Child| vec![Pid::from_raw(below(run, "septet-gen")[nth].pid)];
        assert_eq!(stopped_for(&bench, Duration::from_secs(12), one), 0);
        let records = records(&bench);
        let stalled = records.iter().filter(|record| record["flags"].to_string().contains("stalled")).count();
        assert_eq!((records.len(), stalled), (2, 1), "{nth}: {records:?}");
        bench.septet(&["status", "long.toml", "-q"]).code(0);
    }
}

#[test]
fn a_client_that_was_stopped_takes_nobody_for_dead() {
    let bench = Bench::new();
    bench.write("long.toml", &lasting("long", "2s", 2));
    assert_eq!(stopped_for(&bench, Duration::from_secs(12), |run| vec![pid(run)]), 0);
    bench.septet(&["status", "long.toml", "-q"]).code(0);
}

#[test]
fn an_agent_that_was_stopped_is_waited_for() {
    let bench = Bench::new();
    bench.write("long.toml", &lasting("long", "2s", 2));
    let agents = |run: &Child| below(run, "septet-host").iter().map(|agent| Pid::from_raw(agent.pid)).collect();
    assert_eq!(stopped_for(&bench, Duration::from_secs(12), agents), 0);
    bench.septet(&["status", "long.toml", "-q"]).code(0);
}
