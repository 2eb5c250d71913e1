//! An archive by its maker: the same bytes whatever the surroundings, proof in a clean place, import, report.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::bench::{Bench, Ran, SMALL, touched};
use super::parcel::Parcel;

pub fn archived() -> Bench {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml"]).code(0);
    let before = bench.files("");
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--license", "CC-BY-4.0"]).code(0);
    let written = touched(&before, &bench.files(""));
    let only = written.iter().all(|name| name == "a.tar.zst" || name.starts_with(".septet/archives/small/"));
    assert!(only && written.len() == 2, "only the archive and a note of it are written: {written:?}");
    bench
}

#[test]
fn the_bytes_depend_on_results_alone() {
    let bench = archived();
    let first = fs::read(bench.path("a.tar.zst")).expect("it was made");
    // Another folder, whose entries were made in another order, another umask, language, zone, number of threads.
    let script = "umask 077; mkdir -p other/.septet && cp small.toml other/ && cd .septet && \
                  find . -type d | while read d; do mkdir -p ../other/.septet/$d; done && \
                  find . -type f | sort -r | while read f; do cp $f ../other/.septet/$f; done";
    let copied = Command::new("sh").args(["-c", script]).current_dir(bench.path("")).status();
    assert!(copied.is_ok_and(|status| status.success()), "the store can be copied");
    for (place, environment) in [
        ("other/small.toml", [("LC_ALL", "tr_TR.UTF-8"), ("TZ", "Asia/Kathmandu"), ("RAYON_NUM_THREADS", "1")]),
        ("small.toml", [("LC_ALL", "C"), ("TZ", "America/St_Johns"), ("RAYON_NUM_THREADS", "7")]),
    ] {
        let arguments = ["archive", "create", place, "-o", "b.tar.zst", "--license", "CC-BY-4.0"];
        bench.septet_with(&environment, &arguments).code(0);
        assert!(fs::read(bench.path("b.tar.zst")).is_ok_and(|bytes| bytes == first), "{place} {environment:?}");
    }
}

#[test]
fn it_proves_itself_in_a_clean_place_and_gives_the_report_back() {
    let bench = archived();
    fs::create_dir_all(bench.path("clean/tmp")).expect("the bench is writable");
    fs::rename(bench.path("a.tar.zst"), bench.path("clean/a.tar.zst")).expect("it was made");
    let report = bench.files("out/small");
    for folder in [".septet", "out", "cache"].into_iter().filter(|folder| bench.path(folder).exists()) {
        fs::rename(bench.path(folder), bench.path(&format!("gone-{folder}"))).expect("it is there");
    }
    let ran = offline(&bench, &["archive", "verify", "a.tar.zst", "--json"]).code(0).json();
    assert_eq!((&ran["level"], &ran["results"], &ran["tests"]), (&3.into(), &6.into(), &3.into()), "{ran}");
    let ran = offline(&bench, &["archive", "verify", "a.tar.zst"]).code(0);
    assert!(ran.stdout.contains("verified up to level 3 of 3"), "{}", ran.stdout);
    let ran = offline(&bench, &["archive", "verify", "a.tar.zst", "--digests-only"]).code(0);
    assert!(ran.stdout.contains("verified up to level 1 of 3"), "{}", ran.stdout);

    let ran = offline(&bench, &["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    assert!(ran.stdout.contains("imported 6 results under the origin theirs"), "{}", ran.stdout);
    let file = ".septet/origins/theirs/small.toml";
    offline(&bench, &["report", file, "-o", "again"]).code(0);
    let again = bench.files("clean/again");
    assert_eq!(report.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
    for (name, (_, _, bytes)) in &report {
        assert!(again[name].2 == *bytes, "{name} is not as it was");
    }
    // What was imported is nobody's own result, and comes in once.
    let ran = offline(&bench, &["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    assert!(ran.stdout.contains("there already"), "{}", ran.stdout);
    bench.write("clean/small.toml", SMALL);
    let plan = bench.septet(&["plan", "clean/small.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&0.into(), &3.into()), "{plan}");
    // Unless it is asked for: then whatever shows it says so.
    bench.septet(&["report", "clean/small.toml", "--with-origin", "theirs", "-o", "mixed"]).code(0);
    let page = fs::read_to_string(bench.path("mixed/index.html")).expect("it was written");
    assert!(page.contains("Mixed: 3 tests not measured here but elsewhere, imported as theirs"), "{page}");
    assert!(page.contains("Mixed: 2 tests of it measured elsewhere, imported as theirs."), "{page}");
    bench.septet(&["report", "clean/small.toml", "--with-origin", "nobodys", "-o", "mixed"]).code(2);
    assert_eq!(fs::read_dir(bench.path("clean/tmp")).expect("it is there").count(), 0, "something is left behind");
}

/// Folder of programs of others; `pipeline/tests/tools.sh` installs some.
pub fn tools() -> PathBuf {
    let named = std::env::var_os("SEPTET_TOOLS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"))
}

/// An archive's bag, unpacked.
pub fn unpacked(bench: &Bench) -> PathBuf {
    for (name, bytes) in Parcel::read(&bench.path("a.tar.zst")).0 {
        let path = bench.path("unpacked").join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the bench is writable");
        fs::write(path, bytes).expect("the bench is writable");
    }
    bench.path("unpacked/small")
}

#[test]
fn others_take_it_for_a_bag() {
    let bagit = tools().join("bin/bagit.py");
    if !bagit.is_file() {
        println!("skipped: no bagit.py: `sh pipeline/tests/tools.sh` installs it");
        return;
    }
    let bench = archived();
    let ran = Command::new(bagit).arg("--validate").arg(unpacked(&bench)).output();
    Ran::of(ran.expect("it can be started")).code(0);
}

#[test]
fn others_take_it_for_an_ro_crate() {
    let Some(context) = std::env::var_os("SEPTET_RO_CRATE_CONTEXT") else {
        println!("skipped: SEPTET_RO_CRATE_CONTEXT names no file with the context of RO-Crate 1.1 (see ro_crate.py)");
        return;
    };
    if !tools().join("bin/rocrate-validator").is_file() {
        println!("skipped: no rocrate-validator in {}: pip installs it as roc-validator", tools().display());
        return;
    }
    let bench = archived();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archive/ro_crate.py");
    let mut command = Command::new(tools().join("bin/python3"));
    let ran = command.arg(script).arg(context).arg(unpacked(&bench).join("data")).stdin(Stdio::null()).output();
    let ran = Ran::of(ran.expect("it can be started")).code(0);
    assert!(ran.stdout.contains("RO-Crate is a valid ro-crate-1.1"), "{}", ran.stdout);
}

/// `septet` in the clean folder, without a network where this process may take it away.
fn offline(bench: &Bench, arguments: &[&str]) -> Ran {
    let may = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    let septet = bench.path("septet");
    let mut command = match may.is_ok_and(|status| status.success()) {
        true => {
            let mut command = Command::new("unshare");
            command.arg("-n").arg(septet);
            command
        }
        false => {
            println!("the network stays: this process may not make a namespace without one");
            Command::new(septet)
        }
    };
    let ran = command
        .args(arguments)
        .current_dir(bench.path("clean"))
        .env_clear()
        .env("TMPDIR", bench.path("clean/tmp"))
        .stdin(Stdio::null())
        .output();
    Ran::of(ran.expect("septet can be started"))
}

#[test]
fn what_was_touched_is_named() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let verify = |parcel: &Parcel, code: i32| {
        parcel.write(&bench.path("b.tar.zst"));
        bench.septet(&["archive", "verify", "b.tar.zst"]).code(code)
    };
    assert!(verify(&whole, 0).stdout.contains("level 3 of 3"), "packing it again changes nothing");

    let mut page = whole.clone();
    page.edit("small/data/report/index.html", "Small", "Smell");
    let ran = verify(&page, 4);
    assert!(ran.stdout.contains("data/report/index.html is not what manifest-sha256.txt says"), "{}", ran.stdout);
    let ran = verify(page.seal(), 4);
    assert!(ran.stdout.contains("report/index.html differs from byte"), "{}", ran.stdout);
    assert!(ran.stdout.contains("6 derived again from raw samples, all equal"), "{}", ran.stdout);

    let mut figure = whole.clone();
    figure.0.remove("small/data/report/figures/by-size.csv");
    let ran = verify(&figure, 4);
    assert!(ran.stdout.contains("by-size.csv is missing"), "{}", ran.stdout);

    let mut samples = whole.clone();
    let name = samples.named("samples.parquet");
    samples.0.entry(name.clone()).and_modify(|bytes| bytes[100] ^= 1);
    let ran = verify(samples.seal(), 4);
    assert!(ran.stdout.contains("its content is not what its record says"), "{}", ran.stdout);
    let shallow = bench.septet(&["archive", "verify", "b.tar.zst", "--digests-only"]).code(4);
    assert!(shallow.stdout.contains("its content is not what its record says"), "{}", shallow.stdout);
    assert!(ran.stdout.contains("of throughput/") || ran.stdout.contains("of latency/"), "no test: {}", ran.stdout);

    let mut renderer = whole.clone();
    renderer.edit("small/data/septet.json", "\"templates\": \"", "\"templates\": \"0");
    let ran = verify(renderer.seal(), 0);
    assert!(ran.stdout.contains("renderer differs"), "{}", ran.stdout);
    assert!(ran.stdout.contains("verified up to level 2 of 3"), "{}", ran.stdout);
    assert!(ran.stdout.contains("taken on trust: report: renderer differs"), "{}", ran.stdout);

    let bytes = fs::read(bench.path("a.tar.zst")).expect("it was made");
    fs::write(bench.path("b.tar.zst"), &bytes[..bytes.len() / 2]).expect("the bench is writable");
    let ran = bench.septet(&["archive", "verify", "b.tar.zst", "--json"]).code(4).json();
    assert_eq!((&ran["level"], &ran["digests"]["outcome"]), (&0.into(), &"differs".into()), "{ran}");
    let ran = bench.septet(&["archive", "import", "b.tar.zst", "--as", "b"]).code(4);
    assert!(ran.stderr.contains("b.tar.zst"), "{}", ran.stderr);
}

#[test]
fn the_programs_that_were_measured_come_along_if_asked() {
    let bench = archived();
    let arguments = ["archive", "create", "small.toml", "-o", "b.tar.zst", "--with-components", "--json"];
    let ran = bench.septet(&arguments).code(0);
    assert!(ran.stderr.contains("no licence is given"), "{}", ran.stderr);
    let parcel = Parcel::read(&bench.path("b.tar.zst"));
    let generator = parcel.named("/septet-gen");
    assert!(fs::read(bench.path("septet-gen")).is_ok_and(|bytes| bytes == parcel.0[&generator]), "{generator}");
    let folder = Path::new(&generator).parent().expect("it lies in a folder").display().to_string();
    assert!(parcel.0.contains_key(&format!("{folder}/LICENSE-MIT")), "its terms are missing");
    let ran = bench.septet(&["archive", "verify", "b.tar.zst", "--json"]).code(0).json();
    assert_eq!(ran["level"], 3, "{ran}");
    // A program that was changed since is not the one that was measured.
    bench.upgrade("septet-gen");
    let ran = bench.septet(&arguments).code(0).json();
    assert!(ran["components_missing"].to_string().contains("septet-gen of septet-gen"), "{ran}");
}

#[test]
fn an_experiment_is_read_once_whatever_is_written_to_it_since() {
    let bench = Bench::measured();
    let text = fs::read(bench.path("small.toml")).expect("it is there");
    let file = bench.path("small.toml");
    fs::remove_file(&file).expect("it is ours");
    // A pipe gives a reader what is written once; a second look at it would find nothing.
    std::os::unix::fs::symlink("/dev/stdin", &file).expect("the bench is writable");
    let create = ["archive", "create", "small.toml", "-o", "a.tar.zst", "--license", "MIT", "--no-remote"];
    let mut command = Command::new("timeout");
    let inner = bench.command(&create);
    command.arg("60").arg(inner.get_program()).args(inner.get_args()).current_dir(bench.path(""));
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().expect("it starts");
    child.stdin.take().expect("it is piped").write_all(&text).expect("it is being read");
    let ended = child.wait_with_output().expect("it is ours");
    assert!(ended.status.success(), "{ended:?}");
    bench.septet(&["archive", "verify", "a.tar.zst"]).code(0);
}
