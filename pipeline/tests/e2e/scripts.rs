//! What scripts read: one JSON document on standard output of every command that has `--json`, also where it fails;
//! the file that changed inside of a component; others' numbers in CSV; why everything was skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::bench::{Bench, Ran, SMALL};

/// The document that a command printed, in which these places hold something.
#[track_caller]
fn document(ran: Ran, code: i32, places: &[&str]) -> Value {
    let ran = ran.code(code);
    let found = ran.json();
    for place in places {
        assert!(found.pointer(place).is_some_and(|value| !value.is_null()), "nothing at {place} in {found:#}");
    }
    found
}

/// Adds the program that shares; whether it was built.
fn shares(bench: &Bench) -> bool {
    let built = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-remote");
    if !built.is_file() {
        println!("skipped: push and pull: no septet-remote: `make build` makes it");
        return false;
    }
    Command::new("cp").arg("-p").arg(&built).arg(bench.path("")).status().is_ok_and(|status| status.success())
}

#[test]
fn every_command_that_a_script_may_read_prints_one_document() {
    let bench = Bench::measured();
    let run = |arguments: &[&str]| bench.septet(&[arguments, &["--json"]].concat());
    let plan = document(run(&["plan", "small.toml"]), 0, &["/tests_total", "/eta_s", "/tests/0/repetitions/have"]);
    let key = plan["tests"][0]["key"].as_str().expect("it has a key").to_string();
    let name = plan["tests"][0]["name"].as_str().expect("it has a name").to_string();

    let checked = document(run(&["check", "small.toml"]), 0, &["/file", "/experiment"]);
    let counted = ["tests", "tables", "figures", "claims"].map(|what| checked[what].as_u64());
    assert_eq!(counted, [Some(3), Some(1), Some(2), Some(1)], "{checked}");
    let ran = document(run(&["run", "small.toml"]), 0, &["/measured", "/generation", "/report", "/failed"]);
    let reported = document(run(&["report", "small.toml"]), 0, &["/folder", "/files_written", "/claims_refuted"]);
    assert_eq!(reported["generation"], ran["generation"], "both name the generation alike");
    let status = document(run(&["status", "small.toml"]), 0, &["/stored", "/stale"]);
    assert_eq!(status["generation"], ran["generation"], "{status}");
    let shown = document(run(&["show", &key]), 0, &[]);
    assert!(shown.to_string().contains(&key), "{shown}");
    document(run(&["explain", "small.toml", &name]), 0, &["/test", "/key", "/manifest", "/changes", "/files_changed"]);
    document(run(&["accept", "small.toml"]), 0, &["/accepted", "/offers", "/stored"]);
    document(run(&["compare", "small.toml", "latest"]), 0, &["/before", "/after", "/tests"]);
    document(run(&["store", "verify"]), 0, &["/results", "/findings"]);
    document(run(&["store", "stats"]), 0, &["/results", "/measuring_s"]);
    let condemned = document(run(&["store", "gc", "--scope", "suspect,failed"]), 0, &["/list", "/results", "/cost_s"]);
    assert_eq!(condemned["deleted"], false, "{condemned}");
    document(run(&["host", "facts"]), 0, &["/cpu/model", "/topology", "/switches"]);
    let judged = run(&["host", "check"]);
    assert!(judged.code == 0 || judged.code == 3, "{judged:?}");
    assert_eq!(judged.json()["paper_grade"], judged.code == 0, "{judged:?}");
    // What would be set, or why nothing can be.
    let applied = run(&["host", "apply", "-n"]);
    match applied.code {
        0 => assert!(applied.json().is_object(), "{applied:?}"),
        _ => drop(document(applied, 3, &["/error/message"])),
    }
    document(run(&["site", "show"]), 0, &["/stacks"]);
    bench.write("site.toml", "[store]\nremote = \"file:///nowhere\"\n");
    let trusted = document(run(&["site", "trust", "site.toml"]), 0, &["/file", "/trusted", "/changed"]);
    assert_eq!(trusted["changed"], true, "{trusted}");

    let created = document(run(&["archive", "create", "small.toml"]), 0, &["/archive", "/sha256", "/results"]);
    let archive = created["archive"].as_str().expect("a file").to_string();
    let verified = document(run(&["archive", "verify", &archive]), 0, &["/level", "/on_trust", "/sha256"]);
    assert_eq!((&verified["level"], &verified["sha256"]), (&3.into(), &created["sha256"]), "{verified}");
    document(run(&["archive", "import", &archive, "--as", "theirs"]), 0, &["/origin", "/results"]);
    if shares(&bench) {
        let url = format!("file://{}", bench.path("shared").display());
        document(run(&["store", "push", &url]), 0, &["/remote", "/copied", "/there", "/refused"]);
        let pulled = document(run(&["store", "pull", &url, "--store", "other"]), 0, &["/copied", "/notes"]);
        assert_eq!(pulled["generations"]["small"], ran["generation"], "{pulled}");
    }
}

#[test]
fn under_json_an_error_is_a_document_too() {
    let bench = Bench::measured();
    bench.write("wrong.toml", &SMALL.replacen("B = 32", "B = 0", 1).replacen("titl", "tilt", 1));
    bench.write("not.tar.zst", "no archive");
    fs::create_dir(bench.path("bad")).expect("the bench is writable");
    bench.write("bad/site.toml", "[store]\nremot = 1\n");
    bench.septet(&["site", "trust", "bad/site.toml"]).code(0);
    let wrong: &[(&[&str], i32)] = &[
        (&["check", "wrong.toml"], 2),
        (&["plan", "wrong.toml"], 2),
        (&["run", "wrong.toml"], 2),
        (&["status", "wrong.toml"], 2),
        (&["report", "wrong.toml"], 2),
        (&["explain", "wrong.toml", "P=64"], 2),
        (&["accept", "wrong.toml"], 2),
        (&["archive", "create", "wrong.toml"], 2),
        (&["compare", "wrong.toml", "latest"], 2),
        (&["check", "nowhere.toml"], 2),
        (&["plan", "small.toml", "--no-such-option"], 2),
        (&["no-such-command"], 2),
        (&["show", "xyz"], 2),
        (&["explain", "small.toml", "P=65"], 2),
        (&["report", "small.toml", "--since", "ffffffff"], 2),
        (&["store", "gc"], 2),
        (&["store", "stats", "--store", "nowhere"], 2),
        (&["store", "pull", "gopher://x"], 2),
        (&["store", "push"], 2),
        (&["site", "trust", "nowhere.toml"], 2),
        (&["site", "check", "nowhere"], 2),
        (&["site", "show", "nowhere"], 2),
        (&["site", "show", "bad"], 2),
        (&["archive", "verify", "not.tar.zst"], 2),
        (&["archive", "verify", "nowhere"], 2),
        (&["archive", "import", "not.tar.zst"], 2),
        (&["host", "apply", "--for", "parsecs"], 2),
    ];
    for (arguments, code) in wrong {
        let ran = bench.septet(&[arguments, &["--json"][..]].concat());
        let (said, told) = (ran.stderr.clone(), ran.stdout.clone());
        assert_eq!(ran.code, *code, "{arguments:?}: {said}");
        let found = document(ran, *code, &["/error/exit", "/error/message"]);
        assert_eq!(found["error"]["exit"], *code, "{arguments:?}: {told}");
        // People are told the same, where they look.
        let message = found["error"]["message"].as_str().expect("words");
        assert!(!message.is_empty() && said.contains(message.lines().next().unwrap_or("?")), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        let places = found["error"]["places"].as_array();
        let placed = arguments.contains(&"wrong.toml") || arguments.contains(&"bad");
        assert_eq!(places.is_some_and(|places| !places.is_empty()), placed, "{arguments:?}: {told}");
        for place in places.into_iter().flatten() {
            let file = place["file"].as_str().expect("its file");
            assert!(file.ends_with(".toml"), "{place}");
            for number in ["line", "column"] {
                assert!(place[number].as_u64().is_some_and(|number| number > 0), "{place}");
            }
            assert!(place["message"].as_str().is_some_and(|words| !words.is_empty()), "{place}");
        }
    }
    let all = document(bench.septet(&["check", "wrong.toml", "--json"]), 2, &["/error/places/1"]);
    let lines: Vec<u64> =
        all["error"]["places"].as_array().expect("places").iter().filter_map(|p| p["line"].as_u64()).collect();
    assert!(lines.is_sorted(), "in the order of the file: {lines:?}");
    // What was found is no error: it is the document that was asked for, and the code says that something was.
    let samples = bench.files(".septet/results").into_keys().find(|name| name.ends_with("samples.parquet"));
    fs::write(bench.path(".septet/results").join(samples.expect("there are samples")), "x").expect("it is ours");
    document(bench.septet(&["store", "verify", "-n", "--json"]), 4, &["/findings/0"]);
}

/// The real LXC with another byte in a library that it loads: not in LXC's own program, which stays as it is.
#[test]
fn explain_names_the_file_that_changed_inside_of_a_component() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a library of the system is replaced in a mount namespace, which needs root");
        return;
    }
    let bench = Bench::new();
    let facts = bench.septet(&["host", "facts", "--json"]).code(0).json();
    let components = facts["components"].as_array().expect("components are listed");
    let Some(lxc) = components.iter().find(|component| component["name"] == "lxc") else {
        println!("skipped: LXC is not installed (Debian: lxc)");
        return;
    };
    let files = lxc["files"].as_array().expect("its files").iter().filter_map(|file| file[0].as_str());
    let places = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let mut libraries = files.filter(|name| name.starts_with("liblxc") && places.join(name).exists());
    let library = libraries.next().expect("LXC loads its own library").to_string();
    bench.write(
        "small.toml",
        &SMALL.replace("P = [64, 1500]", "P = 64").replace("io = \"udp-mmsg\"", "io = \"udp-mmsg\"\nruntime = \"lxc\""),
    );
    bench.edit("small.toml", "rx_pps[P=64] >= 0.9 * rx_pps[P=1500]", "rx_pps[P=64] > 0Mpps");
    bench.septet(&["run", "small.toml"]).code(0);

    let real = fs::canonicalize(places.join(&library)).expect("it is there");
    let mut bytes = fs::read(&real).expect("it can be read");
    bytes.push(b'x');
    fs::write(bench.path("other.so"), bytes).expect("the bench is writable");
    let script = "mount --bind other.so \"$1\" && shift && exec \"$@\"";
    let explained = |json: bool| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(&real).arg(bench.path("septet"));
        command.args(["explain", "small.toml", "D=throughput"]);
        command.args(json.then_some("--json"));
        let plain = bench.command(&[]);
        command.current_dir(bench.path("")).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Ran::of(command.output().expect("unshare can be started"))
    };
    let found = document(explained(true), 0, &["/files_changed"]);
    assert_eq!(found["status"], "to_measure", "{found:#}");
    let changed = found["files_changed"].as_object().expect("by component");
    let named: Vec<&Value> = changed.values().flat_map(|files| files.as_array().into_iter().flatten()).collect();
    assert_eq!(named, [&Value::from(format!("{library} changed"))], "{changed:?}");
    let told = explained(false).code(0).stdout;
    assert!(told.contains(&format!("    {library} changed")), "{told}");
}

#[test]
fn the_numbers_of_others_are_rows_of_the_csv() {
    let bench = Bench::new();
    let others =
        "published = [{ P = 64, rx_kpps = 49.5 }, { P = 1500, rx_kpps = \"< 48\" }]\nsource = \"A. Author, Table 2\"\n";
    bench.write(
        "small.toml",
        &SMALL
            .replace("value = \"rx_kpps\"\n", &format!("value = \"rx_kpps\"\n{others}"))
            .replace("y = \"rx_kpps\"\n", &format!("y = \"rx_kpps\"\n{others}")),
    );
    bench.septet(&["run", "small.toml"]).code(0);
    for file in ["figures/by-size.csv", "tables/sizes-table.csv"] {
        let text = fs::read_to_string(bench.path("out/small").join(file)).expect("it is written");
        let mut lines = text.lines();
        let heads: Vec<&str> = lines.next().expect("a head").split(',').collect();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let column = |name: &str| {
            heads.iter().position(|head| head.starts_with(name)).unwrap_or_else(|| panic!("{name}: {heads:?}"))
        };
        let published: Vec<&Vec<&str>> = rows.iter().filter(|row| row[column("origin")] == "published").collect();
        let of = |name: &str| published.iter().map(|row| row[column(name)]).collect::<Vec<&str>>();
        assert_eq!((of("P"), of("rx_kpps")), (vec!["64", "1500"], vec!["49.5", "48"]), "{file}:\n{text}");
        assert_eq!((of("bound"), of("n")), (vec!["exactly", "at-most"], vec!["", ""]), "{file}:\n{text}");
        assert!(text.contains("A. Author, Table 2"), "{file}:\n{text}");
        let ours = rows.iter().filter(|row| row[column("origin")] == "measured").count();
        assert_eq!(ours, 2, "{file}:\n{text}");
    }
}

/// A changed root takes the right to make user namespaces, without which an ordinary user measures nothing.
#[test]
fn where_everything_is_skipped_the_terminal_says_why() {
    let Some(bench) = Bench::as_nobody() else { return };
    bench.write("small.toml", SMALL);
    let script = "mkdir root && mount --rbind / root && exec chroot root setpriv --reuid=65534 --regid=65534 \
                  --clear-groups --no-new-privs env --chdir=\"$1\" ./septet run small.toml --json";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(bench.path("")).current_dir(bench.path(""));
    let plain = bench.command(&[]);
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = Ran::of(command.output().expect("unshare can be started")).code(0);
    assert!(ran.stderr.contains("skipped: 3 tests because:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("may not make network namespaces"), "the reason is named: {}", ran.stderr);
    assert!(ran.stderr.contains("throughput/local/1vs1/linux-bridge/64B"), "and the tests: {}", ran.stderr);
    assert_eq!(ran.json()["measured"], 0, "{}", ran.stdout);
}
