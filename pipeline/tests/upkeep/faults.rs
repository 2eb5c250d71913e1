//! Refusals of the system, one at a time, at each kind of call of each command: an I/O error or a full disk. Nothing is
//! lost, nothing is told done that is not, and the reason is told. By strace, which sees every call of the program, also
//! those that no library makes; programs that it starts are left alone.
//!
//! `SEPTET_FAULTS=10` tries ten calls of each kind with each error instead of one, `SEPTET_FAULTS=all` all of them (in
//! steps where there are hundreds), `SEPTET_FAULTS_ONLY` names one command.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use super::bench::{Bench, Ran};
use super::chores::{Chore, Chores, Done, at_rate};

/// Kinds of calls, by the names that strace has for them.
const KINDS: [(&str, &str); 7] = [
    ("write", "write,pwrite64,writev,pwritev,copy_file_range,sendfile,ftruncate,fallocate"),
    ("sync", "fsync,fdatasync,syncfs,sync_file_range"),
    ("rename", "rename,renameat,renameat2,link,linkat,symlinkat"),
    ("open", "open,openat,openat2"),
    ("remove", "unlink,unlinkat,rmdir"),
    ("folder", "mkdir,mkdirat"),
    ("read", "read,pread64,getdents64"),
];
const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EMFILE"];
/// Calls of one kind of which each is tried; of more, so many.
const CALLS_MAX: usize = 120;

fn has_strace(bench: &Bench) -> bool {
    let tried = Command::new("strace").args(["-f", "-qq", "-b", "execve", "-o", "/dev/null", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            println!("skipped: strace may not trace here: {}", String::from_utf8_lossy(&output.stderr).trim());
            false
        }
        Err(error) => {
            println!("skipped: no strace: {error} ({})", bench.path("").display());
            false
        }
    }
}

/// Puts a command under strace.
fn traced(command: &Command, options: &[&str]) -> Command {
    let mut traced = Command::new("strace");
    // Its own children it lets go as they start another program.
    traced.args(["-f", "-qq", "-b", "execve", "-e", "signal=none"]).args(options);
    traced.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced
}

/// The most calls of a kind that one thread makes: strace counts each thread's by themselves.
fn calls(bench: &Bench, command: &Command, names: &str) -> usize {
    let log = bench.path("trace");
    let counted = traced(command, &["-o", &log.display().to_string(), "-e", &format!("trace={names}")]).output();
    counted.expect("strace starts");
    let mut of_threads: HashMap<String, usize> = HashMap::new();
    for line in fs::read_to_string(&log).expect("it is written").lines().filter(|line| !line.contains("resumed>")) {
        let thread = line.split(' ').next().unwrap_or_default();
        *of_threads.entry(thread.to_string()).or_default() += 1;
    }
    of_threads.into_values().max().unwrap_or(0)
}

/// Which of so many calls are refused.
fn chosen(calls: usize, turn: usize) -> Vec<usize> {
    let most = match std::env::var("SEPTET_FAULTS").as_deref() {
        Err(_) => 1,
        Ok("all") => CALLS_MAX,
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("SEPTET_FAULTS is neither a number nor 'all': {text}")),
    };
    let steps = calls.min(most);
    // Another one in each turn, where not all are tried.
    (0..steps).map(|step| 1 + (step * calls / steps + turn * 7919) % calls).collect()
}

fn is_asked(name: &str) -> bool {
    std::env::var("SEPTET_FAULTS_ONLY").map_or(true, |only| only == name)
}

/// What must be so of every program that was refused something.
#[track_caller]
fn told(ran: &Ran, kind: &str, about: &str) {
    // Where the loader of programs was refused, none was started.
    if ran.code == 127 && ran.stderr.contains("loading shared libraries") {
        return;
    }
    assert!([0, 1, 2, 3, 4].contains(&ran.code), "{about}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{about}: {ran:?}");
    // A refused write may have been that of the words.
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let says = ["failed to", "damaged", "not looked at", "differ"].iter().any(|words| said.contains(words));
    assert!(ran.code == 0 || says || kind == "write", "{about}: nothing is said: {ran:?}");
}

fn one(chores: &Chores, chore: &Chore, done: &Done, (kind, names): (&str, &str), error: &str, call: usize) -> i32 {
    chores.fresh(chore);
    let about = format!("{}: {error} at {kind} {call}", chore.name);
    let inject = format!("inject={names}:error={error}:when={call}");
    let options = ["-o", "/dev/null", "-e", &format!("trace={names}"), "-e", &inject];
    let ran = Ran::of(traced(&chores.command(chore), &options).output().expect("strace starts"));
    told(&ran, kind, &about);
    if ran.code == chore.code {
        chores.is_done(chore, done, &about);
    } else {
        assert_ne!(ran.code, 0, "{about}: it is said to be well: {ran:?}");
    }
    chores.goes_on(chore, done, &about);
    ran.code
}

#[test]
fn no_refused_call_loses_anything_or_is_told_well() {
    let chores = Chores::new();
    if !has_strace(&chores.bench) {
        return;
    }
    let mut turn = 0;
    for chore in chores.all.iter().filter(|chore| is_asked(chore.name)) {
        let done = chores.done(chore);
        for (kind, names) in KINDS {
            chores.fresh(chore);
            let calls = calls(&chores.bench, &chores.command(chore), names);
            let mut codes: HashMap<i32, usize> = HashMap::new();
            for error in ERRORS {
                for call in chosen(calls, turn) {
                    *codes.entry(one(&chores, chore, &done, (kind, names), error, call)).or_default() += 1;
                }
                turn += 1;
            }
            println!("{} {kind}: {calls} calls; exit codes {codes:?}", chore.name);
        }
    }
}

#[test]
fn a_run_that_is_refused_a_call_keeps_what_it_told() {
    if !is_asked("run") {
        return;
    }
    let bench = Bench::measured();
    if !has_strace(&bench) {
        return;
    }
    let mut rate = 50_001;
    let mut stored = results(&bench);
    for (turn, (kind, names)) in KINDS.into_iter().enumerate() {
        rate += 1;
        bench.write("small.toml", &at_rate(rate));
        let run = bench.command(&["run", "small.toml", "--only", "P=1500"]);
        let calls = calls(&bench, &run, names);
        let before = stored;
        stored = results(&bench);
        assert!(stored >= before + 2, "it runs under strace");
        for (round, error) in ERRORS.into_iter().enumerate() {
            for call in chosen(calls, turn + round) {
                rate += 1;
                bench.write("small.toml", &at_rate(rate));
                let about = format!("run: {error} at {kind} {call} of {calls}");
                let inject = format!("inject={names}:error={error}:when={call}");
                let options = ["-o", "/dev/null", "-e", &format!("trace={names}"), "-e", &inject];
                let ran = Ran::of(traced(&run, &options).output().expect("strace starts"));
                told(&ran, kind, &about);
                let is_done = |line: &&str| line.trim_start().starts_with('[') || line.starts_with("FAILED");
                let finished = ran.stderr.lines().filter(is_done).count() as u64;
                let added = results(&bench) - stored;
                // One more may have been kept and not told; of what is told, a refused write may have taken some away.
                assert!(added >= finished && (kind == "write" || added <= finished + 1), "{about}: {added}: {ran:?}");
                let again = bench.septet(&["run", "small.toml", "--only", "P=1500", "--json"]);
                assert_eq!(again.code, 0, "{about}: again: {again:?}");
                let before = stored;
                stored = results(&bench);
                assert!(stored >= before + 2, "{about}: {again:?}");
                let nothing = bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
                assert!(nothing.stdout.contains("nothing to measure"), "{about}: {nothing:?}");
            }
        }
    }
}

/// Results in the store, all of which are sound.
#[track_caller]
fn results(bench: &Bench) -> u64 {
    bench.septet(&["store", "verify", "--json"]).code(0).json()["results"].as_u64().expect("a number")
}
