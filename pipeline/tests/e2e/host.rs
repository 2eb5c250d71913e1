//! What a user is told of the host, and what that means for a run. On a host that can give paper-grade results
//! the refusals cannot be shown; that is printed.

use super::bench::{Bench, Ran, SMALL};

fn check(bench: &Bench) -> (Ran, serde_json::Value) {
    let ran = bench.septet(&["host", "check", "--json"]);
    let json = ran.json();
    (ran, json)
}

#[test]
fn what_stands_in_the_way_is_told_a_run_goes_on_and_paper_grade_is_refused() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let (ran, json) = check(&bench);
    let paper_grade = json["paper_grade"].as_bool().expect("a verdict");
    assert_eq!(ran.code, if paper_grade { 0 } else { 3 }, "{}", ran.stderr);
    for finding in json["findings"].as_array().expect("findings") {
        for field in ["name", "harm", "is", "does"] {
            assert!(finding[field].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        }
        assert!(finding["remedy"] == "septet" || finding["remedy"].is_object(), "{finding}");
    }
    let text = bench.septet(&["host", "check"]).code(ran.code);
    assert!(text.stdout.starts_with("This host "), "{}", text.stdout);
    if paper_grade {
        println!("skipped: this host can give paper-grade results");
        return;
    }
    let refused = bench.septet(&["run", "small.toml", "--require-paper-grade"]).code(3);
    assert!(
        refused.stderr.contains("paper-grade") && refused.stderr.contains("septet host check"),
        "{}",
        refused.stderr
    );
    assert!(!bench.path(".septet/results").exists(), "nothing was measured");
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let summary = std::fs::read_to_string(bench.path("out/small/summary.json")).expect("a summary");
    assert!(summary.contains("indicative"), "{summary}");
}

#[test]
fn an_ordinary_user_is_told_which_right_is_missing_in_one_line() {
    let Some(bench) = Bench::as_nobody() else { return };
    bench.septet(&["host", "facts", "--json"]).code(0);
    let (ran, json) = check(&bench);
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    assert!(json["missing_right"].as_str().is_some_and(|line| line.contains("CAP_SYS_ADMIN")), "{json}");
    let applied = bench.septet(&["host", "apply", "--hugepages", "1"]).code(3);
    assert_eq!(applied.stderr.lines().count(), 1, "{}", applied.stderr);
    assert!(applied.stderr.contains("CAP_SYS_ADMIN"), "{}", applied.stderr);
    // Other tests may hold the host meanwhile, which this user is told.
    let restored = bench.septet(&["host", "restore"]);
    assert!(restored.code == 0 || restored.stderr.contains("holds it"), "{}", restored.stderr);
}
