//! An interface that is moved into the namespace of scenes: on every way out it is what it was, with its addresses,
//! MTU and state. Tried with a dummy, which the kernel deletes with its namespace; that one with a device below it
//! falls back bare is played by making one that is bare.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use harness::{Agent, PATIENCE_MS, Programs, eventually};
use host_setup::protocol::{Answer, FailureKind, Op, PROTOCOL, Setup};
use host_setup::scene::{Runtime, Uplink};
use host_setup::switch::uplink::By;
use host_setup::switch::{self, Shape};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A network namespace that outlives agents, with a cable in it.
struct Host {
    holder: Child,
    root: tempfile::TempDir,
    programs: Programs,
    before: String,
}

const MAC: &str = "02:00:00:00:09:01";

impl Host {
    /// Makes a namespace with a dummy interface; where that is impossible, prints the reason and returns none.
    fn invent() -> Option<Host> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root moves interfaces");
            return None;
        }
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sh", "-c", "echo ready; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().expect("unshare starts");
        let mut ready = [0; 6];
        holder.stdout.take().expect("its output").read_exact(&mut ready).expect("a namespace");
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("run")).expect("a folder");
        let mut host = Host { holder, root, programs: Programs::install(), before: String::new() };
        if !host.make_bare() {
            println!("skipped: this kernel makes no dummy");
            return None;
        }
        for words in
            ["link set cable0 mtu 1400 up", "addr add 10.9.9.1/24 dev cable0", "addr add fd00:9::1/64 dev cable0"]
        {
            assert!(host.ip(words), "ip {words}");
        }
        host.before = host.cable();
        assert!(host.before.contains("10.9.9.1/24") && host.before.contains("mtu 1400"), "{}", host.before);
        Some(host)
    }

    fn make_bare(&self) -> bool {
        self.ip(&format!("link add cable0 address {MAC} type dummy"))
    }

    fn inside(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        command
    }

    fn ip(&self, words: &str) -> bool {
        let mut command = self.inside();
        command.arg("ip").args(words.split_ascii_whitespace()).stderr(Stdio::null());
        command.status().expect("ip starts").success()
    }

    /// What is to be the same again; nothing while there is no cable.
    fn cable(&self) -> String {
        let words = |words: &str| {
            let output = self.inside().arg("ip").args(words.split(' ')).stderr(Stdio::null()).output();
            String::from_utf8(output.expect("ip starts").stdout).expect("text")
        };
        // Without numbers of interfaces, and without the address that the kernel makes by itself.
        let link = words("-o link show cable0");
        let link = link.split_once(": ").map_or("", |(_, rest)| rest).to_string();
        let addresses = words("-o addr show cable0 scope global");
        let address = |line: &str| line.split_ascii_whitespace().skip(1).take(3).collect::<Vec<_>>().join(" ");
        let mut addresses: Vec<String> = addresses.lines().map(address).collect();
        addresses.sort();
        link + &addresses.join("\n")
    }

    fn leased(&self) -> Agent {
        let script = "mount -t sysfs none /sys && mount --bind \"$0/run\" /run && exec \"$1\" agent";
        let mut command = self.inside();
        command.args(["unshare", "--mount", "sh", "-c", script]).arg(self.root.path()).arg(self.programs.host());
        command.stderr(Stdio::piped());
        let mut agent = Agent::start_by(command);
        agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
        agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup: Setup::default() });
        agent
    }

    /// An agent that has the cable.
    fn moved(&self) -> Agent {
        let mut agent = self.leased();
        agent.ok(move_in("cable0"));
        assert_eq!(self.cable(), "", "it is away");
        agent
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn move_in(interface: &str) -> Op {
    Op::MoveIn { interface: interface.to_string() }
}

fn pid(agent: &Agent) -> Pid {
    Pid::from_raw(i32::try_from(agent.child.id()).expect("a pid"))
}

fn errors(agent: &mut Agent) -> String {
    let mut errors = String::new();
    agent.child.stderr.take().expect("its errors").read_to_string(&mut errors).expect("text");
    errors
}

#[test]
fn an_interface_is_given_back_as_it_was_on_every_way_out() {
    let Some(host) = Host::invent() else { return };
    let mut agent = host.moved();
    agent.ok(Op::Release);
    assert_eq!(host.cable(), host.before, "released");
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
    for signal in [Some(Signal::SIGINT), Some(Signal::SIGTERM), None] {
        let mut agent = host.moved();
        match signal {
            Some(signal) => kill(pid(&agent), signal).expect("a signal"),
            // As when the client dies.
            None => agent.end_input(),
        }
        assert_eq!(agent.child.wait().expect("its end").code(), Some(0), "{signal:?}");
        assert_eq!(host.cable(), host.before, "{signal:?}");
    }
}

#[test]
fn after_sudden_death_what_fell_back_bare_is_as_it_was_and_what_was_deleted_is_told() {
    let Some(host) = Host::invent() else { return };
    for falls_back in [true, false] {
        let mut agent = host.moved();
        agent.child.kill().expect("a kill");
        agent.child.wait().expect("its end");
        if falls_back {
            // What the kernel does with one that has a device below it.
            eventually("its name is free", || host.make_bare());
        }
        let mut next = host.leased();
        next.ok(Op::Bye);
        let errors = errors(&mut next);
        assert_eq!(next.close(), 0);
        match falls_back {
            true => assert_eq!(host.cable(), host.before, "{errors}"),
            false => assert!(errors.contains("cable0 was deleted") && errors.contains("as a dummy is"), "{errors}"),
        }
        assert!(!host.root.path().join("run/septet/journal").exists());
    }
}

#[test]
fn a_switch_is_given_no_interface_but_one_that_was_moved_in() {
    let Some(host) = Host::invent() else { return };
    let mut agent = host.leased();
    let uplinked = |device: &str| {
        let uplink = Some(Uplink { device: device.to_string(), by: By::Kernel, side: 0, card: None });
        let mut scene = harness::scene(1, Runtime::Netns);
        let shape = Shape { ports: 2, cores: 0, queues: 1, memory: None, uplink: uplink.as_ref().map(Uplink::shape) };
        scene.switch.configuration = switch::render("linux-bridge", &shape).expect("a bridge");
        scene.switch.uplink = uplink;
        Op::Build { scene }
    };
    let look = |interface: &str| Op::Cable { interface: interface.to_string(), end: 0, word: 1, patience_ms: 1 };
    for name in ["cable0", "lo", "br0", "../x"] {
        assert!(agent.ask(uplinked(name)).expect_err("it is not there").message.contains("was not moved in"));
        assert!(agent.ask(look(name)).expect_err("it is not there").message.contains("was not moved in"));
    }
    agent.ok(move_in("cable0"));
    agent.ok(move_in("cable0"));
    // Nobody is at the other end of a dummy, and its packets are too small.
    let Answer::Cable(seen) = agent.ok(look("cable0")) else { panic!("it is not what was asked") };
    assert_eq!((seen.carrier, seen.mtu_bytes, seen.heard), (true, 1400, false));
    agent.ok(uplinked("cable0"));
    assert!(agent.ask(look("cable0")).expect_err("it is in use").message.contains("a scene stands on it"));
    agent.ok(Op::Teardown);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
    assert_eq!(host.cable(), host.before, "it outlives its bridge");
}

#[test]
fn an_interface_that_leads_elsewhere_stays() {
    let Some(host) = Host::invent() else { return };
    let mut agent = host.leased();
    let mut refused = |name: &str| agent.ask(move_in(name)).expect_err("it must stay");
    assert!(refused("nothere").message.contains("no such interface"));
    assert_eq!(refused("../x").kind, FailureKind::Request);
    assert!(host.ip("route add 10.99.0.0/16 via 10.9.9.2"));
    let failure = refused("cable0");
    assert!(failure.message.contains("10.99.0.0/16 over a gateway"), "{failure}");
    assert!(host.ip("route del 10.99.0.0/16") && host.ip("route add default via 10.9.9.2"));
    assert!(refused("cable0").message.contains("default route"));
    assert_eq!(host.cable(), host.before);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}
