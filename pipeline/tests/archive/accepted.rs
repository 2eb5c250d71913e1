//! An archive whose report leans on an accepted change: it carries what was said, proves that it leads to what the
//! report shows, and is refused where it does not.

use std::fs;

use pipeline::acceptance::{Says, Statement};
use pipeline::key::StatementId;
use pipeline::store::Generation;

use super::bench::Bench;
use super::parcel::Parcel;

/// Small results of an older generator, taken for those of now, in `a.tar.zst`.
fn leaning() -> Bench {
    let bench = Bench::measured();
    bench.upgrade("septet-gen");
    bench.septet(&["accept", "small.toml", "--trigger", "generator", "--reason", "a byte that nobody reads"]).code(0);
    bench.septet(&["run", "small.toml"]).code(0);
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--license", "CC-BY-4.0"]).code(0);
    bench
}

#[test]
fn it_carries_what_was_accepted_and_proves_it() {
    let bench = leaning();
    let verified = bench.septet(&["archive", "verify", "a.tar.zst", "--json"]).code(0).json();
    assert_eq!((&verified["level"], &verified["results"]), (&3.into(), &6.into()), "{verified}");
    bench.septet(&["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    bench.septet(&["report", ".septet/origins/theirs/small.toml", "-o", "theirs"]).code(0);
    let read = |path: &str| fs::read_to_string(bench.path(path)).expect("it was written");
    assert!(read("theirs/index.html").contains("a byte that nobody reads"));
    assert_eq!(read("theirs/index.html"), read("out/small/index.html"));
    // In another experiment's report of its own, what is taken from there still leans on it, and says so.
    bench.write("mine.toml", &super::bench::SMALL.replace("name = \"small\"", "name = \"mine\""));
    bench.septet(&["report", "mine.toml", "--with-origin", "theirs", "-o", "mixed"]).code(0);
    assert!(read("mixed/index.html").contains("a byte that nobody reads"));
    // The sides that it is compared with know under which generators each was measured.
    bench.septet(&["run", "small.toml", "--force", "L=local"]).code(0);
    let compared = bench.septet(&["compare", "small.toml", "a.tar.zst", "latest", "--json"]).code(0).json();
    assert_eq!(compared["inputs"][0]["input"], "generator.septet-gen", "{compared}");
}

#[test]
fn it_is_reproduced_by_what_is_measured_here_alone() {
    let bench = leaning();
    let ran = bench.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(0).json();
    // Their acceptance is theirs: nothing of what they measured counts here.
    assert_eq!((&ran["imported"], &ran["measured"]), (&6.into(), &6.into()), "{ran}");
    let inputs = ran["reproduction"]["inputs"].to_string();
    assert!(inputs.contains("generator.septet-gen"), "theirs was measured by another one: {inputs}");
    let read = |path: &str| fs::read_to_string(bench.path(path)).expect("it was written");
    assert!(read("again/report/theirs/index.html").contains("a byte that nobody reads"));
    assert!(!read("again/report/ours/index.html").contains("a byte that nobody reads"));
    let again = bench.septet(&["reproduce", "a.tar.zst", "again", "--json"]).code(0).json();
    assert_eq!((&again["measured"], &again["report_files_written"]), (&0.into(), &0.into()), "{again}");
}

#[test]
fn what_does_not_lead_from_its_results_to_its_report_is_refused() {
    let bench = leaning();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let verify = |parcel: &mut Parcel| {
        parcel.seal().write(&bench.path("b.tar.zst"));
        // Nor is it measured against.
        let tried = bench.septet(&["reproduce", "b.tar.zst", "again"]).code(4);
        assert!(!bench.path("again").exists() && tried.stderr.contains("nothing of it was used"), "{tried:?}");
        bench.septet(&["archive", "verify", "b.tar.zst"]).code(4).stdout
    };
    let name = whole.all(".json").into_iter().find(|name| name.contains("/acceptances/")).expect("it is carried");
    let mut without = whole.clone();
    without.0.remove(&name);
    let told = verify(&mut without);
    assert!(told.contains("acceptances/"), "{told}");
    let mut other = whole.clone();
    other.edit(&name, "a byte that nobody reads", "a byte that everybody reads");
    let told = verify(&mut other);
    assert!(told.contains("its content is not what its name says"), "{told}");

    // A forger who changes what was accepted, and every name and digest with it.
    let mut forged = whole.clone();
    let mut statement = Statement::parse(&forged.0.remove(&name).expect("it is there")).expect("it is one");
    let Says::Harmless(step) = &mut statement.says else { panic!("it accepts") };
    std::mem::swap(&mut step.before, &mut step.now);
    let bytes = serde_json::to_vec(&statement).expect("it is JSON");
    let id = StatementId(*blake3::hash(&bytes).as_bytes());
    let folder = name.rsplit_once('/').expect("it lies in a folder").0;
    forged.0.insert(format!("{folder}/{id}.json"), bytes);
    let old = forged.named(".json.zst");
    let json = zstd::stream::decode_all(&forged.0.remove(&old).expect("it is there")[..]).expect("it is zstd");
    let mut generation: Generation = serde_json::from_slice(&json).expect("it is a generation");
    generation.tests.iter_mut().flat_map(|test| &mut test.leans).for_each(|lean| lean.by = vec![id]);
    let (new, bytes) = generation.file().expect("it can be encoded");
    let (folder, old) = old.rsplit_once('/').expect("it lies in a folder");
    forged.0.insert(format!("{folder}/{new}.json.zst"), bytes);
    forged.edit("small/data/septet.json", old.trim_end_matches(".json.zst"), new.as_str());
    let told = verify(&mut forged);
    assert!(told.contains("counts by changes that do not lead from its key"), "{told}");
}
