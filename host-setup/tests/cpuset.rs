//! CPUs that go while something is measured on them: a cpuset of the test's own shrinks. The agent tells, and goes on.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Agent, PATIENCE_MS, Programs, eventually, request, scene};
use host_setup::disturbance::{CPUS, moved, not_granted};
use host_setup::protocol::{Answer, Op, PROTOCOL, Setup, Snapshot};
use host_setup::scene::Runtime;

/// A cpuset below the root's; removed at the end.
struct Cpuset(PathBuf);

impl Cpuset {
    /// Makes a cpuset; where that is impossible, prints the reason and returns none.
    fn new(cpus: &str) -> Option<Cpuset> {
        let v1 = Path::new("/sys/fs/cgroup/cpuset");
        let v2 = Path::new("/sys/fs/cgroup");
        let has_cpuset =
            fs::read_to_string(v2.join("cgroup.subtree_control")).is_ok_and(|list| list.contains("cpuset"));
        let root = match (v1.is_dir(), has_cpuset) {
            (true, _) => v1,
            (false, true) => v2,
            (false, false) => {
                println!("skipped: no controller of cpusets");
                return None;
            }
        };
        let folder = root.join(format!("septet-test.{}", std::process::id()));
        if let Err(error) = fs::create_dir(&folder) {
            println!("skipped: no cpuset can be made: {error}");
            return None;
        }
        let cpuset = Cpuset(folder);
        // A set of the first version begins without memory.
        fs::write(cpuset.0.join("cpuset.mems"), "0").expect("its memory");
        cpuset.set(cpus);
        Some(cpuset)
    }

    fn set(&self, cpus: &str) {
        fs::write(self.0.join("cpuset.cpus"), cpus).expect("its CPUs");
    }
}

impl Drop for Cpuset {
    fn drop(&mut self) {
        eventually("nobody is in the cpuset", || fs::remove_dir(&self.0).is_ok());
    }
}

fn snapshot(agent: &mut Agent) -> Snapshot {
    let Answer::Snapshot(snapshot) = agent.ok(Op::Snapshot) else { panic!("no snapshot") };
    snapshot
}

fn granted(snapshot: &Snapshot) -> Option<&str> {
    snapshot.settings.iter().find(|(name, _)| name == CPUS).map(|(_, list)| &**list)
}

#[test]
fn a_cpuset_that_shrinks_is_told_and_the_agent_goes_on() {
    let Some(programs) = Programs::install_with_generator() else { return };
    let two = fs::read_to_string("/sys/devices/system/cpu/online").is_ok_and(|list| list.starts_with("0-"));
    if !two || !nix::unistd::geteuid().is_root() {
        println!("skipped: this needs root, and CPUs 0 and 1");
        return;
    }
    let Some(cpuset) = Cpuset::new("0-1") else { return };
    let mut command = Command::new("sh");
    let join = format!("echo $$ >{}/cgroup.procs; exec \"$0\"", cpuset.0.display());
    command.arg("-c").arg(join).arg(programs.host());
    let mut agent = Agent::start_by(command);
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
    let Answer::Leased { achieved } = agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup: Setup::default() }) else {
        panic!("no lease")
    };
    assert!(achieved.settings.contains(&(CPUS.into(), "0-1".into())), "{achieved:?}");
    let mut pinned = scene(1, Runtime::Netns);
    pinned.containers[0].cpus = vec![0];
    pinned.containers[1].cpus = vec![1];
    pinned.housekeeping = Some(1);

    for (before, after) in [("0-1", "0"), ("0", "0")] {
        agent.ok(Op::Build { scene: pinned.clone() });
        for (place, container) in ["send-0", "receive-0"].into_iter().enumerate() {
            agent.ok(Op::Start { container: container.into(), line: request(place) });
            assert_eq!(agent.line(container)["event"], "ready");
        }
        let first = snapshot(&mut agent);
        assert_eq!(granted(&first), Some(before));
        let kept: Vec<&str> = first.threads.iter().filter_map(|thread| thread.cpus.as_deref()).collect();
        assert!(kept.contains(&"0") && (before == "0" || kept.contains(&"1")), "{first:?}");
        cpuset.set("0");
        let second = snapshot(&mut agent);
        assert_eq!(granted(&second), Some(after));
        assert_eq!(not_granted(&[0, 1], &second), [1]);
        assert_eq!(moved(&first, &second).iter().any(|(_, was, _)| *was == "1"), before == "0-1", "{second:?}");
        agent.ok(Op::Teardown);
    }
    agent.ok(Op::Release);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn a_cpu_that_no_machine_has_is_refused() {
    let Some(programs) = Programs::install_with_generator() else { return };
    let mut agent = Agent::leased(&programs, harness::User::Own, Setup::default());
    let mut pinned = scene(1, Runtime::Netns);
    pinned.containers[0].cpus = vec![1023];
    agent.ok(Op::Build { scene: pinned });
    let failure = agent.ask(Op::Start { container: "send-0".into(), line: request(0) }).expect_err("no such CPU");
    assert!(failure.message.contains("keep container send-0 to CPUs [1023]"), "{failure}");
}
