//! Stores on several file systems, on layers of one, and such as cannot be written: nothing that was measured is lost,
//! and what only reads goes on. Mounts are made in a private mount namespace.

use super::bench::{Bench, SMALL, touched};
use super::room::Room;

/// A bench with the experiment, and a namespace.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench
}

const RESULTS: u64 = 6;

fn results(room: &Room) -> u64 {
    room.septet(&["store", "verify", "--json"]).code(0).json()["results"].as_u64().expect("a number")
}

#[test]
fn parts_of_a_store_may_lie_on_other_file_systems() {
    for part in ["results", "manifests", "index", "generations", "tmp", "quarantine", "reports"] {
        let bench = bench();
        let Some(room) = Room::of(&bench) else { return };
        room.sh(&format!("mkdir -p .septet/{part} && mount -t tmpfs septet .septet/{part}"));
        let ran = room.septet(&["run", "small.toml", "--json"]).code(0);
        assert_eq!(results(&room), RESULTS, "{part}: {ran:?}");
        room.septet(&["status", "small.toml", "-q"]).code(0);
        let left = room.sh("ls -A .septet/tmp .septet/results/tmp 2>/dev/null | sed /:/d");
        assert_eq!(left.trim(), "", "{part}: unfinished work is left");
        room.sh("for file in $(find .septet/results -name samples.parquet | head -n 1); do echo x >> $file; done");
        room.septet(&["store", "verify"]).code(4);
        room.septet(&["store", "verify"]).code(0);
        let again = room.septet(&["run", "small.toml", "--json"]).code(0).json();
        assert_eq!(again["measured"], 1, "{part}: {again}");
        room.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst"]).code(0);
        room.septet(&["archive", "import", "a.tar.zst", "--as", "again"]).code(0);
    }
}

#[test]
fn what_lies_in_a_lower_layer_is_put_aside_deleted_and_gone_on_from() {
    let bench = bench();
    bench.septet(&["run", "small.toml"]).code(0);
    let Some(room) = Room::of(&bench) else { return };
    room.sh("mkdir layers && mount -t tmpfs septet layers && mkdir layers/upper layers/work");
    room.sh("mount -t overlay septet -o lowerdir=.septet,upperdir=layers/upper,workdir=layers/work .septet");
    room.sh("echo x >> $(find .septet/results -name samples.parquet | sort | head -n 1)");
    room.septet(&["store", "verify"]).code(4);
    assert_eq!(results(&room), RESULTS - 1);
    assert_eq!(room.sh("ls .septet/quarantine/*/").lines().count(), 3, "nothing of it is lost");
    let again = room.septet(&["run", "small.toml", "--json"]).code(0).json();
    assert_eq!(again["measured"], 1, "{again}");
    assert_eq!(results(&room), RESULTS);
    // What an experiment has no more, deleted where it cannot be renamed.
    let cut = |text: &str, from: &str, to: &str| {
        let start = text.find(from).expect("it is there");
        let end = start + text[start..].find(to).expect("it is there");
        format!("{}{}", &text[..start], &text[end..])
    };
    let text = cut(SMALL, "[[tests]]\nid = \"rtt\"", "[[table]]");
    bench.write("small.toml", &cut(&text, "[[figure]]\nid = \"round-trip\"", "[[claim]]"));
    room.septet(&["run", "small.toml"]).code(0);
    let arguments = ["store", "gc", "--scope", "unreferenced", "--keep-generations", "1", "--json"];
    let list = room.septet(&arguments).code(0).json()["list"].as_str().expect("it has a digest").to_string();
    room.septet(&[&arguments[..], &["--delete", &list]].concat()).code(0);
    assert_eq!(results(&room), RESULTS - 2);
}

#[test]
fn a_store_that_cannot_be_written_is_read_for_everything() {
    let bench = bench();
    bench.septet(&["run", "small.toml", "--no-report"]).code(0);
    let Some(room) = Room::of(&bench) else { return };
    room.sh("mount --bind .septet .septet && mount -o remount,bind,ro .septet");
    let before = bench.files(".septet");
    let url = format!("file://{}", bench.path("shared").display());
    for arguments in [
        &["plan", "small.toml"][..],
        &["status", "small.toml", "-q"],
        &["report", "small.toml"],
        &["archive", "create", "small.toml", "-o", "a.tar.zst", "--license", "MIT"],
        &["archive", "verify", "a.tar.zst"],
        &["run", "small.toml"],
        &["store", "verify"],
        &["store", "push", &url],
    ] {
        if arguments.contains(&"push") && !bench.path("septet-remote").is_file() {
            println!("not pushed: there is no septet-remote");
            continue;
        }
        let ran = room.septet(arguments).code(0);
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    }
    assert_eq!(touched(&before, &bench.files(".septet")), Vec::<String>::new());
}

#[test]
fn results_that_cannot_be_written_are_told_before_anything_is_measured() {
    let bench = bench();
    bench.septet(&["run", "small.toml"]).code(0);
    let Some(room) = Room::of(&bench) else { return };
    room.sh("mount --bind .septet/results .septet/results && mount -o remount,bind,ro .septet/results");
    let ran = room.septet(&["run", "small.toml", "--force", "P=64"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("Read-only file system") && !ran.stderr.contains("[1/"), "{}", ran.stderr);
}

#[test]
fn what_is_mounted_in_unfinished_work_is_not_cleared() {
    let bench = bench();
    bench.septet(&["run", "small.toml"]).code(0);
    let Some(room) = Room::of(&bench) else { return };
    room.sh("mkdir -p victim/inside .septet/tmp/1-a-0/inside .septet/tmp/1-a-1");
    room.sh("touch victim/lock victim/inside/precious .septet/tmp/1-a-0/lock .septet/tmp/1-a-0/data");
    room.sh("mount --bind victim .septet/tmp/1-a-0/inside && mount --bind victim .septet/tmp/1-a-1");
    let before = bench.files("victim");
    room.septet(&["run", "small.toml", "--force", "P=64"]).code(0);
    room.septet(&["run", "small.toml"]).code(0);
    assert_eq!(touched(&before, &bench.files("victim")), Vec::<String>::new());
    room.sh("umount .septet/tmp/1-a-0/inside && umount .septet/tmp/1-a-1");
    room.septet(&["run", "small.toml"]).code(0);
    assert_eq!(room.sh("ls .septet/tmp"), "");
    assert_eq!(touched(&before, &bench.files("victim")), Vec::<String>::new());
}
