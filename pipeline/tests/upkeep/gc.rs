//! `store gc`: shown first, then deleted, never what a report still shows.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;

use nix::fcntl::{Flock, FlockArg};

use super::bench::{Bench, SMALL, touched};
use super::shims::shim;

/// The small experiment without its latency test and what is made of it.
fn without_latency() -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let start = text.find(from).expect("it is there");
        let end = start + text[start..].find(to).expect("it is there");
        format!("{}{}", &text[..start], &text[end..])
    };
    let text = cut(SMALL, "[[tests]]\nid = \"rtt\"", "[[table]]");
    cut(&text, "[[figure]]\nid = \"round-trip\"", "[[claim]]")
}

#[test]
fn a_scope_must_be_named_and_nothing_is_deleted_unseen() {
    let bench = Bench::measured();
    bench.septet(&["store", "gc"]).code(2);
    bench.septet(&["store", "gc", "--scope", "everything"]).code(2);
    let all = "failed,suspect,superseded,unreferenced";
    let ran = bench.septet(&["store", "gc", "--scope", all]).code(0);
    assert!(ran.stdout.contains("nothing to delete"), "{}", ran.stdout);

    bench.write("small.toml", &without_latency());
    bench.septet(&["run", "small.toml"]).code(0);
    let ran = bench.septet(&["store", "gc", "--scope", all]).code(0);
    assert!(ran.stdout.contains("nothing to delete"), "the older generation stays by itself: {}", ran.stdout);

    let before = bench.files("");
    let arguments = ["store", "gc", "--scope", "unreferenced", "--keep-generations", "1", "--json"];
    let shown = bench.septet(&arguments).code(0).json();
    assert_eq!((&shown["results"], &shown["deleted"]), (&2.into(), &false.into()), "{shown}");
    assert_eq!(shown["generations"].as_array().map(Vec::len), Some(1), "{shown}");
    assert!(shown["cost_s"].as_f64().is_some_and(|cost_s| cost_s > 0.1), "{shown}");
    let list = shown["list"].as_str().expect("it has a digest");
    bench.septet(&[&arguments[..], &["--delete", "00000000"]].concat()).code(3);
    let added = touched(&before, &bench.files(""));
    assert!(added.iter().all(|name| name == ".septet/lock"), "{added:?}");

    let gone = bench.septet(&[&arguments[..], &["--delete", list]].concat()).code(0).json();
    assert_eq!((&gone["results"], &gone["deleted"]), (&2.into(), &true.into()), "{gone}");
    let left = bench.septet(&["store", "verify", "--json"]).code(0).json();
    assert_eq!(left["results"], 4, "{left}");
    let before = bench.files("out");
    let run = bench.septet(&["run", "small.toml"]).code(0);
    assert!(run.stdout.contains("nothing to measure"), "{}", run.stdout);
    assert_eq!(touched(&before, &bench.files("out")), Vec::<String>::new(), "what the report shows is there");
    // What was deleted is to be measured again, and can be.
    bench.write("small.toml", SMALL);
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&2.into(), &1.into()), "{plan}");
}

#[test]
fn results_of_an_older_component_go_only_when_no_archive_and_no_generation_needs_them() {
    let bench = Bench::measured();
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst"]).code(0);
    bench.upgrade("septet-gen");
    bench.septet(&["run", "small.toml"]).code(0);
    bench.upgrade("septet-gen");
    bench.septet(&["run", "small.toml"]).code(0);
    let superseded = |keep: &str| {
        let arguments = ["store", "gc", "--scope", "superseded", "--keep-generations", keep, "--json"];
        bench.septet(&arguments).code(0).json()
    };
    assert_eq!(superseded("9")["results"], 0);
    let shown = superseded("1");
    assert_eq!(shown["results"], 6, "the archived generation stays, the one between goes: {shown}");
}

#[test]
fn nothing_is_taken_away_while_somebody_adds() {
    let bench = Bench::measured();
    bench.write("small.toml", &without_latency());
    bench.septet(&["run", "small.toml"]).code(0);
    let arguments = ["store", "gc", "--scope", "unreferenced", "--keep-generations", "1", "--json"];
    let list = bench.septet(&arguments).code(0).json()["list"].as_str().expect("it has a digest").to_string();
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(bench.path(".septet/lock"));
    let held = Flock::lock(lock.expect("it can be opened"), FlockArg::LockShared).expect("nobody has it");
    let delete = [&arguments[..], &["--delete", &list]].concat();
    let ran = bench.septet(&delete).code(3);
    assert!(ran.stderr.contains("is at work in it"), "{}", ran.stderr);
    drop(held);
    bench.septet(&delete).code(0);
}

#[test]
fn what_is_superseded_is_no_matter_of_clocks() {
    let bench = Bench::measured();
    let Some(clock) = shim(&bench, "clock") else { return };
    bench.upgrade("septet-gen");
    // Ten days before the results of the older program.
    let with = [("LD_PRELOAD", clock.as_str()), ("SEPTET_TEST_CLOCK", "-864000")];
    bench.septet_with(&with, &["run", "small.toml"]).code(0);
    let older: Vec<String> = bench.files(".septet/generations/small").into_keys().collect();
    assert_eq!(older.len(), 2, "{older:?}");
    let arguments = ["store", "gc", "--scope", "superseded", "--keep-generations", "1", "--json"];
    let shown = bench.septet(&arguments).code(0).json();
    assert_eq!(shown["results"], 6, "those of the older program: {shown}");
    let list = shown["list"].as_str().expect("it has a digest").to_string();
    bench.septet(&[&arguments[..], &["--delete", &list]].concat()).code(0);
    let ran = bench.septet(&["run", "small.toml"]).code(0);
    assert!(ran.stdout.contains("nothing to measure"), "{ran:?}");
}

#[test]
fn an_experiment_that_cannot_be_read_keeps_its_results() {
    let Some(bench) = Bench::as_nobody() else { return };
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml"]).code(0);
    bench.write("other.toml", &without_latency().replace("name = \"small\"", "name = \"other\""));
    let of = |arguments: &[&str]| bench.septet(&[&["store", "gc", "--scope", "unreferenced"], arguments].concat());
    assert_eq!(of(&["--keep-generations", "1", "--json"]).code(0).json()["results"], 0);
    let mode = |mode| std::fs::set_permissions(bench.path("small.toml"), std::fs::Permissions::from_mode(mode));
    mode(0o000).expect("it is ours");
    let ran = of(&["--keep-generations", "1"]).code(3);
    assert!(ran.stderr.contains("small.toml") && ran.stderr.contains("not nobody's"), "{ran:?}");
    mode(0o644).expect("it is ours");
    // A link to nothing: what it led to may be one. Those that an editor leaves are none.
    std::os::unix::fs::symlink("nowhere", bench.path(".#small.toml")).expect("it is ours");
    of(&[]).code(0);
    std::os::unix::fs::symlink("nowhere", bench.path("gone.toml")).expect("it is ours");
    assert!(of(&[]).code(3).stderr.contains("gone.toml"));
}
