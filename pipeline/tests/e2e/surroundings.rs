//! Surroundings that are not as they should be: no home, too few threads, rates so low that a burst is rare. What can
//! be done is done, and what cannot is told.

use std::process::Command;

use super::bench::{Bench, Ran, SMALL};

/// An ordinary user that runs nothing else.
const USER: &str = "54321";

/// `septet` as that user, in an environment of its own; `before` goes in front of it.
fn as_user(bench: &Bench, before: &[&str], environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).args(before).arg(bench.path("septet"));
    command.args(arguments).current_dir(bench.path("")).env_clear().envs(environment.iter().copied());
    Ran::of(command.output().expect("setpriv is there"))
}

fn shared() -> Option<Bench> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    let given = Command::new("chown").args(["-R", USER]).arg(bench.path("")).status();
    assert!(given.is_ok_and(|status| status.success()), "the bench can be given away");
    Some(bench)
}

#[test]
fn whoever_is_at_home_nowhere_plans_and_nothing_is_left_in_the_working_folder() {
    let Some(bench) = shared() else { return };
    let path = ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for home in [Some("/root"), Some("/dev/null"), Some(""), Some("nowhere"), Some("/no/such/home"), None] {
        let home: Vec<(&str, &str)> = home.into_iter().map(|home| ("HOME", home)).chain([path]).collect();
        let before = bench.files("");
        let ran = as_user(&bench, &[], &home, &["plan", "small.toml"]).code(0);
        assert!(ran.stdout.contains("3 tests"), "{home:?}: {ran:?}");
        assert_eq!(bench.files(""), before, "{home:?}");
    }
    let empty = [("HOME", ""), ("XDG_CACHE_HOME", ""), ("XDG_CONFIG_HOME", "."), path];
    let before = bench.files("");
    as_user(&bench, &[], &empty, &["plan", "small.toml"]).code(0);
    assert_eq!(bench.files(""), before);
}

#[test]
fn a_number_of_threads_that_makes_no_sense_is_told_and_stops_nobody() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    for (number, told) in [("garbage", true), ("-1", true), ("1000000", true), ("1", false), ("0", false), ("", false)]
    {
        let ran = bench.septet_with(&[("RAYON_NUM_THREADS", number)], &["plan", "small.toml"]).code(0);
        assert_eq!(ran.stderr.contains("RAYON_NUM_THREADS"), told, "{number}: {ran:?}");
    }
}

#[test]
fn a_limit_on_processes_makes_nothing_panic() {
    let Some(bench) = shared() else { return };
    let path = ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let mut went_on = 0;
    for limit in [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24] {
        let limit = format!("--nproc={limit}");
        let ran = as_user(&bench, &["prlimit", &limit], &[path], &["plan", "small.toml"]);
        assert!(!ran.stderr.contains("panicked"), "{limit}: {ran:?}");
        assert!(ran.code == 0 || ran.code == 3, "{limit}: {ran:?}");
        assert!(ran.code == 0 || ran.stderr.contains("failed to"), "{limit}: {ran:?}");
        went_on += i32::from(ran.code == 0 && ran.stderr.contains("threads"));
    }
    assert!(went_on > 0, "with some of these limits it goes on with fewer threads");
}

/// A test of few bursts and no cool-down, of which the last burst is long before the end.
fn rare(dimension: &str, rate: u32, burst: u32, duration: &str) -> String {
    format!(
        "[experiment]\nname = \"rare\"\n[protocol]\nduration = \"{duration}\"\nwarmup = \"100ms\"\ncooldown = \"0s\"\n\
         repetitions = 1\n[[tests]]\nid = \"t\"\nD = \"{dimension}\"\nL = \"local\"\nS = \"1vs1\"\nV = \"linux-bridge\"\n\
         P = 64\nR = {rate}\nB = {burst}\nio = \"udp\"\n"
    )
}

#[test]
fn however_rare_bursts_are_a_repetition_is_valid() {
    for (dimension, rate, burst, duration) in
        [("latency", 1000, 128, "600ms"), ("throughput", 1000, 300, "400ms"), ("throughput", 1, 1, "1s")]
    {
        let bench = Bench::new();
        bench.write("rare.toml", &rare(dimension, rate, burst, duration));
        let ran = bench.septet(&["run", "rare.toml", "--wait", "5m"]).code(0);
        assert!(ran.stdout.contains("measured 1 repetition") && !ran.stderr.contains("SUSPECT"), "{ran:?}");
        bench.septet(&["status", "rare.toml", "-q"]).code(0);
    }
}
