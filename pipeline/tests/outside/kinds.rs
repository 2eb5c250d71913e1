//! Things that are no files where files are looked for: each is told for what it is, at once.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;

use super::bench::{pid, wait};
use super::victim::Scene;

fn fifo(scene: &Scene, name: &str) {
    let path = scene.bench.path(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the bench is writable");
    let _ = fs::remove_file(&path);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("the bench is writable");
}

const FORCED: [&str; 5] = ["run", "small.toml", "--force", "P=64", "--no-remote"];
/// How often a signal may come just before the lock is waited for.
const TRIES_MAX: usize = 50;
/// `clock_nanosleep` on x86-64, as `/proc/PID/syscall` begins.
const SLEEPING: &str = "230 ";

/// Waits until the first thread of a process sleeps.
fn eventually_sleeps(pid: i32) {
    let limit = Instant::now() + Duration::from_secs(60);
    let calls = || fs::read_to_string(format!("/proc/{pid}/syscall")).expect("it is ours");
    while !calls().starts_with(SLEEPING) {
        assert!(Instant::now() < limit, "it does not wait");
    }
}

const REPORT: [&str; 3] = ["report", "small.toml", "--no-remote"];

#[test]
fn a_fifo_in_a_store_is_told() {
    let cases: [(&str, &[&str], i32); 8] = [
        ("format", &["plan", "small.toml", "--no-remote"], 3),
        ("lock", &FORCED, 3),
        ("index/checkpoint", &REPORT_AND_PLAN, 3),
        ("index/x.log", &FORCED, 3),
        ("index/fold.lock", &FORCED, 3),
        ("tmp", &FORCED, 3),
        (STATEMENT, &["plan", "small.toml", "--no-remote"], 3),
        ("generations/small/x.json.zst", &REPORT, 3),
    ];
    for (place, arguments, code) in cases {
        let scene = Scene::new();
        let _ = fs::remove_dir_all(scene.bench.path(".septet/tmp"));
        fifo(&scene, &format!(".septet/{place}"));
        let ran = scene.ends(arguments);
        if place.starts_with("generations/") {
            // Which generations are read is not this test's matter; that none is waited for is.
            assert!(ran.code >= 0, "{place}: {ran:?}");
        } else {
            assert_eq!(ran.code, code, "{place}: {ran:?}");
            assert!(ran.stderr.contains("FIFO"), "{place}: {}", ran.stderr);
        }
        scene.everything();
    }
}

/// A statement's name is a digest.
const STATEMENT: &str = "acceptances/00000000000000000000000000000000000000000000000000000000000000aa.json";

/// `plan` reads the index.
const REPORT_AND_PLAN: [&str; 3] = ["plan", "small.toml", "--no-remote"];

#[test]
fn a_fifo_for_a_part_of_a_result_is_told() {
    for file in ["record.json", "samples.parquet", "log.zst"] {
        let scene = Scene::new();
        let names = scene.bench.files(".septet/results");
        let name = names.keys().find(|name| name.ends_with(file)).expect("there are results");
        fifo(&scene, &format!(".septet/results/{name}"));
        let verified = scene.ends(&["store", "verify", "-n"]);
        assert_ne!(verified.code, 0, "{file}: {verified:?}");
        assert!(verified.stderr.contains("FIFO"), "{file}: {}", verified.stderr);
        scene.everything();
    }
    let scene = Scene::new();
    let names = scene.bench.files(".septet/manifests");
    fifo(&scene, &format!(".septet/manifests/{}", names.keys().next().expect("there are manifests")));
    scene.everything();
}

#[test]
fn a_fifo_or_a_socket_in_the_folder_of_a_report_is_told_or_replaced() {
    for place in ["index.html", "summary.json", "figures/by-size.svg", "septet.css", "tests"] {
        let scene = Scene::reported();
        let path = scene.bench.path("out/small").join(place);
        let _ = fs::remove_dir_all(&path);
        fifo(&scene, &format!("out/small/{place}"));
        let ran = scene.ends(&REPORT);
        assert!([2, 3].contains(&ran.code), "{place}: {ran:?}");
        assert!(place == "septet.css" || ran.stderr.contains("FIFO"), "{place}: {}", ran.stderr);
        scene.everything();
    }
    let scene = Scene::reported();
    fifo(&scene, "out/small/.index.html.unfinished");
    scene.bench.edit("small.toml", "title = \"Small\"", "title = \"Smaller\"");
    let ran = scene.ends(&REPORT);
    assert_eq!(ran.code, 0, "{ran:?}");
    let socket = scene.bench.path("out/small/claims.html");
    fs::remove_file(&socket).expect("it was written");
    let _listener = UnixListener::bind(&socket).expect("the bench is writable");
    let ran = scene.ends(&REPORT);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("a socket"), "{}", ran.stderr);
}

#[test]
fn a_page_that_is_a_folder_is_told() {
    let scene = Scene::reported();
    let page = scene.bench.path("out/small/index.html");
    fs::remove_file(&page).expect("it was written");
    fs::create_dir(&page).expect("the bench is writable");
    let ran = scene.ends(&REPORT);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("index.html: it is a folder"), "{}", ran.stderr);
}

#[test]
fn what_is_only_remembered_is_told_and_never_essential() {
    let scene = Scene::reported();
    for name in scene.bench.files(".septet/reports").keys() {
        fifo(&scene, &format!(".septet/reports/{name}"));
    }
    let ran = scene.ends(&REPORT);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("FIFO"), "{}", ran.stderr);
    scene.everything();
}

#[test]
fn a_fifo_beside_an_experiment_is_not_waited_for() {
    let scene = Scene::new();
    for name in ["site.toml", "templates/index.html", "other.toml"] {
        fifo(&scene, name);
    }
    let ran = scene.ends(&["report", "small.toml"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("site.toml: it is a FIFO"), "{ran:?}");
    scene.everything();
}

#[test]
fn an_experiment_that_is_a_fifo_or_a_device_is_told_and_one_from_a_pipe_is_read() {
    let scene = Scene::new();
    fifo(&scene, "waits.toml");
    std::os::unix::fs::symlink("waits.toml", scene.bench.path("link.toml")).expect("the bench is writable");
    for (file, kind) in
        [("waits.toml", "a FIFO"), ("link.toml", "a FIFO"), ("/dev/zero", "a device"), (".", "a folder")]
    {
        for command in ["check", "plan", "status", "run", "report"] {
            let ran = scene.ends(&[command, file]);
            assert_eq!(ran.code, 2, "{command} {file}: {ran:?}");
            assert!(ran.stderr.contains(&format!("it is {kind}")), "{command} {file}: {}", ran.stderr);
        }
    }
    let mut command = scene.bench.command(&["check", "/dev/stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let text = fs::read(scene.bench.path("small.toml")).expect("it is ours");
    child.stdin.take().expect("a pipe").write_all(&text).expect("it is read");
    assert_eq!(wait(&mut child), 0);
    scene.everything();
}

#[test]
fn one_who_waits_for_a_lock_ends_when_asked_to() {
    let scene = Scene::new();
    let lock = fs::File::options().write(true).open(scene.bench.path(".septet/lock")).expect("there was a writer");
    let held = Flock::lock(lock, FlockArg::LockExclusiveNonblock).expect("nobody has it");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let ended = (0..TRIES_MAX).find(|_| {
            let mut command = scene.bench.command(&FORCED);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
            let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
            let mut line = String::new();
            while !line.contains("to measure") {
                line.clear();
                assert_ne!(said.read_line(&mut line).expect("it is text"), 0, "it ended before it had to measure");
            }
            // It looks again and again, and sleeps in between; it may sleep for another reason before, seldom.
            eventually_sleeps(pid(&child).as_raw());
            kill(pid(&child), signal).expect("it lives");
            let mut rest = String::new();
            said.read_to_string(&mut rest).expect("it is text");
            assert_eq!(wait(&mut child), 130, "{signal}: {rest}");
            rest.contains("interrupted while waiting for the lock")
        });
        assert!(ended.is_some(), "it never waited for the lock when {signal} came");
    }
    drop(held);
}
