//! Runs with nothing to do: from a stamp they say what they say without one, and whatever changes is seen.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::bench::{Bench, Ran, touched};

const STAMPS: &str = "cache/septet/settled";
const RUN: [&str; 2] = ["run", "small.toml"];

/// The stamp's inode and time: a run that makes a plan leaves it anew.
fn stamp(bench: &Bench) -> Option<(u64, i64, i64)> {
    let mut found = fs::read_dir(bench.path(STAMPS)).ok()?;
    let meta = found.next()?.ok()?.metadata().ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

/// Runs until one has used the stamp of another: what that said, and what the one before it did.
fn settled(bench: &Bench) -> (Ran, Ran) {
    let limit = Instant::now() + Duration::from_secs(60);
    let mut before = (bench.septet(&RUN).code(0), stamp(bench));
    loop {
        let now = (bench.septet(&RUN).code(0), stamp(bench));
        if now.1.is_some() && now.1 == before.1 {
            return (now.0, before.0);
        }
        assert!(Instant::now() < limit, "no run uses a stamp: {now:?} after {before:?}");
        before = now;
    }
}

#[test]
fn a_run_that_measured_leaves_a_stamp_for_the_next() {
    let bench = Bench::new();
    bench.write("small.toml", super::bench::SMALL);
    let limit = Instant::now() + Duration::from_secs(120);
    loop {
        let _ = fs::remove_dir_all(bench.path(".septet"));
        bench.septet(&RUN).code(0);
        let (left, before) = (stamp(&bench).expect("it measured"), bench.files(""));
        let next = bench.septet(&RUN).code(0);
        assert!(next.stdout.starts_with("nothing to measure\nthe report is up to date: "), "{}", next.stdout);
        assert_eq!(touched(&before, &bench.files("")), Vec::<String>::new());
        if stamp(&bench) == Some(left) {
            return;
        }
        // Other tests may have changed the host in between.
        assert!(Instant::now() < limit, "no run uses the stamp of the one that measured");
    }
}

#[test]
fn a_run_with_nothing_to_do_says_the_same_from_a_stamp() {
    let bench = Bench::measured();
    let (now, before) = settled(&bench);
    assert_eq!((&now.stdout, &now.stderr), (&before.stdout, &before.stderr));
    assert!(now.stdout.starts_with("nothing to measure\nthe report is up to date: "), "{}", now.stdout);
    let others = [&["plan", "small.toml"][..], &["status", "-q", "small.toml"], &["run", "small.toml", "--json"]];
    let from_stamp = others.map(|arguments| bench.septet(arguments).code(0));
    let used = stamp(&bench);
    fs::remove_dir_all(bench.path(STAMPS)).expect("it is ours");
    for (arguments, from_stamp) in others.iter().zip(from_stamp) {
        let without = bench.septet(arguments).code(0);
        assert_eq!((without.stdout, without.stderr), (from_stamp.stdout, from_stamp.stderr), "{arguments:?}");
    }
    assert_ne!(stamp(&bench), used);
}

#[test]
fn whatever_changes_after_a_stamp_was_left_is_seen() {
    let bench = Bench::measured();
    settled(&bench);
    fs::remove_file(bench.path("out/small/index.html")).expect("it is there");
    let run = bench.septet(&RUN).code(0);
    assert!(run.stdout.contains("1 file written"), "{}", run.stdout);

    settled(&bench);
    let page = fs::read_to_string(bench.path("out/small/index.html")).expect("it is there");
    fs::write(bench.path("out/small/index.html"), page.to_uppercase()).expect("it is ours");
    let run = bench.septet(&RUN).code(0);
    assert!(run.stdout.contains("1 file written"), "{}", run.stdout);

    settled(&bench);
    bench.edit("small.toml", "repetitions = 2", "repetitions = 3");
    let plan = bench.septet(&["plan", "small.toml"]).code(0);
    assert!(plan.stdout.contains("fewer repetitions than wanted"), "{}", plan.stdout);
    bench.edit("small.toml", "repetitions = 3", "repetitions = 2");

    settled(&bench);
    fs::create_dir(bench.path("templates")).expect("it is ours");
    bench.write("templates/nothing.html", "");
    let run = bench.septet(&RUN);
    assert!(run.code != 0 || !run.stdout.contains("is up to date") || !run.stderr.is_empty(), "{run:?}");
    fs::remove_dir_all(bench.path("templates")).expect("it is ours");

    settled(&bench);
    bench.septet(&["store", "verify"]).code(0);
    let results = bench.path(".septet/results");
    let shelf = fs::read_dir(&results).expect("it is there").next().expect("one is there").expect("it is listed");
    let result = fs::read_dir(shelf.path()).expect("it is there").next().expect("one is there").expect("it is listed");
    fs::remove_file(result.path().join("record.json")).expect("it is there");
    bench.septet(&["store", "verify"]).code(4);
    assert_eq!(bench.septet(&["status", "-q", "small.toml"]).code, 4);
    bench.septet(&RUN).code(0);

    settled(&bench);
    bench.upgrade("septet-gen");
    let plan = bench.septet(&["plan", "small.toml"]).code(0);
    assert!(plan.stdout.contains("0 stored"), "{}", plan.stdout);
    bench.septet(&["status", "-q", "small.toml"]).code(4);
}

#[test]
fn a_stamp_that_cannot_be_understood_is_none() {
    let bench = Bench::measured();
    let (now, _) = settled(&bench);
    let file = fs::read_dir(bench.path(STAMPS)).expect("it is there").next().expect("one is there");
    let file = file.expect("it is listed").path();
    let text = fs::read_to_string(&file).expect("it is there");
    for damage in [String::new(), text[..text.len() / 2].to_string(), text.replace("\"small\"", "\"../../small\"")] {
        fs::write(&file, damage).expect("it is ours");
        let run = bench.septet(&RUN).code(0);
        assert_eq!((run.stdout, run.stderr), (now.stdout.clone(), now.stderr.clone()));
    }
}

#[test]
fn a_stamp_of_another_user_is_none() {
    let bench = Bench::measured();
    let (now, _) = settled(&bench);
    let file = fs::read_dir(bench.path(STAMPS)).expect("it is there").next().expect("one is there");
    let file = file.expect("it is listed").path();
    if let Err(error) = std::os::unix::fs::chown(&file, Some(65534), None) {
        return println!("skipped: a file cannot be given to another user: {error}");
    }
    let given = stamp(&bench);
    let run = bench.septet(&RUN).code(0);
    assert_eq!((run.stdout, run.stderr), (now.stdout, now.stderr));
    assert_ne!(stamp(&bench), given, "a plan was made, and a stamp of one's own left");
}
