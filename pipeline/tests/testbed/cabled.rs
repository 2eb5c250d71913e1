//! Faults of what joins two hosts: a cable that is pulled in the middle of a test, clocks that have nothing to do with
//! each other.

use serde_json::Value;

use super::afar::Afar;
use super::bed::until;
use super::bench::Ran;

/// Six tests of about a second over the cable.
pub const REMOTE: &str = r#"
[experiment]
name = "remote"
[protocol]
duration = "600ms"
warmup = "100ms"
cooldown = "100ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = "remote"
S = "1vs1"
V = "linux-bridge"
P = [64, 128, 256, 512, 1024, 1500]
R = "1kpps"
B = 4
io = "udp"
"#;

/// The records of what is stored.
fn records(afar: &Afar) -> Vec<Value> {
    let plan = afar.septet(&["plan", "remote.toml", "--json"]).code(0).json();
    let tests = plan["tests"].as_array().expect("a list").clone();
    let keys = tests.iter().filter_map(|test| test["key"].as_str());
    let shown = keys.map(|key| afar.septet(&["show", key, "--json"]));
    shown.filter(|ran| ran.code == 0).flat_map(|ran| ran.json().as_array().expect("a list").clone()).collect()
}

/// All was measured, though the hosts share their cores here and each is foreign load to the other: what it is worth is
/// not what is tested.
fn measured(ran: &Ran) {
    assert!(ran.code == 0 || (ran.code == 1 && ran.stderr.contains("GIVEN UP")), "{ran:?}");
    assert!(ran.stdout.contains("measured ") && !ran.stderr.contains("FAILED"), "{ran:?}");
}

#[test]
fn a_cable_that_is_pulled_fails_its_test_and_no_other_and_comes_back() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    afar.bench.write("remote.toml", REMOTE);
    let mut child = afar.start(&["run", "remote.toml", "-k", "--no-report"], "words");
    until("a test is stored", || afar.words("words").contains("[1/6]"));
    afar.bed.cable("north", false);
    child.wait().expect("it is a child");
    let words = afar.words("words");
    println!("{words}");
    // On a busy machine what was measured may be suspect, and it is kept all the same.
    let failed = |record: &&Value| record["status"]["state"] == "failed";
    let known = records(&afar);
    let count = known.iter().filter(failed).count();
    assert!(count >= 1 && count < known.len(), "{count} of {} have failed: {words}", known.len());
    let reason = known.iter().find(failed).map(|record| record["status"]["reason"].to_string()).unwrap_or_default();
    println!("the failed one: {reason}");
    assert!(words.contains("FAILED throughput/remote/") && reason.len() > 10, "{words}");
    for host in ["north", "south"] {
        until("hosts are clean", || afar.is_clean(host));
        assert!(afar.bed.said(host, "ls /sys/class/net").contains("cable0"), "{host} has its end back");
    }
    afar.bed.cable("north", true);
    measured(&afar.septet(&["run", "remote.toml", "--no-report", "--force", "L=remote"]));
}

#[test]
fn clocks_that_are_an_hour_apart_change_no_result_and_are_in_the_record() {
    let Some(afar) = Afar::up(&["north", "south=3600"]) else { return };
    afar.bench.write("remote.toml", REMOTE);
    measured(&afar.septet(&["run", "remote.toml", "--only", "P=64", "--no-report"]));
    let records = records(&afar);
    assert!(!records.is_empty() && records.iter().all(|record| record["status"]["state"] != "failed"), "{records:?}");
    let clocks = &records[0]["evidence"]["clocks"];
    let offset_s = clocks["offset_ns"].as_f64().expect("it is estimated") / 1e9;
    assert!((offset_s.abs() - 3600.0).abs() < 1.0, "{clocks}");
}

/// What the stand-in for ssh has a host's clock gain, ns in a millisecond.
const GAINED: i64 = 1000;

#[test]
fn a_clock_that_drifts_changes_no_result_and_how_much_is_in_the_record() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        println!("skipped: there is no python3 for what stands in for ssh");
        return;
    }
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    afar.bench.write("remote.toml", &REMOTE.replace("600ms", "5s"));
    let stand_in = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testbed/drifting_ssh.py");
    std::fs::create_dir_all(afar.bench.path("bin")).expect("the bench is writable");
    std::fs::copy(stand_in, afar.bench.path("bin/ssh")).expect("it can be copied");
    let mut command = afar.command(&["run", "remote.toml", "--only", "P=64", "--no-report"]);
    let path = format!("{}:{}", afar.bench.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("DRIFTS", format!("south:{GAINED}"));
    measured(&Ran::of(command.output().expect("septet can be started")));
    let records = records(&afar);
    assert!(!records.is_empty() && records.iter().all(|record| record["status"]["state"] != "failed"), "{records:?}");
    for record in &records {
        let clocks = &record["evidence"]["clocks"];
        let [drift, off, span] = ["drift_ns", "drift_uncertainty_ns", "span_ns"].map(|name| clocks[name].as_i64());
        let (Some(drift), Some(off), Some(span)) = (drift, off, span) else { panic!("{clocks}") };
        let meant = span / 1_000_000 * GAINED;
        println!("drift {drift} ns, give or take {off}, of {meant} in {span} ns");
        assert!((drift - meant).abs() <= off + meant / 100, "{meant} was meant: {clocks}");
        let sent = record["evidence"]["parties"]["send-0"]["totals"]["sent"].as_u64();
        assert_eq!(record["evidence"]["parties"]["receive-0"]["totals"]["received"].as_u64(), sent, "{record}");
    }
}
