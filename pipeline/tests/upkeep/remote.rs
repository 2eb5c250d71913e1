//! A shared store: what one has measured another need not measure, nothing is believed unseen, and a cut costs
//! nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pipeline::manifest::Listing;
use pipeline::store::{Record, Repetition, Store, Writer};

use super::bench::{Bench, Ran, SMALL};
use super::server;

/// Results of the test that is cut in the middle.
const MANY: usize = 200;

/// A bench with what shares; none, with the reason printed, if it was not built.
pub fn sharing() -> Option<Bench> {
    let built = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-remote");
    if !built.is_file() {
        println!("skipped: no septet-remote: `make build` makes it");
        return None;
    }
    let bench = Bench::new();
    let copied = Command::new("cp").arg("-p").arg(&built).arg(bench.path("")).status();
    assert!(copied.is_ok_and(|status| status.success()), "it can be copied");
    bench.write("small.toml", SMALL);
    Some(bench)
}

/// The address of a folder of the bench.
pub fn folder(bench: &Bench, name: &str) -> String {
    format!("file://{}", bench.path(name).display())
}

#[test]
fn what_one_has_measured_another_need_not_measure() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    let url = folder(&bench, "shared");
    let pushed = bench.septet(&["store", "push", &url, "--json"]).code(0).json();
    assert_eq!((&pushed["copied"], &pushed["there"]), (&6.into(), &0.into()), "{pushed}");
    let again = bench.septet(&["store", "push", &url, "--json"]).code(0).json();
    assert_eq!((&again["copied"], &again["there"]), (&0.into(), &6.into()), "{again}");

    // The same experiment elsewhere, whose site names the shared store.
    fs::create_dir_all(bench.path("other")).expect("the bench is writable");
    bench.write("other/small.toml", SMALL);
    bench.write("other/site.toml", &format!("[store]\nremote = \"{url}\"\n"));
    let shown = bench.septet(&["site", "show", "other"]).code(0);
    assert!(shown.stderr.contains("nobody has trusted it") && shown.stdout.contains("none"), "{shown:?}");
    bench.septet(&["site", "trust", "other/site.toml"]).code(0);
    let run = bench.septet(&["run", "other/small.toml", "--json", "-o", "out/other"]).code(0);
    assert!(run.stderr.contains("pulled 6 results"), "{}", run.stderr);
    assert_eq!(run.json()["measured"], 0, "{}", run.stdout);
    bench.septet(&["store", "verify", "--store", "other/.septet"]).code(0);
    // A changed site file must be trusted again.
    bench.write("other/site.toml", "[store]\nremote = \"file:///elsewhere\"\n");
    let shown = bench.septet(&["site", "show", "other"]).code(0);
    assert!(shown.stderr.contains("nobody has trusted it"), "{shown:?}");
}

/// Holds all samples below a folder against the schema in it, as somebody who has never heard of septet would. Not by
/// what Frictionless itself reads of Parquet: to pandas a column of whole numbers with gaps is none.
const FRICTIONLESS: &str = r#"
import glob, json, os, sys
os.chdir(sys.argv[1])
import frictionless, jsonschema, pyarrow.parquet, pyarrow.types
fields = frictionless.Schema.from_descriptor("samples.schema.json").fields
is_of = {"integer": pyarrow.types.is_integer, "number": pyarrow.types.is_floating, "string": lambda kind: "string" in str(kind)}
samples = sorted(glob.glob("results/*/*/samples.parquet"))
for path in samples:
    there = pyarrow.parquet.read_schema(path)
    assert there.names == [field.name for field in fields], there.names
    for field in fields:
        kind = there.field(field.name).type
        assert is_of[field.type](kind), (field, kind)
        assert field.description, field
for path in glob.glob("results/*/*/record.json"):
    jsonschema.Draft202012Validator(json.load(open("record.schema.json"))).validate(json.load(open(path)))
print(len(samples), "as they say")
"#;

#[test]
fn what_is_shared_says_what_its_columns_mean() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    bench.septet(&["store", "push", &folder(&bench, "shared")]).code(0);
    for (of, file) in [("samples", "samples.schema.json"), ("record", "record.schema.json")] {
        let written: serde_json::Value =
            serde_json::from_slice(&fs::read(bench.path("shared").join(file)).expect("it was written")).expect("JSON");
        assert_eq!(written, bench.septet(&["schema", of]).code(0).json(), "{file}");
    }
    // They are in nobody's way.
    let again =
        bench.septet(&["store", "pull", &folder(&bench, "shared"), "--store", "other", "--json"]).code(0).json();
    assert_eq!((&again["copied"], &again["refused"]), (&6.into(), &serde_json::json!([])), "{again}");
    bench.septet(&["store", "verify", "--store", "other"]).code(0);
    let tools = std::env::var_os("SEPTET_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"), std::path::PathBuf::from);
    let python = tools.join("bin/python3");
    if !python.is_file() {
        println!("skipped: no Python packages: `sh pipeline/tests/tools.sh` installs them");
        return;
    }
    let read = Command::new(python).args(["-c", FRICTIONLESS]).arg(bench.path("shared")).output();
    let read = Ran::of(read.expect("it can be started")).code(0);
    assert!(read.stdout.contains("6 as they say"), "{read:?}");
}

#[test]
fn what_is_not_what_it_says_is_not_taken() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    let url = folder(&bench, "shared");
    bench.septet(&["store", "push", &url]).code(0);
    let names: Vec<String> = bench.files("shared/results").into_keys().collect();
    let nth = |end: &str, number: usize| {
        let name = names.iter().filter(|name| name.ends_with(end)).nth(number).expect("there are enough");
        bench.path("shared/results").join(name)
    };
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).expect("it is ours");
    };
    flip(&nth("samples.parquet", 0));
    flip(&nth("record.json", 1));
    fs::remove_file(nth("log.zst", 2)).expect("it is there");
    let pulled = bench.septet(&["store", "pull", &url, "--store", "other", "--json"]).code(4).json();
    assert_eq!(pulled["copied"], 3, "{pulled}");
    let refused = pulled["refused"].to_string();
    for reason in [
        "its samples.parquet is not what its record says",
        "its record is not what its name says",
        "its log.zst is missing",
    ] {
        assert!(refused.contains(reason), "no '{reason}' in {refused}");
    }
    let left = bench.septet(&["store", "verify", "--store", "other", "--json"]).code(0).json();
    assert_eq!(left["results"], 3, "{left}");

    bench.write("shared/format", "{\"format\": 99}");
    let ran = bench.septet(&["store", "pull", &url, "--store", "other"]).code(3);
    assert!(ran.stderr.contains("format 99"), "{}", ran.stderr);
    let ran = bench.septet(&["store", "pull", "gopher://x", "--store", "other"]).code(2);
    assert!(ran.stderr.contains("only s3://") || ran.stderr.contains("gopher"), "{}", ran.stderr);
    bench.septet(&["store", "pull", "--store", "other"]).code(2);
}

/// A real result, of which others are made that differ in when they were measured.
struct Results {
    record: Record,
    samples: Vec<u8>,
    manifest: Listing,
}

impl Results {
    fn of(bench: &Bench) -> Results {
        let store = Store::open(&bench.path(".septet")).expect("it is there");
        let entry = store.index().expect("it can be read").entries()[0];
        let record = store.record(&entry.id).expect("it is sound");
        let samples = store.file(&entry.id, &record, "samples.parquet").expect("it is sound");
        let manifest = store.manifest(&entry.key).expect("it is sound").expect("it is there");
        Results { record, samples, manifest }
    }

    fn add(&self, store: &Store, log: &str, count: usize) {
        let mut writer = Writer::open(store).expect("the store is writable");
        for number in 0..count {
            let record = Record { started: format!("2026-01-02T03:04:05.{number:06}Z"), ..self.record.clone() };
            let repetition = Repetition { record, samples: self.samples.clone(), log: log.to_string() };
            writer.commit(repetition, &self.manifest).expect("the store is writable");
        }
        writer.close().expect("the store is writable");
    }
}

/// A store with many results, made of one real one.
fn many(bench: &Bench) {
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    Results::of(bench).add(&Store::open(&bench.path(".septet")).expect("it is there"), "", MANY);
}

/// Starts a copy and kills it when `there` says that enough has arrived; false if it was faster.
fn cut(bench: &Bench, environment: &[(&str, String)], arguments: &[&str], there: &dyn Fn() -> bool) -> bool {
    let mut command = bench.command(arguments);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut child = command.spawn().expect("it starts");
    let limit = Instant::now() + Duration::from_secs(120);
    while !there() {
        if child.try_wait().expect("it is ours").is_some() {
            return false;
        }
        assert!(Instant::now() < limit, "nothing arrives");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    true
}

fn with(bench: &Bench, environment: &[(&str, String)], arguments: &[&str]) -> Ran {
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bench.septet_with(&environment, arguments)
}

/// Results in a folder that somebody writes to meanwhile.
fn count(bench: &Bench, folder: &str) -> usize {
    let listed =
        |path: std::path::PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let shelves = listed(bench.path(folder));
    shelves.flat_map(listed).filter(|result| result.join("record.json").exists()).count()
}

/// Cuts a push and a pull of many results, and finishes both. `arrived` counts what is there.
fn cut_and_go_on(bench: &Bench, url: &str, environment: &[(&str, String)], arrived: &dyn Fn() -> usize) {
    let total = MANY + 2;
    let number = |ran: &serde_json::Value, name: &str| ran[name].as_u64().expect("a number");
    let was_cut = cut(bench, environment, &["store", "push", url], &|| arrived() > 20);
    let pushed = with(bench, environment, &["store", "push", url, "--json"]).code(0).json();
    assert_eq!(number(&pushed, "copied") + number(&pushed, "there"), total as u64, "{pushed}");
    assert!(!was_cut || number(&pushed, "there") > 20, "what had arrived is not sent again: {pushed}");

    let pull = ["store", "pull", url, "--store", "other", "--json"];
    let was_cut = cut(bench, environment, &pull, &|| count(bench, "other/results") > 20);
    let pulled = with(bench, environment, &pull).code(0).json();
    assert_eq!(number(&pulled, "copied") + number(&pulled, "there"), total as u64, "{pulled}");
    assert!(!was_cut || number(&pulled, "there") > 20, "what had arrived is not fetched again: {pulled}");
    let left = bench.septet(&["store", "verify", "--store", "other", "--json"]).code(0).json();
    assert_eq!(left["results"], total as u64, "{left}");
    assert_eq!(fs::read_dir(bench.path("other/tmp")).expect("it is there").count(), 0, "something is left behind");
}

#[test]
fn a_cut_push_and_a_cut_pull_go_on() {
    let Some(bench) = sharing() else { return };
    many(&bench);
    cut_and_go_on(&bench, &folder(&bench, "shared"), &[], &|| count(&bench, "shared/results"));
}

#[test]
fn a_cut_push_and_a_cut_pull_go_on_through_s3() {
    let Some(bench) = sharing() else { return };
    let Some(server) = server::s3() else { return };
    many(&bench);
    cut_and_go_on(&bench, "s3://septet/team", &server.environment(), &|| server.records());
}

/// Pushes of two who do not know each other, each after every result that it has measured.
#[test]
fn who_pushes_at_the_same_time_loses_nothing_and_parts_of_the_index_are_folded() {
    const PUSHES: usize = 12;
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let url = folder(&bench, "shared");
    let results = Results::of(&bench);
    std::thread::scope(|scope| {
        for own in ["one", "two"] {
            let (bench, url, results) = (&bench, &url, &results);
            scope.spawn(move || {
                for number in 0..PUSHES {
                    results.add(&Store::open(&bench.path(own)).expect("it can be made"), &format!("{own}-{number}"), 1);
                    bench.septet(&["store", "push", url, "--store", own]).code(0);
                }
            });
        }
    });
    let parts = bench.files("shared/index").into_keys().filter(|name| name.ends_with(".log")).count();
    assert!(parts <= 20, "{parts} parts are not folded");
    let pulled = bench.septet(&["store", "pull", &url, "--store", "all", "--json"]).code(0).json();
    assert_eq!(pulled["copied"], 2 * PUSHES as u64, "{pulled}");
}

#[test]
fn it_works_through_s3_and_plain_http() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    if let Some(server) = server::s3() {
        let environment = server.environment();
        let url = "s3://septet/team/results";
        let pushed = with(&bench, &environment, &["store", "push", url, "--json"]).code(0).json();
        assert_eq!(pushed["copied"], 6, "{pushed}");
        let again = with(&bench, &environment, &["store", "push", url, "--json"]).code(0).json();
        assert_eq!((&again["copied"], &again["there"]), (&0.into(), &6.into()), "{again}");
        let pulled = with(&bench, &environment, &["store", "pull", url, "--store", "s3", "--json"]).code(0).json();
        assert_eq!(pulled["copied"], 6, "{pulled}");
        bench.septet(&["store", "verify", "--store", "s3"]).code(0);
    }
    bench.septet(&["store", "push", &folder(&bench, "shared")]).code(0);
    if let Some(server) = server::http(&bench.path("shared")) {
        let url = format!("http://127.0.0.1:{}", server.port);
        let pulled = bench.septet(&["store", "pull", &url, "--store", "http", "--json"]).code(0).json();
        assert_eq!(pulled["copied"], 6, "{pulled}");
        bench.septet(&["store", "verify", "--store", "http"]).code(0);
    }
}
