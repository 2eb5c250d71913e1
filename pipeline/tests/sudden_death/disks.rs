//! Disks that are full, and disks that refuse: told with the place, nothing lost, and the next run goes on.
//! Mounts are made in a private mount namespace.

use super::bench::{Bench, Ran, touched};
use super::experiment::{self, REPETITIONS};
use super::remains::turn;
use super::room::Room;

fn results(room: &Room) -> u64 {
    room.septet(&["store", "verify", "--json"]).code(0).json()["results"].as_u64().expect("a number")
}

/// Told on standard error, with a place below the store.
#[track_caller]
fn told(ran: &Ran, reason: &str) {
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains(".septet/") && ran.stderr.contains(reason), "{}", ran.stderr);
    assert!(ran.stderr.contains("failed to") && !ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn a_full_disk_is_told_and_the_next_run_goes_on() {
    let _turn = turn();
    let bench = Bench::new();
    let Some(room) = Room::of(&bench) else { return };
    experiment::write(&bench, 0, "auto");
    room.sh("mkdir .septet && mount -t tmpfs -o size=300k septet .septet");
    let mut stored = 0;
    let mut refused = 0;
    // From no room at all, in steps of a page: it runs out at each step of keeping a repetition.
    for pages in 0..20 {
        room.sh(&format!("cat /dev/zero > .septet/filler 2>/dev/null; truncate -s -{} .septet/filler", pages * 4096));
        let ran = room.septet(&["run", "small.toml"]);
        if ran.code == 0 {
            break;
        }
        refused += 1;
        let finished = ran.stderr.lines().filter(|line| line.trim_start().starts_with('[')).count() as u64;
        told(&ran, "No space left");
        let results = if pages == 0 { 0 } else { results(&room) };
        assert_eq!(results, stored + finished, "{}", ran.stderr);
        stored = results;
        assert_eq!(room.sh("ls .septet/tmp 2>/dev/null || true"), "", "unfinished work is left");
        room.sh("rm .septet/filler");
    }
    assert!(refused > 3, "the disk was full {refused} times only");
    room.sh("rm -f .septet/filler");
    room.septet(&["run", "small.toml"]).code(0);
    assert_eq!(results(&room), REPETITIONS);
    let again = room.septet(&["run", "small.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{again:?}");
}

#[test]
fn a_full_disk_below_the_report_is_told() {
    let _turn = turn();
    let bench = Bench::new();
    let Some(room) = Room::of(&bench) else { return };
    experiment::write(&bench, 0, "auto");
    room.sh("mkdir out && mount -t tmpfs -o size=16k septet out");
    let ran = room.septet(&["run", "small.toml"]).code(3);
    assert!(ran.stderr.contains("out/small/") && ran.stderr.contains("No space left"), "{}", ran.stderr);
    assert_eq!(results(&room), REPETITIONS);
    room.sh("mount -o remount,size=10m out");
    let again = room.septet(&["run", "small.toml"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{again:?}");
    assert_eq!(room.sh("find out -name '*.unfinished'"), "");
}

#[test]
fn a_read_only_store_is_told_before_measuring_and_not_changed() {
    let _turn = turn();
    let bench = Bench::new();
    let Some(room) = Room::of(&bench) else { return };
    experiment::write(&bench, 0, "auto");
    bench.septet(&["run", "small.toml"]).code(0);
    room.sh("mount --bind .septet .septet && mount -o remount,bind,ro .septet");
    let before = bench.files(".septet");

    // Nothing is to be written: nothing is wrong.
    room.septet(&["run", "small.toml"]).code(0);
    room.septet(&["status", "small.toml", "-q"]).code(0);
    assert_eq!(results(&room), REPETITIONS);

    experiment::write(&bench, 1, "auto");
    room.septet(&["plan", "small.toml"]).code(0);
    let ran = room.septet(&["run", "small.toml"]);
    told(&ran, "Read-only file system");
    assert!(!ran.stderr.contains("[1/"), "it was measured in vain: {}", ran.stderr);
    assert_eq!(touched(&before, &bench.files(".septet")), Vec::<String>::new());

    room.sh("umount .septet");
    room.septet(&["run", "small.toml"]).code(0);
    assert_eq!(results(&room), 2 * REPETITIONS);
}
