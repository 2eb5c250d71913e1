//! A change that somebody calls harmless: results of before it stay in use, everything that leans on it says so,
//! and it can be taken back. The change is a real one: the generator has other bytes.

use std::fs;

use super::bench::{Bench, SMALL, touched};

/// Everything measured, then another generator.
fn upgraded() -> Bench {
    let bench = Bench::measured();
    bench.upgrade("septet-gen");
    bench
}

fn stored(bench: &Bench) -> (u64, u64) {
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    (plan["stored"].as_u64().expect("a number"), plan["to_measure"].as_u64().expect("a number"))
}

#[test]
fn what_is_accepted_stays_in_use_and_is_told_wherever_it_is_leaned_on() {
    let bench = upgraded();
    let results = bench.files(".septet/results");
    let offered = bench.septet(&["accept", "small.toml", "--json"]).code(0).json();
    assert_eq!(offered["accepted"], serde_json::json!([]), "{offered}");
    let offers = offered["offers"].as_array().expect("offers are listed");
    assert_eq!(offers.len(), 1, "{offered}");
    assert_eq!((&offers[0]["trigger"], &offers[0]["tests"]), (&"generator:septet-gen".into(), &3.into()));
    let wrong = bench.septet(&["accept", "small.toml", "--trigger", "kernel"]).code(2);
    assert!(wrong.stderr.contains("generator:septet-gen would"), "{}", wrong.stderr);
    bench.septet(&["accept", "small.toml", "--reason", "nothing is named"]).code(2);
    assert!(!bench.path(".septet/acceptances").exists(), "only what is accepted is recorded");

    let reason = "one byte more & <b>no</b> other";
    let said = bench.septet(&["accept", "small.toml", "--trigger", "generator", "--reason", reason]).code(0);
    assert!(
        said.stdout.contains("accepted: generator septet-gen ") && said.stdout.contains("3 tests more"),
        "{said:?}"
    );
    assert_eq!(fs::read_dir(bench.path(".septet/acceptances")).expect("it is there").count(), 1);
    let again = bench.septet(&["accept", "small.toml", "--trigger", "generator"]).code(2);
    assert!(again.stderr.contains("accepted already"), "{}", again.stderr);

    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&3.into(), &0.into()), "{plan}");
    for test in plan["tests"].as_array().expect("tests are listed") {
        let why = test["why"][0].as_str().expect("it says why");
        assert!(why.starts_with("generator septet-gen ") && why.contains(", accepted on 20"), "{why}");
        assert_eq!(test["repetitions"]["have"], 2, "{test}");
    }
    let told = bench.septet(&["plan", "small.toml"]).code(0).stdout;
    assert!(
        told.contains("3 stored (3 by accepted changes)") && told.contains("stored: 3 tests because: gen"),
        "{told}"
    );
    let told = bench.septet(&["status", "small.toml"]).code(0).stdout;
    assert!(told.contains("3 by accepted changes"), "{told}");
    assert_eq!(bench.septet(&["status", "small.toml", "--json"]).code(0).json()["stored_by_accepted_changes"], 3);
    bench.septet(&["status", "small.toml", "-q"]).code(0);
    let told = bench.septet(&["explain", "small.toml", "D=latency"]).code(0).stdout;
    assert!(told.contains("stored: generator septet-gen ") && told.contains("accepted on 20"), "{told}");

    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("nothing to measure"), "{}", run.stdout);
    assert_eq!(touched(&results, &bench.files(".septet/results")), Vec::<String>::new(), "no result is touched");
    let page = |name: &str| fs::read_to_string(bench.path("out/small").join(name)).expect("it was written");
    let index = page("index.html");
    assert!(index.contains("Accepted changes") && index.contains("in use for 3 tests"), "{index}");
    assert!(index.contains("one byte more &amp; &lt;b&gt;no&lt;") && !index.contains("<b>no</b>"), "{index}");
    assert!(page("report.tex").contains("\\paragraph{Accepted changes.}"));
    let summary: serde_json::Value = serde_json::from_str(&page("summary.json")).expect("it is JSON");
    assert_eq!((&summary["accepted"][0]["reason"], &summary["accepted"][0]["tests"]), (&reason.into(), &3.into()));
    for test in summary["tests"].as_array().expect("tests are listed") {
        assert_eq!(test["valid"], 2, "{test}");
        let key = test["key"].as_str().expect("it has a key");
        assert!(page(&format!("tests/{key}.html")).contains("Accepted changes"), "{key}");
    }
    let before = bench.files("");
    bench.septet(&["run", "small.toml"]).code(0);
    assert_eq!(touched(&before, &bench.files("")), Vec::<String>::new());
    bench.septet(&["store", "verify"]).code(0);
    let gc = ["store", "gc", "--scope", "superseded,unreferenced", "--keep-generations", "1", "--json"];
    assert_eq!(bench.septet(&gc).code(0).json()["results"], 0, "what is leaned on stays");
    let since = bench.septet(&["report", "small.toml", "--since", "latest~1"]).code(0);
    assert!(since.stdout.contains("what changed"), "{}", since.stdout);
}

#[test]
fn what_is_taken_back_is_measured_again() {
    let bench = upgraded();
    bench.septet(&["accept", "small.toml", "--trigger", "generator:septet-gen", "--withdraw"]).code(2);
    bench.septet(&["accept", "small.toml", "--trigger", "generator:septet-gen"]).code(0);
    bench.septet(&["run", "small.toml"]).code(0);
    assert_eq!(stored(&bench), (3, 0));
    let said = bench.septet(&["accept", "small.toml", "--trigger", "generator", "--withdraw"]).code(0);
    assert!(said.stdout.contains("taken back: generator septet-gen "), "{}", said.stdout);
    assert_eq!(stored(&bench), (0, 3));
    let both = fs::read_dir(bench.path(".septet/acceptances")).expect("it is there").count();
    assert_eq!(both, 2, "nothing said is edited or deleted");
    let report = bench.septet(&["report", "small.toml"]).code(0);
    assert!(report.stderr.contains("relies on a withdrawn acceptance"), "{}", report.stderr);

    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("measured 6 repetitions"), "{}", run.stdout);
    let index = fs::read_to_string(bench.path("out/small/index.html")).expect("it was written");
    assert!(!index.contains("Accepted changes"), "what was measured since needs nothing accepted");
    let listed = bench.septet(&["accept", "small.toml", "--json"]).code(0).json();
    assert_eq!((&listed["accepted"], &listed["offers"]), (&serde_json::json!([]), &serde_json::json!([])), "{listed}");
}

#[test]
fn changes_one_after_the_other_count_and_what_is_missing_is_measured_beside_what_is_there() {
    let bench = upgraded();
    let accept = ["accept", "small.toml", "--trigger", "generator"];
    bench.septet(&accept).code(0);
    let run = bench.septet(&["run", "small.toml", "--only", "P=1500", "--force", "P=1500"]).code(0);
    assert!(run.stdout.contains("measured 2 repetitions"), "{}", run.stdout);
    bench.upgrade("septet-gen");
    assert_eq!(stored(&bench), (0, 3), "the next change is another one");
    bench.septet(&accept).code(0);
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!(plan["stored"], 3, "{plan}");
    let large = &plan["tests"][1];
    assert_eq!(large["why"].as_array().map(Vec::len), Some(2), "both are told: {plan}");
    assert_eq!((&large["repetitions"]["have"], &plan["tests"][0]["repetitions"]["have"]), (&4.into(), &2.into()));

    bench.edit("small.toml", "repetitions = 2", "repetitions = 3");
    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("measured 2 repetitions"), "one more of the two that miss one: {}", run.stdout);
    let summary = fs::read_to_string(bench.path("out/small/summary.json")).expect("it was written");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("it is JSON");
    let tests = summary["tests"].as_array().expect("tests are listed");
    let valid: Vec<_> = tests.iter().map(|test| &test["valid"]).collect();
    assert_eq!(valid, [3, 4, 3], "{summary}");
    assert!(tests.iter().all(|test| test["accepted"].is_array()), "{summary}");
    assert_eq!(stored(&bench), (3, 0));
    // Another experiment in the same store has accepted nothing.
    bench.write("other.toml", &SMALL.replace("name = \"small\"", "name = \"other\""));
    let plan = bench.septet(&["plan", "other.toml", "--json"]).code(0).json();
    assert_eq!(plan["to_measure"], 3, "what is of now does not suffice: {plan}");
}

#[test]
fn what_an_experiment_asks_for_cannot_be_accepted() {
    let bench = Bench::measured();
    bench.edit("small.toml", "duration = \"60ms\"", "duration = \"70ms\"");
    assert_eq!(stored(&bench), (0, 3));
    let refused = bench.septet(&["accept", "small.toml", "--trigger", "protocol"]).code(2);
    assert!(refused.stderr.contains("nothing to accept"), "{}", refused.stderr);
}
