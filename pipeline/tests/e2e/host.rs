//! What a user is told of the host, and what that means for a run. On a host that can give paper-grade results
//! the refusals cannot be shown; that is printed.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::bench::{Bench, Ran, SMALL};

fn check(bench: &Bench) -> (Ran, serde_json::Value) {
    let ran = bench.septet(&["host", "check", "--json"]);
    let json = ran.json();
    (ran, json)
}

#[test]
fn what_stands_in_the_way_is_told_a_run_goes_on_and_paper_grade_is_refused() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let (ran, json) = check(&bench);
    let paper_grade = json["paper_grade"].as_bool().expect("a verdict");
    assert_eq!(ran.code, if paper_grade { 0 } else { 3 }, "{}", ran.stderr);
    for finding in json["findings"].as_array().expect("findings") {
        for field in ["name", "harm", "is", "does"] {
            assert!(finding[field].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        }
        assert!(finding["remedy"] == "septet" || finding["remedy"].is_object(), "{finding}");
    }
    let text = bench.septet(&["host", "check"]).code(ran.code);
    assert!(text.stdout.starts_with("This host "), "{}", text.stdout);
    if paper_grade {
        println!("skipped: this host can give paper-grade results");
        return;
    }
    let refused = bench.septet(&["run", "small.toml", "--require-paper-grade"]).code(3);
    assert!(
        refused.stderr.contains("paper-grade") && refused.stderr.contains("septet host check"),
        "{}",
        refused.stderr
    );
    assert!(!bench.path(".septet/results").exists(), "nothing was measured");
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let summary = std::fs::read_to_string(bench.path("out/small/summary.json")).expect("a summary");
    assert!(summary.contains("indicative"), "{summary}");
}

#[test]
fn an_ordinary_user_is_told_which_right_is_missing_in_one_line() {
    let Some(bench) = Bench::as_nobody() else { return };
    bench.septet(&["host", "facts", "--json"]).code(0);
    let (ran, json) = check(&bench);
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    assert!(json["missing_right"].as_str().is_some_and(|line| line.contains("CAP_SYS_ADMIN")), "{json}");
    let applied = bench.septet(&["host", "apply", "--hugepages", "1"]).code(3);
    assert_eq!(applied.stderr.lines().count(), 1, "{}", applied.stderr);
    assert!(applied.stderr.contains("CAP_SYS_ADMIN"), "{}", applied.stderr);
    // Other tests may hold the host meanwhile, which this user is told.
    let restored = bench.septet(&["host", "restore"]);
    assert!(restored.code == 0 || restored.stderr.contains("holds it"), "{}", restored.stderr);
}

/// In a mount namespace where a file of the bench lies over a setting, so that the host's own stays as it is.
#[test]
fn a_setting_that_another_process_changes_in_mid_window_is_named_with_its_time() {
    const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    if !nix::unistd::geteuid().is_root() || !std::path::Path::new(SETTING).exists() {
        println!("skipped: only root can lay a file over {SETTING}, where there is one");
        return;
    }
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.edit("small.toml", "60ms", "1s");
    bench.write("setting", "always [madvise] never");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]).arg(format!("mount --bind \"$0\" {SETTING} && exec \"$@\""));
    command.arg(bench.path("setting")).arg(bench.path("septet"));
    command.args(["run", "small.toml", "--only", "D=latency"]).current_dir(bench.path("")).env_remove("SEPTET_STORE");
    let errors = fs::File::create(bench.path("errors")).expect("the bench is writable");
    let mut run = command.stdin(Stdio::null()).stderr(errors).stdout(Stdio::null()).spawn().expect("unshare");
    // Somebody who never leaves it alone: every look finds another value.
    let mut changes = 0;
    while run.try_wait().expect("it is ours").is_none() {
        changes += 1;
        bench.write("setting", &format!("always [changed-{changes}] never"));
        std::thread::sleep(Duration::from_millis(20));
    }
    // Nothing valid came of it, which is not well.
    let said = fs::read_to_string(bench.path("errors")).expect("it is there");
    assert_eq!(run.wait().expect("it has ended").code(), Some(1), "{said}");
    assert!(said.contains("GIVEN UP latency/") && said.contains("0 of them valid, 2 wanted"), "{said}");
    let store = bench.files(".septet/results");
    let records = store.iter().filter(|(name, _)| name.ends_with("record.json"));
    let mut told = Vec::new();
    for (name, (_, _, bytes)) in records {
        let record: serde_json::Value = serde_json::from_slice(bytes).expect("a record");
        assert_eq!(record["status"]["state"], "suspect", "{name}");
        assert!(record["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "drift")), "{name}");
        let watched = &record["evidence"]["watched"];
        assert!(watched["looks"].as_u64() >= Some(2), "{watched}");
        let change = &watched["changes"][0];
        assert_eq!(change["name"], "transparent_hugepages", "{watched}");
        let at_ns = change["at_ns"].as_u64().expect("a time");
        // A look may be late where the host is busy, but not by as much as a window.
        assert!((1..3_000_000_000).contains(&at_ns), "{watched}");
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        told.push((text(&record["key"]), text(&change["became"]), at_ns));
    }
    assert!(!told.is_empty(), "nothing was stored");
    for (key, became, at_ns) in told {
        let words = format!("became {became}, {:.2} s into the window", at_ns as f64 / 1e9);
        let shown = bench.septet(&["show", &key]).code(0).stdout;
        assert!(shown.contains(&words), "{words} in {shown}");
        let pages = fs::read_dir(bench.path("out/small/tests")).expect("pages");
        let mut pages = pages.map(|page| fs::read_to_string(page.expect("a page").path()).expect("a page"));
        assert!(pages.any(|page| page.contains(&words)), "{words}");
    }
}

#[test]
fn root_in_a_shell_that_sudo_made_commands_its_own_agent() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: this test run is not root's");
        return;
    }
    let bench = Bench::new();
    let privilege = |environment: &[(&str, &str)]| {
        bench.septet_with(environment, &["host", "facts", "--json"]).code(0).json()["privilege"].clone()
    };
    let own = privilege(&[]);
    for environment in [[("SUDO_UID", "1000"), ("SUDO_GID", "1000")], [("PKEXEC_UID", "1000"), ("DOAS_USER", "nobody")]]
    {
        assert_eq!(privilege(&environment), own, "{environment:?}");
    }
}
