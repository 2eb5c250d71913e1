//! What of a host is in keys and what is not, on invented hosts: kernels started in other ways, and software that
//! comes or goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use host_setup::facts::{Component, Facts, FrequencyPolicy, Offer, Privilege, StackFacts};
use host_setup::protocol::Setup;
use host_setup::survey::{Around, of_tree};
use pipeline::conditions::{Conditions, KnownSurroundings, Prospect};
use pipeline::experiment::{self, Experiment};
use pipeline::preparation;
use pipeline::stand::Ground;

const EXPERIMENT: &str = r#"
[experiment]
name = "all"
[protocol]
duration = "1s"
warmup = "200ms"
cooldown = "200ms"
repetitions = 3
[[tests]]
id = "sockets"
D = ["throughput", "latency"]
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 1500]
R = "10k"
B = 4
io = ["udp", "raw"]
[[tests]]
id = "dpdk"
D = "throughput"
L = "local"
S = "1vs1"
V = ["direct", "testpmd", "ovs"]
P = 64
R = "10k"
B = 4
"#;

fn experiment() -> Experiment {
    experiment::parse(EXPERIMENT, "all.toml").expect("an experiment")
}

/// The experiment with `host = "leave"`.
fn leaving() -> Experiment {
    let text = EXPERIMENT.replacen("repetitions = 3", "repetitions = 3\nhost = \"leave\"", 1);
    experiment::parse(&text, "all.toml").expect("an experiment")
}

/// Keys by test; none for a test that is skipped.
fn keys(facts: &Facts) -> BTreeMap<String, Option<String>> {
    let ground = Ground::from(facts.clone());
    let conditions = Conditions::new(&ground);
    let experiment = experiment();
    let tests = experiment.matrix.tests.iter();
    let mut shared = KnownSurroundings::default();
    let mut key = |test| {
        // The short way to a key says the same as the long one, also for tests of all kinds one after the other.
        let short = conditions.key(test, &mut shared);
        match conditions.judge(test, &mut KnownSurroundings::default()) {
            Prospect::Ready(ready) => {
                assert_eq!(short.as_ref(), Ok(&ready.manifest.key()));
                Some(ready.manifest.key().to_string())
            }
            Prospect::Skipped(reason) => {
                assert_eq!(short, Err(reason));
                None
            }
        }
    };
    tests.map(|test| (test.tuple.to_string(), key(test))).collect()
}

/// Tests that differ on every axis that what tests share depends on.
const AXES: &str = r#"
[experiment]
name = "all"
[protocol]
duration = "1s"
warmup = "200ms"
cooldown = "200ms"
repetitions = 3
[[tests]]
id = "sockets"
D = ["throughput", "latency"]
L = ["local", "remote"]
S = ["1vs1", "2vs2"]
V = "linux-bridge"
P = [64, 1500]
R = "10k"
B = [4, 8]
io = ["udp", "raw"]
runtime = ["netns", "auto"]
stack = ["system", "new"]
[[tests]]
id = "searched"
D = "throughput"
L = "local"
S = "1vs1"
V = ["linux-bridge", "ovs"]
P = 64
R = ["10k", "ndr", { search = "pdr", loss = 0.001 }]
B = 4
touch = [false, true]
[[tests]]
id = "dpdk"
D = "throughput"
L = "local"
S = "1vs1"
V = ["testpmd", "ovs"]
P = 64
R = "10k"
B = 4
queues = [1, 2]
switch_cores = [1, 2]
"#;

/// What tests share is told apart by all that it depends on.
#[test]
fn a_key_does_not_depend_on_the_tests_before_it() {
    let mut facts = with_dpdk(host("root=/dev/vda1 ro quiet"));
    let components = facts.components.clone();
    let stack = StackFacts { missing: None, switches: vec![offer("ovs", &["ovs"], &["dpdk"])], components };
    facts.stacks.insert("new".into(), stack);
    let ground = Ground::from(facts);
    let conditions = Conditions::new(&ground);
    let tests = experiment::parse(AXES, "axes.toml").expect("an experiment").matrix.tests;
    let alone: Vec<_> = tests.iter().map(|test| conditions.key(test, &mut KnownSurroundings::default())).collect();
    let different: BTreeSet<_> = alone.iter().flatten().collect();
    assert!(different.len() > 40, "{}", different.len());
    for stride in [1, 7, 101] {
        let mut shared = KnownSurroundings::default();
        for place in (0..tests.len()).map(|place| place * stride % tests.len()) {
            assert_eq!(conditions.key(&tests[place], &mut shared), alone[place], "{}", tests[place].tuple);
        }
    }
}

/// What another stand gives one test is that test's alone: the short way to a key keeps what it writes into.
#[test]
fn a_key_of_another_stand_is_one_tests_and_the_next_ones_stay() {
    let facts = with_dpdk(host("root=/dev/vda1 ro quiet"));
    let (ground, own, experiment) = (Ground::from(facts.clone()), keys(&facts), experiment());
    let tests = &experiment.matrix.tests;
    let Prospect::Ready(other) = Conditions::new(&ground).judge(&tests[1], &mut KnownSurroundings::default()) else {
        panic!("it can be measured")
    };
    let conditions =
        Conditions::new(&ground).wanted_as(BTreeMap::from([(tests[0].tuple.to_string(), other.manifest.clone())]));
    let mut shared = KnownSurroundings::default();
    assert_eq!(conditions.key(&tests[0], &mut shared), Ok(other.manifest.key()));
    for test in &tests[1..] {
        let key = conditions.key(test, &mut shared).ok().map(|key| key.to_string());
        assert_eq!(key, own[&test.tuple.to_string()], "{}", test.tuple);
    }
}

/// Names of the tests whose keys differ.
fn differing(a: &Facts, b: &Facts) -> Vec<String> {
    let (a, b) = (keys(a), keys(b));
    a.into_iter().filter(|(name, key)| b[name] != *key).map(|(name, _)| name).collect()
}

fn offer(name: &str, components: &[&str], io: &[&str]) -> Offer {
    let text = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
    Offer { name: name.into(), missing: None, components: text(components), io: text(io) }
}

fn missing(name: &str) -> Offer {
    Offer { missing: Some("it is not installed".into()), ..offer(name, &[], &[]) }
}

fn component(name: &str, digest: &str) -> Component {
    Component { name: name.into(), digest: digest.into(), ..Component::default() }
}

/// A host with sockets only, started with these boot parameters.
fn host(command_line: &str) -> Facts {
    let root = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("proc/cmdline", command_line),
        ("proc/sys/kernel/osrelease", "6.1.0-41-amd64"),
        ("proc/sys/kernel/version", "#1 SMP"),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
        fs::write(path, text).expect("a file");
    }
    let around = Around { allowed: vec![0, 1], privilege: Privilege::Root, signature: None, firmware: |_| None };
    let mut facts = of_tree(root.path(), &around);
    facts.memory.hugepages_2m = vec![(0, 0, 0)];
    let sockets = ["udp", "udp-mmsg", "raw", "raw-mmsg"];
    facts.runtimes = vec![offer("netns", &["busybox"], &[]), missing("lxc")];
    facts.switches = vec![offer("linux-bridge", &[], &sockets), missing("direct"), missing("testpmd"), missing("ovs")];
    facts.applications = vec![offer("septet-gen", &["septet-gen"], &sockets), missing("septet-gen-dpdk")];
    facts.components = vec![component("busybox", "b"), component("septet-gen", "g")];
    facts
}

/// Facts of a host that also has DPDK.
fn with_dpdk(mut facts: Facts) -> Facts {
    facts.switches.retain(|offer| offer.name == "linux-bridge");
    facts.switches.push(offer("direct", &[], &["dpdk"]));
    facts.switches.push(offer("testpmd", &["testpmd"], &["dpdk"]));
    facts.switches.push(offer("ovs", &["ovs"], &["dpdk"]));
    facts.applications.retain(|offer| offer.name == "septet-gen");
    facts.applications.push(offer("septet-gen-dpdk", &["septet-gen-dpdk"], &["dpdk"]));
    facts.components.extend([component("testpmd", "t"), component("ovs", "o"), component("septet-gen-dpdk", "d")]);
    facts
}

#[test]
fn a_boot_parameter_that_does_not_matter_dirties_nothing_and_one_that_does_dirties_all() {
    let plain = with_dpdk(host("root=/dev/vda1 ro quiet"));
    let all = keys(&plain);
    assert!(all.len() > 8 && all.values().all(Option::is_some), "{all:?}");
    for harmless in ["root=/dev/vdb2 rw", "root=/dev/vda1 ro quiet splash panic=10 console=ttyS0 -- mitigations=off"] {
        assert_eq!(differing(&plain, &with_dpdk(host(harmless))), Vec::<String>::new(), "{harmless}");
    }
    for matters in ["mitigations=off", "isolcpus=1", "nohz_full=1", "intel-iommu=on"] {
        let changed = with_dpdk(host(&format!("root=/dev/vda1 ro quiet {matters}")));
        assert_eq!(differing(&plain, &changed).len(), all.len(), "{matters}");
    }
}

#[test]
fn installing_dpdk_dirties_no_socket_test() {
    let before = host("");
    let changed = differing(&before, &with_dpdk(host("")));
    assert_eq!(changed.len(), 3, "{changed:?}");
    assert!(changed.iter().all(|name| !name.contains("/linux-bridge/")), "{changed:?}");
}

#[test]
fn a_component_is_in_the_keys_of_those_that_run_through_it() {
    let before = with_dpdk(host(""));
    for (component, through) in [
        ("ovs", vec!["/ovs/"]),
        ("testpmd", vec!["/testpmd/"]),
        ("septet-gen-dpdk", vec!["/direct/", "/testpmd/", "/ovs/"]),
        ("septet-gen", vec!["/linux-bridge/"]),
        ("busybox", vec!["/"]),
    ] {
        let mut after = before.clone();
        let found = after.components.iter_mut().find(|other| other.name == component).expect("it is there");
        found.digest = "another".into();
        let changed = differing(&before, &after);
        let expected: Vec<String> =
            keys(&before).into_keys().filter(|name| through.iter().any(|part| name.contains(part))).collect();
        assert_eq!(changed, expected, "{component}");
        // What is recorded beside is not in keys.
        let mut aside = before.clone();
        let found = aside.components.iter_mut().find(|other| other.name == component).expect("it is there");
        found.version = Some("9.9".into());
        found.id = Some("elsewhere".into());
        found.build_id = Some("00".into());
        assert_eq!(differing(&before, &aside), Vec::<String>::new(), "{component}");
    }
}

#[test]
fn a_stack_that_is_defined_is_in_no_key_of_the_system() {
    let before = with_dpdk(host(""));
    let mut after = before.clone();
    let stack = StackFacts {
        missing: None,
        switches: vec![offer("ovs", &["ovs"], &["dpdk"])],
        components: vec![component("ovs", "new")],
    };
    after.stacks.insert("new".into(), stack);
    assert_eq!(differing(&before, &after), Vec::<String>::new());
    let upgraded = after.if_from("ovs", "new").expect("it has one");
    let changed = differing(&before, &upgraded);
    assert!(changed.len() == 1 && changed[0].contains("/ovs/"), "{changed:?}");
}

/// On bare metal, with a frequency that can be fixed.
fn tunable() -> Facts {
    let mut facts = host("quiet");
    (facts.tuning.governor, facts.tuning.turbo) = (Some("powersave".into()), Some(true));
    let governors = vec!["powersave".into(), "performance".into()];
    facts.knobs.frequency = vec![FrequencyPolicy { governors, ..FrequencyPolicy::default() }];
    facts.knobs.settable = ["governor", "turbo", "hugepages"].map(str::to_owned).into();
    facts
}

#[test]
fn a_host_that_is_left_as_it_is_has_keys_of_its_own_that_say_so() {
    let prepared = preparation::facts(&experiment(), tunable());
    assert_eq!(keys(&prepared), keys(&tunable()));
    let left = preparation::facts(&leaving(), tunable());
    let sockets = keys(&left).into_iter().filter(|(_, key)| key.is_some()).map(|(name, _)| name);
    assert_eq!(differing(&prepared, &left), sockets.collect::<Vec<_>>(), "all that can be measured");
    // A governor that somebody else has set to the same makes it no other thing: it is still not held.
    let mut already = tunable();
    (already.tuning.governor, already.tuning.turbo) = (Some("performance".into()), Some(false));
    assert!(!differing(&prepared, &preparation::facts(&leaving(), already)).is_empty());
    let experiment = leaving();
    let ground = Ground::from(left);
    let conditions = Conditions::new(&ground);
    let setup = preparation::setup(&conditions, 0, experiment.matrix.tests.iter());
    assert_eq!(setup, Setup::default(), "nothing is asked of the host");
    let reasons = preparation::indicative(&conditions, experiment.matrix.tests.iter());
    assert!(reasons.iter().any(|reason| reason.contains("left as it is")), "{reasons:?}");
    // Where nothing would be set, leaving it touches no key.
    let guest = Facts { virtualisation: Some("kvm".into()), ..tunable() };
    assert_eq!(differing(&guest, &preparation::facts(&leaving(), guest.clone())), [""; 0]);
}

#[test]
fn what_is_asked_of_the_host_is_in_keys_and_in_its_setup() {
    let base = host("quiet");
    let asking = |lines: &str| {
        let text = EXPERIMENT.replacen("repetitions = 3", &format!("repetitions = 3\n{lines}"), 1);
        let experiment = experiment::parse(&text, "all.toml").expect("an experiment");
        let ground = Ground::from(preparation::facts(&experiment, base.clone()));
        let conditions = Conditions::new(&ground);
        let test = &experiment.matrix.tests[0];
        let Prospect::Ready(ready) = conditions.judge(test, &mut KnownSurroundings::default()) else {
            panic!("skipped")
        };
        (ready.manifest.key().to_string(), preparation::setup(&conditions, 0, std::iter::once(test)))
    };
    let (plain, nothing) = asking("");
    assert_eq!((nothing.smt, nothing.frequency_khz, nothing.transparent_hugepages), (None, None, None));
    let (key, setup) = asking("settings = { frequency_mhz = { min = 1200, max = 1800 }, smt = \"off\" }");
    assert_ne!(key, plain);
    assert_eq!((setup.smt, setup.frequency_khz), (Some(false), Some((1_200_000, 1_800_000))));
    let (pages, setup) = asking("settings = { hugepages_1g = 2, transparent_hugepages = \"never\" }");
    assert!(pages != plain && pages != key);
    assert_eq!((setup.hugepages_1g.len(), setup.transparent_hugepages.as_deref()), (1, Some("never")));
    // A host that nothing virtual stands below is prepared anyway.
    assert_eq!(asking("host = \"prepare-virtual\"").0, plain);
}
