//! How septet does with many tests, beside ninja with as many edges in the same run: nothing to do, and one
//! thing to do. Makes a store of synthetic results first (no packet was sent for them; they are never kept).
//!
//!   cargo bench --workspace --bench many            100,000 tests
//!   SEPTET_MANY=10000 cargo bench ...                       fewer
//!   SEPTET_MANY_IN=FOLDER cargo bench ...                   made in that folder, which is new and stays
//!   SEPTET_MANY_REPORT=no cargo bench ...                   no report: nothing to do only, of a million say, whose
//!                                                           results have records alone, and short ones
//!
//! Needs ninja and GNU time (Debian packages ninja-build and time); without them the peer's rows are left
//! out, and it says so.

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use host_setup::facts::Facts;
use host_setup::protocol::Achieved;
use pipeline::agent::Agent;
use pipeline::conditions::{Conditions, KnownSurroundings, Prospect};
use pipeline::experiment::Test;
use pipeline::key::ResultId;
use pipeline::manifest::Manifest;
use pipeline::stand::Ground;
use pipeline::store::{Cost, Evidence, FileDigest, Record, Status};
use pipeline::workspace::Workspace;
use rayon::prelude::*;
use results::metric::Quantity;
use results::summary::{REDUCTION_VERSION, Reduction};

/// Timed runs of each command, taken in turn.
const RUNS: usize = 11;
/// How long after the last change nothing to do is known from a stamp.
const SETTLED: Duration = Duration::from_secs(3);

/// The peer's row.
const NINJA: &str = "ninja, nothing to do";

fn main() {
    let tests: u64 = std::env::var("SEPTET_MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    let kept = std::env::var_os("SEPTET_MANY_IN").map(PathBuf::from);
    if let Some(kept) = &kept {
        fs::create_dir(kept).unwrap_or_else(|error| panic!("failed to make {}: {error}", kept.display()));
    }
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let septet = PathBuf::from(env!("CARGO_BIN_EXE_septet"));
    let many = folder.join("many.toml");
    // A packet has some 1,400 sizes.
    let bursts = if tests > 100_000 { 1000 } else { 100 };
    let tests = tests / bursts * bursts;
    fs::write(&many, experiment(tests / bursts, bursts)).expect("it is ours");
    let began = Instant::now();
    let report = std::env::var_os("SEPTET_MANY_REPORT").is_none_or(|wanted| wanted != "no");
    make_store(&many, &septet, report);
    println!("made a store of {tests} synthetic results in {:.0} s", began.elapsed().as_secs_f64());

    let nothing_to_do = [&septet.display().to_string(), "run", "many.toml"].map(String::from).to_vec();
    if !report {
        let row = [nothing_to_do, vec!["--no-report".into()]].concat();
        timed(folder, &row);
        compare(folder, vec![("septet run, nothing to do", row)], tests);
        return;
    }
    let began = Instant::now();
    let mut first = Command::new("time");
    first.args(["-f", "%e s, %U + %S s of CPU, %M KiB"]).args(&nothing_to_do);
    let first = first.current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache")).output();
    match first {
        Ok(said) => {
            let text = String::from_utf8_lossy(&said.stderr);
            assert!(said.status.success(), "{text}");
            println!("the first report took {}", text.lines().last().unwrap_or_default());
        }
        Err(_) => {
            timed(folder, &nothing_to_do);
            println!("the first report took {:.1} s", began.elapsed().as_secs_f64());
        }
    }

    // One axis value more: a hundred tests of which one is taken.
    fs::write(
        folder.join("dirty.toml"),
        experiment(tests / bursts, bursts)
            .replace("exclude = []", "")
            .replace(
                &format!("B = {{ from = 1, to = {bursts}, step = 1 }}"),
                &format!(
                    "B = {{ from = 1, to = {0}, step = 1 }}\nexclude = [{{ B = {0}, P = {{ from = 65, to = {1}, step = 1 }} }}]",
                    bursts + 1,
                    63 + tests / bursts
                ),
            ),
    )
    .expect("it is ours");

    let upgraded = upgrade(folder, &septet);
    // The same tests as another experiment, for which that upgrade is accepted.
    let accepted = experiment(tests / bursts, bursts).replace("name = \"many\"", "name = \"accepted\"");
    fs::write(folder.join("accepted.toml"), accepted).expect("it is ours");
    let accept = ["accept", "accepted.toml", "--trigger", "generator"];
    let said = Command::new(&upgraded).args(accept).current_dir(folder).output().expect("septet starts");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let septet = septet.display().to_string();
    let rows: Vec<(&str, Vec<String>)> = vec![
        ("septet run, nothing to do", nothing_to_do),
        ("septet plan, one test of many dirty", vec![septet.clone(), "plan".into(), "dirty.toml".into()]),
        ("septet plan, one component upgraded", vec![upgraded.clone(), "plan".into(), "many.toml".into()]),
        ("septet plan, that upgrade accepted", vec![upgraded, "plan".into(), "accepted.toml".into()]),
    ];
    compare(folder, rows, tests);
    verify(folder, &septet);
}

/// What `store verify` takes, beside sha256sum over the same files: all that it proves, and reading and hashing alone.
fn verify(folder: &Path, septet: &str) {
    let hashing = "find .septet/results .septet/manifests -type f -print0 | xargs -0 sha256sum";
    let commands = [
        ("septet store verify", vec![septet.to_string(), "store".into(), "verify".into()]),
        ("sha256sum of the same files", vec!["sh".into(), "-c".into(), hashing.into()]),
    ];
    // Once before, so that both find the files in memory.
    timed(folder, &commands[1].1);
    for (name, command) in commands {
        let (seconds, kib) = timed(folder, &command);
        println!("{name:<40} {seconds:>10.2} {:>43.1}", kib as f64 / 1024.0);
    }
}

/// Times commands in turn, ninja's with as many edges among them; nothing to do comes first.
fn compare(folder: &Path, mut rows: Vec<(&str, Vec<String>)>, tests: u64) {
    if make_ninja(folder, tests) {
        rows.push((NINJA, vec!["ninja".into(), "-C".into(), "ninja".into()]));
    }
    // Files that changed just now prove nothing: the run that leaves the stamp which later ones answer from comes a
    // while after them.
    std::thread::sleep(SETTLED);
    timed(folder, &rows[0].1);
    let mut measured: BTreeMap<&str, Vec<(f64, u64)>> = BTreeMap::new();
    for _ in 0..RUNS {
        for (name, command) in &rows {
            measured.entry(name).or_default().push(timed(folder, command));
        }
    }
    for runs in measured.values_mut() {
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let ninjas = measured.get(NINJA).map_or(f64::NAN, |runs| runs[RUNS / 2].0);
    println!(
        "{:<40} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "median of 11, in turn", "seconds", "min", "max", "MiB", "of ninja's"
    );
    for (name, _) in &rows {
        let runs = measured.remove(name).unwrap_or_default();
        let peak = runs.iter().map(|run| run.1).max().unwrap_or(0);
        println!(
            "{name:<40} {:>10.3} {:>10.3} {:>10.3} {:>10.1} {:>10.3}",
            runs[RUNS / 2].0,
            runs[0].0,
            runs[RUNS - 1].0,
            peak as f64 / 1024.0,
            runs[RUNS / 2].0 / ninjas
        );
    }
}

/// So many packet sizes times so many burst sizes.
fn experiment(sizes: u64, bursts: u64) -> String {
    format!(
        r#"
[experiment]
name = "many"
title = "Many"
[protocol]
duration = "1s"
warmup = "200ms"
cooldown = "200ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = {{ from = 64, to = {}, step = 1 }}
R = "1Mpps"
B = {{ from = 1, to = {bursts}, step = 1 }}
exclude = []
[[figure]]
id = "some"
from = "all"
where = {{ B = [1, 32, 100] }}
x = "P"
y = "rx_kpps"
series = "B"
"#,
        63 + sizes
    )
    .replace("exclude = []\n", "")
}

/// The programs in a folder of their own, with another generator: one byte longer. All tests run through it.
fn upgrade(folder: &Path, septet: &Path) -> String {
    let upgraded = folder.join("upgraded");
    fs::create_dir(&upgraded).expect("it is ours");
    for program in ["septet", "septet-host", "septet-gen"] {
        fs::copy(septet.with_file_name(program), upgraded.join(program)).expect("programs lie beside septet");
    }
    let mut generator = fs::OpenOptions::new().append(true).open(upgraded.join("septet-gen")).expect("it is ours");
    std::io::Write::write_all(&mut generator, &[0]).expect("it is ours");
    upgraded.join("septet").display().to_string()
}

/// Seconds of wall time and KiB of memory of a command.
fn timed(folder: &Path, command: &[String]) -> (f64, u64) {
    let began = Instant::now();
    let run = |program: &str, arguments: &[String]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).output()
    };
    let measured = ["-f", "%M"].map(String::from).into_iter().chain(command.iter().cloned()).collect::<Vec<_>>();
    match run("time", &measured) {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8_lossy(&output.stderr);
            let peak = text.lines().last().and_then(|line| line.trim().parse().ok());
            (began.elapsed().as_secs_f64(), peak.unwrap_or(0))
        }
        Err(_) => {
            let output = run(&command[0], &command[1..]).expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            (began.elapsed().as_secs_f64(), 0)
        }
    }
}

/// Writes a result for every test, as the store would hold it, and the index of them. Not `whole` ones have neither
/// samples nor what a host is made of.
fn make_store(many: &Path, septet: &Path, whole: bool) {
    let mut agent = Agent::spawn(&septet.with_file_name("septet-host")).expect("septet-host lies beside septet");
    let facts = agent.facts(false).expect("facts can be read");
    agent.bye().expect("it ends");
    let workspace = Workspace::load(many, None).expect("the experiment is right");
    let ground = Ground::from(facts.clone());
    let conditions = Conditions::new(&ground);
    let host = if whole { facts } else { Facts { components: Vec::new(), ..facts } };
    let samples = results::dataset::write_parquet(&[]).expect("no samples are samples");
    let log = zstd::bulk::compress(b"synthetic\n", 3).expect("it is short");
    workspace.tests().par_chunks(512).for_each(|tests| {
        let mut shared = KnownSurroundings::default();
        for test in tests {
            match conditions.judge(test, &mut shared) {
                Prospect::Ready(ready) => {
                    write(&workspace, test, &ready.manifest, &host, if whole { Some((&samples, &log)) } else { None })
                }
                Prospect::Skipped(reason) => panic!("this host cannot take the benchmark's tests: {reason}"),
            }
        }
    });
    workspace.store.rebuild_index().expect("the store is writable");
}

fn write(workspace: &Workspace, test: &Test, manifest: &Manifest, facts: &Facts, files: Option<(&[u8], &[u8])>) {
    let files = files.map(|(samples, log)| [("samples.parquet", samples), ("log.zst", log)]);
    let files: Vec<(&str, &[u8])> = files.into_iter().flatten().collect();
    let digest =
        |bytes: &[u8]| FileDigest { len: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() };
    let rate = 1e5 + f64::from(test.tuple.burst.get());
    let record = Record {
        format: Record::format_of(1, 1),
        test: test.tuple.to_string(),
        tuple: test.tuple.clone(),
        times: test.times,
        interval_ns: 10_000_000,
        key: manifest.key(),
        status: Status::Valid,
        flags: Vec::new(),
        seen: Vec::new(),
        reduction: Reduction { values: BTreeMap::from([(Quantity::RxPps, rate)]), ..Reduction::default() },
        reduction_version: REDUCTION_VERSION,
        evidence: Evidence::default(),
        cost: Cost { total_ms: 1500, ..Cost::default() },
        started: "2026-01-01T00:00:00.000Z".to_string(),
        host: facts.clone().into(),
        achieved: Achieved::default(),
        peers: Vec::new(),
        near: Vec::new(),
        search: None,
        chosen: None,
        windows: Vec::new(),
        stand: None,
        origin: None,
        files: files.iter().map(|(name, bytes)| (name.to_string(), digest(bytes))).collect(),
    };
    let listing = serde_json::to_vec(&manifest.listing()).expect("manifests are JSON");
    let path = workspace.store.manifest_path(&record.key);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the store is writable");
    fs::write(path, listing).expect("the store is writable");
    let json = serde_json::to_vec(&record).expect("records are JSON");
    let folder = workspace.store.result_folder(&ResultId(*blake3::hash(&json).as_bytes()));
    fs::create_dir_all(&folder).expect("the store is writable");
    for (name, bytes) in [("record.json", &json[..])].into_iter().chain(files) {
        fs::write(folder.join(name), bytes).expect("the store is writable");
    }
}

/// A ninja project of as many edges, built once. False where there is no ninja.
fn make_ninja(folder: &Path, edges: u64) -> bool {
    let project = folder.join("ninja");
    fs::create_dir(&project).expect("it is ours");
    let mut text = String::from("rule make\n command = for file in $out; do : > $$file; done\n");
    for edge in 0..edges {
        let _ = writeln!(text, "build out/{edge}: make in/{}", edge % 1000);
    }
    fs::write(project.join("build.ninja"), text).expect("it is ours");
    fs::create_dir(project.join("in")).expect("it is ours");
    for input in 0..1000 {
        fs::write(project.join(format!("in/{input}")), "").expect("it is ours");
    }
    match Command::new("ninja").arg("-C").arg(&project).stdout(Stdio::null()).status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("no ninja here ({error}); its row is left out");
            false
        }
    }
}
