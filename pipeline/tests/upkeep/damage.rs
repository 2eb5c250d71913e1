//! `store verify`: what is damaged is put aside, its tests are named, and the next run measures them again.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::bench::{Bench, Ran, SMALL};
use super::shims::shim;

/// What harms a result, given its folder.
type Harm = fn(&PathBuf);

/// What happens to results.
const HARM: [(&str, Harm); 5] = [
    ("a flipped bit", |folder| {
        let path = folder.join("samples.parquet");
        let mut bytes = fs::read(&path).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("it is ours");
    }),
    ("a truncated record", |folder| {
        let path = folder.join("record.json");
        let bytes = fs::read(&path).expect("it is there");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("it is ours");
    }),
    ("missing samples", |folder| fs::remove_file(folder.join("samples.parquet")).expect("it is there")),
    ("a truncated log", |folder| fs::write(folder.join("log.zst"), b"").expect("it is ours")),
    ("a missing result", |folder| fs::remove_dir_all(folder).expect("it is there")),
];

#[test]
fn what_is_damaged_is_put_aside_and_measured_again() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml"]).code(0);
    for (what, harm) in HARM {
        let samples = bench.files(".septet/results").into_keys().find(|name| name.ends_with("record.json"));
        let record = bench.path(".septet/results").join(samples.expect("there are results"));
        let text = fs::read_to_string(&record).expect("it is whole");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let test = json["test"].as_str().expect("it has a name").to_string();
        harm(&record.parent().expect("it lies in a folder").to_path_buf());

        let found = bench.septet(&["store", "verify"]).code(4);
        let again = format!("run again: septet run FILE --only {test}");
        assert!(found.stderr.contains(&again), "{what}: no '{again}' in\n{}", found.stderr);
        let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
        assert_eq!(plan["to_measure"], 1, "{what}: {plan}");
        bench.septet(&["store", "verify"]).code(0);
        let run = bench.septet(&["run", "small.toml", "--only", &test, "--json"]).code(0).json();
        assert_eq!(run["measured"], 1, "{what}: {run}");
        bench.septet(&["store", "verify"]).code(0);
        bench.septet(&["status", "small.toml", "-q"]).code(0);
    }
    let aside = fs::read_dir(bench.path(".septet/quarantine")).expect("it is there").count();
    assert_eq!(aside, HARM.len(), "what was there is kept");
}

#[test]
fn a_manifest_that_is_damaged_is_put_aside_and_written_again() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml"]).code(0);
    let manifest = bench.files(".septet/manifests").into_keys().next().expect("there are manifests");
    fs::write(bench.path(".septet/manifests").join(&manifest), "{}").expect("it is ours");
    let found = bench.septet(&["store", "verify"]).code(4);
    let told = found.stderr.lines().find_map(|line| line.trim().strip_prefix("run again: septet run FILE --force "));
    let test = told.unwrap_or_else(|| panic!("no test is named in\n{}", found.stderr));
    bench.septet(&["run", "small.toml", "--force", test]).code(0);
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn a_damaged_acceptance_is_put_aside_and_counts_for_nothing() {
    let bench = Bench::measured();
    bench.upgrade("septet-gen");
    bench.septet(&["accept", "small.toml", "--trigger", "generator"]).code(0);
    bench.septet(&["status", "small.toml", "-q"]).code(0);
    let name = bench.files(".septet/acceptances").into_keys().next().expect("it is recorded");
    bench.edit(&format!(".septet/acceptances/{name}"), "\"by\"", "\"By\"");
    let refused = bench.septet(&["status", "small.toml", "-q"]).code(3);
    assert!(refused.stderr.contains("store verify"), "{}", refused.stderr);
    let told = bench.septet(&["store", "verify"]).code(4);
    assert!(told.stderr.contains(&name) && told.stderr.contains("to be accepted again"), "{}", told.stderr);
    bench.septet(&["store", "verify"]).code(0);
    bench.septet(&["status", "small.toml", "-q"]).code(4);
    bench.septet(&["accept", "small.toml", "--trigger", "generator"]).code(0);
    bench.septet(&["status", "small.toml", "-q"]).code(0);
}

#[test]
fn what_a_run_adds_beside_verify_is_not_taken_for_damage() {
    let bench = Bench::measured();
    let Some(slow) = shim(&bench, "slow") else { return };
    // Wherever verify is held up: by the index, a generation, a record, a manifest.
    for (at, rate) in
        [("checkpoint", 50_001), ("generations/", 50_002), ("record.json", 50_003), ("manifests/", 50_004)]
    {
        let mark = bench.path("mark");
        let mut verify = bench.command(&["store", "verify"]);
        verify.env("LD_PRELOAD", &slow).env("SEPTET_TEST_SLOW", at).env("SEPTET_TEST_MARK", &mark);
        let verify = verify.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let limit = Instant::now() + Duration::from_secs(20);
        while !mark.exists() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        let text = fs::read_to_string(bench.path("small.toml")).expect("it is there");
        let line = text.lines().find(|line| line.starts_with("R = ")).expect("there is a rate").to_string();
        bench.edit("small.toml", &line, &format!("R = {rate}"));
        bench.septet(&["run", "small.toml"]).code(0);
        let held = mark.exists();
        let _ = fs::remove_file(&mark);
        let ran = Ran::of(verify.wait_with_output().expect("it ends"));
        assert_eq!(ran.code, 0, "{at}: {}", ran.stderr);
        println!("verify was held up at {at}: {held}");
        assert!(!bench.path(".septet/quarantine").exists(), "{at}: {}", ran.stderr);
        bench.septet(&["status", "small.toml", "-q"]).code(0);
    }
}
