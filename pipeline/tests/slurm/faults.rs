//! What goes wrong on a cluster: jobs that are cancelled, preempted or out of time, nodes that are drained or die, daemons
//! that are killed, a queue that is full, a submitter that dies. Each run ends right, and nothing that was stored is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};

use super::bed::until;
use super::bench::pid;
use super::client::Client;
use super::cluster::{self, Cluster, Wish};

/// Six tests of about a second.
const LONG: &str = r#"
[experiment]
name = "long"
[protocol]
duration = "700ms"
warmup = "50ms"
cooldown = "50ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 128, 256, 512, 1024, 1500]
R = "1kpps"
B = 4
io = "udp"
"#;

/// Three tests of some seconds: each is a shard, and all of them run at once on three nodes.
fn slow() -> String {
    LONG.replace("700ms", "3s").replace("[64, 128, 256, 512, 1024, 1500]", "[64, 128, 256]")
}

/// A test is a shard.
const RUN: [&str; 6] = ["run", "long.toml", "--slurm", "--no-report", "--shard-time", "1s"];

/// Waits for a program to end; its exit code, or -1 if a signal ended it.
#[track_caller]
fn wait(child: &mut Child) -> i32 {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status.code().unwrap_or(-1);
        }
        assert!(began.elapsed().as_secs() < 120, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A run under way, of which shards run.
struct UnderWay<'c> {
    client: Client<'c>,
    child: Child,
}

fn under_way<'c>(cluster: &'c Cluster, user: Option<u32>, text: &str) -> UnderWay<'c> {
    let client = Client::of(cluster, user, "[slurm]\nnodes = \"n[1-3]\"\n");
    client.write("long.toml", text);
    let child = client.start(&RUN, "words");
    let under_way = UnderWay { client, child };
    until("shards run", || under_way.client.words("words").contains("running on"));
    under_way
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // Of a test that has failed: nobody waits for it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", self.client.words("words"));
        }
    }
}

impl UnderWay<'_> {
    /// How it ends, and what it said.
    fn ends(&mut self) -> (i32, String) {
        let code = wait(&mut self.child);
        (code, self.client.words("words"))
    }

    /// Waits until all is stored or, since hosts share cores, given up as suspect.
    #[track_caller]
    fn ends_well(&mut self, scenario: &str) -> String {
        let (code, words) = self.ends();
        println!("--- {scenario}:\n{words}");
        assert!(code == 0 || code == 1 && words.contains("GIVEN UP"), "{scenario}: {code}: {words}");
        assert!(!words.contains("FAILED"), "{words}");
        self.is_done();
        words
    }

    #[track_caller]
    fn is_done(&self) {
        assert_eq!(self.client.plan("long.toml")[1], 0);
        until("no job is left", || self.client.cluster.alive() == 0);
        self.client.septet(&["store", "verify", "--store", ".septet"]).code(0);
    }

    /// Jobs of it that run, as scancel knows them.
    fn running(&self) -> Vec<String> {
        let said = self.client.cluster.said("squeue --noheader --array --states=RUNNING --format=%i");
        said.lines().map(|line| line.trim().to_string()).collect()
    }

    /// A node that it uses.
    fn node(&self) -> String {
        let said = self.client.cluster.said("squeue --noheader --array --states=RUNNING --format=%N");
        said.lines().next().expect("a job runs").trim().to_string()
    }
}

/// Whether nothing of Septet's is on a host any more.
fn is_clean(cluster: &Cluster, host: &str) -> bool {
    let script = "for p in /proc/[0-9]*; do case $(readlink $p/exe) in *septet*|*/busybox*) echo ${p#/proc/};; esac; done; \
                  ls /run/septet /run/netns 2>/dev/null | grep -v -e : -e digests -e '^$'; ls /sys/class/net | sed -n /br/p";
    cluster.bed().said(host, script).is_empty()
}

#[track_caller]
fn clean(cluster: &Cluster, hosts: &[&str]) {
    for host in hosts {
        until(&format!("{host} is clean"), || is_clean(cluster, host));
    }
}

/// A cluster of three hosts with an Epilog and a partition of higher priority, as an administrator would have it.
fn administered(programs: &tempfile::TempDir) -> Option<Cluster> {
    let epilog = programs.path().join("epilog");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the workspace");
    let script = root.join("host-setup/slurm/epilog.sh");
    let host = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-host");
    let text = format!("#!/bin/sh\nSEPTET_HOST={} exec {}\n", host.display(), script.display());
    std::fs::write(&epilog, text).expect("it is ours");
    std::fs::set_permissions(&epilog, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let extra = format!(
        "Epilog={}\nPreemptType=preempt/partition_prio\nPreemptMode=CANCEL\nPartitionName=urgent Nodes=ALL \
         OverSubscribe=EXCLUSIVE MaxTime=60 State=UP PriorityTier=10",
        epilog.display()
    );
    let wish = Wish { hosts: &["n1", "n2", "n3"], extra: &extra, ..Wish::default() };
    Cluster::up(&wish)
}

#[test]
fn runs_end_right_whatever_happens_to_their_jobs_and_nodes() {
    let began = Instant::now();
    let programs = cluster::folder();
    let Some(cluster) = administered(&programs) else { return };
    let all = ["n1", "n2", "n3"];
    let took = |what: &str| println!("{what} after {:.1} s", began.elapsed().as_secs_f64());

    // A job is cancelled by somebody: it is not submitted again, and another run measures what is missing.
    let mut run = under_way(&cluster, None, &slow());
    let job = run.running().first().expect("one runs").clone();
    cluster.said(&format!("scancel {job}"));
    let (code, words) = run.ends();
    assert!(code == 3 && words.contains("its job was cancelled"), "{code}: {words}");
    let stored = run.client.stored();
    clean(&cluster, &all);
    run.child = run.client.start(&RUN, "words");
    run.ends_well("cancelled");
    assert!(run.client.stored() > stored);
    took("cancelled");

    // All nodes are drained for a while: what waits says why, and goes on.
    let mut run = under_way(&cluster, None, LONG);
    cluster.said("scontrol update nodename=n1,n2,n3 state=drain reason=tried");
    let is_last =
        || run.client.words("words").lines().last().is_some_and(|line| line.starts_with("0 shards running, "));
    until("it says why it waits", is_last);
    cluster.said("scontrol update nodename=n1,n2,n3 state=resume");
    run.ends_well("drained");
    took("drained");

    // Another job is more urgent.
    let mut run = under_way(&cluster, None, &slow());
    let node = run.node();
    cluster.said(&format!("sbatch -p urgent --exclusive -w {node} -t 1 -o /dev/null --wrap 'sleep 1'"));
    let words = run.ends_well("preempted");
    assert!(words.contains("its job was preempted"), "{words}");
    took("preempted");

    // A node's daemon dies and comes back: its job goes on meanwhile.
    let mut run = under_way(&cluster, None, &slow());
    let node = run.node();
    cluster.bed().said(&node, &format!("kill -9 $(cat {})", cluster.path(&format!("spool/{node}.pid")).display()));
    cluster.start_node(&node);
    run.ends_well("without a node's daemon");
    took("without a node's daemon");

    // Whoever waits is stopped: its jobs go with it. Or killed: the next one knows them again.
    let mut run = under_way(&cluster, None, LONG);
    kill(pid(&run.child), Signal::SIGINT).expect("it runs");
    let (code, words) = run.ends();
    assert_eq!(code, 130, "{words}");
    until("no job is left", || cluster.alive() == 0);
    clean(&cluster, &all);
    run.child = run.client.start(&RUN, "words");
    until("shards run", || run.client.words("words").contains("running on"));
    run.child.kill().expect("it runs");
    run.child.wait().expect("it is a child");
    assert!(cluster.alive() > 0, "they go on");
    run.child = run.client.start(&RUN, "words");
    let words = run.ends_well("adopted");
    assert!(words.contains("of an earlier run are under way"), "{words}");
    // What nobody wants any more is cancelled.
    let ran = run.client.septet(&[&RUN[..], &["--force", "P=64", "--detach", "--json"]].concat()).code(0);
    assert_eq!(ran.json()["submitted"], 1);
    run.client.write("long.toml", &LONG.replace("700ms", "600ms"));
    let ran = run.client.septet(&[&RUN[..], &["--only", "P=128"]].concat());
    assert!(ran.stderr.contains("1 shard of an earlier run measured what nobody wants any more"), "{ran:?}");
    until("no job is left", || cluster.alive() == 0);
    took("adopted");

    // Two users at once, neither of them root.
    let mut runs = [5, 9].map(|user| under_way(&cluster, Some(user), LONG));
    for run in &mut runs {
        run.ends_well("two users");
    }
    took("two users");
}

#[test]
fn nodes_and_controllers_that_die_cost_time_and_nothing_else() {
    let began = Instant::now();
    let programs = cluster::folder();
    let Some(cluster) = administered(&programs) else { return };
    let all = ["n1", "n2", "n3"];
    let took = |what: &str| println!("{what} after {:.1} s", began.elapsed().as_secs_f64());

    // A host that cannot be given back gets no more jobs.
    assert_eq!(cluster.said("sinfo --noheader --Node --states=drain"), "");
    cluster.bed().said("n3", "mkdir -p /run/septet && echo nonsense >/run/septet/journal");
    cluster.said("sbatch --exclusive --nodelist=n3 --time=1 --output=/dev/null --wrap true");
    // Each partition has a line of its own.
    let drained = || cluster.said("sinfo --noheader --Node --states=drain --format=%N");
    until("its node is drained", || drained().lines().any(|node| node.trim() == "n3"));
    cluster.bed().said("n3", "rm /run/septet/journal");
    cluster.said("scontrol update nodename=n3 state=resume");
    took("a host that is not as it was");

    // A node crashes: its tests are measured on others.
    let mut run = under_way(&cluster, None, &slow());
    let node = run.node();
    cluster.bed().crash(&node);
    let words = run.ends_well("a crash");
    assert!(words.contains("its node failed"), "{words}");
    let others: Vec<&str> = all.into_iter().filter(|host| *host != node).collect();
    clean(&cluster, &others);
    took("a crash");

    // Last, since a controller that is killed may give the numbers of jobs away once more that it had not noted yet: such a
    // job is refused by its node, and cancelled.
    // The controller dies and comes back.
    let mut run = under_way(&cluster, None, &slow().replace("3s", "9s"));
    // Whatever it notes after this has that they run: it notes a job that waits for nothing, and may write late.
    let seen = std::time::SystemTime::now();
    let held = cluster.said("sbatch --parsable --hold --output=/dev/null --wrap true");
    let noted = || std::fs::metadata(cluster.path("state/job_state")).and_then(|file| file.modified());
    until("it has noted that they run", || noted().is_ok_and(|noted| noted > seen));
    let controller = std::fs::read_to_string(cluster.path("slurmctld.pid")).expect("it runs");
    let controller = nix::unistd::Pid::from_raw(controller.trim().parse().expect("a number"));
    kill(controller, Signal::SIGKILL).expect("it runs");
    until("it is told", || run.client.words("words").contains("failed to read the queue"));
    cluster.start_controller();
    until("it is back", || cluster.client("scancel").arg(&held).status().is_ok_and(|status| status.success()));
    run.ends_well("without a controller");
    took("without a controller");
}

/// Slurm's own time limit, which is a minute at least.
#[test]
fn a_job_that_is_out_of_time_is_submitted_again_and_its_node_is_given_back() {
    let Some(cluster) = Cluster::up(&Wish { hosts: &["n1"], ..Wish::default() }) else { return };
    let client = Client::of(&cluster, None, "[slurm]\nnodes = \"n1\"\n");
    client.write("long.toml", &LONG.replace("700ms", "150s").replace("[64, 128, 256, 512, 1024, 1500]", "64"));
    let mut child = client.start(&RUN, "words");
    until("it runs", || client.words("words").contains("running on"));
    let job = cluster.said("squeue --noheader --array --states=RUNNING --format=%i");
    cluster.said(&format!("scontrol update jobid={job} timelimit=1"));
    let began = Instant::now();
    while !client.words("words").contains("its job was out of time") {
        assert!(began.elapsed().as_secs() < 130, "{}", client.words("words"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    println!("out of time after {:.0} s:\n{}", began.elapsed().as_secs_f64(), client.words("words"));
    assert!(client.words("words").contains("1 test submitted again"), "{}", client.words("words"));
    kill(pid(&child), Signal::SIGTERM).expect("it runs");
    assert_eq!(wait(&mut child), 130);
    until("no job is left", || cluster.alive() == 0);
    clean(&cluster, &["n1"]);
}

/// A queue that takes few jobs, and forgets them soon: what is not in it is looked for in the log of completed jobs.
#[test]
fn a_full_queue_is_filled_as_it_empties_and_one_that_forgets_loses_nothing() {
    let wish = Wish { hosts: &["n1"], extra: "MaxJobCount=3", forgets_s: Some(2), ..Wish::default() };
    let Some(cluster) = Cluster::up(&wish) else { return };
    let client = Client::of(&cluster, None, "[slurm]\nnodes = \"n1\"\n");
    client.write("long.toml", &LONG.replace("700ms", "200ms"));
    let ran = client.septet(&["run", "long.toml", "--slurm", "--no-report", "--shard-time", "1s"]);
    println!("{}", ran.stderr);
    assert!(ran.code == 0 || ran.code == 1 && ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert!(ran.stderr.contains("not submitted yet: the queue is full"), "{}", ran.stderr);
    assert_eq!(client.plan("long.toml")[1], 0);
    until("no job is left", || cluster.alive() == 0);
}

/// Nothing of a cluster is left on the machine.
#[test]
fn a_cluster_goes_without_remains() {
    let Some(cluster) = Cluster::up(&Wish { count: 3, ..Wish::default() }) else { return };
    let mark = cluster.path("").display().to_string();
    let find = || {
        let output =
            Command::new("sh").arg("-c").arg("cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep ^SLURM_CONF=").output();
        String::from_utf8_lossy(&output.expect("sh starts").stdout).contains(mark.trim_end_matches('/'))
    };
    assert!(find());
    drop(cluster);
    until("its processes are gone", || !find());
}
