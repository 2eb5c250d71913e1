//! What dead runs leave in a store and in a report's folder: in nobody's way, and cleared.

use std::fs::{self, File};

use nix::fcntl::{Flock, FlockArg};

use super::bench::Bench;
use super::experiment::{self, REPETITIONS, goes_on, nothing_unfinished, stored};
use super::remains::turn;

/// Puts there what a kill can leave between any two system calls.
fn litter(bench: &Bench) {
    for folder in ["tmp/1-a-0/2-b-0", "tmp/1-a-1", "tmp/1-a-2", "results/00", "index", "reports"] {
        fs::create_dir_all(bench.path(".septet").join(folder)).expect("the bench is writable");
    }
    for (name, text) in [
        ("tmp/1-a-0/lock", ""),
        ("tmp/1-a-0/2-b-0/samples.parquet", "PAR1, cut"),
        ("tmp/1-a-2/lock", ""),
        ("tmp/1-a-2/file", "cut"),
        ("tmp/1-a-3", "a file of an earlier kind of stage, cut"),
        ("index/fold.lock", ""),
        ("index/1-a-0.log", "shorter than an entry"),
    ] {
        bench.write(&format!(".septet/{name}"), text);
    }
    // The first file of a report, before there is any other.
    fs::create_dir_all(bench.path("out/small")).expect("the bench is writable");
    bench.write("out/small/.septet.css.unfinished", "longer than it will be, ".repeat(10_000).as_str());
}

#[test]
fn leftovers_of_the_dead_do_not_block_and_are_cleared() {
    let _turn = turn();
    let bench = Bench::new();
    experiment::write(&bench, 0, "auto");
    litter(&bench);
    bench.septet(&["run", "small.toml"]).code(0);
    nothing_unfinished(&bench);
    assert_eq!(stored(&bench), REPETITIONS);
    let css = fs::read_to_string(bench.path("out/small/septet.css")).expect("the report is there");
    assert!(!css.contains("longer than it will be"), "an unfinished file was taken for a page");

    // Also by a run that has nothing to measure.
    litter(&bench);
    fs::remove_file(bench.path("out/small/.septet.css.unfinished")).expect("it was just made");
    goes_on(&bench);
}

#[test]
fn the_unfinished_work_of_the_living_is_left_alone() {
    let _turn = turn();
    let bench = Bench::new();
    experiment::write(&bench, 0, "auto");
    litter(&bench);
    let lock = File::options().write(true).open(bench.path(".septet/tmp/1-a-0/lock")).expect("it was just made");
    let alive = Flock::lock(lock, FlockArg::LockExclusiveNonblock).expect("nobody has it");
    bench.septet(&["run", "small.toml"]).code(0);
    assert!(bench.path(".septet/tmp/1-a-0/2-b-0/samples.parquet").is_file());
    assert!(!bench.path(".septet/tmp/1-a-2").exists());
    drop(alive);
    goes_on(&bench);
}
