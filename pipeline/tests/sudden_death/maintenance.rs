//! `kill -9` of the commands that look after a store and what is made of it, at random instants: nothing is lost, and
//! doing it again does it.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use super::chores::Chores;
use super::kills::{Random, number};
use super::remains::turn;

/// Kills without `SEPTET_KILLS`: about two of each command.
const KILLS: usize = 24;

#[test]
fn a_kill_of_what_looks_after_a_store_loses_nothing() {
    let _turn = turn();
    let chores = Chores::new();
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let seed = number("SEPTET_KILL_SEED").unwrap_or_else(clock);
    let kills = number("SEPTET_KILLS").map_or(KILLS, |kills| kills as usize);
    println!("SEPTET_KILL_SEED={seed}");
    let mut random = Random::new(seed);
    let mut done = Vec::new();
    for chore in &chores.all {
        chores.fresh(chore);
        let command = &mut chores.command(chore);
        let began = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
        assert_eq!(status.code(), Some(chore.code), "{}", chore.name);
        done.push((began.elapsed(), chores.done(chore)));
    }
    let mut killed = 0;
    for round in 0.. {
        let place = round % chores.all.len();
        let (chore, (whole, done)) = (&chores.all[place], &done[place]);
        chores.fresh(chore);
        let mut command = chores.command(chore);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_nanos(random.below(whole.as_nanos() as u64)));
        child.kill().expect("it is ours");
        let status = child.wait().expect("it is ours");
        let about = format!("round {round}: {} killed within {whole:?}", chore.name);
        match status.code() {
            // It was faster.
            Some(code) => assert_eq!(code, chore.code, "{about}"),
            None => killed += 1,
        }
        chores.goes_on(chore, done, &about);
        if killed == kills {
            println!("{killed} killed in {} rounds over {} commands", round + 1, chores.all.len());
            return;
        }
        assert!(round < 10 * kills, "{killed} were killed in {round} rounds");
    }
}
