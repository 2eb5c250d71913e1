//! Commands about the store.

use serde::Serialize;

use super::place::open;
use super::{StoreCommand, gc, remark, say, say_json, share};
use crate::clock;
use crate::exit::{Exit, Trouble};
use crate::planned::plural;
use crate::store::{Kind, Standing, Store};

/// `septet store ...`.
pub(super) fn run(command: StoreCommand) -> Result<Exit, Trouble> {
    match command {
        StoreCommand::Verify { place, dry_run, json } => verify(&open(&place)?, dry_run, json),
        StoreCommand::Gc(args) => gc::gc(&args),
        StoreCommand::Push { url, place, json } => share::push(url.as_deref(), &place, json),
        StoreCommand::Pull { url, place, key, json } => share::pull(url.as_deref(), &place, key.as_deref(), json),
        StoreCommand::Stats { place, json } => stats(&open(&place)?, json),
    }
}

#[derive(Serialize)]
struct FindingJson {
    result: String,
    test: Option<String>,
    what: String,
}

#[derive(Serialize)]
struct VerifyJson {
    results: u64,
    bytes: u64,
    findings: Vec<FindingJson>,
    statements: Vec<String>,
    put_aside: bool,
    strangers: Vec<String>,
}

fn verify(store: &Store, dry_run: bool, json: bool) -> Result<Exit, Trouble> {
    let verification = store.verify()?;
    let sound = verification.findings.is_empty() && verification.statements.is_empty();
    let exit = if sound && verification.strangers.is_empty() { Exit::Well } else { Exit::Answer };
    let put_aside = !dry_run && !sound;
    if put_aside {
        store.quarantine(&verification)?;
    }
    if json {
        let findings = verification.findings.iter().map(|finding| FindingJson {
            result: finding.id.to_string(),
            test: finding.test.clone(),
            what: finding.what.clone(),
        });
        say_json(&VerifyJson {
            results: verification.results,
            bytes: verification.bytes,
            findings: findings.collect(),
            statements: verification.statements.into_iter().map(|(_, what)| what).collect(),
            put_aside,
            strangers: verification.strangers,
        })?;
        return Ok(exit);
    }
    for finding in &verification.findings {
        remark(&format!("damaged: {}", finding.what));
        let again = match finding.kind {
            Kind::Manifest(_) => "--force",
            Kind::Result | Kind::Gone => "--only",
        };
        match &finding.test {
            Some(test) => remark(&format!("  run again: septet run FILE {again} {test}")),
            None => remark(&format!(
                "  nothing tells which test result {} is of; `septet status FILE` does",
                finding.id.short()
            )),
        }
    }
    for (_, what) in &verification.statements {
        remark(&format!("damaged: {what}\n  what was accepted by it is to be accepted again: septet accept FILE"));
    }
    if put_aside {
        remark(&format!(
            "put aside in {}; their tests are to be measured again",
            store.root().join("quarantine").display()
        ));
    }
    for stranger in &verification.strangers {
        remark(&format!("not a result: {stranger}"));
    }
    let state = match verification.findings.len() + verification.statements.len() {
        0 => "all as their names say".to_string(),
        count => format!("{count} damaged"),
    };
    say(&format!(
        "{}, {:.1} MiB of samples and logs: {state}",
        plural(verification.results as usize, "result"),
        verification.bytes as f64 / f64::from(1u32 << 20)
    ))?;
    Ok(exit)
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
