//! The real agent on an invented host: in a mount namespace of its own it finds the paper's machine below `/sys`
//! and `/proc/irq`. On every way out each file gets its first value back, except what somebody else changed,
//! which is reported; and a host that cannot be restored is not leased.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;
mod machines;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::{Agent, PATIENCE_MS, Programs, eventually};
use host_setup::protocol::{Achieved, Answer, Disturbance, FailureKind, Op, PROTOCOL, Setup, Watched};
use machines::{CPU, Machine, files};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Host {
    root: tempfile::TempDir,
    programs: Programs,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl Host {
    /// Makes a host in a mount namespace; where that is impossible, prints the reason and returns none.
    fn invent() -> Option<Host> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root mounts an invented /sys");
            return None;
        }
        let root = tempfile::tempdir().expect("a folder");
        Machine::r630("active").write_below(root.path());
        fs::create_dir(root.path().join("run")).expect("a folder");
        let host = Host { before: files(root.path()), root, programs: Programs::install() };
        let probe = host.command("true").output().expect("a shell");
        if !probe.status.success() {
            println!("skipped: no mount namespace: {}", String::from_utf8_lossy(&probe.stderr).trim());
            return None;
        }
        Some(host)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// A command that finds the invented host where the real one was.
    fn command(&self, what: &str) -> Command {
        let script = format!(
            "mount --bind \"$0/sys\" /sys && mount --bind \"$0/proc/irq\" /proc/irq && mount --bind \"$0/run\" /run && {what}"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "sh", "-c", &script]).arg(self.root.path()).arg(self.programs.host());
        command
    }

    fn agent(&self, errors: Stdio) -> Agent {
        let mut command = self.command("exec \"$1\" agent");
        command.stderr(errors);
        let mut agent = Agent::start_by(command);
        agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
        agent
    }

    /// An agent that has made the host steady.
    fn leased(&self, errors: Stdio) -> (Agent, Achieved) {
        let mut agent = self.agent(errors);
        let setup = Setup {
            governor: Some("performance".into()),
            turbo: Some(false),
            quiet_cpus: (2..40).collect(),
            irqbalance: None,
            ..Setup::default()
        };
        let Answer::Leased { achieved } = agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup }) else {
            panic!("no lease");
        };
        assert_eq!(fs::read_to_string(self.path(NO_TURBO)).expect("a file"), "1");
        assert_ne!(files(self.root.path()), self.before);
        (agent, achieved)
    }

    fn is_as_before(&self) -> bool {
        files(self.root.path()) == self.before
    }
}

const NO_TURBO: &str = "sys/devices/system/cpu/intel_pstate/no_turbo";

fn pid(agent: &Agent) -> Pid {
    Pid::from_raw(i32::try_from(agent.child.id()).expect("a pid"))
}

#[test]
fn settings_are_given_back_on_every_way_out() {
    let Some(host) = Host::invent() else { return };
    let (mut agent, achieved) = host.leased(Stdio::inherit());
    assert!(achieved.changed.contains(&"turbo is off".to_owned()), "{achieved:?}");
    assert!(achieved.settings.contains(&("governor".to_owned(), "performance".to_owned())), "{achieved:?}");
    let Answer::Snapshot(snapshot) = agent.ok(Op::Snapshot) else { panic!("no snapshot") };
    assert_eq!(snapshot.settings, achieved.settings, "nobody has changed them");
    agent.ok(Op::Release);
    assert!(host.is_as_before(), "released");
    // The same agent may lease again.
    let setup = Setup { turbo: Some(false), ..Setup::default() };
    agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup });
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
    assert!(host.is_as_before(), "said goodbye");
    for signal in [Some(Signal::SIGINT), Some(Signal::SIGTERM), Some(Signal::SIGHUP), None] {
        let (mut agent, _) = host.leased(Stdio::inherit());
        match signal {
            Some(signal) => kill(pid(&agent), signal).expect("a signal"),
            // As when the client dies.
            None => agent.end_input(),
        }
        assert_eq!(agent.child.wait().expect("its end").code(), Some(0), "{signal:?}");
        assert!(host.is_as_before(), "{signal:?}");
    }
    // A lease that fails half way.
    let mut agent = host.agent(Stdio::inherit());
    let setup = Setup { turbo: Some(false), governor: Some("schedutil".into()), ..Setup::default() };
    let failure = agent.ask(Op::Lease { wait_ms: PATIENCE_MS, setup }).expect_err("no such governor");
    assert!(failure.message.contains("set governor schedutil"), "{failure}");
    assert!(host.is_as_before(), "failed");
    agent.ok(Op::Bye);
}

#[test]
fn after_sudden_death_the_next_start_or_the_command_gives_back() {
    let Some(host) = Host::invent() else { return };
    for by_command in [false, true] {
        let (mut agent, _) = host.leased(Stdio::inherit());
        agent.child.kill().expect("a kill");
        agent.child.wait().expect("its end");
        assert!(!host.is_as_before(), "nobody has given back yet");
        // Its worker, which has the journal's lock, dies a moment later.
        eventually("the host is given back", || {
            if by_command {
                let restored = host.command("exec \"$1\" restore").stdout(Stdio::null()).stderr(Stdio::null()).status();
                assert!(restored.is_ok_and(|status| matches!(status.code(), Some(0 | 3))), "septet-host restore");
            } else {
                let mut next = host.agent(Stdio::null());
                next.ok(Op::Bye);
            }
            host.path("run/septet/journal").exists() || host.is_as_before()
        });
        eventually("every file has its first value", || host.is_as_before());
    }
}

#[test]
fn what_somebody_else_changed_is_reported_and_left_alone() {
    let Some(host) = Host::invent() else { return };
    let (mut agent, achieved) = host.leased(Stdio::piped());
    let theirs = host.path(&format!("{CPU}/cpufreq/policy7/scaling_governor"));
    fs::write(&theirs, "userspace").expect("a file");
    let Answer::Snapshot(snapshot) = agent.ok(Op::Snapshot) else { panic!("no snapshot") };
    assert_ne!(snapshot.settings, achieved.settings, "it is noticed while it lasts");
    agent.ok(Op::Bye);
    let mut errors = String::new();
    agent.child.stderr.take().expect("its errors").read_to_string(&mut errors).expect("text");
    assert_eq!(agent.close(), 0);
    assert!(errors.contains("policy7/scaling_governor was set to userspace by somebody else"), "{errors}");
    assert_eq!(fs::read_to_string(&theirs).expect("a file"), "userspace");
    fs::write(&theirs, "powersave").expect("a file");
    assert!(host.is_as_before(), "all else was given back");
}

#[test]
fn what_comes_and_goes_within_a_window_is_seen_and_costs_little() {
    let Some(host) = Host::invent() else { return };
    let policy = host.path(&format!("{CPU}/cpufreq/policy7"));
    let (governor, frequency) = (policy.join("scaling_governor"), policy.join("scaling_cur_freq"));
    let heat = host.path(&format!("{CPU}/cpu7/thermal_throttle/core_throttle_count"));
    fs::create_dir_all(heat.parent().expect("a folder")).expect("a folder");
    std::os::unix::fs::symlink("../cpufreq/policy7", host.path(&format!("{CPU}/cpu7/cpufreq"))).expect("a link");
    fs::write(&frequency, "2200000").and_then(|()| fs::write(&heat, "3")).expect("files");
    let (mut agent, achieved) = host.leased(Stdio::inherit());
    let Answer::Clock { mono_ns } = agent.ok(Op::Clock) else { panic!("no clock") };
    let (until_mono_ns, every_ms) = (mono_ns + 600_000_000_000, 10);
    agent.ok(Op::Watch { cpus: vec![6, 7], from_mono_ns: mono_ns, until_mono_ns, every_ms });
    let seen = |agent: &mut Agent| match agent.ok(Op::Watched) {
        Answer::Watched(watched) => watched,
        other => panic!("{other:?}"),
    };
    let look_at = |agent: &mut Agent, times: u64| {
        let until = seen(agent).looks + times;
        eventually("the window is looked at", || seen(agent).looks >= until);
    };
    look_at(&mut agent, 2);
    assert_eq!(seen(&mut agent).changes, [], "nobody has changed a setting yet");
    let throttled = |watched: &Watched| watched.peaks.iter().any(|peak| peak.disturbance == Disturbance::Throttled);
    assert!(!throttled(&seen(&mut agent)));
    for (file, while_it_lasts, then) in
        [(&governor, "userspace", "performance"), (&frequency, "1100000", "2200000"), (&heat, "5", "5")]
    {
        fs::write(file, while_it_lasts).expect("a file");
        look_at(&mut agent, 2);
        fs::write(file, then).expect("a file");
        look_at(&mut agent, 2);
    }
    let Answer::Snapshot(after) = agent.ok(Op::Snapshot) else { panic!("no snapshot") };
    assert_eq!(after.settings, achieved.settings, "before and after know nothing of it");
    let watched = seen(&mut agent);
    let named: Vec<(&str, Option<&str>, Option<&str>)> = watched
        .changes
        .iter()
        .map(|change| (change.name.as_str(), change.was.as_deref(), change.became.as_deref()))
        .collect();
    let (was, became) = (Some("performance"), Some("userspace"));
    assert_eq!(named, [("governor", was, became), ("governor", became, was)]);
    assert!(watched.changes.is_sorted_by_key(|change| change.at_ns), "{watched:?}");
    let peak = |disturbance| watched.peaks.iter().find(|peak| peak.disturbance == disturbance);
    let slow = peak(Disturbance::FrequencyLow).expect("a slow CPU");
    assert_eq!((slow.of.as_str(), slow.amount), ("7", 500_000));
    assert!(slow.at_ns > watched.changes[1].at_ns);
    let hot = peak(Disturbance::Throttled).expect("a hot CPU");
    assert_eq!((hot.of.as_str(), hot.amount), ("7", 2));
    assert!(hot.at_ns > slow.at_ns);
    let look_us = watched.cpu_ns / watched.looks / 1000;
    println!("{} looks at 40 CPUs, {look_us} us each", watched.looks);
    assert!(look_us < 10_000, "{look_us} us of processor time a look");
    // Nothing is looked at when the scene is down.
    agent.ok(Op::Teardown);
    assert_eq!(seen(&mut agent), Watched::default());
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn a_host_that_cannot_be_restored_says_so_and_is_not_leased() {
    let Some(host) = Host::invent() else { return };
    let (mut agent, _) = host.leased(Stdio::inherit());
    agent.child.kill().expect("a kill");
    agent.child.wait().expect("its end");
    let lost = host.path(&format!("{CPU}/cpufreq/policy7/scaling_governor"));
    fs::remove_file(&lost).expect("a file");
    let lease = Op::Lease { wait_ms: PATIENCE_MS, setup: Setup::default() };
    for _ in 0..2 {
        let mut next = host.agent(Stdio::null());
        let failure = next.ask(lease.clone()).expect_err("a host that is not as it was");
        assert_eq!(failure.kind, FailureKind::Host);
        assert!(failure.message.contains("policy7/scaling_governor to powersave"), "{failure}");
        assert!(failure.advice.is_some_and(|advice| advice.contains("by hand")));
        assert!(matches!(next.ok(Op::Facts { refresh: false }), Answer::Facts(_)), "facts can be had all the same");
        next.ok(Op::Bye);
    }
    fs::write(&lost, "powersave").expect("a file");
    let mut next = host.agent(Stdio::null());
    next.ok(lease);
    next.ok(Op::Bye);
    assert!(host.is_as_before());
}
