//! Clusters as their owners have them: nodes whose agent is root's by sudo, jobs that are tracked by control groups, nodes
//! that differ in what the site says does not count.

use std::collections::BTreeSet;
use std::path::Path;

use super::bed::{Testbed, until};
use super::bench::SMALL;
use super::client::Client;
use super::cluster::{Cluster, PAGES_OF_TWO, Wish};
use super::well::{CABLE, hosts};

/// Debian's user games: nodes know it.
const USER: u32 = 5;

/// What an administrator does on a node, as docs/slurm.md has it; /etc and /opt are the node's own.
fn administered(bed: &Testbed, host: &str, client: &Client) {
    bed.own_folders(host, "/opt");
    bed.said(
        host,
        "install -d -m 755 /opt/septet && echo 127.0.0.1 $(hostname) >>/etc/hosts && echo 'games ALL=(root) NOPASSWD: \
         /opt/septet/septet-host agent' >/etc/sudoers.d/septet && chmod 440 /etc/sudoers.d/septet",
    );
    for program in ["septet-host", "septet-gen", "septet-gen-dpdk", "basicfwd"] {
        // What needs DPDK is there only where that is.
        if client.path(program).is_file() {
            bed.install(host, &client.path(program));
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-setup/site.sh");
    bed.said(host, &format!("sh {} /opt/septet && cat /etc/septet/host.toml", script.display()));
}

/// Kernel and DPDK, on a host and between two.
const BOTH: &str = r#"
[experiment]
name = "both"
[protocol]
duration = "200ms"
warmup = "50ms"
cooldown = "50ms"
repetitions = 1
[[tests]]
id = "local"
D = "throughput"
L = "local"
S = "1vs1"
V = ["linux-bridge", "direct", "basicfwd", "testpmd"]
P = 64
R = "2kpps"
B = 4
[[tests]]
id = "between"
D = "throughput"
L = "remote"
S = "1vs1"
V = "linux-bridge"
P = 64
R = "1kpps"
B = 4
io = "udp"
"#;

#[test]
fn an_ordinary_users_jobs_have_roots_agent_by_sudo_and_its_processes_end_with_them() {
    if !Path::new("/usr/bin/sudo").exists() {
        println!("skipped: there is no sudo");
        return;
    }
    // Control groups track a process whoever's it has become; a kernel without the first version has none for Slurm 22.05.
    let groups = Path::new("/sys/fs/cgroup/freezer").is_dir();
    let tracking = groups.then_some("proctrack/cgroup");
    if !groups {
        println!("skipped: proctrack/cgroup, since this machine has no freezer of control groups of the first version");
    }
    let wish = Wish {
        hosts: &["n1", "n2"],
        features: "n1=Feature=cab1 n2=Feature=cab1",
        tracking,
        pages: PAGES_OF_TWO,
        ..Wish::default()
    };
    let Some(cluster) = Cluster::up(&wish) else { return };
    let site = hosts().replace("cores", "sudo = \"/opt/septet/septet-host\"\ncores");
    let client = Client::of(&cluster, Some(USER), &format!("[slurm]\n{site}{CABLE}"));
    for host in ["n1", "n2"] {
        administered(cluster.bed(), host, &client);
    }
    println!("tracking: {}", cluster.said("scontrol show config | grep ProctrackType"));
    client.write("both.toml", BOTH);
    let ran = client.septet(&["run", "both.toml", "--slurm", "--no-report", "--shard-time", "1min"]);
    println!("{}{}", ran.stderr, ran.stdout);
    assert!(ran.code == 0 || ran.code == 1 && ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert!(!ran.stderr.contains("FAILED"), "{ran:?}");
    let [stored, to_measure, skipped] = client.plan("both.toml");
    println!("{stored} stored, {skipped} skipped");
    assert_eq!(to_measure, 0);
    // The cable needs root, and so does DPDK where it is.
    assert!(client.records().iter().any(|record| record.contains("/remote/")));
    if client.path("septet-gen-dpdk").is_file() {
        assert_eq!(skipped, 0, "{}", client.septet(&["plan", "both.toml"]).stdout);
    }
    until("no job is left", || cluster.alive() == 0);

    // A job is cancelled in the middle of a window: root's agent goes as well.
    client.write("both.toml", &BOTH.replace("\"200ms\"", "\"20s\""));
    let mut child = client.start(&["run", "both.toml", "--slurm", "--no-report", "--only", "V=direct"], "words");
    let agents = |host: &str| cluster.bed().said(host, "pgrep -x septet-host || echo none");
    until("it measures", || ["n1", "n2"].iter().any(|host| agents(host).lines().count() > 1));
    cluster.said("scancel --user=games");
    child.wait().expect("it ends");
    until("no job is left", || cluster.alive() == 0);
    for host in ["n1", "n2"] {
        until(&format!("no agent is left on {host}"), || agents(host) == "none");
        assert_eq!(cluster.bed().said(host, "ls /run/septet | grep -v -e lock -e digests || echo nothing"), "nothing");
    }
}

#[test]
fn nodes_that_differ_in_what_does_not_count_share_the_work_and_others_say_in_what() {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        println!("skipped: nodes of one CPU cannot differ in which they use");
        return;
    }
    let Some(cluster) = Cluster::up(&Wish { hosts: &["n1", "n2"], ..Wish::default() }) else { return };
    let site = "[slurm]\n[hosts.n1]\n[hosts.n2]\ncores = \"0\"\n";
    let client = Client::of(&cluster, None, site);
    client.write("small.toml", &SMALL.replace("repetitions = 2", "repetitions = 1"));
    let run = ["run", "small.toml", "--slurm", "--no-report", "--shard-time", "500ms"];
    let only = |node: &str, other: &str| {
        cluster.said(&format!("scontrol update nodename={other} state=drain reason=tried"));
        cluster.said(&format!("scontrol update nodename={node} state=resume"));
    };
    // Planned for the first node, and jobs go to the other one: it measures nothing, and says in what it differs.
    cluster.said("scontrol update nodename=n2 state=drain reason=tried");
    client.septet(&[&run[..], &["--detach"]].concat()).code(0);
    only("n2", "n1");
    until("no job is left", || cluster.alive() == 0);
    let logs = std::fs::read_dir(client.path(".septet/slurm/logs")).expect("jobs have printed").flatten();
    let logs: String = logs.map(|log| std::fs::read_to_string(log.path()).expect("text")).collect();
    assert!(logs.contains("failed to measure what was planned: this node is not what"), "{logs}");
    let told = logs.lines().filter_map(|line| line.strip_prefix("septet: not measured here: "));
    let differ: BTreeSet<String> = told
        .filter(|words| words.contains(" → "))
        .map(|words| words.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(!differ.is_empty(), "{logs}");

    // What it says is what the site is to allow.
    std::fs::remove_dir_all(client.path(".septet")).expect("it is ours");
    let allowed: Vec<String> = differ.iter().map(|name| format!("{name:?}")).collect();
    let site = format!("{site}[classes.default]\nmay-differ = [{}]\n", allowed.join(", "));
    client.write("config/septet/site.toml", &site);
    cluster.said("scontrol update nodename=n1 state=resume");
    let ran = client.septet(&run);
    println!("{site}{}{}", ran.stderr, ran.stdout);
    assert!(ran.code == 0 || ran.code == 1 && ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert_eq!(client.plan("small.toml")[1], 0);
    for host in ["n1", "n2"] {
        assert!(client.records().iter().any(|record| record.contains(&format!("\"{host}\""))), "{host} has measured");
    }
    // The keys are those of the first node, also for who comes again while others are free as well.
    let stored = client.stored();
    let ran = client.septet(&[&run[..], &["--refresh", "--json"]].concat());
    assert_eq!((ran.json()["measured"].as_u64(), client.stored()), (Some(0), stored), "{ran:?}");
}
