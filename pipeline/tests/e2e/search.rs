//! A search for a rate: one test, one record with its trials, resumed where it was cut.

use std::fs;

use nix::sys::signal::{Signal, kill};

use super::bench::{Bench, pid, wait};

const SEARCH: &str = r#"
[experiment]
name = "search"

[protocol]
duration = "100ms"
warmup = "50ms"
cooldown = "50ms"
repetitions = 1

[[tests]]
id = "partial"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = 64
R = { search = "pdr", loss = 0.3 }
B = 32
io = "udp-mmsg"

[[table]]
id = "found"
from = "partial"
rows = "io"
values = ["offered_kpps", "rx_kpps", "loss_ratio"]
"#;

/// When each trial began that an unfinished search has kept.
fn kept(bench: &Bench) -> Vec<String> {
    let searches = fs::read_dir(bench.path(".septet/searches")).expect("a search was begun").flatten();
    let folder = searches.map(|entry| entry.path()).next().expect("there is one");
    let mut files: Vec<_> = fs::read_dir(folder).expect("it is a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let samples = files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "parquet"));
    let started = samples.map(|path| {
        let text = fs::read_to_string(path.with_extension("json")).expect("a trial has both");
        // The line after it is its digest.
        let trial = text.lines().next().expect("a trial has a line");
        let trial: serde_json::Value = serde_json::from_str(trial).expect("JSON");
        trial["trial"]["started"].as_str().expect("a time").to_string()
    });
    started.collect()
}

#[test]
fn a_search_is_one_test_whose_record_holds_its_trials_and_goes_on_where_it_was_cut() {
    let bench = Bench::new();
    bench.write("search.toml", SEARCH);
    let plan = bench.septet(&["plan", "search.toml", "--json"]).code(0).json();
    assert_eq!((&plan["tests_total"], &plan["to_measure"]), (&1.into(), &1.into()));

    // What the user cuts keeps its trials, and so does what runs out of time; how many it then has is the machine's
    // business.
    let (mut run, _lines) = bench.until(&["run", "-v", "search.toml"], "% lost");
    kill(pid(&run), Signal::SIGINT).expect("it lives");
    assert_eq!(wait(&mut run), 130);
    assert!(!kept(&bench).is_empty());
    let before = kept(&bench);
    let cut = bench.septet(&["run", "search.toml", "--for", "250ms"]).code(0);
    assert!(cut.stdout.contains("time limit reached"), "{}", cut.stdout);
    let after = kept(&bench);
    assert!(after.starts_with(&before), "{before:?} {after:?}");
    bench.septet(&["run", "search.toml"]).code(0);
    let left = fs::read_dir(bench.path(".septet/searches")).map_or(0, |entries| entries.count());
    assert_eq!(left, 0, "trials of a finished search are in its record");

    let plan = bench.septet(&["plan", "search.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["tests"][0]["repetitions"]["have"]), (&1.into(), &1.into()));
    let key = plan["tests"][0]["key"].as_str().expect("it has a key");
    let records = bench.septet(&["show", key, "--json"]).code(0).json();
    let record = &records[0];
    let search = &record["search"];
    let trials = search["trials"].as_array().expect("trials are listed");
    let found: Vec<&str> = trials.iter().map(|trial| trial["started"].as_str().expect("a time")).collect();
    assert!(found.len() > after.len() && found.len() >= 4, "{after:?} of {found:?} were there before");
    assert!(found.starts_with(&after.iter().map(String::as_str).collect::<Vec<_>>()), "{after:?} {found:?}");
    let (lower, upper) = (search["lower_pps"].as_u64().expect("found"), search["upper_pps"].as_u64());
    if let Some(upper) = upper {
        assert!(lower < upper && (upper - lower) as f64 <= 0.01 * upper as f64, "{lower} to {upper}");
    }
    let value = |name: &str| record["reduction"]["values"][name].as_f64().expect("it has the value");
    assert_eq!(value("offered_pps"), lower as f64);
    assert!(value("rx_pps") <= lower as f64 * 1.01 && value("rx_pps") > 0.0);
    let full_and_good = trials.iter().filter(|trial| {
        let lost = trial["count"]["lost"].as_f64().expect("counted");
        let intended = trial["count"]["intended"].as_f64().expect("counted");
        trial["rate_pps"] == lower && trial["duration_ns"] == 100_000_000 && lost <= 0.3 * intended
    });
    assert!(full_and_good.count() >= 2, "the rate found rests on full trials");

    let csv = fs::read_to_string(bench.path("out/search/tables/found.csv")).expect("the table has its data");
    assert!(csv.contains("udp-mmsg"), "{csv}");
    let again = bench.septet(&["run", "search.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{}", again.stdout);
    bench.septet(&["store", "verify"]).code(0);
}
