//! What an agent gets from whoever starts it, tried one by one: descriptors, signals, limits, folder, mask, CPUs. It
//! works all the same, and passes none of it on.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use std::fs;
use std::process::{Command, Stdio};

use harness::{Agent, PATIENCE_MS, Programs, User, eventually, family, request, scene, users};
use host_setup::facts::Privilege;
use host_setup::protocol::{Answer, Op, PROTOCOL, Setup};
use host_setup::scene::Runtime;

/// An agent that a shell starts after it has done something to itself.
fn after(programs: &Programs, user: User, script: &str) -> Agent {
    let mut command = match user {
        User::Own => Command::new("sh"),
        User::Nobody => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
            command
        }
    };
    command.arg("-c").arg(format!("{script}\nexec \"$0\" agent")).arg(programs.host());
    let mut agent = Agent::start_by(command);
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
    agent
}

fn status(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.unwrap_or_else(|| panic!("no {name}: {status}")).to_owned()
}

/// The mask of named signals; of the others, some are the C library's own.
fn mask(pid: u32, name: &str) -> u64 {
    u64::from_str_radix(&status(pid, name), 16).expect("a mask") & 0x7fff_ffff
}

/// Leases, builds, runs a sender's start and takes down: everything that starts processes and writes files.
fn works(agent: &mut Agent, programs: &Programs) {
    agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup: Setup::default() });
    if programs.has_generator {
        agent.ok(Op::Build { scene: scene(1, Runtime::Netns) });
        agent.ok(Op::Start { container: "send-0".into(), line: request(0) });
        assert_eq!(agent.line("send-0")["event"], "ready");
        agent.ok(Op::Teardown);
    }
    agent.ok(Op::Release);
}

#[test]
fn descriptors_are_closed() {
    let programs = Programs::install();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let open = format!("exec 7<>{0} 9<{0} 3</", file.path().display());
    let mut agent = after(&programs, User::Own, &open);
    works(&mut agent, &programs);
    let targets: Vec<_> = fs::read_dir(format!("/proc/{}/fd", agent.child.id()))
        .expect("its descriptors")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect();
    assert!(targets.iter().all(|target| target != file.path() && target.as_os_str() != "/"), "{targets:?}");
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn standard_streams_that_are_closed_are_nobodys() {
    let programs = Programs::install();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec \"$0\" agent {closed}")).arg(programs.host());
        let mut child = harness::spawn(shell.stdin(Stdio::piped()).stdout(Stdio::piped()));
        drop(child.stdin.take());
        assert_eq!(child.wait().expect("its end").code(), Some(0), "{closed}");
    }
}

#[test]
fn signals_do_what_they_should() {
    const PIPE: u64 = 1 << 12;
    const HUP: u64 = 1;
    const INT: u64 = 2;
    let programs = Programs::install();
    // As nohup and a shell's background leave them, and as nobody should.
    let mut agent = after(&programs, User::Own, "trap '' HUP INT TERM CHLD USR1 ALRM");
    let pid = agent.child.id();
    assert_eq!(mask(pid, "SigIgn"), PIPE | HUP | INT);
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    assert_ne!(facts.privilege, Privilege::None, "it hears of the end of what it tries");
    works(&mut agent, &programs);
    let kill = |signal: &str| {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {pid}")).status();
        assert!(sent.is_ok_and(|status| status.success()));
    };
    kill("HUP");
    kill("INT");
    assert!(matches!(agent.ok(Op::Clock), Answer::Clock { .. }), "what was set aside stays so");
    kill("TERM");
    assert_eq!(agent.read(), None);
    assert_eq!(agent.close(), 0);

    let mut agent = after(&programs, User::Own, ":");
    let pid = agent.child.id();
    assert_eq!(mask(pid, "SigIgn"), PIPE);
    assert!(Command::new("sh").arg("-c").arg(format!("kill -HUP {pid}")).status().is_ok_and(|sent| sent.success()));
    assert_eq!(agent.read(), None);
    assert_eq!(agent.close(), 0);
}

#[test]
fn signals_that_are_blocked_end_it_all_the_same() {
    // A shell cannot block any.
    if !Command::new("env").arg("--block-signal=TERM").arg("true").status().is_ok_and(|status| status.success()) {
        println!("skipped: this env blocks no signals");
        return;
    }
    let programs = Programs::install();
    let mut command = Command::new("env");
    command.arg("--block-signal").arg(programs.host());
    let mut agent = Agent::start_by(command);
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
    works(&mut agent, &programs);
    let sent = Command::new("kill").arg(agent.child.id().to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert_eq!(agent.read(), None);
    assert_eq!(agent.close(), 0);
}

#[test]
fn small_limits_are_lifted_as_far_as_the_user_may() {
    let programs = Programs::install();
    for user in users() {
        // Root of a container may not always lift more than that.
        let mut agent = after(&programs, user, "ulimit -S -n 9; ulimit -S -f 0; ulimit -S -t 3600");
        let limits = fs::read_to_string(format!("/proc/{}/limits", agent.child.id())).expect("its limits");
        let of = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
            line.split_ascii_whitespace().next().expect("a number").to_owned()
        };
        assert_eq!(of("Max file size"), "unlimited", "{user:?}");
        assert_eq!(of("Max cpu time"), "unlimited", "{user:?}");
        assert!(of("Max open files").parse::<u64>().is_ok_and(|files| files >= 256), "{user:?}: {limits}");
        works(&mut agent, &programs);
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0);
    }
}

#[test]
fn the_folder_and_the_mask_of_new_files_are_its_own() {
    let programs = Programs::install();
    for (number, user) in users().into_iter().enumerate() {
        for umask in ["000", "777"] {
            let gone = format!("d=/tmp/septet-gone.$$.{number}; mkdir $d; cd $d; rmdir $d; umask {umask}");
            let mut agent = after(&programs, user, &gone);
            let pid = agent.child.id();
            assert_eq!(status(pid, "Umask"), "0022");
            if user == User::Own {
                assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).expect("its folder").as_os_str(), "/");
            }
            works(&mut agent, &programs);
            agent.ok(Op::Bye);
            assert_eq!(agent.close(), 0);
        }
    }
}

#[test]
fn niceness_and_policy_are_those_of_everybody() {
    let programs = Programs::install();
    let has_chrt = Command::new("chrt").args(["--batch", "0", "true"]).status();
    if !has_chrt.is_ok_and(|status| status.success()) {
        println!("skipped: no chrt that changes a policy");
        return;
    }
    // As a background job, a careful user or a real-time shell would have it.
    let mut ways = vec![vec!["chrt", "--batch", "0"]];
    if nix::unistd::geteuid().is_root() {
        ways.extend([vec!["nice", "-n", "7"], vec!["nice", "-n", "-5"], vec!["chrt", "--idle", "0"]]);
        ways.push(vec!["ionice", "-c", "3"]);
    } else {
        println!("skipped: a nice value is taken back for root alone");
    }
    for way in ways {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).arg(programs.host()).arg("agent");
        let mut agent = Agent::start_by(command);
        agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
        let stat = fs::read_to_string(format!("/proc/{}/stat", agent.child.id())).expect("it lives");
        let words: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_ascii_whitespace().collect();
        // Of proc(5): priority, nice, rt_priority and policy are the fields 18, 19, 40 and 41.
        assert_eq!((words[15], words[16], words[37], words[38]), ("20", "0", "0", "0"), "{way:?}: {stat}");
        let class =
            Command::new("ionice").args(["-p", &agent.child.id().to_string()]).output().expect("ionice is there");
        assert!(String::from_utf8_lossy(&class.stdout).starts_with("none"), "{way:?}: {class:?}");
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0);
    }
}

/// The list of CPUs that this test itself may use, as the kernel has it.
fn own_cpus() -> Vec<u32> {
    let list = status(std::process::id(), "Cpus_allowed_list");
    list.split(',')
        .flat_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse::<u32>().expect("a CPU")..=last.parse().expect("a CPU")
        })
        .collect()
}

#[test]
fn cpus_are_those_that_the_kernel_grants_whatever_mask_is_inherited() {
    let programs = Programs::install();
    let own = own_cpus();
    let mut kept = Command::new("taskset");
    kept.arg("-c").arg(own[0].to_string()).arg(programs.host());
    let mut agent = Agent::start_by(kept);
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    let seen: Vec<u32> = facts.topology.iter().map(|core| core.cpu).collect();
    assert!(own.iter().all(|cpu| seen.contains(cpu)), "{seen:?} instead of {own:?}");
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn what_it_starts_ends_with_whoever_started_it() {
    let programs = Programs::install();
    let mut agent = after(&programs, User::Own, "trap '' HUP INT");
    agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup: Setup::default() });
    let family = family(agent.child.id());
    assert!(family.len() >= 2);
    agent.end_input();
    eventually("all of it ends with its client", || family.iter().all(|process| !process.is_there()));
}
