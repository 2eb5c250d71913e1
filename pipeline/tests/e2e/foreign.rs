//! What others take of the measuring CPUs is told, with their names; and whoever asks to is let wait for a quiet host.
//!
//! The host of these tests is not theirs alone: what is asserted of a quiet host is that no process of this test's is
//! named, and that there is no flag where the agent itself says that others took little.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::bench::Bench;

const QUICK: &str = r#"
[experiment]
name = "quick"

[protocol]
duration = "1s"
warmup = "100ms"
cooldown = "50ms"
repetitions = 1

[[tests]]
id = "sockets"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = 64
R = "100kpps"
B = 64
io = "udp-mmsg"
"#;

/// What spins, under a name that nobody else has.
const SPINNER: &str = "septet-spinner";

/// Processes that never rest.
struct Spinners(Vec<Child>);

impl Spinners {
    fn start(bench: &Bench, count: usize) -> Spinners {
        let shell = fs::canonicalize("/bin/sh").unwrap_or_else(|_| PathBuf::from("/bin/sh"));
        let copied = Command::new("cp").arg(shell).arg(bench.path(SPINNER)).status();
        assert!(copied.is_ok_and(|status| status.success()), "the shell can be copied");
        let spin = || {
            // Each in a session of its own, which some kernels give an equal share: who is busiest is named.
            let mut command = Command::new("setsid");
            command.args(["nice", "-n", "-5"]).arg(bench.path(SPINNER)).args(["-c", "while :; do :; done"]);
            command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
        };
        Spinners((0..count).map(|_| spin()).collect())
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for spinner in &mut self.0 {
            let _ = spinner.kill();
            let _ = spinner.wait();
        }
    }
}

/// The latest record of the only test, measured once more.
fn measured(bench: &Bench) -> Value {
    let run = ["run", "quick.toml", "--force", "D=throughput", "--wait", "5m"];
    let ran = bench.septet(&run).code(0);
    assert!(ran.stdout.contains("measured"), "{ran:?}");
    let plan = bench.septet(&["plan", "quick.toml", "--json"]).code(0).json();
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    let records = bench.septet(&["show", &key, "--json"]).code(0).json();
    records.as_array().expect("records").last().expect("there is one").clone()
}

/// The part of the measuring CPUs that others took.
fn others(record: &Value) -> f64 {
    let load = &record["evidence"]["load"];
    let number = |name: &str| load[name].as_f64().expect("a number");
    (number("busy_ns") - number("ours_ns")).max(0.0) / (number("span_ns") * number("cpus"))
}

#[test]
fn others_on_the_measuring_cpus_are_flagged_by_name_and_nobody_else_is() {
    let bench = Bench::new();
    bench.write("quick.toml", QUICK);
    let quiet = measured(&bench);
    assert!(!quiet["seen"].to_string().contains(SPINNER), "{quiet}");
    let is_flagged = |record: &Value| record["flags"].to_string().contains("\"foreign-load\"");
    // What ticks of 10 ms leave open, either way, is far less than what a spinner takes.
    assert!(others(&quiet) > 0.05 || !is_flagged(&quiet), "{quiet}");

    // Three: what takes turns with generators on two CPUs is a third of them at least, whoever else is there.
    let spinners = Spinners::start(&bench, 3);
    let is_named = |record: &Value| record["seen"].to_string().contains(SPINNER);
    let mut busy = measured(&bench);
    // Three are named, and this host may have three that are busier at times.
    for _ in 0..4 {
        assert!(is_flagged(&busy), "{} of {}", others(&busy), busy["evidence"]["load"]);
        if is_named(&busy) {
            break;
        }
        busy = measured(&bench);
    }
    assert!(is_named(&busy), "{}", busy["seen"]);
    assert!(others(&busy) > 0.15, "{}", busy["evidence"]["load"]);

    // Whoever waits for a quiet host waits no longer than is asked for, and is told why.
    let waits = ["run", "quick.toml", "--force", "D=throughput", "--wait", "5m", "--until-quiet", "1s"];
    let ran = bench.septet(&waits).code(0);
    assert!(ran.stderr.contains("% of the measuring CPUs") && ran.stderr.contains("measuring all the same"), "{ran:?}");
    drop(spinners);
}
