//! How many threads this program works with: as many as there are CPUs, or as `RAYON_NUM_THREADS` asks, or fewer where a
//! limit on processes allows no more. Libraries give up where a thread cannot be made, so that what can be made is
//! tried first, unless limits leave room beyond doubt: ten threads that are made to see whether they can be are most of
//! what a short command costs. It must not know what threads do.

mod room;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::channel;

use rayon::ThreadPoolBuilder;

/// Threads that are needed besides those that work: they listen to other programs.
const SPARE: usize = 8;
/// Room for so many threads beyond those of all stands and libraries is no matter of a try.
const AMPLE: u64 = 1024;
/// More threads than this for each CPU are a mistake.
const PER_CPU_MAX: usize = 4;
/// The variable that says how many threads work.
const WORKERS: &str = "RAYON_NUM_THREADS";
/// The variable of the library that reads and writes Parquet, which asks when it starts.
const READERS: &str = "POLARS_MAX_THREADS";

/// Prepares the threads of this program; what a user should know of it. Where fewer can be made than there are CPUs,
/// the program starts once more, and says so to the libraries that it is made of.
pub fn prepare() -> Option<String> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let asked = std::env::var(WORKERS).ok();
    if asked.is_none() && room::is_ample(AMPLE + cpus as u64) {
        return None;
    }
    let (wanted, mut remark) = wanted(asked.as_deref(), cpus);
    let made = makeable(wanted + SPARE);
    let workers = workers(made, wanted);
    if workers < wanted {
        let again = std::env::var_os(READERS).is_none();
        if again && let Ok(program) = std::env::current_exe() {
            let number = workers.to_string();
            // It returns only if it failed; this program can go on by itself then.
            let _ = Command::new(program)
                .args(std::env::args_os().skip(1))
                .env(WORKERS, &number)
                .env(READERS, &number)
                .exec();
        }
        remark = Some(format!("a limit on processes lets it have {workers} of {wanted} threads; going on with these"));
    } else if made < wanted + SPARE {
        remark = Some("a limit on processes leaves hardly any room for threads; going on".to_string());
    }
    let builder = match made {
        0 => ThreadPoolBuilder::new().num_threads(1).use_current_thread(),
        _ => ThreadPoolBuilder::new().num_threads(workers),
    };
    match builder.build_global() {
        Ok(()) => remark,
        Err(error) => Some(format!("failed to prepare threads: {error}; going on")),
    }
}

/// How many threads are to work, and what is wrong with how many were asked for.
fn wanted(asked: Option<&str>, cpus: usize) -> (usize, Option<String>) {
    let most = PER_CPU_MAX * cpus;
    match asked.map(|text| (text, text.trim().parse::<usize>())) {
        None | Some(("", _) | (_, Ok(0))) => (cpus, None),
        Some((_, Ok(number))) if number <= most => (number, None),
        Some((text, Ok(_))) => {
            (most, Some(format!("{WORKERS}={text} is more than makes sense here; going on with {most}")))
        }
        Some((text, Err(_))) => {
            let shown: String = text.chars().take(20).flat_map(char::escape_debug).collect();
            (cpus, Some(format!("{WORKERS}={shown} is no number; going on with {cpus}")))
        }
    }
}

/// How many of the threads that can be made work.
fn workers(made: usize, wanted: usize) -> usize {
    made.saturating_sub(SPARE).clamp(1, wanted)
}

/// How many threads can be made, up to so many: made, and ended again.
fn makeable(most: usize) -> usize {
    let mut threads = Vec::with_capacity(most);
    while threads.len() < most {
        let (end, ended) = channel::<()>();
        let made = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let _ = ended.recv();
        });
        match made {
            Ok(thread) => threads.push((end, thread)),
            Err(_) => break,
        }
    }
    let made = threads.len();
    for (end, thread) in threads {
        drop(end);
        let _ = thread.join();
    }
    made
}

#[cfg(test)]
mod tests {
    use super::{makeable, wanted, workers};

    #[test]
    fn whatever_is_asked_for_some_threads_work() {
        assert_eq!(wanted(None, 2), (2, None));
        assert_eq!(wanted(Some("3"), 2), (3, None));
        assert_eq!(wanted(Some("0"), 2), (2, None));
        for nonsense in ["garbage", "-1", "1e3", "99999999999999999999999", "\u{1b}[2J"] {
            let (threads, remark) = wanted(Some(nonsense), 2);
            assert!(threads == 2 && remark.is_some_and(|remark| !remark.contains('\u{1b}')), "{nonsense}");
        }
        assert!(matches!(wanted(Some("1000000"), 2), (8, Some(_))));
        assert_eq!(
            [(0, 4), (5, 4), (9, 4), (11, 4), (100, 4)].map(|(made, wanted)| workers(made, wanted)),
            [1, 1, 1, 3, 4]
        );
        assert_eq!(makeable(3), 3);
    }
}
