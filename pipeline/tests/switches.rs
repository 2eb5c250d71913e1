//! Switches that only a host knows, well-known ones whose keys stay what they are, and sources that name none.

use std::fs;
use std::path::Path;

use host_setup::facts::{Component, Facts, Offer, Privilege};
use host_setup::survey::{Around, of_tree};
use host_setup::switch::{self, Descriptor, Drawn, Ends, Piece, Template};
use pipeline::conditions::{Conditions, KnownSurroundings, Prospect};
use pipeline::experiment::{self, Experiment, Test};
use pipeline::ready::Ready;
use pipeline::stand::Ground;
use pipeline::traffic;

fn experiment(rest: &str) -> Experiment {
    let text = format!(
        "[experiment]\nname = \"all\"\n[protocol]\nduration = \"1s\"\nwarmup = \"200ms\"\ncooldown = \"200ms\"\n\
         repetitions = 3\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nP = 64\nR = \"10k\"\n\
         B = 4\n{rest}\n"
    );
    experiment::parse(&text, "all.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn offer(name: &str, io: &[&str]) -> Offer {
    let io = io.iter().map(|io| io.to_string()).collect();
    Offer { name: name.into(), missing: None, components: vec![name.into()], io }
}

fn component(name: &str) -> Component {
    Component { name: name.into(), digest: format!("of {name}"), ..Component::default() }
}

/// A host of two cores with every switch that this version drives.
fn host() -> Facts {
    let root = tempfile::tempdir().expect("a folder");
    let around = Around { allowed: vec![0, 1], privilege: Privilege::Root, signature: None, firmware: |_| None };
    let mut facts = of_tree(root.path(), &around);
    facts.memory.hugepages_2m = vec![(0, 0, 0)];
    facts.runtimes = vec![Offer { components: vec!["busybox".into()], ..offer("netns", &[]) }];
    facts.applications =
        vec![offer("septet-gen", &["udp", "udp-mmsg", "raw", "raw-mmsg"]), offer("septet-gen-dpdk", &["dpdk"])];
    facts.components = ["busybox", "septet-gen", "septet-gen-dpdk"].map(component).into();
    for name in ["linux-bridge", "direct", "basicfwd", "testpmd", "ovs"] {
        let programs = switch::descriptor(name).is_some_and(|descriptor| descriptor.programs);
        let components = if programs { vec![name.to_string()] } else { Vec::new() };
        facts.components.extend(components.iter().map(|name| component(name)));
        facts.switches.push(Offer { components, ..offer(name, &[]) });
    }
    facts
}

/// A switch that does nothing but exist, as a host tells of it.
fn idle(name: &str) -> Descriptor {
    let known = switch::descriptor("testpmd").expect("it is in the table").clone();
    let each = Piece::EachPort(vec!["port {port}\n".into()]);
    let configuration = Template(vec![Piece::Once("idle, {ports} ports, {cores} core\n".into()), each]);
    Descriptor {
        name: name.into(),
        ends: Ends::Connecting,
        drawn: Drawn::Virtio,
        configuration: Some(configuration),
        ..known
    }
}

/// The host with that switch.
fn with_idle(name: &str) -> Facts {
    let mut facts = host();
    facts.descriptors = switch::descriptors().iter().cloned().chain([idle(name)]).collect();
    facts.switches.push(Offer { components: vec!["program".into()], ..offer(name, &["dpdk"]) });
    facts.components.push(component("program"));
    facts
}

fn judged(facts: &Facts, test: &Test) -> Result<Ready, String> {
    let ground = Ground::from(facts.clone());
    match Conditions::new(&ground).judge(test, &mut KnownSurroundings::default()) {
        Prospect::Ready(ready) => Ok(*ready),
        Prospect::Skipped(reason) => Err(reason),
    }
}

#[test]
fn keys_of_local_tests_stay_what_they_are() {
    let experiment = experiment("V = [\"linux-bridge\", \"direct\", \"basicfwd\", \"testpmd\", \"ovs\"]");
    let key =
        |test: &Test| judged(&host(), test).expect("it can be measured").manifest.key().to_string()[..16].to_string();
    let keys: Vec<String> = experiment.matrix.tests.iter().map(key).collect();
    assert_eq!(keys, PINNED);
}

/// If one of these must change, every result measured through its switch is measured again.
const PINNED: [&str; 5] =
    ["91c999d88d664c27", "ed0308d1414eb03f", "3cd03a50cb4880db", "d95bfadeb4a12dbd", "31da84e922153b29"];

#[test]
fn a_switch_that_only_a_host_knows_is_planned_there_and_skipped_elsewhere() {
    let experiment = experiment("V = [\"ovs\", \"custom:idle\"]");
    let test = &experiment.matrix.tests[1];
    assert_eq!(test.tuple.to_string(), "throughput/local/1vs1/custom:idle/64B/10kpps/b4");
    let reason = judged(&host(), test).expect_err("nobody knows it");
    assert_eq!(reason, "no switch called custom:idle is defined on this host");
    let ready = judged(&with_idle("custom:idle"), test).expect("it is known");
    assert_eq!(&*ready.sides[0].configuration, "idle, 2 ports, 1 core\nport 0\nport 1\n");
    let parties = traffic::parties(&test.tuple, &test.times, &[ready.sides[0].seating()]);
    assert!(parties.iter().all(|party| !party.listens()), "the switch makes the sockets");
    let scene = traffic::scene(&test.tuple, 0, &ready.sides[0], &parties);
    assert_eq!((&*scene.switch.kind, scene.switch.cpus.len()), ("custom:idle", 1));
    let explained = ready.manifest.listing().sections["switch"].clone();
    let fields: Vec<&str> = explained.fields().map(|(name, _)| name).collect();
    assert_eq!(fields, ["component-1", "configuration"]);
}

#[test]
fn a_key_holds_what_a_switch_is_made_of_and_not_what_a_site_calls_it() {
    let key = |name: &str, facts: &Facts| {
        let experiment = experiment(&format!("V = \"{name}\""));
        judged(facts, &experiment.matrix.tests[0]).expect("it is known").manifest.key()
    };
    let one = key("custom:idle", &with_idle("custom:idle"));
    assert_eq!(one, key("custom:other", &with_idle("custom:other")));
    let mut changed = with_idle("custom:idle");
    changed.components.last_mut().expect("its program").digest = "another".into();
    assert_ne!(one, key("custom:idle", &changed));
    let mut configured = with_idle("custom:idle");
    configured.descriptors.last_mut().expect("it").configuration = Some(Template::once("x\n"));
    assert_ne!(one, key("custom:idle", &configured));
}

#[test]
fn what_a_switch_of_a_host_cannot_is_said_by_the_same_rule() {
    let refused = |rest: &str| {
        let experiment = experiment(&format!("V = \"custom:idle\"\n{rest}"));
        judged(&with_idle("custom:idle"), &experiment.matrix.tests[0]).expect_err("a refusal")
    };
    assert_eq!(refused("switch_cores = 3"), "V = 'custom:idle' cannot use switch_cores = 3");
    assert!(refused("io = \"udp\"").contains("does not take io = 'udp'"));
    let mut gone = with_idle("custom:idle");
    gone.components.pop();
    let experiment = experiment("V = \"custom:idle\"");
    let reason = judged(&gone, &experiment.matrix.tests[0]).expect_err("a key without its program");
    assert_eq!(reason, "custom:idle runs through program, of which this host says nothing");
}

/// Sources outside of the table say nothing of any one switch: adding one touches none of them.
#[test]
fn no_source_but_a_switchs_own_names_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names: Vec<String> =
        switch::descriptors().iter().map(|descriptor| format!("\"{}\"", descriptor.name)).collect();
    let mut found = Vec::new();
    let mut folders =
        ["pipeline/src", "reports/src", "results/src", "host-setup/src"].map(|folder| root.join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let path = entry.strip_prefix(&root).expect("below it").to_string_lossy().into_owned();
            // The well-known names have their order there, as data.
            if path == "host-setup/src/switch" || path == "results/src/axes/vswitch.rs" || path.ends_with("tests.rs") {
                continue;
            }
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            if entry.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&entry).expect("a source");
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for (line, words) in (1..).zip(code.lines()) {
                if !words.trim_start().starts_with("//") && names.iter().any(|name| words.contains(name.as_str())) {
                    found.push(format!("{path}:{line}: {words}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
