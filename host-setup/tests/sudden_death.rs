//! Death of any of the agent's processes at any moment, and every other way out: nothing is left, and the next
//! one works.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use harness::{Agent, Process, Programs, User, eventually, family, links_and_mounts, request, scene, spawn, users};
use host_setup::protocol::{Answer, Op, Setup};
use host_setup::scene::Runtime;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proptest::prelude::{ProptestConfig, any, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy as _};

/// Written by the test that leaves settings of the host behind: until they are restored, no ordinary user is
/// given a lease.
static HOST: RwLock<()> = RwLock::new(());

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Supervisor,
    /// The worker, a container's process or an application: any of those below.
    Other(usize),
}

/// What is asked one after the other in a measurement's life.
fn requests(runtime: Runtime) -> Vec<Op> {
    let scene = scene(2, runtime);
    let names: Vec<String> = scene.containers.iter().map(|container| container.name.clone()).collect();
    let mut ops = vec![Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() }, Op::Build { scene }];
    for (place, container) in names.iter().enumerate() {
        ops.push(Op::Start { container: container.clone(), line: request(place) });
    }
    ops.extend([Op::Snapshot, Op::Collect { container: names[0].clone() }, Op::Teardown, Op::Release]);
    ops
}

/// Lives up to request `step`, which is sent and not waited for; `delay` later the victim dies.
fn die(programs: &Programs, (user, runtime): (User, Runtime), step: usize, delay: Duration, victim: Victim) {
    let mut agent = Agent::greeted(programs, user);
    let ops = requests(runtime);
    for op in &ops[..step] {
        agent.ok(op.clone());
    }
    agent.send(ops[step].clone());
    let deadline = Instant::now() + delay;
    while Instant::now() < deadline {
        std::hint::spin_loop();
    }
    let below: Vec<Process> =
        family(agent.child.id()).into_iter().filter(|process| process.pid != agent.child.id()).collect();
    match victim {
        Victim::Supervisor => agent.child.kill().expect("a kill"),
        Victim::Other(number) => {
            if !below.is_empty() {
                below[number % below.len()].kill();
            }
        }
    }
    if victim != Victim::Supervisor {
        // The agent itself lives: it answers, says goodbye, and has nothing left either.
        let _ = agent.ask_whatever(Op::Release);
        agent.ok(Op::Bye);
    }
    // All that it had, and all that those who were dying had forked meanwhile.
    eventually("nothing is left", || !below.iter().any(Process::is_there) && agent.marked().is_empty());
}

/// The users and container runtimes that this host can measure with.
fn ways(programs: &Programs) -> Vec<(User, Runtime)> {
    let mut ways: Vec<(User, Runtime)> = users().into_iter().map(|user| (user, Runtime::Netns)).collect();
    let mut agent = Agent::greeted(programs, User::Own);
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    if facts.runtimes.iter().any(|offer| offer.name == "lxc" && offer.missing.is_none()) {
        ways.push((User::Own, Runtime::Lxc));
    } else {
        println!("skipped with LXC: it is not here, or this is not root");
    }
    ways
}

/// Control groups that LXC would make.
fn control_groups() -> Vec<String> {
    let mut folders = vec![Path::new("/sys/fs/cgroup").to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with("lxc") {
                    found.push(entry.path().display().to_string());
                }
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Fails unless a whole measurement's requests work.
fn works(programs: &Programs, (user, runtime): (User, Runtime)) {
    let mut agent = Agent::greeted(programs, user);
    for op in requests(runtime) {
        agent.ok(op);
    }
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default()
    })]
    #[test]
    fn any_death_at_any_moment_leaves_nothing(
        step in 0usize..10,
        delay_us in 0u64..30_000,
        victim in prop_oneof![Just(Victim::Supervisor), any::<usize>().prop_map(Victim::Other)],
        way in any::<usize>(),
    ) {
        let Some(programs) = Programs::install_with_generator() else { return Ok(()) };
        let _in_order = HOST.read();
        let ways = ways(&programs);
        let way = ways[way % ways.len()];
        let before = (links_and_mounts(), control_groups());
        die(&programs, way, step, Duration::from_micros(delay_us), victim);
        assert_eq!((links_and_mounts(), control_groups()), before);
        works(&programs, way);
    }
}

#[test]
fn signals_and_the_end_of_input_are_tidy_ways_out() {
    let Some(programs) = Programs::install_with_generator() else { return };
    let _in_order = HOST.read();
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGINT), Some(Signal::SIGHUP), None] {
        let mut agent = Agent::leased(&programs, User::Own, Setup::default());
        agent.ok(Op::Build { scene: scene(1, Runtime::Netns) });
        agent.ok(Op::Start { container: "receive-0".into(), line: request(1) });
        let processes = family(agent.child.id());
        assert_eq!(processes.len(), 4, "supervisor, worker, two containers");
        if let Some(signal) = signal {
            kill(Pid::from_raw(i32::try_from(agent.child.id()).expect("a pid")), signal).expect("a signal");
        } else {
            agent.end_input();
        }
        assert_eq!(agent.child.wait().expect("its end").code(), Some(0), "{signal:?}");
        assert!(!processes.iter().any(Process::is_there), "{signal:?}");
    }
}

const HUGEPAGES: &str = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";

fn hugepages() -> u64 {
    fs::read_to_string(HUGEPAGES).expect("hugepages").trim().parse().expect("a number")
}

#[test]
fn hugepages_are_given_back_on_every_way_out() {
    if !nix::unistd::geteuid().is_root() || !Path::new(HUGEPAGES).exists() {
        println!("skipped: only root sets hugepages, on a host that has them");
        let programs = Programs::install();
        let mut agent = Agent::greeted(&programs, User::Own);
        let wanted = Setup { hugepages_2m: vec![(0, 1)], ..Setup::default() };
        assert!(agent.ask(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: wanted }).is_err());
        return;
    }
    let _out_of_order = HOST.write();
    let programs = Programs::install();
    // Whoever holds the host may change them; so the first value is taken while nobody else does.
    let hold = Agent::leased(&programs, User::Own, Setup::default());
    let before = hugepages();
    drop(hold);
    // Pages are asked for beside those that somebody uses.
    let free = fs::read_to_string(HUGEPAGES.replace("nr_", "free_")).expect("hugepages");
    let free: u64 = free.trim().parse().expect("a number");
    let wanted = before + 3;
    let setup = Setup { hugepages_2m: vec![(0, free + 3)], ..Setup::default() };

    let mut agent = Agent::leased(&programs, User::Own, setup.clone());
    assert_eq!(hugepages(), wanted);
    agent.ok(Op::Release);
    assert_eq!(hugepages(), before);

    let Answer::Leased { achieved } = agent.ok(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: setup.clone() })
    else {
        panic!("no lease");
    };
    assert_eq!(achieved.hugepages_2m, [(0, wanted)]);
    assert_eq!(agent.close(), 0);
    assert_eq!(hugepages(), before);

    let mut agent = Agent::leased(&programs, User::Own, setup);
    agent.child.kill().expect("a kill");
    agent.child.wait().expect("its end");
    if users().contains(&User::Nobody) {
        let lease = Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() };
        let failure = Agent::greeted(&programs, User::Nobody).ask(lease).expect_err("settings that are left behind");
        assert!(failure.advice.is_some_and(|advice| advice.contains("as root")));
    }
    // The next start of any agent, or the command for it, restores.
    let restored = spawn(Command::new(programs.host()).arg("restore")).wait().expect("septet-host restore");
    assert!(restored.success() || restored.code() == Some(3), "{restored}");
    eventually("hugepages are restored", || hugepages() == before);

    let mut agent = Agent::greeted(&programs, User::Own);
    let absurd = Setup { hugepages_2m: vec![(0, 1 << 40)], ..Setup::default() };
    let failure = agent.ask(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: absurd }).expect_err("no such memory");
    assert!(failure.message.contains("hugepages on node 0"), "{failure}");
    assert_eq!(hugepages(), before, "also after a lease that failed");
}
