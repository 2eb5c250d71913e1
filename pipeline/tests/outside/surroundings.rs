//! Surroundings that nobody has in mind: streams that are closed or full, small limits, no home, no place for temporary
//! files, an empty path, odd languages and masks. Every command ends with a code of its own and a reason, and what is
//! stored stays.

use std::process::{Command, Stdio};

use super::bench::{Bench, Ran};
use super::victim::Scene;

/// Everything but measuring.
const COMMANDS: [&str; 14] = [
    "check small.toml",
    "plan small.toml",
    "plan small.toml --json",
    "status small.toml",
    "report small.toml --no-remote -o odd",
    "compare small.toml latest latest",
    "explain small.toml P=1500",
    "accept small.toml",
    "archive create small.toml --license MIT --no-remote -o odd.tar.zst",
    "archive verify a.tar.zst",
    "store verify",
    "store stats",
    "store gc --scope failed",
    "host facts",
];

/// A command in a shell that has done something to itself before.
fn after(bench: &Bench, prelude: &str, command: &str, streams: &str) -> Ran {
    let script = format!("{prelude}\nset -- {command}\nexec \"$SEPTET\" \"$@\" {streams}");
    let mut shell = Command::new("sh");
    let own = bench.command(&[]);
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("SEPTET", bench.path("septet")).current_dir(bench.path("")).stdin(Stdio::null());
    Ran::of(shell.arg("-c").arg(script).output().expect("a shell"))
}

/// Checks that a program ended by itself with one of these codes, and said why if it failed and could be heard.
#[track_caller]
fn ends(about: &str, ran: &Ran, codes: &[i32], heard: bool) {
    assert!(codes.contains(&ran.code), "{about}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{about}: {ran:?}");
    assert!(ran.code == 0 || !heard || !ran.stderr.trim().is_empty(), "{about}: nothing is said: {ran:?}");
}

fn scene() -> Scene {
    let scene = Scene::reported();
    scene.bench.septet(&["archive", "create", "small.toml", "--license", "MIT", "-o", "a.tar.zst"]).code(0);
    scene
}

fn sound(bench: &Bench) {
    let verified = bench.septet(&["store", "verify", "--json"]).code(0).json();
    assert_eq!(verified["results"], 6, "{verified}");
    bench.septet(&["report", "small.toml", "--no-remote"]).code(0);
}

#[test]
fn closed_streams_are_no_error_and_full_ones_are() {
    let scene = scene();
    for command in COMMANDS {
        for streams in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let ran = after(&scene.bench, "", command, streams);
            ends(&format!("{command} {streams}"), &ran, &[0], true);
        }
        let ran = after(&scene.bench, "", command, ">/dev/full");
        ends(&format!("{command} to a full disk"), &ran, &[3], true);
        assert!(ran.stderr.contains("failed to print"), "{command}: {ran:?}");
        ends(
            &format!("{command}, errors to a full disk"),
            &after(&scene.bench, "", command, "2>/dev/full"),
            &[0],
            false,
        );
    }
    for help in ["--help", "run --help", "--version"] {
        ends(help, &after(&scene.bench, "", help, ">/dev/full"), &[3], true);
        let piped = after(&scene.bench, "", help, "| true");
        ends(help, &piped, &[0], true);
    }
    // Of somebody who listens no longer, the pipe is broken when it is written to.
    for command in ["plan small.toml --json", "host facts --json", "schema", "completions bash"] {
        let script = format!("{{ \"$SEPTET\" {command}; echo $? >&2; }} | true");
        let ran = Ran::of(
            Command::new("sh")
                .args(["-c", &script])
                .env("SEPTET", scene.bench.path("septet"))
                .env("HOME", scene.bench.path(""))
                .current_dir(scene.bench.path(""))
                .output()
                .expect("a shell"),
        );
        assert_eq!(ran.stderr.trim(), "0", "{command}");
    }
    sound(&scene.bench);
}

#[test]
fn small_limits_are_told() {
    let scene = scene();
    for (limit, codes) in [
        ("ulimit -n 20", &[0, 3][..]),
        ("ulimit -n 8", &[0, 3]),
        ("ulimit -n 4", &[0, 2, 3]),
        ("ulimit -f 1", &[0, 3]),
        ("ulimit -f 0", &[0, 2, 3]),
        ("ulimit -c 0; ulimit -l 0; ulimit -q 0; ulimit -e 0; ulimit -r 0", &[0]),
        ("ulimit -s 64", &[3]),
        ("ulimit -S -s 64", &[0]),
        ("ulimit -S -v 200000", &[0]),
        ("ulimit -v 200000", &[3]),
        ("ulimit -d 100000", &[3]),
        ("umask 777", &[0, 3]),
        ("umask 000", &[0]),
    ] {
        for command in COMMANDS {
            // The shell's own word of what it could not do goes nowhere.
            let ran = after(&scene.bench, &format!("{{ {limit}; }} 2>/dev/null"), command, "");
            ends(&format!("{limit}; {command}"), &ran, codes, true);
            let clean =
                Command::new("rm").args(["-rf", "odd", "odd.tar.zst"]).current_dir(scene.bench.path("")).status();
            assert!(clean.is_ok_and(|status| status.success()));
        }
    }
    sound(&scene.bench);
}

#[test]
fn no_home_no_path_and_no_place_for_temporary_files() {
    let scene = scene();
    let bench = &scene.bench;
    bench.write("a-file", "");
    scene.link("dangling", "nowhere");
    for prelude in [
        "unset HOME XDG_CACHE_HOME XDG_CONFIG_HOME",
        "export HOME= XDG_CACHE_HOME= XDG_CONFIG_HOME=",
        "export HOME=/dev/null; unset XDG_CACHE_HOME",
        "export HOME=$PWD/dangling XDG_CACHE_HOME=$PWD/dangling/x",
        "export XDG_CACHE_HOME=$PWD/a-file XDG_CONFIG_HOME=$PWD/a-file",
        "export PATH=",
        "unset PATH LANG LC_ALL TERM",
        "export LC_ALL=tr_TR.UTF-8 LANG=xx_YY TZ=Mars/Phobos TERM=nonsense COLUMNS=0 LINES=-1",
        "export RUST_LOG=trace RAYON_NUM_THREADS=x POLARS_MAX_THREADS=0 RUST_MIN_STACK=x",
    ] {
        for command in COMMANDS {
            let ran = after(bench, prelude, command, "");
            ends(&format!("{prelude}; {command}"), &ran, &[0], true);
        }
    }
    for place in ["$PWD/nowhere", "$PWD/dangling", "$PWD/a-file", "/dev/full", "/proc"] {
        for command in ["archive verify a.tar.zst", "archive import a.tar.zst --as theirs"] {
            let ran = after(bench, &format!("export TMPDIR={place}"), command, "");
            ends(&format!("TMPDIR={place}; {command}"), &ran, &[3], true);
        }
        let ran = after(bench, &format!("export TMPDIR={place}"), "report small.toml --no-remote", "");
        ends(&format!("TMPDIR={place}; report"), &ran, &[0], true);
    }
    sound(bench);
    scene.unharmed("odd surroundings");
}
