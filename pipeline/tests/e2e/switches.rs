//! Tests over DPDK: every switch that is here, in both container runtimes, counted by two who do not know each
//! other.

use std::fs;

use serde_json::Value;

use super::bench::Bench;
use super::prefix::Prefix;

/// A group of tests through each switch of `switches`, a fraction of a second each.
fn experiment(switches: &str, groups: &[(&str, &str, &str)]) -> String {
    let mut text = String::from(
        "[experiment]\nname = \"switches\"\n[protocol]\nduration = \"150ms\"\nwarmup = \"50ms\"\ncooldown = \"20ms\"\n\
         repetitions = 1\n",
    );
    for (dimension, pairs, runtime) in groups {
        text.push_str(&format!(
            "[[tests]]\nid = \"{dimension}-{pairs}-{runtime}\"\nD = \"{dimension}\"\nL = \"local\"\nS = \"{pairs}\"\n\
             V = [{switches}]\nP = 64\nR = \"20k\"\nB = 8\nruntime = \"{runtime}\"\n"
        ));
    }
    text
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: the switches need root");
    }
    root
}

/// Records of all tests that were measured, newest first within a test.
fn records(bench: &Bench) -> Vec<Value> {
    let plan = bench.septet(&["plan", "switches.toml", "--json"]).code(0).json();
    let tests = plan["tests"].as_array().expect("tests are listed");
    let keys = tests.iter().filter_map(|test| test["key"].as_str());
    keys.flat_map(|key| {
        let shown = bench.septet(&["show", key, "--json"]).code(0).json();
        shown.as_array().expect("records are listed").clone()
    })
    .collect()
}

/// A number of what a generator counted.
fn told(record: &Value, container: &str, name: &str) -> u64 {
    record["evidence"]["parties"][container]["totals"][name].as_u64().expect("a count")
}

/// The generators of a record, but one.
fn others<'r>(record: &'r Value, container: &'r str) -> impl Iterator<Item = &'r str> {
    let parties = record["evidence"]["parties"].as_object().expect("generators report");
    parties.keys().map(String::as_str).filter(move |other| *other != container)
}

/// What a switch counted of one port is what the generators counted, to the packet: they were asked when nothing was
/// under way any more and no port was closed yet.
fn agrees(record: &Value, port: &Value) {
    let container = port["container"].as_str().expect("whose port it is");
    let count = |name: &str| port[name].as_u64().expect("a count");
    let handed_over = |of: &str| told(record, of, "sent") + told(record, of, "words");
    let context = || format!("{container}: {port} of {record}");
    assert_eq!(count("received") + count("received_dropped"), handed_over(container), "{}", context());

    // What it gave: all that it took from the other end of the pair, and of a learning switch what others said to
    // everybody, and no traffic of theirs. Of that, a port misses what was said before it was there, as an
    // initiator's may be, whatever the switch. What it dropped where it came in, as one does that stood still for a
    // while, it took from nobody.
    let number = container.rsplit('-').next().expect("a number");
    let is_peer = |other: &&str| other.rsplit('-').next() == Some(number);
    let peer = others(record, container).find(is_peer).expect("the other end");
    let test = record["test"].as_str().expect("its name");
    let learns = ["/ovs/", "/snabb/", "/snabb-sleep/", "/vpp/"].iter().any(|switch| test.contains(switch));
    let said: u64 = match learns {
        true => {
            let strangers = others(record, container).filter(|other| *other != peer);
            strangers.map(|other| told(record, other, "words")).sum()
        }
        false => 0,
    };
    let ports = record["evidence"]["after"]["ports"].as_array().expect("ports are listed");
    let of_peer = ports.iter().find(|port| port["container"] == peer).expect("the other end has a port");
    let refused = of_peer["received_dropped"].as_u64().expect("a count");
    let all = handed_over(peer) - refused;
    let initiates = container.starts_with("send") || container.starts_with("client");
    let least = if initiates { told(record, peer, "sent").saturating_sub(refused) } else { all };
    let given = count("sent") + count("sent_dropped");
    assert!((least..=all + said).contains(&given), "given {given} of {least} to {}; {}", all + said, context());

    // And all that it gave has arrived; what is no traffic is not counted there. A client that has ended takes no answer
    // any more: what it calls lost may be in its ring.
    let arrived: u64 =
        ["received", "duplicates", "corrupt", "foreign"].iter().map(|name| told(record, container, name)).sum();
    let words: u64 = others(record, container).map(|other| told(record, other, "words")).sum();
    let late = if container.starts_with("client") { told(record, container, "lost") } else { 0 };
    assert!((arrived..=arrived + words + late).contains(&count("sent")), "arrived {arrived}; {}", context());
}

#[test]
fn every_switch_is_measured_in_both_runtimes_and_counts_what_the_generators_count() {
    if !is_root() {
        return;
    }
    let Some(bench) = Bench::with_dpdk() else { return };
    let switches = r#""direct", "basicfwd", "testpmd", "ovs", "linux-bridge""#;
    let groups = [("throughput", "1vs1", "netns"), ("latency", "1vs1", "auto"), ("throughput", "2vs2", "auto")];
    bench.write("switches.toml", &experiment(switches, &groups));
    let hugepages = || std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap_or_default();
    let ran = bench.septet(&["run", "switches.toml", "-k", "--wait", "5m"]).code(0);
    let plan = bench.septet(&["plan", "switches.toml"]).code(0);
    println!("{}\n{}\nhugepages now: {}", plan.stdout, ran.stderr, hugepages().trim());

    let records = records(&bench);
    assert!(records.len() >= 3, "nothing was measured but what needs no switch: {}", plan.stdout);
    for record in &records {
        let test = record["test"].as_str().expect("its name");
        let mapped = record["evidence"]["mapped"].as_array().expect("what ran is recorded");
        let generator = if test.contains("/linux-bridge/") { "/bin/septet-gen" } else { "/bin/septet-gen-dpdk" };
        assert!(mapped.iter().any(|file| file["path"] == generator), "{test}");
        if test.contains("/linux-bridge/") {
            // It counts the kernel's own packets as well; here to see that one switch leaves room for another.
            continue;
        }
        for port in record["evidence"]["after"]["ports"].as_array().into_iter().flatten() {
            assert!(test.contains("ovs") || test.contains("testpmd") || test.contains("basicfwd"), "{test}");
            agrees(record, port);
        }
    }
    let counted = |name: &str| {
        records.iter().any(|record| {
            record["test"].as_str().is_some_and(|test| test.contains(name))
                && record["evidence"]["after"]["ports"].as_array().is_some_and(|ports| !ports.is_empty())
        })
    };
    for switch in ["testpmd", "ovs", "basicfwd"] {
        let measured = records.iter().any(|record| record["test"].as_str().is_some_and(|test| test.contains(switch)));
        assert!(!measured || counted(switch), "{switch} counted nothing");
        if !measured {
            println!("skipped: {switch} is not here");
        }
    }
}

/// Measures through a switch that comes from a place, and holds what its ports counted against what generators did.
fn measure_from(bench: &Bench, switch: &str, place: &Prefix, more: &str) -> Vec<Value> {
    fs::create_dir_all(bench.path(".config/septet")).expect("a folder for the site");
    bench.write(".config/septet/site.toml", &place.stack());
    let groups = [("throughput", "1vs1", "netns"), ("latency", "1vs1", "auto"), ("throughput", "2vs2", "netns")];
    let text = experiment(&format!("\"{switch}\""), &groups);
    bench.write("switches.toml", &text.replace("B = 8\n", &format!("B = 8\nstack = \"here\"\n{more}")));
    let ran = bench.septet(&["run", "switches.toml", "-k", "--wait", "5m"]).code(0);
    // On a busy host a repetition may be suspect, and is measured again.
    let is_valid = |record: &Value| record["status"]["state"] == "valid";
    let records: Vec<Value> = records(bench).into_iter().filter(is_valid).collect();
    assert_eq!(records.len(), 3, "{ran:?}");
    for record in &records {
        let ports = record["evidence"]["after"]["ports"].as_array().expect("ports are listed");
        assert!(ports.len() >= 2, "{record}");
        ports.iter().for_each(|port| agrees(record, port));
        println!("{}: {}", record["test"], record["cost"]);
    }
    records
}

/// Whether nothing is in a folder, or no such folder is there.
fn is_empty(folder: &str) -> bool {
    fs::read_dir(folder).map_or(true, |mut left| left.next().is_none())
}

#[test]
fn snabb_from_a_stack_counts_what_the_generators_count() {
    if !is_root() {
        return;
    }
    let (Some(bench), Some(prefix)) = (Bench::with_dpdk(), Prefix::of("snabb")) else { return };
    for switch in ["snabb", "snabb-sleep"] {
        measure_from(&bench, switch, &prefix, "");
    }
    assert!(is_empty("/run/snabb"));
}

#[test]
fn vpp_from_a_stack_counts_what_the_generators_count() {
    if !is_root() {
        return;
    }
    let (Some(bench), Some(prefix)) = (Bench::with_dpdk(), Prefix::of("vpp")) else { return };
    for record in measure_from(&bench, "vpp", &prefix, "") {
        let reported = record["evidence"]["reported"].as_str();
        assert!(reported.is_some_and(|version| version.starts_with("VPP 2")), "{reported:?}");
        let mapped = record["evidence"]["mapped"].as_array().expect("what ran is recorded");
        let is_plugin = |file: &Value| file["path"].as_str().is_some_and(|path| path.ends_with("/vhost_plugin.so"));
        assert!(mapped.iter().any(is_plugin), "{mapped:?}");
    }
    let facts = bench.septet(&["host", "facts", "--json"]).code(0).json();
    println!("{}", facts["stacks"]);
    assert!(is_empty("/run/septet/vpp") && is_empty("/run/vpp"));
}

#[test]
fn a_switch_of_another_site_is_checked_planned_drawn_and_skipped() {
    let bench = Bench::new();
    let groups = [("throughput", "1vs1", "netns")];
    bench.write("switches.toml", &experiment("\"linux-bridge\", \"custom:mine\"", &groups));
    bench.septet(&["check", "switches.toml"]).code(0);
    let ran = bench.septet(&["run", "switches.toml", "--wait", "5m"]).code(0);
    assert!(ran.stdout.contains("measured "), "{ran:?}");
    let plan = bench.septet(&["plan", "switches.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["skipped"]), (&1.into(), &1.into()), "{plan}");
    let custom = "throughput/local/1vs1/custom:mine/64B/20kpps/b8+runtime=netns";
    let skipped = plan["tests"].as_array().into_iter().flatten().find(|test| test["name"] == custom);
    let why = "no switch called custom:mine is defined on this host";
    assert!(skipped.is_some_and(|test| test["why"][0] == why), "{plan}");
    let explained = bench.septet(&["explain", "switches.toml", custom]);
    assert!(explained.stdout.contains(why), "{explained:?}");
    let page = fs::read_to_string(bench.path("out/switches/index.html")).expect("a report");
    assert!(page.contains(why) && page.contains("through custom:mine"), "{page}");
    bench.edit("switches.toml", "custom:mine", "custom-mine");
    let refused = bench.septet(&["check", "switches.toml"]).code(2);
    assert!(refused.stderr.contains("V cannot be 'custom-mine'"), "{refused:?}");
}

#[test]
fn an_ordinary_user_measures_without_hugepages() {
    let Some(bench) = Bench::with_dpdk_as_nobody() else { return };
    bench.write("switches.toml", &experiment(r#""direct", "ovs""#, &[("throughput", "1vs1", "netns")]));
    bench.septet(&["run", "switches.toml", "--wait", "5m"]).code(0);
    let plan = bench.septet(&["plan", "switches.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["skipped"]), (&1.into(), &1.into()), "{plan}");
    let skipped = plan["tests"].as_array().into_iter().flatten().find(|test| test["status"] == "skipped");
    assert!(skipped.is_some_and(|test| test["why"][0].as_str().is_some_and(|why| why.contains("ovs"))), "{plan}");
}

#[test]
fn flows_go_through_several_queues_of_a_switch() {
    if !is_root() {
        return;
    }
    let Some(bench) = Bench::with_dpdk() else { return };
    let groups = [("throughput", "1vs1", "netns"), ("latency", "1vs1", "netns")];
    let text = experiment(r#""testpmd", "ovs""#, &groups);
    bench.write("switches.toml", &text.replace("B = 8\n", "B = 8\nqueues = 2\nflows = 4\n"));
    bench.septet(&["run", "switches.toml", "-k", "--wait", "5m"]).code(0);
    for record in records(&bench) {
        let test = record["test"].as_str().expect("its name");
        assert!(test.contains("+flows=4") && test.contains("+queues=2"), "{test}");
        assert!(told(&record, others(&record, "").next().expect("a generator"), "words") > 0, "{record}");
        let ports = record["evidence"]["after"]["ports"].as_array().expect("ports are listed");
        assert_eq!(ports.len(), 2, "{test}: {record}");
        ports.iter().for_each(|port| agrees(&record, port));
    }
}

#[test]
fn an_ordinary_user_measures_of_the_shipped_experiment_what_needs_no_root() {
    let Some(bench) = Bench::with_dpdk_as_nobody() else { return };
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/vswitch.toml");
    bench.write("vswitch.toml", &std::fs::read_to_string(shipped).expect("it is shipped"));
    for switch in ["direct", "linux-bridge"] {
        for part in ["R=250k", "D=latency,B=4"] {
            let only = format!("V={switch},P=64,{part}");
            let ran = bench.septet(&["run", "vswitch.toml", "--only", &only, "--wait", "5m"]).code(0);
            assert!(ran.stdout.contains("measured "), "{ran:?}");
        }
    }
    let plan = bench.septet(&["plan", "vswitch.toml", "--json"]).code(0).json();
    for test in plan["tests"].as_array().expect("tests are listed") {
        let name = test["name"].as_str().expect("its name");
        let why = test["why"].to_string();
        assert!(!name.contains("/ovs/") || (test["status"] == "skipped" && why.contains("ovs needs root")), "{test}");
    }
}
