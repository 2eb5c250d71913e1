//! An archive measured again by somebody else: theirs beside ours, the folder of it, and a generator that is slower by
//! one technique.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::bench::{Bench, Files, Ran, touched};
use super::honest::archived;

/// Claims over what single techniques reject: a host that is busy misses deadlines and loses packets, but rejects none,
/// so that verdicts follow from the generator alone.
const TECHNIQUES: &str = r#"
[experiment]
name = "techniques"
title = "Techniques"

[protocol]
duration = "200ms"
warmup = "20ms"
cooldown = "20ms"
repetitions = 3

[[tests]]
id = "techniques"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = 64
R = "5kpps"
B = 10
io = ["udp", "udp-mmsg", "raw"]

[[figure]]
id = "rates"
from = "techniques"
x = "io"
y = "rx_kpps"

[[table]]
id = "rates-table"
from = "techniques"
rows = "io"
value = ["rx_kpps", "rejected_ratio"]

[[claim]]
id = "udp-is-whole"
from = "techniques"
text = "UDP rejects next to nothing."
test = "rejected_ratio[io=udp] < 0.01"

[[claim]]
id = "udp-keeps-up"
from = "techniques"
text = "UDP rejects no more than raw sockets."
test = "rejected_ratio[io=udp] <= rejected_ratio[io=raw] + 0.01"

[[claim]]
id = "mmsg-is-whole"
from = "techniques"
text = "One call a burst rejects next to nothing."
test = "rejected_ratio[io=udp-mmsg] < 0.01"

[[claim]]
id = "raw-is-whole"
from = "techniques"
text = "Raw sockets reject next to nothing."
test = "rejected_ratio[io=raw] < 0.01"

[[claim]]
id = "raw-keeps-up"
from = "techniques"
text = "Raw sockets reject no more than one call a burst."
test = "rejected_ratio[io=raw] <= rejected_ratio[io=udp-mmsg] + 0.01"
"#;

fn words(reproduced: &Value) -> Vec<(String, String)> {
    let claims = reproduced["reproduction"]["claims"].as_array().expect("claims");
    let word = |claim: &Value| {
        (claim["id"].as_str().expect("an id").to_string(), claim["word"].as_str().expect("a word").to_string())
    };
    claims.iter().map(word).collect()
}

fn text(bench: &Bench, path: &str) -> String {
    fs::read_to_string(bench.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is in a folder besides what septet remembers of files.
fn lasting(bench: &Bench) -> Files {
    bench.files("again")
}

#[test]
fn what_is_reproduced_once_is_there_and_nothing_is_written_twice() {
    let bench = archived();
    let ran = bench.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(0).json();
    assert_eq!((&ran["imported"], &ran["measured"]), (&6.into(), &6.into()), "{ran}");
    let reproduction = &ran["reproduction"];
    assert_eq!((&reproduction["tests"]["all"], &reproduction["tests"]["both"]), (&3.into(), &3.into()), "{ran}");
    assert_eq!(reproduction["sum"]["claims"], 1, "{ran}");
    // Measured under the same conditions: ours are not theirs all the same.
    let figure = &reproduction["figures"][0]["rows"][0];
    assert!(figure["theirs"]["value"].is_number() && figure["ours"]["value"].is_number(), "{figure}");
    assert_eq!(figure["theirs"]["key"], figure["ours"]["key"], "the same machine, the same key: {figure}");
    let page = text(&bench, "again/report/index.html");
    for words in ["Their report", "Our report", "ours/tests/", "theirs/tests/", "verified up to level 3 of 3", "hollow"]
    {
        assert!(page.contains(words), "{words}");
    }
    let their_page = text(&bench, "again/report/theirs/index.html");
    assert_eq!(their_page, text(&bench, "out/small/index.html"), "their report is what it was there");

    let before = lasting(&bench);
    let again = bench.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(0).json();
    assert_eq!(
        (&again["imported"], &again["measured"], &again["report_files_written"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(touched(&before, &lasting(&bench)), Vec::<String>::new());
    assert_eq!(again["reproduction"], *reproduction);

    // A tenth of it is something else, and says so on every page.
    let scaled = bench.septet(&["reproduce", "a.tar.zst", "again", "--scale", "0.5", "--json"]).code(0).json();
    assert_eq!((&scaled["measured"], &scaled["reproduction"]["scale"]), (&6.into(), &0.5.into()), "{scaled}");
    let row = &scaled["reproduction"]["figures"][0]["rows"][0];
    assert_ne!(row["theirs"]["key"], row["ours"]["key"], "what was scaled has other keys: {row}");
    for entry in ["index.html", "ours/index.html", "ours/claims.html"] {
        assert!(text(&bench, &format!("again/report-scale-0.5/{entry}")).contains("scaled to 0.5"), "{entry}");
    }
    let tests = bench.path("again/report-scale-0.5/ours/tests");
    for page in fs::read_dir(tests).expect("pages of tests") {
        let page = fs::read_to_string(page.expect("a page").path()).expect("a page");
        assert!(page.contains("scaled to 0.5"), "a test's page does not say it");
    }
    // And the whole is as it was before.
    let whole = bench.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(0).json();
    assert_eq!((&whole["measured"], &whole["reproduction"]), (&0.into(), reproduction));
}

#[test]
fn a_folder_is_for_one_archive() {
    let bench = archived();
    bench.edit("small.toml", "Received rate by packet size", "Received rate");
    bench.septet(&["archive", "create", "small.toml", "-o", "b.tar.zst", "--license", "CC-BY-4.0"]).code(0);
    fs::create_dir(bench.path("full")).expect("the bench is writable");
    bench.write("full/mine.txt", "mine");
    let ran = bench.septet(&["reproduce", "a.tar.zst", "full"]).code(2);
    assert!(ran.stderr.contains("it is not empty, and no earlier reproduction"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(bench.path("full")).expect("it is there").count(), 1);

    // Nothing is measured for a selection of no test, and for no part of nothing.
    let ran = bench.septet(&["reproduce", "a.tar.zst", "again", "--only", "P=512"]).code(2);
    assert!(ran.stderr.contains("matches no test of a.tar.zst"), "{}", ran.stderr);
    for scale in ["0", "2", "nan"] {
        let ran = bench.septet(&["reproduce", "a.tar.zst", "again", "--scale", scale]).code(2);
        assert!(ran.stderr.contains("is not above 0 and at most 1"), "{}", ran.stderr);
    }
    assert!(!bench.path("again").exists(), "nothing is left of what was refused");

    bench.septet(&["reproduce", "a.tar.zst", "again", "--only", "D=latency", "--scale", "0.5"]).code(0);
    let page = text(&bench, "again/report-scale-0.5/index.html");
    assert!(page.contains("not measured here") && page.contains("left out, out of time"), "{page}");
    let ran = bench.septet(&["reproduce", "b.tar.zst", "again"]).code(2);
    assert!(ran.stderr.contains("it is of another archive"), "{}", ran.stderr);
    // What its owner changed is not overwritten.
    bench.edit("again/small.toml", "Small", "Mine");
    let ran = bench.septet(&["reproduce", "a.tar.zst", "again"]).code(2);
    assert!(ran.stderr.contains("small.toml there was changed"), "{}", ran.stderr);
    assert!(text(&bench, "again/small.toml").contains("Mine"));
}

#[test]
fn links_in_its_folder_lead_nowhere() {
    let bench = archived();
    fs::create_dir_all(bench.path("victim")).expect("the bench is writable");
    bench.septet(&["reproduce", "a.tar.zst", "again", "--only", "D=latency", "--scale", "0.5"]).code(0);
    for name in ["report-scale-0.5", ".septet"] {
        fs::rename(bench.path(&format!("again/{name}")), bench.path(&format!("moved-{name}"))).expect("it is there");
        std::os::unix::fs::symlink(bench.path("victim"), bench.path(&format!("again/{name}"))).expect("a link");
        let ran = bench.septet(&["reproduce", "a.tar.zst", "again", "--only", "D=latency", "--scale", "0.5"]);
        assert!(ran.code == 3 || ran.code == 2, "{name}: {ran:?}");
        assert_eq!(fs::read_dir(bench.path("victim")).expect("it is there").count(), 0, "{name} led outside");
        fs::remove_file(bench.path(&format!("again/{name}"))).expect("the link");
        fs::rename(bench.path(&format!("moved-{name}")), bench.path(&format!("again/{name}"))).expect("it is there");
    }
}

#[test]
fn what_root_measured_with_one_runtime_a_user_reproduces_with_another() {
    let Some(user) = Bench::as_nobody() else { return };
    let root = Bench::new();
    root.write("techniques.toml", TECHNIQUES);
    root.septet(&["run", "techniques.toml"]).code(0);
    root.septet(&["archive", "create", "techniques.toml", "-o", "a.tar.zst", "--license", "CC-BY-4.0"]).code(0);
    fs::copy(root.path("a.tar.zst"), user.path("a.tar.zst")).expect("the benches are writable");
    let ran = user.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(0).json();
    for (id, word) in words(&ran) {
        assert_eq!(word, "reproduced", "{id}");
    }
    let inputs = ran["reproduction"]["inputs"].as_array().expect("inputs");
    assert!(!inputs.is_empty(), "root's host and a user's are not the same: {ran}");
    println!("differs: {inputs:#?}");
}

/// A stand-in for a worse implementation of one technique: the generator of this version, built of its own sources but
/// for one line by which `udp` hands over seven packets of ten.
fn slower_generator() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sources = folder.path().join("generators");
    let copied = Command::new("cp").arg("-r").arg(root.join("generators")).arg(&sources).status();
    assert!(copied.is_ok_and(|status| status.success()), "the generators' sources can be copied");
    let port = sources.join("src/port/udp.rs");
    let text = fs::read_to_string(&port).expect("the port of udp");
    let head = "fn send(&mut self, burst: &[Header]) -> io::Result<usize> {\n";
    assert_eq!(text.matches(head).count(), 1, "the port of udp is not what this stand-in knows");
    fs::write(&port, text.replace(head, &format!("{head}let burst = &burst[..burst.len() - burst.len() * 3 / 10];\n")))
        .expect("ours");
    let target = root.join("target/slower");
    let mut build = Command::new("sh");
    let ran = build.arg(sources.join("build.sh")).arg(target.join("build")).arg(&target).stdin(Stdio::null()).output();
    Ran::of(ran.expect("sh can be started")).code(0);
    target.join("septet-gen")
}

#[test]
fn exactly_the_claims_over_what_became_slower_are_not_reproduced() {
    let slower = slower_generator();
    let bench = Bench::new();
    bench.write("techniques.toml", TECHNIQUES);
    bench.septet(&["run", "techniques.toml"]).code(0);
    bench.septet(&["archive", "create", "techniques.toml", "-o", "a.tar.zst", "--license", "CC-BY-4.0"]).code(0);
    let swapped = Command::new("cp").arg(&slower).arg(bench.path("new")).status();
    assert!(swapped.is_ok_and(|status| status.success()), "the stand-in can be copied");
    fs::rename(bench.path("new"), bench.path("septet-gen")).expect("the bench is writable");
    let ran = bench.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(4).json();
    let expected = [
        ("udp-is-whole", "not reproduced"),
        ("udp-keeps-up", "not reproduced"),
        ("mmsg-is-whole", "reproduced"),
        ("raw-is-whole", "reproduced"),
        ("raw-keeps-up", "reproduced"),
    ];
    assert_eq!(words(&ran), expected.map(|(id, word)| (id.to_string(), word.to_string())), "{ran}");
    let inputs = ran["reproduction"]["inputs"].to_string();
    assert!(inputs.contains("septet-gen"), "what differs is named: {inputs}");
    let rows = ran["reproduction"]["tables"][0]["rows"].as_array().expect("rows");
    let rejected = |io: &str, side: &str| {
        let is_it = |row: &&Value| row["at"]["io"] == io && row["metric"] == "rejected_ratio";
        rows.iter().find(is_it).expect("a row")[side]["value"].as_f64().expect("a value")
    };
    // Of what was intended: 0.3 where all of it was tried, less where the host had no time for it.
    let (of_ours, of_theirs) = (rejected("udp", "ours"), rejected("udp", "theirs"));
    assert!(of_ours > 0.02 && of_ours < 0.32 && of_theirs < 0.01, "{rows:#?}");
    assert!(rejected("raw", "ours") < 0.01 && rejected("udp-mmsg", "ours") < 0.01, "{rows:#?}");
    let ran = bench.septet(&["reproduce", "a.tar.zst", "again"]).code(4);
    assert!(ran.stdout.contains("3 of 5 claims reproduced, 2 not"), "{}", ran.stdout);
}
