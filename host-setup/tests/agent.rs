//! Conversations with the real agent, as root and as an ordinary user: what a client may rely on.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

mod harness;

use harness::{Agent, PATIENCE_MS, Programs, User, family, interface, links_and_mounts, request, scene, users};
use host_setup::facts::Privilege;
use host_setup::protocol::{Answer, Event, FailureKind, Message, Op, Outcome, PROTOCOL, Setup};
use host_setup::scene::Runtime;

fn lease(wait_ms: u64) -> Op {
    Op::Lease { wait_ms, setup: Setup::default() }
}

#[test]
fn greets_its_own_version_only() {
    let programs = Programs::install();
    let mut agent = Agent::start(&programs, User::Own);
    let early = agent.ask(Op::Clock).expect_err("nothing before hello");
    assert_eq!(early.kind, FailureKind::Request);
    let other =
        agent.ask(Op::Hello { protocol: PROTOCOL + 1, names: Default::default() }).expect_err("another version");
    let said = format!("speaks protocol {}, this agent {PROTOCOL}", PROTOCOL + 1);
    assert!(other.message.contains(&said), "{other}");
    assert!(other.advice.is_some());
    assert!(matches!(
        agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() }),
        Answer::Hello { protocol: PROTOCOL, .. }
    ));
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn refuses_what_it_does_not_understand_and_goes_on() {
    let programs = Programs::install();
    let mut agent = Agent::greeted(&programs, User::Own);
    for (text, id) in [("nonsense\n", 0), ("{\"id\":77,\"op\":\"fly\"}\n", 77), ("\n", 0)] {
        agent.send_text(text);
        let Some(Message::Reply(reply)) = agent.read() else { panic!("no reply to {text:?}") };
        assert_eq!(reply.id, id);
        assert!(matches!(reply.outcome, Outcome::Error(failure) if failure.kind == FailureKind::Request));
    }
    let long = "x".repeat(5 << 20) + "\n";
    agent.send_text(&long);
    assert!(matches!(agent.read(), Some(Message::Reply(reply)) if matches!(reply.outcome, Outcome::Error(_))));
    let unleased = agent.ask(Op::Teardown).expect_err("nothing to take down");
    assert_eq!(unleased.kind, FailureKind::Request);
    assert!(matches!(agent.ok(Op::Clock), Answer::Clock { mono_ns } if mono_ns > 0));
    assert_eq!(agent.close(), 0, "the end of input is a clean way out");
}

#[test]
fn tells_facts_as_any_user() {
    let programs = Programs::install();
    for user in users() {
        let mut agent = Agent::greeted(&programs, user);
        let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: true }) else { panic!("no facts") };
        let Answer::Facts(mut again) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
        // The clock, the load, memory and hugepages may differ: others use this host.
        again.aside = facts.aside.clone();
        again.memory = facts.memory.clone();
        again.knobs.hugepages = facts.knobs.hugepages.clone();
        assert_eq!(again, facts);
        assert!(!facts.topology.is_empty() && facts.memory.total_bytes > 0 && !facts.kernel.release.is_empty());
        assert_eq!(facts.privilege == Privilege::Root, user == User::Own && nix::unistd::geteuid().is_root());
        let names: Vec<&str> = facts.switches.iter().map(|offer| offer.name.as_str()).collect();
        let known: Vec<&str> = host_setup::switch::descriptors().iter().map(|known| known.name.as_str()).collect();
        assert_eq!(names, known);
        assert_eq!(facts.descriptors, host_setup::switch::descriptors());
        let sriov = facts.switches.iter().find(|offer| offer.name == "sriov").and_then(|offer| offer.missing.clone());
        let has_card = facts.card().is_ok() && facts.privilege == Privilege::Root;
        assert_eq!(sriov.is_none(), has_card, "{sriov:?}");
        assert!(sriov.is_none_or(|reason| reason.contains("SR-IOV") || reason.contains("needs root")));
        let generator = &facts.applications[0];
        assert_eq!(generator.missing.is_none(), programs.has_generator, "{generator:?}");
        for offer in facts.runtimes.iter().chain(&facts.switches).chain(&facts.applications) {
            for name in &offer.components {
                assert!(facts.components.iter().any(|component| component.name == *name), "{name}");
            }
        }
    }
}

/// Builds, runs, collects and takes down `pairs` on a leased host; the counts must agree.
fn measure(agent: &mut Agent, pairs: usize, runtime: Runtime) {
    let names = build(agent, pairs, runtime);
    traffic(agent, &names);
    agent.ok(Op::Teardown);
}

/// Builds a scene; the names of its containers.
fn build(agent: &mut Agent, pairs: usize, runtime: Runtime) -> Vec<String> {
    agent.events.clear();
    let scene = scene(pairs, runtime);
    let names = scene.containers.iter().map(|container| container.name.clone()).collect();
    agent.ok(Op::Build { scene });
    names
}

/// Runs and collects once in a scene that stands; returns what its ports have counted since it was built.
fn traffic(agent: &mut Agent, names: &[String]) -> Vec<u64> {
    for (place, container) in names.iter().enumerate() {
        agent.ok(Op::Start { container: container.clone(), line: request(place) });
    }
    for container in names {
        assert_eq!(agent.line(container)["event"], "ready");
    }
    let Answer::Clock { mono_ns } = agent.ok(Op::Clock) else { panic!("no clock") };
    let start = serde_json::json!({ "command": "start", "epoch_mono_ns": mono_ns + 5_000_000 }).to_string();
    for container in names {
        agent.ok(Op::Send { container: container.clone(), line: start.clone() });
    }
    let mut sent = Vec::new();
    for container in names.iter().step_by(2) {
        let done = agent.line(container);
        assert_eq!(done["event"], "done", "{done}");
        sent.push(done["totals"]["sent"].as_u64());
    }
    for (pair, container) in names.iter().skip(1).step_by(2).enumerate() {
        agent.ok(Op::Send { container: container.clone(), line: r#"{"command":"stop"}"#.into() });
        let totals = &agent.line(container)["totals"];
        let count = |name: &str| totals[name].as_u64();
        assert_eq!(count("received").zip(count("lost")).map(|(received, lost)| received + lost), sent[pair]);
    }
    for name in names {
        let exit = agent.wait_event(|event| matches!(event, Event::Exit { container, .. } if container == name));
        assert!(matches!(exit, Event::Exit { status: 0, .. }), "{exit:?}");
    }
    let Answer::Snapshot(snapshot) = agent.ok(Op::Snapshot) else { panic!("no snapshot") };
    assert_eq!(snapshot.ports.len(), names.len(), "ports count until the scene is taken down");
    assert!(snapshot.ports.iter().step_by(2).zip(&sent).all(|(port, sent)| Some(port.received) >= *sent));
    agent.files.clear();
    agent.ok(Op::Collect { container: names[0].clone() });
    assert!(agent.files.keys().is_sorted() && agent.files.contains_key("intervals.bin"), "{:?}", agent.files.keys());
    snapshot.ports.iter().map(|port| port.received).collect()
}

#[test]
fn applications_are_started_again_over_the_same_switch_as_any_user() {
    let Some(programs) = Programs::install_with_generator() else { return };
    for user in users() {
        let before = links_and_mounts();
        let mut agent = Agent::leased(&programs, user, Setup::default());
        assert!(agent.ask(Op::Renew).is_err_and(|failure| failure.message.contains("no scene stands")));
        let names = build(&mut agent, 2, Runtime::Netns);
        let mut counted = vec![0; names.len()];
        for window in 0..3 {
            if window > 0 {
                assert_eq!(agent.ok(Op::Renew), Answer::Renewed { renewed: true });
                // What the applications before have said is said, and nothing of it comes later.
                agent.events.clear();
                agent.files.clear();
                agent.ok(Op::Collect { container: names[0].clone() });
                assert!(agent.files.is_empty(), "{:?} are of the window before", agent.files.keys());
            }
            let now = traffic(&mut agent, &names);
            assert!(now.iter().zip(&counted).step_by(2).all(|(now, before)| now > before), "{counted:?}, then {now:?}");
            counted = now;
        }
        // Applications that still run are ended.
        assert_eq!(agent.ok(Op::Renew), Answer::Renewed { renewed: true });
        agent.ok(Op::Start { container: names[1].clone(), line: request(1) });
        assert_eq!(agent.line(&names[1])["event"], "ready");
        assert_eq!(agent.ok(Op::Renew), Answer::Renewed { renewed: true });
        let ended = |event: &Event| matches!(event, Event::Exit { container, .. } if *container == names[1]);
        assert!(agent.events.iter().any(ended), "its end is said before the answer");
        agent.ok(Op::Teardown);
        agent.ok(Op::Release);
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0);
        assert_eq!(links_and_mounts(), before);
    }
}

#[test]
fn measures_one_and_eight_pairs_as_any_user_and_leaves_nothing() {
    let Some(programs) = Programs::install_with_generator() else { return };
    for user in users() {
        let before = links_and_mounts();
        let mut agent = Agent::leased(&programs, user, Setup::default());
        for pairs in [1, 8, 1] {
            measure(&mut agent, pairs, Runtime::Netns);
        }
        let children: Vec<_> = family(agent.child.id());
        agent.ok(Op::Release);
        agent.ok(Op::Bye);
        assert_eq!(agent.close(), 0);
        assert!(children.iter().all(|process| !process.is_there()));
        assert_eq!(links_and_mounts(), before);
    }
}

#[test]
fn measures_in_lxc_where_it_is() {
    let Some(programs) = Programs::install_with_generator() else { return };
    let mut agent = Agent::leased(&programs, User::Own, Setup::default());
    let Answer::Facts(facts) = agent.ok(Op::Facts { refresh: false }) else { panic!("no facts") };
    let lxc = facts.runtimes.iter().find(|offer| offer.name == "lxc").expect("lxc is always listed");
    if let Some(reason) = &lxc.missing {
        println!("skipped: {reason}");
        let failure = agent.ask(Op::Build { scene: scene(1, Runtime::Lxc) }).expect_err("no LXC");
        assert_eq!(failure.kind, FailureKind::Host);
        return;
    }
    for pairs in [1, 2] {
        measure(&mut agent, pairs, Runtime::Lxc);
    }
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
}

#[test]
fn a_failed_build_leaves_nothing_and_the_next_works() {
    let Some(programs) = Programs::install_with_generator() else { return };
    let mut agent = Agent::leased(&programs, User::Own, Setup::default());
    let mut unknown = scene(1, Runtime::Netns);
    unknown.containers[1].application = "no-such-program".into();
    let failure = agent.ask(Op::Build { scene: unknown }).expect_err("an unknown application");
    assert!(failure.message.contains("no-such-program"), "{failure}");
    let mut other = scene(1, Runtime::Netns);
    other.switch.configuration.push('x');
    let failure = agent.ask(Op::Build { scene: other }).expect_err("a configuration of another version");
    assert_eq!(failure.kind, FailureKind::Request);
    // Fails late: everything stands but the last address, which is the first one's network.
    let mut late = scene(2, Runtime::Netns);
    interface(&mut late.containers[3]).mac = "02:73:65:70:ff:00".into();
    let failure = agent.ask(Op::Build { scene: late }).expect_err("the bridge's own address");
    assert!(failure.message.contains("receive-1"), "{failure}");
    assert_eq!(family(agent.child.id()).len(), 2, "supervisor and worker");
    measure(&mut agent, 1, Runtime::Netns);
    let failure = agent.ask(Op::Start { container: "send-0".into(), line: String::new() }).expect_err("no scene");
    assert_eq!(failure.kind, FailureKind::Request);
    agent.ok(Op::Build { scene: scene(1, Runtime::Netns) });
    agent.ok(Op::Start { container: "send-0".into(), line: "nonsense".into() });
    let exit = agent.wait_event(|event| matches!(event, Event::Exit { .. }));
    assert!(matches!(exit, Event::Exit { status: 1, .. }), "{exit:?}");
    let failure = agent.ask(Op::Start { container: "send-0".into(), line: String::new() }).expect_err("it has ended");
    assert!(failure.message.contains("has ended with 1"), "{failure}");
}

#[test]
fn a_second_agent_waits_for_the_first() {
    let programs = Programs::install();
    for user in users() {
        let mut first = Agent::leased(&programs, User::Own, Setup::default());
        let mut second = Agent::greeted(&programs, user);
        let busy = second.ask(lease(0)).expect_err("the host is held");
        assert_eq!(busy.kind, FailureKind::Busy);
        assert!(busy.message.contains(&format!("process {}", first.child.id())), "{busy}");
        let waits = second.send(lease(PATIENCE_MS));
        assert!(matches!(second.wait_event(|event| *event != Event::Heartbeat), Event::Waiting { .. }));
        first.ok(Op::Release);
        loop {
            match second.read().expect("a reply") {
                Message::Reply(reply) => {
                    assert_eq!(reply.id, waits);
                    assert!(matches!(reply.outcome, Outcome::Ok(Answer::Leased { .. })), "{reply:?}");
                    break;
                }
                Message::Event(Event::Heartbeat | Event::Waiting { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn lives_while_it_is_silent() {
    let programs = Programs::install();
    let mut agent = Agent::greeted(&programs, User::Own);
    assert!(matches!(agent.wait_event(|_| true), Event::Heartbeat));
}
