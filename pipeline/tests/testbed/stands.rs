//! Stands of a site: those that are alike share the work, those that are not are told apart, and a class chooses. What
//! is said of hosts without asking them, and with.

use std::collections::BTreeSet;

use serde_json::Value;

use super::afar::Afar;
use super::bench::SMALL;

/// What is planned, by test: its status and why.
fn reasons(plan: &Value) -> Vec<(String, String, String)> {
    let text = |test: &Value, name: &str| test[name].as_str().unwrap_or_default().to_string();
    let tests = plan["tests"].as_array().expect("a list");
    tests.iter().map(|test| (text(test, "name"), text(test, "status"), test["why"].to_string())).collect()
}

#[test]
fn stands_that_are_not_alike_are_told_apart_and_what_may_differ_is_for_the_site_to_say() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        println!("skipped: hosts of one CPU cannot differ in which they use");
        return;
    }
    afar.bench.write("small.toml", SMALL);
    let site = "[hosts.north]\n[hosts.south]\ncores = \"0\"\n";
    afar.site(site);
    let ran = afar.septet(&["run", "small.toml", "--no-report"]).code(3);
    assert!(ran.stderr.contains("south differs from north:"), "{}", ran.stderr);
    let told = ran.stderr.lines().filter(|line| line.contains(" on the first, "));
    let differ: BTreeSet<&str> = told.filter_map(|line| line.trim().split(':').next()).collect();
    assert!(!differ.is_empty() && differ.iter().all(|name| name.contains(' ')), "{}", ran.stderr);

    // What the error names is what the site is to allow.
    let allowed: Vec<String> = differ.iter().map(|name| format!("{name:?}")).collect();
    afar.site(&format!("{site}[classes.default]\nmay-differ = [{}]\n", allowed.join(", ")));
    let ran = afar.septet(&["run", "small.toml", "--no-report", "--verbose"]);
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    for host in ["north", "south"] {
        assert!(ran.stderr.contains(&format!("  on {host}")), "{host} has measured: {}", ran.stderr);
        assert!(afar.is_clean(host), "{host}");
    }
}

#[test]
fn a_class_chooses_among_hosts() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    afar.bench.write("small.toml", SMALL);
    afar.site("[hosts.north]\nclass = \"lab\"\n[hosts.south]\nclass = \"edge\"\n");
    let ran = afar.septet(&["run", "small.toml"]).code(2);
    assert!(ran.stderr.contains("classes edge, lab") && ran.stderr.contains("--class"), "{}", ran.stderr);
    let ran = afar.septet(&["run", "small.toml", "--class", "none"]).code(2);
    assert!(ran.stderr.contains("--class none: no stand is of that class; there are edge, lab"), "{}", ran.stderr);
    let ran = afar.septet(&["run", "small.toml", "--class", "edge", "--no-report", "--only", "P=64", "--json"]);
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    let plan = afar.septet(&["plan", "small.toml", "--class", "edge", "--json"]).code(0);
    assert!(plan.stderr.contains("what south told"), "{}", plan.stderr);
    let keys = |plan: &Value| plan["tests"].as_array().expect("tests").iter().map(|test| test["key"].clone()).collect();
    let edge: Vec<Value> = keys(&plan.json());
    let shown = edge.iter().filter_map(Value::as_str).map(|key| afar.septet(&["show", key, "--json"]));
    let records: Vec<Value> =
        shown.filter(|ran| ran.code == 0).flat_map(|ran| ran.json().as_array().cloned().unwrap_or_default()).collect();
    assert!(!records.is_empty() && records.iter().all(|record| record["host"]["aside"]["hostname"] == "south"));
}

#[test]
fn what_hosts_told_is_used_with_its_age_until_they_are_asked_again() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    let remote = SMALL.replace("L = \"local\"", "L = \"remote\"");
    afar.bench.write("small.toml", &remote);
    afar.septet(&["plan", "small.toml"]).code(0);
    let test = afar.septet(&["plan", "small.toml", "--json"]).code(0).json()["tests"][0]["name"].clone();
    let test = test.as_str().expect("a name").to_string();
    // Nobody is asked: the hosts could be gone.
    afar.bed.crash("south");
    afar.bed.crash("north");
    for arguments in [&["status", "small.toml"][..], &["explain", "small.toml", &test], &["plan", "small.toml"]] {
        let ran = afar.septet(arguments).code(0);
        assert!(ran.stderr.contains("what north and south told"), "{arguments:?}: {}", ran.stderr);
        let asking = [arguments, &["--refresh"]].concat();
        let ran = afar.septet(&asking).code(3);
        assert!(ran.stderr.contains("on north"), "{asking:?}: {}", ran.stderr);
    }
    let explained = afar.septet(&["explain", "small.toml", &test]).code(0);
    for section in ["\nkernel\n", "\npeer-kernel\n", "\npeer-switch\n", "\ncable\n"] {
        assert!(explained.stdout.contains(section), "{section:?}: {}", explained.stdout);
    }
}

#[test]
fn the_paper_misses_no_host() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    if !afar.has_dpdk() {
        return;
    }
    let paper = concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/paper.toml");
    afar.bench.write("paper.toml", &std::fs::read_to_string(paper).expect("it is shipped"));
    let plan = afar.septet(&["plan", "paper.toml", "--json"]).code(0).json();
    let remote: Vec<_> = reasons(&plan).into_iter().filter(|(test, ..)| test.contains("/remote/")).collect();
    let skipped: BTreeSet<String> =
        remote.iter().filter(|(_, status, _)| status == "skipped").map(|(.., why)| why.clone()).collect();
    println!("{} remote tests; skipped for: {skipped:#?}", remote.len());
    assert!(!remote.is_empty() && !skipped.iter().any(|why| why.contains("two hosts")), "{skipped:?}");
    assert!(remote.iter().any(|(_, status, _)| status == "to_measure"), "{skipped:?}");
}
