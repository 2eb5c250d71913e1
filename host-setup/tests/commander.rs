//! An agent that is root and that a user commands: where anybody can change its program it gives root's rights
//! away before it reads a request, and still works, in a user namespace; on a place that only root can change it runs
//! what root has named, as root.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Agent, Programs, User, request, scene};
use host_setup::commander::AS_ROOT;
use host_setup::facts::{Facts, Privilege};
use host_setup::protocol::{Answer, Names, Op, PROTOCOL, Setup};
use host_setup::scene::Runtime;
use host_setup::stack::Stack;
use host_setup::switch::custom::Definition;

/// `sudo`, as far as an agent sees of it: a parent of root's, and the user in the environment.
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
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
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
fn root_in_a_shell_that_sudo_made_says_so_and_stays_root() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: this test run is not root's");
        return;
    }
    let programs = Programs::install();
    let mut command = Command::new(programs.host());
    command.args(["agent", AS_ROOT]).env("SUDO_UID", "1000").env("SUDO_GID", "1000");
    let mut agent = Agent::start_by(command);
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    let in_container = !Path::new("/proc/1/ns/mnt").exists() || fs::read_link("/proc/1/ns/mnt").is_err();
    assert!(facts.privilege == Privilege::Root || in_container, "{:?}", facts.privilege);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

/// What every command of a trusted place begins with: mounts of its own, programs in `/mnt/bin` that only root can
/// change, and an `/etc` whose changes nobody else sees. `$1` has the programs, `$2` is `site.sh`.
const PLACE: &str = r#"
set -e
mount -t tmpfs -o mode=755 septet /mnt
mkdir -p /mnt/bin /mnt/upper /mnt/work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work septet /etc
rm -rf /etc/septet
for program in "$1"/septet-*; do cp "$program" /mnt/bin; done
cp /bin/sh /mnt/bin/sudo
"#;

/// And what it ends with: a user starts the agent through sudo.
const SUDO: &str = r#"
export SUDO_UID=65534 SUDO_GID=65534
exec /mnt/bin/sudo -c '/mnt/bin/septet-host agent; exit $?'
"#;

/// An agent that a user has started from a trusted place, after `prepare`. None, with the reason printed, where there
/// can be no such place.
fn from_trusted_place(programs: &Programs, prepare: &str) -> Option<Agent> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make a place that only root can change");
        return None;
    }
    let host = programs.host();
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("site.sh");
    let run = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(host.parent().expect("a folder")).arg(&site);
        command
    };
    let probe = run(PLACE).output().expect("unshare can be started");
    if !probe.status.success() {
        println!("skipped: no overlay mounts here: {}", String::from_utf8_lossy(&probe.stderr).trim());
        return None;
    }
    Some(Agent::start_by(run(&format!("{PLACE}{prepare}{SUDO}"))))
}

fn facts_of(agent: &mut Agent) -> Box<Facts> {
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    facts
}

fn why_missing(facts: &Facts, application: &str) -> Option<String> {
    let offer = facts.applications.iter().find(|offer| offer.name == application);
    offer.unwrap_or_else(|| panic!("{application} is not spoken of")).missing.clone()
}

#[test]
fn what_make_site_writes_lets_a_user_measure_as_root() {
    let Some(programs) = Programs::install_with_generator() else { return };
    // Twice, since a second time must change nothing.
    let prepare = r#"
    sh "$2" /mnt/bin
    before=$(ls -l --full-time /etc/septet/host.toml)
    sh "$2" /mnt/bin
    [ "$before" = "$(ls -l --full-time /etc/septet/host.toml)" ]
    "#;
    let before = fs::read("/etc/septet/host.toml").ok();
    let Some(mut agent) = from_trusted_place(&programs, prepare) else { return };
    let facts = facts_of(&mut agent);
    assert_eq!(facts.privilege, Privilege::Root);
    assert_eq!(why_missing(&facts, "septet-gen"), None);
    agent.ok(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() });
    agent.ok(Op::Build { scene: scene(1, Runtime::Netns) });
    for (place, container) in ["send-0", "receive-0"].iter().enumerate() {
        agent.ok(Op::Start { container: (*container).into(), line: request(place) });
    }
    for container in ["send-0", "receive-0"] {
        assert_eq!(agent.line(container)["event"], "ready", "root's own generator runs");
    }
    agent.ok(Op::Teardown);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
    assert_eq!(fs::read("/etc/septet/host.toml").ok(), before, "this host's own is as it was");
}

#[test]
fn what_root_has_written_is_left_alone_and_what_it_does_not_name_is_not_run() {
    let programs = Programs::install();
    let prepare = r#"
    mkdir /etc/septet
    printf '[programs]\n' >/etc/septet/host.toml
    sh "$2" /mnt/bin
    "#;
    let Some(mut agent) = from_trusted_place(&programs, prepare) else { return };
    let facts = facts_of(&mut agent);
    assert_eq!(facts.privilege, Privilege::Root);
    let why = why_missing(&facts, "septet-gen").expect("the one that lies beside the agent is not taken");
    assert!(why.contains("/etc/septet/host.toml does not name it"), "{why}");
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn programs_that_others_can_change_are_not_named_and_serve_nobody_as_root() {
    let programs = Programs::install();
    let prepare = r#"
    chmod 777 /mnt/bin
    sh "$2" /mnt/bin >&2
    [ ! -e /etc/septet/host.toml ]
    "#;
    let Some(mut agent) = from_trusted_place(&programs, prepare) else { return };
    assert_ne!(facts_of(&mut agent).privilege, Privilege::Root);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

/// A stack, one that anybody can change, and root's own word about them.
const STACKS: &str = r#"
for stack in stack loose; do
    mkdir -p /mnt/$stack/bin
    cp /usr/bin/dpdk-testpmd /mnt/$stack/bin/
    printf x >>/mnt/$stack/bin/dpdk-testpmd
done
mkdir -p /mnt/open/bin /mnt/open/sbin
[ ! -e /usr/bin/busybox ] || cp /usr/bin/busybox /mnt/open/bin/
[ ! -e /usr/bin/lxc-execute ] || cp /usr/bin/lxc-execute /mnt/open/bin/
[ ! -e /usr/sbin/init.lxc.static ] || cp /usr/sbin/init.lxc.static /mnt/open/sbin/
chmod 777 /mnt/loose/bin /mnt/open/bin /mnt/open/sbin
mkdir -p /etc/septet
cat >/etc/septet/host.toml <<END
[programs]
septet-gen = "/mnt/bin/septet-gen"
[stacks.new]
from = "/mnt/stack"
[stacks.loose]
testpmd = "/mnt/loose"
[stacks.busybox]
busybox = "/mnt/open"
[stacks.lxc]
lxc = "/mnt/open"
END
"#;

#[test]
fn a_user_names_stacks_and_root_says_what_they_are() {
    if !Path::new("/usr/bin/dpdk-testpmd").is_file() {
        println!("skipped: this needs dpdk-testpmd");
        return;
    }
    let programs = Programs::install();
    let Some(mut agent) = from_trusted_place(&programs, STACKS) else { return };
    // What the client says of places counts for nothing.
    let mut theirs = Stack::default();
    theirs.set("from", "/mnt/loose").expect("a place");
    let named = ["new", "loose", "own", "busybox", "lxc"].map(|name| (name.to_string(), Some(theirs.clone())));
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Names { stacks: named.into(), ..Names::default() } });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    assert_eq!(facts.privilege, Privilege::Root);
    assert_eq!(facts.stacks.keys().collect::<Vec<_>>(), ["busybox", "loose", "lxc", "new"]);
    let new = &facts.stacks["new"];
    let testpmd = new.components.iter().find(|component| component.name == "testpmd").expect("root's stack has one");
    assert_eq!(testpmd.id.as_deref(), Some("/mnt/stack"));
    let loose = facts.stacks["loose"].switches.iter().find(|offer| offer.name == "testpmd").expect("it is told");
    assert!(loose.missing.as_ref().is_some_and(|why| why.contains("can be changed by others than root")), "{loose:?}");
    // So it is with what would be put into containers, or start them as root.
    for (stack, program) in [("busybox", "/usr/bin/busybox"), ("lxc", "/usr/bin/lxc-execute")] {
        let open = &facts.stacks[stack];
        match Path::new(program).is_file() {
            true => assert!(open.missing.as_ref().is_some_and(|why| why.contains("others than root")), "{open:?}"),
            false => println!("skipped: there is no {program}"),
        }
        assert!(open.components.is_empty(), "{open:?}");
    }
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

/// Root's own word about switches: one of root's, one that anybody can change.
const SWITCHES: &str = r#"
mkdir -p /mnt/loose /etc/septet
cp /bin/sleep /mnt/bin/switch
cp /bin/sleep /mnt/loose/switch
chmod 777 /mnt/loose
for name in own loose; do
    program=/mnt/bin/switch
    [ $name = own ] || program=/mnt/loose/switch
    cat >>/etc/septet/host.toml <<END
[switches.$name]
program = "$program"
sockets = "switch"
forwards = "pairs"
start = ["of root's", ["{socket}"]]
ready = ["forwarding"]
END
done
"#;

/// What a user would have root run.
fn theirs() -> Definition {
    let definition = serde_json::json!({
        "program": "/bin/sh", "sockets": "switch", "forwards": "pairs", "ports_max": 8, "cores": "one",
        "queues": "one", "start": ["-c", "id >/mnt/loose/id"], "ready": ["x"], "ready_within_s": 1,
    });
    serde_json::from_value(definition).expect("a definition")
}

#[test]
fn a_user_names_switches_and_root_says_what_they_run() {
    let programs = Programs::install();
    let Some(mut agent) = from_trusted_place(&programs, SWITCHES) else { return };
    let named = ["own", "loose", "theirs", "../own", "own\n"].map(|name| (name.to_string(), Some(theirs())));
    agent.ok(Op::Hello { protocol: PROTOCOL, names: Names { switches: named.into(), ..Names::default() } });
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    assert_eq!(facts.privilege, Privilege::Root);
    let custom = facts.switches.iter().filter(|offer| offer.name.starts_with("custom:"));
    let offers: Vec<_> = custom.map(|offer| (offer.name.as_str(), offer.missing.clone())).collect();
    assert_eq!(offers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["custom:loose", "custom:own"]);
    assert!(offers[0].1.as_ref().is_some_and(|why| why.contains("can be changed by others than root")), "{offers:?}");
    assert_eq!(offers[1].1, None);
    let component = facts.components.iter().find(|component| component.name == "custom:own").expect("root's program");
    assert!(component.files.iter().any(|(name, _)| name == "switch"), "{component:?}");
    // What the user renders for it is nothing that is built.
    agent.ok(Op::Lease { wait_ms: harness::PATIENCE_MS, setup: Setup::default() });
    let mut scene = scene(1, Runtime::Netns);
    scene.switch.kind = "custom:own".into();
    scene.switch.configuration = "start \"-c\" \"id >/mnt/loose/id\" \n".into();
    scene.switch.cpus = vec![0];
    let refused = agent.ask(Op::Build { scene }).expect_err("another configuration");
    assert!(refused.message.contains("its configuration is not what this agent renders"), "{refused:?}");
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn what_is_wrong_with_a_switch_of_roots_is_told_with_its_place() {
    let programs = Programs::install();
    let prepare = format!("{SWITCHES}\nsed -i 's/{{socket}}/{{sokcet}}/' /etc/septet/host.toml\n");
    let Some(mut agent) = from_trusted_place(&programs, &prepare) else { return };
    let named = [("own".to_string(), None)];
    let names = Names { switches: named.into(), ..Names::default() };
    let refused = agent.ask(Op::Hello { protocol: PROTOCOL, names }).expect_err("a hole");
    assert!(refused.message.contains("/etc/septet/host.toml"), "{refused:?}");
    assert!(refused.message.contains("nothing fills {sokcet}") && refused.message.contains("11:25"), "{refused:?}");
}

#[test]
fn a_definition_of_ones_own_is_checked_by_the_agent_too() {
    let programs = Programs::install();
    let mut odd = theirs();
    odd.program = "/bin/../bin/sh".into();
    let mut hollow = theirs();
    hollow.start = host_setup::switch::Template::once("{../../etc/passwd}");
    let wrong = [("../up", theirs()), ("a\nb", theirs()), ("{port}", theirs()), ("odd", odd), ("hollow", hollow)];
    for (name, definition) in wrong {
        let mut agent = Agent::start(&programs, User::Own);
        let names = Names { switches: [(name.to_string(), Some(definition))].into(), ..Names::default() };
        let refused = agent.ask(Op::Hello { protocol: PROTOCOL, names }).expect_err("a definition that does not hold");
        assert!(refused.message.contains("define switch"), "{name:?}: {refused:?}");
        drop(agent);
    }
}
