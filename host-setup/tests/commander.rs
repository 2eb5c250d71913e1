//! An agent that is root and that a user commands: where anybody can change its program it gives root's rights
//! away before it reads a request, and still works, in a user namespace.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Agent, Programs, User};
use host_setup::facts::Privilege;
use host_setup::protocol::{Answer, Op, PROTOCOL, Setup};
use host_setup::stack::Stack;

/// `sudo`, as far as an agent sees of it: a parent of root's with that name, and the user in the environment.
fn through_sudo(programs: &Programs) -> Command {
    let sudo = programs.host().with_file_name("sudo");
    let copied = Command::new("cp").arg("/bin/sh").arg(&sudo).status();
    assert!(copied.is_ok_and(|status| status.success()), "a shell can be copied");
    let mut command = Command::new(sudo);
    // More than one command, so that the shell stays.
    command.arg("-c").arg("\"$0\" agent; exit $?").arg(programs.host());
    command.env("SUDO_UID", "65534").env("SUDO_GID", "65534");
    command
}

#[test]
fn a_program_that_anybody_can_change_serves_no_user_as_root() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can hand a command to root");
        return;
    }
    let programs = Programs::install();
    let mut probe = Agent::greeted(&programs, User::Nobody);
    let Answer::Facts(as_nobody) = probe.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    drop(probe);
    let mut agent = Agent::start_by(through_sudo(&programs));
    agent.ok(Op::Hello { protocol: PROTOCOL, stacks: Default::default() });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    assert_eq!(facts.privilege, as_nobody.privilege);
    assert_ne!(facts.privilege, Privilege::Root);
    assert!(facts.knobs.settable.is_empty());
    let setup = Setup { hugepages_2m: vec![(0, 1)], ..Setup::default() };
    let refused = agent.ask(Op::Lease { wait_ms: harness::PATIENCE_MS, setup }).expect_err("no settings for a user");
    assert!(refused.message.contains("only root can change them"), "{refused}");
    if facts.privilege == Privilege::UserNamespace {
        agent.ok(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() });
    }
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn root_in_a_shell_that_sudo_made_stays_root() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: this test run is not root's");
        return;
    }
    let programs = Programs::install();
    let mut command = Command::new(programs.host());
    command.env("SUDO_UID", "1000").env("SUDO_GID", "1000");
    let mut agent = Agent::start_by(command);
    agent.ok(Op::Hello { protocol: PROTOCOL, stacks: Default::default() });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    let in_container = !Path::new("/proc/1/ns/mnt").exists() || fs::read_link("/proc/1/ns/mnt").is_err();
    assert!(facts.privilege == Privilege::Root || in_container, "{:?}", facts.privilege);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

/// A place that only root can change, in mounts of its own: programs, a stack, one that anybody can change, and
/// root's own word about them.
const TRUSTED_PLACE: &str = r#"
set -e
mount -t tmpfs -o mode=755 septet /mnt
mkdir -p /mnt/bin /mnt/upper /mnt/work /mnt/stack/bin /mnt/loose/bin
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work septet /etc
for program in "$1"/septet-*; do cp "$program" /mnt/bin; done
cp /bin/sh /mnt/bin/sudo
for stack in stack loose; do
    cp /usr/bin/dpdk-testpmd /mnt/$stack/bin/
    printf x >>/mnt/$stack/bin/dpdk-testpmd
done
chmod 777 /mnt/loose/bin
mkdir -p /etc/septet
cat >/etc/septet/host.toml <<END
[programs]
septet-gen = "/mnt/bin/septet-gen"
[stacks.new]
from = "/mnt/stack"
[stacks.loose]
testpmd = "/mnt/loose"
END
export SUDO_UID=65534 SUDO_GID=65534
exec /mnt/bin/sudo -c '/mnt/bin/septet-host agent; exit $?'
"#;

#[test]
fn a_user_names_stacks_and_root_says_what_they_are() {
    if !nix::unistd::geteuid().is_root() || !Path::new("/usr/bin/dpdk-testpmd").is_file() {
        println!("skipped: this needs root, and dpdk-testpmd");
        return;
    }
    let overlay = "mount -t tmpfs septet /mnt && cd /mnt && mkdir u w && mount -t overlay -o lowerdir=/etc,upperdir=u,workdir=w septet /etc";
    let probe = Command::new("unshare").args(["-m", "sh", "-c", overlay]).output().expect("unshare can be started");
    if !probe.status.success() {
        println!("skipped: no overlay mounts here: {}", String::from_utf8_lossy(&probe.stderr).trim());
        return;
    }
    let programs = Programs::install();
    let mut command = Command::new("unshare");
    let host = programs.host();
    command.args(["-m", "sh", "-c", TRUSTED_PLACE, "sh"]).arg(host.parent().expect("a folder"));
    let mut agent = Agent::start_by(command);
    // What the client says of places counts for nothing.
    let mut theirs = Stack::default();
    theirs.set("from", "/mnt/loose").expect("a place");
    let named = ["new", "loose", "own"].map(|name| (name.to_string(), Some(theirs.clone())));
    agent.ok(Op::Hello { protocol: PROTOCOL, stacks: named.into() });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    assert_eq!(facts.privilege, Privilege::Root);
    assert_eq!(facts.stacks.keys().collect::<Vec<_>>(), ["loose", "new"]);
    let new = &facts.stacks["new"];
    let testpmd = new.components.iter().find(|component| component.name == "testpmd").expect("root's stack has one");
    assert_eq!(testpmd.id.as_deref(), Some("/mnt/stack"));
    let loose = facts.stacks["loose"].switches.iter().find(|offer| offer.name == "testpmd").expect("it is told");
    assert!(loose.missing.as_ref().is_some_and(|why| why.contains("can be changed by others than root")), "{loose:?}");
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}
