//! The real sudo, with every default of its that changes how it runs a command: whom it names commands the agent,
//! whatever becomes of sudo itself and of the agent's parent. All in a mount namespace of its own: nothing of this
//! host's sudo is changed.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

#[path = "../harness/mod.rs"]
mod harness;
mod pkexec;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Agent, Process, Programs, eventually, family};
use host_setup::facts::{Facts, Privilege};
use host_setup::protocol::{Answer, FailureKind, Names, Op, Outcome, PROTOCOL, Setup};
use host_setup::stack::Stack;

/// Mounts of its own, with programs that only root can change and a sudo that lets nobody start the agent, by the rule
/// of the documentation. `$1` has the programs, `$2` the helpers, `$3` is a line of defaults for sudo.
const PLACE: &str = r#"
set -e
umask 022
mount -t tmpfs -o mode=755 septet /mnt
mount -t tmpfs -o mode=755 septet /run
mkdir -p /mnt/bin /mnt/upper /mnt/work /mnt/theirs/bin /mnt/io
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work septet /etc
cp "$1"/septet-* "$2/reaper" "$2/waiter" /mnt/bin
chmod 4755 /mnt/bin/waiter
rm -rf /etc/septet
mkdir /etc/septet
printf '[programs]\n' >/etc/septet/host.toml
printf '%s\nnobody ALL=(root) NOPASSWD: /mnt/bin/septet-host agent\n' "$3" >/etc/sudoers.d/septet
chmod 440 /etc/sudoers.d/septet
printf '#!/bin/sh\n' >/mnt/theirs/bin/dpdk-testpmd
chmod 755 /mnt/theirs/bin/dpdk-testpmd
chown -R nobody /mnt/theirs
cd /
as_nobody="setpriv --reuid=65534 --regid=65534 --init-groups"
"#;

const SUDO: &str = "exec $as_nobody sudo -n /mnt/bin/septet-host agent";
const ORPHANED: &str = "exec $as_nobody /mnt/bin/reaper /mnt/bin/waiter /usr/bin/sudo -n /mnt/bin/septet-host agent";

/// Lines of defaults, and whether sudo becomes its command instead of waiting for it.
const DEFAULTS: [(&str, bool); 7] = [
    // Debian's own.
    ("", false),
    ("Defaults !use_pty", false),
    ("Defaults !use_pty, !pam_session, !pam_setcred", true),
    ("Defaults use_pty, exec_background", false),
    ("Defaults use_pty, log_input, log_output, iolog_dir=/mnt/io", false),
    ("Defaults !use_pty, !env_reset", false),
    ("Defaults !use_pty, !pam_session, !pam_setcred, !env_reset", true),
];

struct Place {
    programs: Programs,
    helpers: tempfile::TempDir,
}

impl Place {
    /// Makes the place; where that is impossible, prints the reason and returns none.
    fn new() -> Option<Place> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can make a place that only root can change");
            return None;
        }
        if !Path::new("/usr/bin/sudo").is_file() {
            println!("skipped: sudo is not installed");
            return None;
        }
        let helpers = tempfile::tempdir().expect("a folder");
        for name in ["reaper", "waiter"] {
            let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/sudo/{name}.c"));
            let built = Command::new("cc").arg("-o").arg(helpers.path().join(name)).arg(source).status();
            assert!(built.is_ok_and(|status| status.success()), "{name} can be built");
        }
        let place = Place { programs: Programs::install(), helpers };
        let probe = place.command("", &format!("{PLACE}$as_nobody sudo -n -l /mnt/bin/septet-host agent")).output();
        let probe = probe.expect("unshare can be started");
        if !probe.status.success() {
            println!("skipped: no such place here: {}", String::from_utf8_lossy(&probe.stderr).trim());
            return None;
        }
        Some(place)
    }

    fn command(&self, defaults: &str, script: &str) -> Command {
        let mut command = Command::new("unshare");
        let host = self.programs.host();
        command.args(["-m", "sh", "-c", script, "sh"]).arg(host.parent().expect("a folder"));
        command.arg(self.helpers.path()).arg(defaults);
        command
    }
}

fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn field(pid: u32, name: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The agent itself: what it forks has its name too.
fn agent_of(agent: &Agent) -> Option<Process> {
    family(agent.child.id()).into_iter().find(|process| comm(process.pid) == "septet-host")
}

/// A greeting that names a stack of the user's own; nothing if the agent is no more.
fn facts_of(agent: &mut Agent) -> Option<Box<Facts>> {
    let mut theirs = Stack::default();
    theirs.set("testpmd", "/mnt/theirs").expect("a place");
    let stacks = [("theirs".to_string(), Some(theirs))].into();
    let switch = serde_json::json!({
        "program": "/bin/sh", "sockets": "switch", "forwards": "pairs", "ports_max": 2, "cores": "one",
        "queues": "one", "start": ["-c", "id >/mnt/theirs/id"], "ready": ["x"], "ready_within_s": 1,
    });
    let switch = Some(serde_json::from_value(switch).expect("a definition"));
    let switches = [("theirs".to_string(), switch)].into();
    let names = Names { stacks, switches, ..Names::default() };
    agent.ask_whatever(Op::Hello { protocol: PROTOCOL, names })?;
    match agent.ask_whatever(Op::Facts { refresh: false })? {
        Outcome::Ok(Answer::Facts(facts)) => {
            let defined = facts.switches.iter().any(|offer| offer.name == "custom:theirs");
            let believed = facts.privilege == Privilege::Root && defined;
            assert!(!believed, "a user's word of what a switch runs is root's: {:?}", facts.switches);
            Some(facts)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whom_sudo_names_commands_however_sudo_runs_the_agent() {
    let Some(place) = Place::new() else { return };
    for (defaults, _) in DEFAULTS {
        let mut agent = Agent::start_by(place.command(defaults, &format!("{PLACE}{SUDO}")));
        let facts = facts_of(&mut agent).unwrap_or_else(|| panic!("{defaults:?}: no facts"));
        assert_eq!(facts.privilege, Privilege::Root, "{defaults:?}");
        assert!(facts.stacks.is_empty(), "{defaults:?}: a user's word of places is believed: {:?}", facts.stacks);
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0, "{defaults:?}");
    }
}

#[test]
fn a_user_whose_agent_has_another_parent_is_the_same_user() {
    let Some(place) = Place::new() else { return };
    let mut heard = 0;
    for (defaults, direct) in DEFAULTS {
        let mut agent = Agent::start_by(place.command(defaults, &format!("{PLACE}{ORPHANED}")));
        eventually("the agent runs", || agent_of(&agent).is_some());
        let waiter = agent.child.id();
        eventually("its reaper is root's", || comm(waiter) == "waiter");
        // A user has no right to; but programs die.
        for sudo in family(waiter).iter().filter(|process| comm(process.pid) == "sudo") {
            sudo.kill();
        }
        eventually("its parent is the reaper, or it ends", || {
            agent_of(&agent).is_none_or(|process| field(process.pid, "PPid") == Some(waiter))
        });
        // One that has lost its terminal with sudo may have ended.
        if let Some(facts) = facts_of(&mut agent) {
            heard += 1;
            assert!(facts.stacks.is_empty(), "{defaults:?}: a user's word is root's: {:?}", facts.stacks);
        } else {
            assert!(!direct, "{defaults:?}: nothing ended it");
        }
        agent.end_input();
        eventually("it ends with its client", || agent_of(&agent).is_none());
    }
    assert!(heard >= 2, "what is to be shown was seen {heard} times");
}

#[test]
fn the_documented_rule_allows_its_own_words_only() {
    let Some(place) = Place::new() else { return };
    for words in ["agent --as-root", "restore", "", "agent ''", "--version"] {
        let script = format!("{PLACE}$as_nobody sudo -n /mnt/bin/septet-host {words}");
        let said = place.command("", &script).output().expect("a shell");
        assert!(!said.status.success(), "{words:?} is allowed");
        assert!(String::from_utf8_lossy(&said.stderr).contains("password is required"), "{words:?}: {said:?}");
    }
}

#[test]
fn a_name_forged_into_the_environment_makes_nobody_another() {
    let Some(place) = Place::new() else { return };
    // Where sudo leaves the environment alone, and the program is one that anybody can change.
    let forged = "chmod 777 /mnt/bin; export PKEXEC_UID=0 DOAS_USER=root SUDO_UID=0 SUDO_GID=0\n";
    let mut agent = Agent::start_by(place.command("Defaults !env_reset", &format!("{PLACE}{forged}{SUDO}")));
    let own = agent_of_sudo(&agent);
    let facts = facts_of(&mut agent).expect("facts");
    assert_ne!(facts.privilege, Privilege::Root);
    assert_eq!(field(own, "Uid"), Some(65534));
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
    // Another's name beside the own one: neither is served.
    let forged = "chmod 777 /mnt/bin; export DOAS_USER=daemon\n";
    let mut agent = Agent::start_by(place.command("Defaults !env_reset", &format!("{PLACE}{forged}{SUDO}")));
    assert!(facts_of(&mut agent).is_none(), "one of two names is served");
    assert_eq!(agent.close(), 3);
}

#[test]
fn whom_doas_names_commands_too() {
    let Some(place) = Place::new() else { return };
    if !Path::new("/usr/bin/doas").is_file() {
        println!("skipped: doas is not installed");
        return;
    }
    let rule = r#"
    echo "permit nopass $1 nobody as root cmd /mnt/bin/septet-host args agent" >/etc/doas.conf
    chmod 400 /etc/doas.conf
    "#;
    // With all of the user's environment, which then names somebody else.
    for (kept, forged) in [("", ""), ("keepenv", "export SUDO_UID=0 SUDO_GID=0")] {
        let doas = "exec $as_nobody doas -n /mnt/bin/septet-host agent";
        let script = format!("{PLACE}set -- {kept}\n{rule}{forged}\n{doas}");
        let mut agent = Agent::start_by(place.command("", &script));
        let facts = facts_of(&mut agent).unwrap_or_else(|| panic!("{kept}: no facts"));
        assert!(facts.privilege == Privilege::Root && facts.stacks.is_empty(), "{kept}: {:?}", facts.stacks);
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0, "{kept}");
    }
    let refused = format!("{PLACE}set --\n{rule}$as_nobody doas -n /mnt/bin/septet-host agent --as-root");
    assert!(!place.command("", &refused).output().expect("a shell").status.success());
}

#[test]
fn two_users_at_once_have_one_host() {
    let Some(place) = Place::new() else { return };
    let second = r#"
    printf 'daemon ALL=(root) NOPASSWD: /mnt/bin/septet-host agent\n' >>/etc/sudoers.d/septet
    exec setpriv --reuid=1 --regid=1 --clear-groups sudo -n /mnt/bin/septet-host agent
    "#;
    let mut first = Agent::start_by(place.command("", &format!("{PLACE}{SUDO}")));
    let mut second = Agent::start_by(place.command("", &format!("{PLACE}{second}")));
    for agent in [&mut first, &mut second] {
        facts_of(agent).expect("facts");
    }
    first.ok(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() });
    let busy = second.ask(Op::Lease { wait_ms: 0, setup: Setup::default() }).expect_err("it is held");
    assert_eq!(busy.kind, FailureKind::Busy, "{busy}");
    first.ok(Op::Release);
    second.ok(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() });
    // All memory as hugepages, which a user may ask for.
    second.ok(Op::Release);
    let setup = Setup { hugepages_2m: vec![(0, 1 << 40)], ..Setup::default() };
    let refused = second.ask(Op::Lease { wait_ms: harness::PATIENCE_MS, setup }).expect_err("nobody has that");
    assert_eq!(refused.kind, FailureKind::Host, "{refused}");
    println!("{refused}");
    for mut agent in [first, second] {
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0);
    }
}

fn agent_of_sudo(agent: &Agent) -> u32 {
    eventually("the agent runs", || agent_of(agent).is_some());
    agent_of(agent).expect("it runs").pid
}

#[test]
fn a_user_cannot_look_into_the_agent_or_stop_it() {
    let Some(place) = Place::new() else { return };
    let mut agent = Agent::start_by(place.command("", &format!("{PLACE}{SUDO}")));
    facts_of(&mut agent).expect("facts");
    let pid = agent_of_sudo(&agent);
    for act in [format!("cat /proc/{pid}/environ"), format!("ls /proc/{pid}/fd/"), format!("kill -STOP {pid}")] {
        let tried = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", &act])
            .output()
            .expect("setpriv");
        assert!(!tried.status.success(), "{act}");
    }
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}
