//! What goes well: local tests, tests of switches and tests between two hosts, as without Slurm; jobs that go on without
//! whoever submitted them.

use std::time::Instant;

use super::bed::until;
use super::client::Client;
use super::cluster::{Cluster, Wish};

const CABLED: Wish = Wish {
    hosts: &["n1", "n2"],
    count: 0,
    features: "n1=Feature=cab1 n2=Feature=cab1",
    extra: "",
    tracking: None,
    forgets_s: None,
    pages: 0,
};

/// Hosts that share this machine's CPUs: each is given a half of them.
pub fn hosts() -> String {
    let cpus = std::thread::available_parallelism().expect("a number").get();
    let cores = |from: usize, to: usize| if to - from <= 1 { from.to_string() } else { format!("{from}-{}", to - 1) };
    let halves = [cores(0, cpus / 2), cores(cpus / 2, cpus)];
    let host = |(name, cores): (&str, &String)| format!("[hosts.{name}]\ncores = \"{cores}\"\n");
    ["n1", "n2"].into_iter().zip(&halves).map(host).collect()
}

/// A cable between them.
pub const CABLE: &str = "[[cables]]\nends = [\"n1:cable0\", \"n2:cable0\"]\nfeature = \"cab1\"\n";

/// Local tests, one of a switch, and tests between two hosts, all paced so that every packet arrives.
const MIXED: &str = r#"
[experiment]
name = "mixed"
[protocol]
duration = "100ms"
warmup = "20ms"
cooldown = "20ms"
repetitions = 2
[[tests]]
id = "local"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 1500]
R = "2kpps"
B = 8
io = ["udp", "raw"]
[[tests]]
id = "between"
D = "throughput"
L = "remote"
S = "1vs1"
V = "linux-bridge"
P = [64, 1500]
R = "2kpps"
B = 8
io = "udp"
[[tests]]
id = "rtt"
D = "latency"
L = "remote"
S = "1vs1"
V = "linux-bridge"
P = 64
R = 1000
B = 4
io = "raw"
[[figure]]
id = "rates"
from = ["local", "between"]
where = { io = "udp" }
x = "P"
y = "rx_kpps"
series = "L"
"#;

#[test]
fn a_cluster_measures_what_is_measured_without_it_and_each_result_is_stored_by_its_node() {
    let began = Instant::now();
    let Some(cluster) = Cluster::up(&CABLED) else { return };
    println!("up after {:.1} s", began.elapsed().as_secs_f64());
    assert!(began.elapsed().as_secs() < 20, "it took {:?}", began.elapsed());
    let client = Client::of(&cluster, None, &format!("[slurm]\n{}{CABLE}", hosts()));
    client.write("mixed.toml", MIXED);
    // Without --slurm nothing is measured on a login node.
    let ran = client.septet(&["run", "mixed.toml"]).code(2);
    assert!(ran.stderr.contains("use septet run --slurm"), "{}", ran.stderr);
    let ran = client.septet(&["run", "mixed.toml", "--slurm", "--shard-time", "3s"]);
    println!("{}{}", ran.stderr, ran.stdout);
    let [stored, to_measure, _] = client.plan("mixed.toml");
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert_eq!(to_measure, 0, "{stored} are stored");
    until("no job is left", || cluster.alive() == 0);
    println!("all after {:.1} s", began.elapsed().as_secs_f64());
}

/// Whoever submits need not stay.
#[test]
fn jobs_go_on_without_whoever_submitted_them_and_a_later_run_concludes() {
    let Some(cluster) = Cluster::up(&Wish { hosts: &["n1", "n2"], ..Wish::default() }) else { return };
    let client = Client::of(&cluster, Some(5), "[slurm]\nnodes = \"n[1-2]\"\n");
    client.write("small.toml", super::bench::SMALL);
    let ran = client.septet(&["run", "small.toml", "--slurm", "--shard-time", "1s", "--detach"]).code(0);
    assert!(ran.stdout.contains(" submitted, 0 under way"), "{}", ran.stdout);
    // What others set for their own jobs reaches none of ours, and no shard concludes anything.
    until("jobs have ended", || cluster.alive() == 0);
    assert!(!client.path(".septet/generations").exists());
    let mut again = client.command(&["run", "small.toml", "--slurm"]);
    again.env("SBATCH_PARTITION", "nowhere").env("SALLOC_PARTITION", "nowhere").env("SLURM_JOB_ID", "77");
    let ran = super::bench::Ran::of(again.output().expect("it starts"));
    println!("{}{}", ran.stderr, ran.stdout);
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert_eq!(client.plan("small.toml")[1], 0);
    assert!(client.path(".septet/generations/small").is_dir() && client.path("out/small/index.html").is_file());
    // There is nothing to do, and nothing is submitted for it but the question what a node is.
    let stored = client.stored();
    let ran = client.septet(&["run", "small.toml", "--slurm", "--json"]);
    assert_eq!((ran.json()["measured"].as_u64(), client.stored()), (Some(0), stored));
}
