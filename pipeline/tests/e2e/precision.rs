//! A precision in place of a duration and repetitions: what is chosen, what is told of it, and what is added when more
//! is asked.

use std::fs;

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
        assert_eq!((&record["times"]["chosen"], &record["chosen"]["rule"]), (&true.into(), &1.into()));
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
