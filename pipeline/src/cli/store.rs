//! Commands about the store.

use serde::Serialize;

use super::place::{open, open_damaged};
use super::{StoreCommand, gc, say, say_json, share, verify};
use crate::clock;
use crate::exit::{Exit, Trouble};
use crate::planned::plural;
use crate::store::{Standing, Store};

/// `septet store ...`.
pub(super) fn run(command: StoreCommand) -> Result<Exit, Trouble> {
    match command {
        StoreCommand::Verify { place, dry_run, json } => verify::verify(&open_damaged(&place)?, dry_run, json),
        StoreCommand::Gc(args) => gc::gc(&args),
        StoreCommand::Push { url, place, json } => share::push(url.as_deref(), &place, json),
        StoreCommand::Pull { url, place, key, json } => share::pull(url.as_deref(), &place, key.as_deref(), json),
        StoreCommand::Stats { place, json } => stats(&open(&place)?, json),
    }
}

#[derive(Serialize)]
struct StatsJson {
    results: usize,
    keys: usize,
    valid: usize,
    suspect: usize,
    failed: usize,
    measuring_s: f64,
}

fn stats(store: &Store, json: bool) -> Result<Exit, Trouble> {
    let index = store.index()?;
    let of = |standing| index.entries().iter().filter(|entry| entry.standing == standing).count();
    let mut keys: Vec<_> = index.entries().iter().map(|entry| entry.key).collect();
    keys.dedup();
    let cost_ms: u64 = index.entries().iter().map(|entry| u64::from(entry.cost_ms)).sum();
    let stats = StatsJson {
        results: index.entries().len(),
        keys: keys.len(),
        valid: of(Standing::Valid),
        suspect: of(Standing::Suspect),
        failed: of(Standing::Failed),
        measuring_s: cost_ms as f64 / 1e3,
    };
    if json {
        return say_json(&stats);
    }
    let cost = clock::shown(std::time::Duration::from_millis(cost_ms));
    say(&format!(
        "{} of {}: {} valid, {} suspect, {} failed; measuring them took {cost}",
        plural(stats.results, "result"),
        plural(stats.keys, "key"),
        stats.valid,
        stats.suspect,
        stats.failed
    ))
}
