//! Many nodes of a real Slurm cluster, all in one place, on which a stand-in measures nothing: this program, started as
//! an agent. Nothing of it is evidence about networks; it shows what submitting, watching and concluding cost.
//!
//!   cargo test --release --workspace --test slurm_many                     12 nodes, 300 tests
//!   SEPTET_NODES=100 SEPTET_TESTS=10000 cargo test ... --test slurm_many   as many as are wanted
//!
//! What the submitter has used of CPU and memory is printed and not judged.

// A program of its own prints what it saw.
#![allow(clippy::print_stdout)]

#[path = "../stands/agent.rs"]
mod agent;
#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
#[path = "../testbed/bed.rs"]
mod bed;
#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
#[path = "../e2e/bench.rs"]
mod bench;
#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
mod client;
#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
mod cluster;

use std::fs;
use std::time::{Duration, Instant};

use client::Client;
use cluster::{Cluster, Wish};

/// For agents that are told to fail, which these are not.
const FAILS_ONE_OF: usize = 20;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("agent") {
        return agent::play();
    }
    let number = |name: &str, usual: usize| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => usual,
    };
    many(number("SEPTET_NODES", 12), number("SEPTET_TESTS", 300));
    println!("test many_nodes ... ok");
}

fn experiment(tests: usize) -> String {
    let rates: Vec<String> = (1..=10).map(|rate| format!("{}", rate * 10_000)).collect();
    format!(
        "[experiment]\nname = \"many\"\n[protocol]\nduration = \"50ms\"\nwarmup = \"10ms\"\ncooldown = \"10ms\"\nrepetitions = \
         1\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = {{ from = 64, \
         to = {}, step = 1 }}\nR = [{}]\nB = 4\nio = \"udp\"\n",
        63 + tests.div_ceil(10),
        rates.join(", ")
    )
}

/// CPU seconds and peak memory, MiB, of the process whose command line has this.
fn used(mark: &str) -> Option<(f64, f64)> {
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let path = process.path();
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if !line.contains(mark) || line.starts_with("nsenter") || line.contains("/env ") {
            continue;
        }
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
        return Some((ticks / 100.0, kib / 1024.0));
    }
    None
}

fn many(nodes: usize, tests: usize) {
    let began = Instant::now();
    let Some(cluster) = Cluster::up(&Wish { count: nodes, ..Wish::default() }) else { return };
    println!("{nodes} nodes are up after {:.1} s", began.elapsed().as_secs_f64());
    let client = Client::of(&cluster, None, &format!("[slurm]\nnodes = \"n[1-{nodes}]\"\n"));
    let own = std::env::current_exe().expect("it runs");
    let stood = std::process::Command::new("cp").arg(own).arg(client.path("septet-host")).status();
    assert!(stood.is_ok_and(|status| status.success()), "a stand-in for the agent");
    client.write("many.toml", &experiment(tests));
    let began = Instant::now();
    // About two shards a node.
    let each_s = (tests as f64 * 0.5 / nodes as f64 / 2.0).ceil().max(2.0);
    let shard_time = format!("{each_s}s");
    let arguments = ["run", "many.toml", "--slurm", "--no-report", "--shard-time", &shard_time];
    let mut child = client.start(&arguments, "words");
    let mut last = (0.0, 0.0);
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        last = used("septet run many.toml --slurm").unwrap_or(last);
        std::thread::sleep(Duration::from_millis(50));
    };
    let took = began.elapsed().as_secs_f64();
    let words = client.words("words");
    assert!(status.success(), "{status}: {words}");
    let lines: Vec<&str> = words.lines().collect();
    println!("{}\n...\n{}", lines[..lines.len().min(4)].join("\n"), lines[lines.len().saturating_sub(2)..].join("\n"));
    let count = experiment_size(tests);
    assert_eq!(client.stored(), count, "each test once");
    assert_eq!(client.plan("many.toml"), [count as u64, 0, 0]);
    bed::until("no job is left", || cluster.alive() == 0);
    let (cpu_s, mib) = last;
    println!("{count} tests after {took:.1} s; the submitter has used {cpu_s:.1} s of CPU and {mib:.0} MiB");
}

fn experiment_size(tests: usize) -> usize {
    tests.div_ceil(10) * 10
}
