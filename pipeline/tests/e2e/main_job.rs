//! Declare, measure once, report.

use std::fs;

use super::bench::{Bench, SMALL, touched};

#[test]
fn a_run_fills_every_figure_and_the_next_one_touches_nothing() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!((&plan["tests_total"], &plan["to_measure"]), (&3.into(), &3.into()));
    assert_eq!(plan["tests"][0]["why"][0], "new");
    assert!(!bench.path(".septet").exists(), "planning writes nothing");

    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("measured 6 repetitions"), "{}", run.stdout);
    for file in ["index.html", "report.tex", "summary.json", "figures/by-size.svg", "figures/round-trip.tex"] {
        assert!(bench.path("out/small").join(file).is_file(), "{file} is missing");
    }
    let csv = fs::read_to_string(bench.path("out/small/figures/by-size.csv")).expect("the figure has its data");
    assert!(csv.lines().count() >= 3, "a point is missing: {csv}");

    let before = bench.files("");
    let again = bench.septet(&["run", "small.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{}", again.stdout);
    assert_eq!(touched(&before, &bench.files("")), Vec::<String>::new());
    bench.septet(&["status", "small.toml", "-q"]).code(0);
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn every_packet_of_every_repetition_is_accounted_for() {
    let bench = Bench::measured();
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    for test in plan["tests"].as_array().expect("tests are listed") {
        let key = test["key"].as_str().expect("it has a key");
        for record in bench.septet(&["show", key, "--json"]).code(0).json().as_array().expect("records are listed") {
            let parties = record["evidence"]["parties"].as_object().expect("generators are listed");
            let totals = |role: &str| &parties[&format!("{role}-0")]["totals"];
            let of = |role: &str, count: &str| totals(role)[count].as_u64().expect("counts are numbers");
            let latency = parties.contains_key("client-0");
            let (source, sink) = if latency { ("client", "server") } else { ("send", "receive") };
            let arrived = of(sink, "received") + of(sink, "lost") + of(sink, "corrupt");
            assert_eq!(of(source, "sent"), arrived, "{record}");
            assert_eq!(of(source, "attempted"), of(source, "sent") + of(source, "rejected"), "{record}");
            assert_eq!(record["status"]["state"], "valid", "{record}");
        }
    }
}

#[test]
fn a_changed_caption_rewrites_its_figure_and_the_pages_that_hold_it() {
    let bench = Bench::measured();
    let before = bench.files("out/small");
    bench.edit("small.toml", "Received rate by packet size", "Another caption");
    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("nothing to measure"), "{}", run.stdout);
    let changed = touched(&before, &bench.files("out/small"));
    assert!(changed.contains(&"index.html".to_string()), "{changed:?}");
    assert!(changed.iter().any(|name| name.starts_with("figures/by-size.")), "{changed:?}");
    let foreign: Vec<_> = changed
        .iter()
        .filter(|name| !name.starts_with("figures/by-size."))
        .filter(|name| !["datapackage.json", "index.html", "report.tex", "summary.json"].contains(&name.as_str()))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn a_changed_axis_value_measures_the_new_test_only() {
    let bench = Bench::measured();
    bench.edit("small.toml", "P = [64, 1500]", "P = [64, 512]");
    bench.edit("small.toml", "rx_pps[P=1500]", "rx_pps[P=512]");
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&2.into(), &1.into()));
    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("measured 2 repetitions"), "{}", run.stdout);
    bench.edit("small.toml", "P = [64, 512]", "P = [64, 1500]");
    bench.edit("small.toml", "rx_pps[P=512]", "rx_pps[P=1500]");
    let back = bench.septet(&["run", "small.toml"]).code(0);
    assert!(back.stdout.contains("nothing to measure"), "{}", back.stdout);
}

#[test]
fn a_changed_generator_makes_every_test_dirty_and_the_plan_says_why() {
    let bench = Bench::measured();
    bench.upgrade("septet-gen");
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!(plan["to_measure"], 3);
    for test in plan["tests"].as_array().expect("tests are listed") {
        let why = test["why"][0].as_str().expect("it says why");
        assert!(why.starts_with("generator septet-gen "), "{why}");
    }
    bench.septet(&["status", "small.toml", "-q"]).code(4);
    let explained = bench.septet(&["explain", "small.toml", "D=latency"]).code(0);
    assert!(
        explained.stdout.contains("changed since it was last measured\n  generator septet-gen"),
        "{}",
        explained.stdout
    );
}

#[test]
fn other_programs_with_other_bytes_change_no_key() {
    let bench = Bench::measured();
    bench.upgrade("septet");
    bench.upgrade("septet-host");
    bench.septet(&["status", "small.toml", "-q"]).code(0);
}

#[test]
fn reports_do_not_depend_on_where_when_or_by_whom_they_are_made() {
    let bench = Bench::measured();
    bench
        .septet_with(
            &[("TZ", "Asia/Tokyo"), ("LC_ALL", "tr_TR.UTF-8"), ("RAYON_NUM_THREADS", "1")],
            &["report", "small.toml", "-o", "one"],
        )
        .code(0);
    bench
        .septet_with(
            &[("TZ", "America/New_York"), ("LC_ALL", "C"), ("RAYON_NUM_THREADS", "7")],
            &["report", "small.toml", "-o", "two/deeper"],
        )
        .code(0);
    let (one, two) = (bench.files("one"), bench.files("two/deeper"));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, (_, _, bytes)) in &one {
        assert!(*bytes == two[name].2, "{name} differs");
    }
    assert!(one.len() > 10, "{:?}", one.keys());
}

#[test]
fn an_ordinary_user_gets_the_same() {
    let Some(bench) = Bench::as_nobody() else { return };
    bench.write("small.toml", SMALL);
    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("measured 6 repetitions"), "{}{}", run.stdout, run.stderr);
    let again = bench.septet(&["run", "small.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{}", again.stdout);
}

#[test]
fn an_index_that_is_thrown_away_loses_nothing() {
    let bench = Bench::measured();
    fs::remove_dir_all(bench.path(".septet/index")).expect("it is a cache");
    bench.septet(&["status", "small.toml", "-q"]).code(0);
    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("nothing to measure"), "{}", run.stdout);
}

#[test]
fn forced_repetitions_join_the_stored_ones() {
    let bench = Bench::measured();
    let run = bench.septet(&["run", "small.toml", "--force", "P=1500"]).code(0);
    assert!(run.stdout.contains("measured 2 repetitions"), "{}", run.stdout);
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    let have: Vec<_> =
        plan["tests"].as_array().expect("listed").iter().map(|test| &test["repetitions"]["have"]).collect();
    assert_eq!(have, [2, 4, 2]);
}

#[test]
fn the_starter_runs_as_it_is() {
    let bench = Bench::new();
    bench.septet(&["init", "fresh"]).code(0);
    bench.septet(&["check", "fresh/experiment.toml"]).code(0);
    bench.septet(&["init", "fresh"]).code(2);
    let dry = bench.septet(&["run", "-n", "fresh/experiment.toml"]).code(0);
    assert!(dry.stdout.contains("to measure"), "{}", dry.stdout);
}

#[test]
fn manual_pages_say_what_each_exit_code_means() {
    let bench = Bench::new();
    bench.septet(&["man", "pages"]).code(0);
    for page in ["septet.1", "septet-status.1"] {
        let page = fs::read_to_string(bench.path("pages").join(page)).expect("it was written");
        let codes = page.split(".SH \"EXIT STATUS\"").nth(1).unwrap_or_else(|| panic!("none in {page}"));
        for code in [0, 1, 2, 3, 4, 130] {
            assert!(codes.contains(&format!("\\fB{code}\\fR\n")), "{code}: {codes}");
        }
    }
}
