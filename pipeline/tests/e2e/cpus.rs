//! CPUs that a run counts on and that go away while it measures, and a mask that is no limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bench::{Bench, Ran, pid, wait};
use super::processes;

const TEST: &str = "[experiment]\nname = \"cpus\"\n[protocol]\nduration = \"2s\"\nwarmup = \"50ms\"\ncooldown = \"50ms\"\n\
    repetitions = 1\n[[tests]]\nid = \"t\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = 64\n\
    R = \"10kpps\"\nB = 8\nio = \"udp\"\n";

/// A cpuset below the root's; removed at the end.
struct Cpuset(PathBuf);

impl Cpuset {
    /// Makes a cpuset of CPUs 0 and 1; where that is impossible, prints the reason and returns none.
    fn new(name: &str) -> Option<Cpuset> {
        let v1 = Path::new("/sys/fs/cgroup/cpuset");
        let v2 = Path::new("/sys/fs/cgroup");
        let has_cpuset =
            fs::read_to_string(v2.join("cgroup.subtree_control")).is_ok_and(|list| list.contains("cpuset"));
        let root = if v1.is_dir() { v1 } else { v2 };
        let folder = root.join(format!("septet-e2e-{name}.{}", std::process::id()));
        if !(v1.is_dir() || has_cpuset) || fs::create_dir(&folder).is_err() {
            println!("skipped: no cpuset can be made");
            return None;
        }
        let cpuset = Cpuset(folder);
        let made = fs::write(cpuset.0.join("cpuset.mems"), "0").and_then(|()| cpuset.set("0-1"));
        if let Err(error) = made {
            println!("skipped: no cpuset of CPUs 0 and 1: {error}");
            return None;
        }
        Some(cpuset)
    }

    fn set(&self, cpus: &str) -> std::io::Result<()> {
        fs::write(self.0.join("cpuset.cpus"), cpus)
    }
}

impl Drop for Cpuset {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Runs a command from a shell that has first run `script`.
fn after(command: &Command, script: &str) -> Command {
    let mut wrapped = Command::new("sh");
    wrapped.arg("-c").arg(format!("{script}; exec \"$0\" \"$@\"")).arg(command.get_program()).args(command.get_args());
    wrapped.current_dir(command.get_current_dir().expect("the bench"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

#[test]
fn a_cpuset_that_shrinks_in_a_window_makes_the_repetition_suspect() {
    let Some(cpuset) = Cpuset::new("shrinks") else { return };
    let bench = Bench::new();
    bench.write("cpus.toml", TEST);
    let mut run =
        after(&bench.command(&["run", "cpus.toml"]), &format!("echo $$ >{}/cgroup.procs", cpuset.0.display()));
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while processes::below(pid(&run).as_raw()).iter().filter(|process| process.program == "septet-gen").count() < 2 {
        assert!(Instant::now() < deadline, "no traffic within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    cpuset.set("0").expect("it can shrink");
    wait(&mut run);
    let said = Ran::of(run.wait_with_output().expect("it ended"));
    assert!(!said.stderr.contains("FAILED"), "{}", said.stderr);
    let plan = bench.septet(&["plan", "cpus.toml", "--json"]).code(0).json();
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    let records = bench.septet(&["show", &key, "--json"]).code(0).json();
    let records = records.as_array().expect("records");
    assert!(!records.is_empty(), "{}", said.stderr);
    for record in records {
        assert!(record["flags"].to_string().contains("drift"), "{record}");
        let words = record["seen"].to_string();
        assert!(words.contains("CPU 1 of the core plan went offline, or out of the cpuset"), "{words}");
    }
}

#[test]
fn a_mask_of_taskset_hides_no_cpu() {
    let bench = Bench::new();
    let facts = bench.command(&["host", "facts", "--json"]);
    let cpus = |mut command: Command| {
        let facts = Ran::of(command.output().expect("it starts")).code(0).json();
        facts["topology"].as_array().expect("CPUs").len()
    };
    let all = cpus(after(&facts, ":"));
    let first = "taskset -cp $(taskset -cp $$ | sed 's/.*: //; s/[,-].*//') $$ >/dev/null";
    assert_eq!(cpus(after(&facts, first)), all);
}
