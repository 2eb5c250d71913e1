//! A precision in place of a duration and repetitions: what is chosen, what is told of it, and what is added when more
//! is asked.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::bench::Bench;

const PRECISE: &str = r#"
[experiment]
name = "precise"

[protocol]
precision = 0.3
cap = "1min"
warmup = "50ms"
cooldown = "50ms"

[[tests]]
id = "rate"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = 64
R = 20000
B = 32
io = "udp-mmsg"
"#;

#[test]
fn windows_and_set_ups_are_chosen_told_and_added_to() {
    let bench = Bench::new();
    bench.write("precise.toml", PRECISE);
    let plan = bench.septet(&["plan", "precise.toml"]).code(0);
    assert!(plan.stdout.contains("to the asked precision it takes about"), "{}", plan.stdout);
    assert!(plan.stdout.contains("3 times 60 s a test would take 3 min"), "{}", plan.stdout);
    let run = bench.septet(&["run", "precise.toml", "--for", "10min"]).code(0);
    assert!(run.stderr.contains("what is most in doubt is measured first; equals at random by seed"), "{}", run.stderr);

    let plan = bench.septet(&["plan", "precise.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&1.into(), &0.into()), "{plan}");
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    let records = bench.septet(&["show", &key, "--json"]).code(0).json();
    let records = records.as_array().expect("records are listed");
    assert!(records.len() >= 5, "{} set-ups", records.len());
    for record in records {
        let window_ns = record["times"]["duration_ns"].as_u64().expect("a window has a length");
        assert!((1_000_000_000..=12_000_000_000).contains(&window_ns), "{window_ns}");
        assert_eq!((&record["times"]["chosen"], &record["chosen"]["rule"]), (&true.into(), &2.into()));
        assert!(record["chosen"]["seen_within"].is_f64(), "{}", record["chosen"]);
    }
    let before = |record: &serde_json::Value| record["chosen"]["set_ups_before"].as_u64().expect("a count");
    assert!(records.iter().any(|record| before(record) == 0) && records.iter().any(|record| before(record) >= 4));
    let page = fs::read_to_string(bench.path(&format!("out/precise/tests/{key}.html"))).expect("the test has a page");
    assert!(page.contains("Precision") && page.contains("±30.00 %"), "the page does not say what was chosen");
    let explained = bench.septet(&["explain", "precise.toml", plan["tests"][0]["name"].as_str().expect("a name")]);
    assert!(explained.code(0).stdout.contains("window_rule"), "the rule is in the key");

    // What is asked is in no key: more is added to what there is.
    let again = bench.septet(&["run", "precise.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{}", again.stdout);
    bench.edit("precise.toml", "precision = 0.3", "precision = 0.29");
    let plan = bench.septet(&["plan", "precise.toml", "--json"]).code(0).json();
    assert_eq!(plan["tests"][0]["key"].as_str(), Some(&*key));
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn a_precision_that_cannot_be_had_is_told_with_what_it_would_take() {
    let bench = Bench::new();
    // Round trips vary by more than 50 ns, which is always narrow enough, and 0.01 % of them.
    let latency = PRECISE.replace("throughput", "latency").replace("R = 20000", "R = 1000").replace("B = 32", "B = 1");
    bench.write("precise.toml", &latency.replace("0.3", "0.0001").replace("1min", "5s"));
    bench.septet(&["run", "precise.toml"]).code(0);
    let plan = bench.septet(&["plan", "precise.toml"]).code(0);
    assert!(plan.stdout.contains("1 stored"), "it is measured as long as it may be: {}", plan.stdout);
    assert!(plan.stdout.contains("±0.010 % cannot be had in 5.0 s"), "{}", plan.stdout);
    let page = fs::read_dir(bench.path("out/precise/tests")).expect("there are pages").flatten().next();
    let page = fs::read_to_string(page.expect("one").path()).expect("it is text");
    assert!(page.contains("cannot be had in 5.0 s"), "the page says nothing of it");
}

/// Threads of a window that are none of its generators, by number: those of a switch.
fn switch_threads(evidence: &Value) -> BTreeSet<u64> {
    let threads = evidence["before"]["threads"].as_array().expect("threads are listed");
    let is_switch = |thread: &&Value| thread["name"].as_str().is_some_and(|name| name.starts_with("pmd-"));
    threads.iter().filter(is_switch).filter_map(|thread| thread["thread"].as_u64()).collect()
}

/// All threads of a window, by number.
fn threads(evidence: &Value) -> BTreeSet<u64> {
    let threads = evidence["before"]["threads"].as_array().expect("threads are listed");
    threads.iter().filter_map(|thread| thread["thread"].as_u64()).collect()
}

/// Measures with several windows over a switch, and holds what is stored against itself.
fn several_windows(bench: &Bench, switch: &str, io: &str, runtime: &str) {
    let text =
        PRECISE.replace("linux-bridge", switch).replace("udp-mmsg", io).replace("precision = 0.3", "precision = 0.9");
    bench.write("precise.toml", &format!("{text}runtime = \"{runtime}\"\n"));
    bench.septet(&["run", "precise.toml", "--wait", "5m"]).code(0);
    let plan = bench.septet(&["plan", "precise.toml", "--json"]).code(0).json();
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    let records = bench.septet(&["show", &key, "--json"]).code(0).json();
    let records = records.as_array().expect("records are listed");
    let several: Vec<&Value> = records.iter().filter(|record| record["windows"].is_array()).collect();
    assert!(!several.is_empty(), "{switch}: no set-up has several windows");
    for record in several {
        let windows = record["windows"].as_array().expect("they are listed");
        assert_eq!((&record["format"], &record["chosen"]["windows"]), (&3.into(), &windows.len().into()));
        let value = |of: &Value| of["reduction"]["values"]["rx_pps"].as_f64().expect("a rate");
        let mean = windows.iter().map(value).sum::<f64>() / windows.len() as f64;
        assert!((value(record) / mean - 1.0).abs() < 1e-9, "{switch}: a set-up is the mean of its windows");
        // The first has the record's own evidence. Generators were started again, and the switch was not.
        let evidence = [&record["evidence"], &windows[1]["evidence"]];
        let switches = evidence.map(switch_threads);
        assert_eq!(switches[0], switches[1], "{switch} is another one");
        assert_eq!(switch == "ovs", !switches[0].is_empty(), "{switch}: which threads are its own");
        let [first, second] = evidence.map(threads);
        let both: BTreeSet<u64> = first.intersection(&second).copied().collect();
        assert!(first.difference(&both).count() >= 2 && second.difference(&both).count() >= 2, "{first:?} {second:?}");
        let received = |evidence: &Value| evidence["parties"]["receive-0"]["totals"]["received"].as_u64();
        assert!(evidence.iter().all(|evidence| received(evidence).is_some_and(|count| count > 0)), "{switch}");
    }
    let log = bench.septet(&["show", &key, "--log"]).code(0).stdout;
    let set_ups = log.matches("  build {").count();
    let starts = log.matches("send-0 ← {\"command\":\"start\"").count();
    let windows: usize = records.iter().map(|record| record["windows"].as_array().map_or(1, Vec::len)).sum();
    assert_eq!((set_ups, starts), (records.len(), windows), "{switch}: each set-up is built once, each window started");
    let page = fs::read_to_string(bench.path(&format!("out/precise/tests/{key}.html"))).expect("the test has a page");
    assert!(page.contains("Windows of set-ups, in order"), "the page does not tell of windows");
    bench.septet(&["store", "verify"]).code(0);
    bench.septet(&["archive", "create", "precise.toml", "--license", "MIT", "-o", "a.tar.zst"]).code(0);
    let verified = bench.septet(&["archive", "verify", "a.tar.zst"]).code(0);
    println!("{switch}: {} set-ups, {windows} windows\n{}", records.len(), verified.stdout);
    fs::remove_file(bench.path("a.tar.zst")).expect("it is there");
}

#[test]
fn a_set_up_has_several_windows_over_one_switch() {
    let bench = Bench::new();
    several_windows(&bench, "linux-bridge", "udp-mmsg", "netns");
    if nix::unistd::geteuid().is_root() {
        several_windows(&bench, "linux-bridge", "raw", "auto");
    }
}

#[test]
fn a_set_up_has_several_windows_over_dpdk() {
    let root = nix::unistd::geteuid().is_root();
    let Some(bench) = Bench::with_dpdk().filter(|_| root) else { return };
    several_windows(&bench, "direct", "dpdk", "netns");
    bench.write("ovs.toml", &PRECISE.replace("linux-bridge", "ovs").replace("udp-mmsg", "dpdk"));
    let plan = bench.septet(&["plan", "ovs.toml", "--json"]).code(0).json();
    match plan["skipped"] == 0 {
        true => several_windows(&bench, "ovs", "dpdk", "auto"),
        false => println!("skipped: {}", plan["tests"][0]["why"]),
    }
}

#[test]
fn programs_that_take_no_second_application_have_one_window_a_set_up() {
    let root = nix::unistd::geteuid().is_root();
    let Some(bench) = Bench::with_dpdk().filter(|_| root) else { return };
    let text = PRECISE.replace("linux-bridge", "basicfwd").replace("udp-mmsg", "dpdk").replace("0.3", "0.9");
    bench.write("precise.toml", &text);
    bench.septet(&["run", "precise.toml", "--wait", "5m"]).code(0);
    let plan = bench.septet(&["plan", "precise.toml", "--json"]).code(0).json();
    let Some(key) = plan["tests"][0]["key"].as_str() else {
        println!("skipped: {}", plan["tests"][0]["why"]);
        return;
    };
    let records = bench.septet(&["show", key, "--json"]).code(0).json();
    for record in records.as_array().expect("records are listed") {
        assert_eq!((&record["format"], &record["windows"]), (&1.into(), &Value::Null));
    }
}
