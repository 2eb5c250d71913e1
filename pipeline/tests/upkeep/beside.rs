//! `store verify`, `report`, `archive` and `store gc` beside runs, again and again: no sound result is put aside, every
//! report and archive is of one moment, and nothing that a run needs is deleted. `SEPTET_BESIDE=1000` does each so often.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bench::{Bench, Ran};
use super::chores::at_rate;

const TIMES: u64 = 4;

fn times() -> u64 {
    let asked = std::env::var("SEPTET_BESIDE").ok();
    asked.map_or(TIMES, |text| text.parse().unwrap_or_else(|_| panic!("SEPTET_BESIDE is no number: {text}")))
}

/// One command, and what must be so of it at any moment.
#[track_caller]
fn once(bench: &Bench, name: &str, turn: u64) -> Ran {
    let out = format!("beside-{turn}");
    let ran = match name {
        "verify" if turn.is_multiple_of(2) => bench.septet(&["store", "verify"]).code(0),
        "verify" => bench.septet(&["store", "verify", "-n"]).code(0),
        "report" => bench.septet(&["report", "running.toml", "--no-remote", "-o", "beside"]).code(0),
        "archive" => {
            let file = format!("{out}.tar.zst");
            let create = ["archive", "create", "running.toml", "-o", &file, "--license", "MIT", "--no-remote"];
            let ran = bench.septet(&create).code(0);
            bench.septet(&["archive", "verify", &file]).code(0);
            std::fs::remove_file(bench.path(&file)).expect("it was just made");
            // Else gc keeps everything.
            let _ = std::fs::remove_dir_all(bench.path(".septet/archives"));
            ran
        }
        _ => {
            let show = ["store", "gc", "--scope", "unreferenced,superseded", "--keep-generations", "2"];
            let shown = bench.septet(&[&show[..], &["--json"]].concat()).code(0).json();
            let list = shown["list"].as_str().expect("it has a digest").to_string();
            let ran = bench.septet(&[&show[..], &["--delete", &list]].concat());
            let refused = ["is at work in it", "has changed since"].iter().any(|why| ran.stderr.contains(why));
            assert!(ran.code == 0 || ran.code == 3 && refused, "{ran:?}");
            ran
        }
    };
    assert!(!ran.stderr.contains("panicked"), "{name}: {ran:?}");
    ran
}

#[test]
fn what_looks_after_a_store_beside_runs_harms_nothing() {
    let bench = Bench::measured();
    let times = times();
    let (over, runs) = (AtomicBool::new(false), AtomicU64::new(0));
    bench.write("running.toml", &at_rate(50_001));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for rate in 50_001.. {
                bench.write("next", &at_rate(rate));
                std::fs::rename(bench.path("next"), bench.path("running.toml")).expect("it is ours");
                let ran = bench.septet(&["run", "running.toml", "--only", "D=throughput", "--no-report"]);
                // What was measured may have been taken away by gc, but not before the run was over.
                assert_eq!(ran.code, 0, "{ran:?}");
                runs.fetch_add(1, Ordering::Relaxed);
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut codes: HashMap<(&str, i32), u64> = HashMap::new();
            let mut turn = 0;
            while turn < times || runs.load(Ordering::Relaxed) < 2 {
                turn += 1;
                for name in ["verify", "report", "archive", "gc"] {
                    let ran = once(&bench, name, turn);
                    *codes.entry((name, ran.code)).or_default() += 1;
                }
            }
            println!("{turn} times beside {} runs: {codes:?}", runs.load(Ordering::Relaxed));
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = all {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(!bench.path(".septet/quarantine").exists(), "something sound was put aside");
    bench.septet(&["store", "verify"]).code(0);
    // What the last run measured is all there.
    let again = bench.septet(&["run", "running.toml", "--only", "D=throughput", "--no-report"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{again:?}");
}
