//! What killed programs leave in `$TMPDIR`: cleared by the next, and nothing else with it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::victim::Scene;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_a_killed_verification_unpacked_is_cleared_by_the_next() {
    let scene = Scene::new();
    let bench = &scene.bench;
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--no-remote"]).code(0);
    let temporary = bench.path("temporary");
    fs::create_dir(&temporary).expect("the bench is writable");
    let arguments: [&[&str]; 2] =
        [&["archive", "verify", "a.tar.zst"], &["archive", "import", "a.tar.zst", "--as", "x"]];
    for arguments in arguments {
        let mut command = bench.command(arguments);
        let mut child =
            command.env("TMPDIR", &temporary).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let limit = Instant::now() + Duration::from_secs(30);
        while names(&temporary).is_empty() && child.try_wait().expect("it is ours").is_none() {
            assert!(Instant::now() < limit, "it unpacks nothing");
        }
        let _ = child.kill();
        child.wait().expect("it is ours");
    }
    let text = temporary.display().to_string();
    bench.septet_with(&[("TMPDIR", &text)], &["archive", "verify", "a.tar.zst"]).code(0);
    assert_eq!(names(&temporary), Vec::<String>::new());
}

#[test]
fn only_folders_of_that_form_and_of_the_dead_are_cleared() {
    let scene = Scene::new();
    let bench = &scene.bench;
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--no-remote"]).code(0);
    let temporary = bench.path("temporary");
    let folder = |name: &str| {
        fs::create_dir_all(temporary.join(name)).expect("the bench is writable");
        fs::write(temporary.join(name).join("lock"), "").expect("the bench is writable");
        fs::write(temporary.join(name).join("data"), "").expect("the bench is writable");
    };
    folder("septet-work.1-a-0");
    symlink(bench.path("victim"), temporary.join("septet-work.1-a-0/inside")).expect("the bench is writable");
    symlink(bench.path("victim"), temporary.join("septet-work.1-a-1")).expect("the bench is writable");
    let others = ["septet-work.", "septet-work.mine", "septet-work.1-a", "other", "septet-archive.abcdef"];
    others.iter().for_each(|name| folder(name));
    let text = temporary.display().to_string();
    bench.septet_with(&[("TMPDIR", &text)], &["archive", "verify", "a.tar.zst"]).code(0);
    let mut left = names(&temporary);
    left.sort();
    let mut expected: Vec<String> = others.map(String::from).to_vec();
    expected.push("septet-work.1-a-1".to_string());
    expected.sort();
    assert_eq!(left, expected);
    scene.unharmed("clearing $TMPDIR");
}
