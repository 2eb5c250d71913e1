//! Which generation is the latest, whatever clocks say; and that what generations say is believed only where it is so.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::store::{Generation, GenerationName};

use super::bench::{Bench, SMALL, touched};
use super::shims::shim;

const FOLDER: &str = ".septet/generations/small";

fn names(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.path(FOLDER)).expect("there are generations");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The latest, as `status` tells.
fn latest(bench: &Bench) -> String {
    let status = bench.septet(&["status", "small.toml", "--json"]).code(0).json();
    status["generation"].as_str().expect("there is one").to_string()
}

fn read(path: &Path) -> Generation {
    let name = path.file_name().expect("it has a name").to_string_lossy().replace(".json.zst", "");
    let bytes = fs::read(path).expect("it is there");
    Generation::parse(&bytes, "small", &name.parse().expect("it is a name")).expect("it is sound")
}

fn keep(bench: &Bench, generation: &Generation) -> PathBuf {
    let (name, bytes) = generation.file().expect("it can be encoded");
    let path = bench.path(FOLDER).join(format!("{name}.json.zst"));
    fs::write(&path, bytes).expect("the bench is writable");
    path
}

#[test]
fn no_clock_decides_which_generation_is_the_latest() {
    let bench = Bench::measured();
    let Some(clock) = shim(&bench, "clock") else { return };
    let at = |seconds: &str, arguments: &[&str]| {
        bench.septet_with(&[("LD_PRELOAD", &clock), ("SEPTET_TEST_CLOCK", seconds)], arguments)
    };
    let first = latest(&bench);
    for (seconds, rate) in [("-864000", "50001"), ("86400", "50002"), ("-31536000", "50003")] {
        bench.edit("small.toml", &rate_line(&bench), &format!("R = {rate}"));
        at(seconds, &["run", "small.toml"]).code(0);
        let status = at("0", &["status", "small.toml", "--json"]).code(0).json();
        assert_ne!(status["generation"].as_str(), Some(first.as_str()), "{seconds}: {status}");
        bench.septet(&["report", "small.toml"]).code(0);
        let figure = fs::read_to_string(bench.path("out/small/figures/by-size.csv")).expect("it is written");
        assert_eq!(figure.lines().count(), 3, "the report is of the latest: {figure}");
        let compared = bench.septet(&["compare", "small.toml", "latest~1", "latest", "--json"]).code(0).json();
        assert!(compared.is_object(), "{compared}");
        // A run that has nothing to do adds nothing, at whatever time.
        let before = bench.files(".septet");
        for again in ["0", "864000", "-864000"] {
            let run = at(again, &["run", "small.toml", "--json"]).code(0).json();
            assert_eq!(run["generation"], status["generation"], "{again}: {run}");
        }
        assert_eq!(touched(&before, &bench.files(".septet")), Vec::<String>::new(), "{seconds}");
    }
    assert_eq!(names(&bench).len(), 4);
    // An older one by its name, and by what it stands on as pages have it.
    bench.septet(&["compare", "small.toml", &first, "latest"]).code(0);
    bench.septet(&["compare", "small.toml", first.split('-').nth(1).expect("it has a digest"), "latest"]).code(0);
}

fn rate_line(bench: &Bench) -> String {
    let text = fs::read_to_string(bench.path("small.toml")).expect("it is there");
    let line = text.lines().find(|line| line.starts_with("R = ")).expect("there is a rate");
    line.to_string()
}

#[test]
fn a_clock_that_no_record_can_hold_is_an_error() {
    let bench = Bench::new();
    let Some(clock) = shim(&bench, "clock") else { return };
    bench.write("small.toml", SMALL);
    for seconds in ["-2208988800", "300000000000"] {
        let ran = bench.septet_with(&[("LD_PRELOAD", &clock), ("SEPTET_TEST_CLOCK", seconds)], &["run", "small.toml"]);
        let ran = ran.code(3);
        assert!(ran.stderr.contains("before 1970 or after 9999"), "{}", ran.stderr);
    }
    bench.septet(&["run", "small.toml"]).code(0);
    let ran =
        bench.septet_with(&[("LD_PRELOAD", &clock), ("SEPTET_TEST_CLOCK", "-2208988800")], &["run", "small.toml"]);
    assert!(ran.code(3).stderr.contains("before 1970 or after 9999"));
}

#[test]
fn generations_that_know_no_predecessors_are_read_and_are_before_all_others() {
    let bench = Bench::measured();
    let kept = bench.path(FOLDER).join(&names(&bench)[0]);
    let older = Generation { format: 1, created: "2099-01-01T00:00:00.000Z".to_string(), ..read(&kept) };
    let older = Generation { follows: Vec::new(), line: 0, ..older };
    fs::remove_file(&kept).expect("it is there");
    fs::write(bench.path(".septet/format"), "{\"format\": 1}\n").expect("the bench is writable");
    let oldest = Generation { created: "2020-01-01T00:00:00.000Z".to_string(), complete: false, ..older.clone() };
    let (oldest, older) = (keep(&bench, &oldest), keep(&bench, &older));
    let stem = |path: &Path| path.file_name().expect("a name").to_string_lossy().replace(".json.zst", "");
    assert_eq!(latest(&bench), stem(&older));
    // Nothing to do: nothing is added, and nothing is changed.
    let before = bench.files(".septet/generations");
    bench.septet(&["run", "small.toml"]).code(0);
    assert_eq!(touched(&before, &bench.files(".septet/generations")), Vec::<String>::new());
    bench.septet(&["compare", "small.toml", "latest~1", "latest"]).code(0);

    bench.edit("small.toml", "R = \"50kpps\"", "R = 50001");
    bench.septet(&["run", "small.toml"]).code(0);
    let now = latest(&bench);
    assert!(now != stem(&older) && now != stem(&oldest), "it follows them, whatever their times say");
    let format = fs::read_to_string(bench.path(".septet/format")).expect("it is there");
    assert!(format.contains('2'), "an older septet must not write beside what it would not understand: {format}");
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn what_a_generation_says_of_results_is_held_against_them() {
    let bench = Bench::measured();
    let kept = bench.path(FOLDER).join(&names(&bench)[0]);
    let honest = read(&kept);
    let archive = ["archive", "create", "small.toml", "-o", "a.tar.zst", "--license", "CC-BY-4.0"];
    type Lie = fn(&mut Generation);
    let lies: [(&str, Lie); 3] = [
        ("results of another test", |generation| {
            let [first, second, ..] = &mut generation.tests[..] else { panic!("there are tests") };
            std::mem::swap(&mut first.repetitions, &mut second.repetitions);
        }),
        ("another key", |generation| generation.tests[0].key = generation.tests[1].key),
        ("another name", |generation| generation.tests[0].name = generation.tests[1].name.clone()),
    ];
    let is_told = |text: &str| text.contains("is listed under") || text.contains("under two keys");
    for (what, lie) in lies {
        fs::remove_file(&kept).expect("it is there");
        let mut other = honest.clone();
        lie(&mut other);
        // Every digest made to fit.
        let path = keep(&bench, &other);
        fs::remove_dir_all(bench.path("out")).expect("it is ours");
        for command in [&["report", "small.toml"][..], &archive, &["compare", "small.toml", "latest", "latest"]] {
            let ran = bench.septet(command).code(3);
            assert!(is_told(&ran.stderr), "{what}: {command:?}: {}", ran.stderr);
        }
        let found = bench.septet(&["store", "verify"]).code(4);
        assert!(is_told(&found.stderr) && found.stderr.contains("septet run FILE"), "{}", found.stderr);
        assert!(!path.exists(), "it is put aside");
        bench.septet(&["store", "verify"]).code(0);
        let run = bench.septet(&["run", "small.toml", "--json"]).code(0).json();
        assert_eq!(run["measured"], 0, "{run}");
        bench.septet(&["report", "small.toml"]).code(0);
        fs::remove_dir_all(bench.path(FOLDER)).expect("it is ours");
        fs::create_dir(bench.path(FOLDER)).expect("it is ours");
        assert_eq!(keep(&bench, &honest), kept);
    }
    // The same result twice.
    let mut twice = honest.clone();
    twice.tests[0].repetitions = vec![twice.tests[0].repetitions[0]; 2];
    fs::remove_file(&kept).expect("it is there");
    keep(&bench, &twice);
    assert!(bench.septet(&["report", "small.toml"]).code(3).stderr.contains("twice"));
}

#[test]
fn a_damaged_generation_is_told_put_aside_and_made_again() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 5] = [
        ("a flipped bit", |path| {
            let mut bytes = fs::read(path).expect("it is there");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).expect("it is ours");
        }),
        ("nothing in it", |path| fs::write(path, b"").expect("it is ours")),
        ("half of it", |path| {
            let bytes = fs::read(path).expect("it is there");
            fs::write(path, &bytes[..bytes.len() / 2]).expect("it is ours");
        }),
        ("another name", |path| {
            let name = path.file_name().expect("a name").to_string_lossy().replacen("20", "21", 1);
            fs::rename(path, path.with_file_name(name)).expect("it is ours");
        }),
        ("too much of it", |path| {
            let much = zstd::bulk::compress(
                format!("{{\"format\":3,\"tests\":[{}]}}", "{\"name\":\"a\"},".repeat(4 << 20)).as_bytes(),
                3,
            );
            fs::write(path, much.expect("zstd works")).expect("it is ours");
        }),
    ];
    let bench = Bench::measured();
    bench.edit("small.toml", "R = \"50kpps\"", "R = 50001");
    bench.septet(&["run", "small.toml"]).code(0);
    for (what, harm) in harms {
        // The latest: an older one must not be taken for it.
        harm(&bench.path(FOLDER).join(format!("{}.json.zst", latest(&bench))));
        let ran = bench.septet(&["report", "small.toml"]).code(3);
        assert!(ran.stderr.contains("store verify"), "{what}: {}", ran.stderr);
        bench.septet(&["store", "verify", "-n"]).code(4);
        let found = bench.septet(&["store", "verify"]).code(4);
        assert!(found.stderr.contains("the latest of small is now"), "{what}: {}", found.stderr);
        bench.septet(&["store", "verify"]).code(0);
        let run = bench.septet(&["run", "small.toml", "--json"]).code(0).json();
        assert_eq!(run["measured"], 0, "{what}: {run}");
        assert_eq!(run["generation"].as_str(), Some(latest(&bench).as_str()), "{what}");
        bench.septet(&["report", "small.toml"]).code(0);
    }
    // One that others follow: the report stands on the latest, and it is told.
    let line: Vec<String> = names(&bench);
    let latest_now = latest(&bench);
    let older = line.iter().find(|name| !name.starts_with(&latest_now)).expect("there is an older one");
    let older: GenerationName = older.replace(".json.zst", "").parse().expect("it is a name");
    fs::write(bench.path(FOLDER).join(format!("{older}.json.zst")), b"nothing").expect("it is ours");
    assert_eq!(latest(&bench), latest_now);
    let ran = bench.septet(&["report", "small.toml"]).code(0);
    assert!(ran.stderr.contains(older.as_str()), "{}", ran.stderr);
    // Another experiment's folder is not where it belongs.
    fs::create_dir_all(bench.path(".septet/generations/other")).expect("it is ours");
    let file = format!("{latest_now}.json.zst");
    fs::copy(bench.path(FOLDER).join(&file), bench.path(".septet/generations/other").join(&file)).expect("it is ours");
    let found = bench.septet(&["store", "verify"]).code(4);
    assert!(found.stderr.contains("it is of the experiment 'small'"), "{}", found.stderr);
}

#[test]
fn several_that_follow_no_other_are_told_and_the_next_run_follows_them_all() {
    let bench = Bench::measured();
    let honest = read(&bench.path(FOLDER).join(&names(&bench)[0]));
    // As another machine would have kept it, a year later and with one test less.
    let mut theirs = Generation { created: "2099-01-01T00:00:00.000Z".to_string(), ..honest.clone() };
    theirs.tests.pop();
    let theirs = keep(&bench, &theirs);
    let their_bytes = fs::read(&theirs).expect("it is there");
    let (name, _) = honest.file().expect("it can be encoded");
    assert_eq!(latest(&bench), name.to_string(), "more tests are measured in it");
    let ran = bench.septet(&["report", "small.toml"]).code(0);
    assert!(ran.stderr.contains("several generations follow no other"), "{}", ran.stderr);
    let before = bench.files(".septet");
    bench.septet(&["run", "small.toml"]).code(0);
    assert_eq!(touched(&before, &bench.files(".septet")), Vec::<String>::new(), "the latest stands on the same");
    bench.edit("small.toml", "R = \"50kpps\"", "R = 50001");
    bench.septet(&["run", "small.toml"]).code(0);
    let both = read(&bench.path(FOLDER).join(format!("{}.json.zst", latest(&bench))));
    assert_eq!(both.follows.len(), 2, "{:?}", both.follows);
    let ran = bench.septet(&["report", "small.toml"]).code(0);
    assert!(!ran.stderr.contains("several generations"), "{}", ran.stderr);
    // Deleting those between does not make an older one the latest.
    let gc = ["store", "gc", "--keep-generations", "1", "--json"];
    let list = bench.septet(&gc).code(0).json()["list"].as_str().expect("a list").to_string();
    bench.septet(&[&gc[..], &["--delete", &list]].concat()).code(0);
    assert_eq!(names(&bench).len(), 1);
    assert!(!theirs.exists());
    fs::write(&theirs, &their_bytes).expect("it is ours");
    assert_eq!(
        latest(&bench),
        both.file().expect("it can be encoded").0.to_string(),
        "it comes back, and is older still"
    );
    bench.septet(&["store", "verify"]).code(0);
}

#[test]
fn counting_back_over_a_damaged_generation_names_no_other() {
    let bench = Bench::measured();
    for rate in ["50001", "50002"] {
        bench.edit("small.toml", &rate_line(&bench), &format!("R = {rate}"));
        bench.septet(&["run", "small.toml"]).code(0);
    }
    let middle = bench.septet(&["compare", "small.toml", "latest~2", "latest~1", "--json"]).code(0).json();
    assert!(middle.is_object(), "{middle}");
    let newest = latest(&bench);
    let followed: Vec<GenerationName> =
        read(&bench.path(FOLDER).join(format!("{newest}.json.zst"))).follows.into_iter().collect();
    let path = bench.path(FOLDER).join(format!("{}.json.zst", followed[0]));
    let mut bytes = fs::read(&path).expect("it is there");
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    fs::write(&path, bytes).expect("it is ours");
    for arguments in [
        &["compare", "small.toml", "latest~1", "latest"][..],
        &["compare", "small.toml", followed[0].as_str(), "latest"],
        &["report", "small.toml", "--since", "latest~1"],
    ] {
        let ran = bench.septet(arguments).code(3);
        assert!(ran.stderr.contains(followed[0].as_str()), "{arguments:?}: {ran:?}");
    }
    let status = bench.septet(&["status", "small.toml", "--json"]).code(0).json();
    assert_eq!(status["generations"], 3, "{status}");
}
