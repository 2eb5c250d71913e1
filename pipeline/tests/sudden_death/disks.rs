//! Disks that are full, and disks that refuse: told with the place, nothing lost, and the next run goes on.
//! Mounts are made in a private mount namespace.

use std::process::{Child, Command, Stdio};

use super::bench::{Bench, Ran, touched};
use super::experiment::{self, REPETITIONS};
use super::remains::turn;

/// A mount namespace that lives as long as this, in which commands are run.
struct Room<'a> {
    bench: &'a Bench,
    holder: Child,
}

impl<'a> Room<'a> {
    /// None, with the reason printed, where this process may not mount.
    fn of(bench: &'a Bench) -> Option<Room<'a>> {
        let probe = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "septet", "/mnt"]).output();
        match probe {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                println!("skipped: no private mounts: {}", String::from_utf8_lossy(&output.stderr).trim());
                return None;
            }
            Err(error) => {
                println!("skipped: no unshare: {error}");
                return None;
            }
        }
        // Ends when its input does, and takes the namespace along. It says when it is there.
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", "echo there; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was there a moment ago");
        let mut there = [0; 6];
        std::io::Read::read_exact(holder.stdout.as_mut().expect("it is piped"), &mut there).expect("it starts");
        Some(Room { bench, holder })
    }

    /// A command in the namespace and in the bench's folder.
    fn command(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.holder.id().to_string()]);
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(self.bench.path("")).arg(program).args(arguments);
        // The bench's own environment.
        let septet = self.bench.command(&[]);
        for (name, value) in septet.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ran::of(command.stdin(Stdio::null()).output().expect("nsenter comes with unshare"))
    }

    fn septet(&self, arguments: &[&str]) -> Ran {
        self.command("./septet", arguments)
    }

    fn sh(&self, script: &str) -> String {
        self.command("sh", &["-c", script]).code(0).stdout
    }

    fn results(&self) -> u64 {
        self.septet(&["store", "verify", "--json"]).code(0).json()["results"].as_u64().expect("a number")
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
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
        let results = if pages == 0 { 0 } else { room.results() };
        assert_eq!(results, stored + finished, "{}", ran.stderr);
        stored = results;
        assert_eq!(room.sh("ls .septet/tmp 2>/dev/null || true"), "", "unfinished work is left");
        room.sh("rm .septet/filler");
    }
    assert!(refused > 3, "the disk was full {refused} times only");
    room.sh("rm -f .septet/filler");
    room.septet(&["run", "small.toml"]).code(0);
    assert_eq!(room.results(), REPETITIONS);
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
    assert_eq!(room.results(), REPETITIONS);
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
    assert_eq!(room.results(), REPETITIONS);

    experiment::write(&bench, 1, "auto");
    room.septet(&["plan", "small.toml"]).code(0);
    let ran = room.septet(&["run", "small.toml"]);
    told(&ran, "Read-only file system");
    assert!(!ran.stderr.contains("[1/"), "it was measured in vain: {}", ran.stderr);
    assert_eq!(touched(&before, &bench.files(".septet")), Vec::<String>::new());

    room.sh("umount .septet");
    room.septet(&["run", "small.toml"]).code(0);
    assert_eq!(room.results(), 2 * REPETITIONS);
}
