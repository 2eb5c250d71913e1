//! `septet store verify`: what was found in a store, and in those that were imported into it, in words. It must not know
//! how it is found.

use serde::Serialize;

use super::{remark, say, say_json};
use crate::archive::Origin;
use crate::exit::{Exit, Trouble};
use crate::planned::plural;
use crate::store::{Damage, DamagedFile, Of, Store, Verification};

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
    generations: Vec<String>,
    others: Vec<String>,
    /// What is damaged of each origin that is.
    origins: Vec<OriginJson>,
    put_aside: bool,
    /// What could not be read, here and in origins.
    unread: Vec<String>,
    strangers: Vec<String>,
}

#[derive(Serialize)]
struct OriginJson {
    origin: String,
    damaged: Vec<String>,
}

/// Looks at a store, and at what was imported into it.
pub(super) fn verify(store: &Store, dry_run: bool, json: bool) -> Result<Exit, Trouble> {
    let own = Looked::at(store, dry_run)?;
    let mut origins = Vec::new();
    for (name, theirs) in Origin::stores(store)? {
        let looked = Looked::at(&theirs, dry_run)?;
        if !looked.found.is_sound() || !looked.found.unread.is_empty() {
            origins.push((name, looked));
        }
    }
    let sound = own.found.is_sound() && origins.iter().all(|(_, looked)| looked.found.is_sound());
    let sound = sound && own.found.strangers.is_empty();
    let is_read = own.found.unread.is_empty() && origins.iter().all(|(_, looked)| looked.found.unread.is_empty());
    match json {
        true => drop(say_json(&verify_json(&own, &origins))?),
        false => tell(store, &own, &origins)?,
    }
    for refused in origins.iter().map(|(_, looked)| looked).chain([&own]).filter_map(|looked| looked.refused.as_ref()) {
        remark(&format!("septet: nothing is put aside: {refused}"));
    }
    Ok(match (sound, is_read) {
        (true, true) => Exit::Well,
        (true, false) => Exit::Host,
        (false, _) => Exit::Answer,
    })
}

/// What was found in one store, and what became of it.
struct Looked {
    found: Verification,
    put_aside: bool,
    /// Why nothing could be put aside: a run is at work, or the store is somebody else's.
    refused: Option<String>,
}

impl Looked {
    fn at(store: &Store, dry_run: bool) -> Result<Looked, Trouble> {
        let found = store.verify()?;
        if dry_run || found.is_sound() {
            return Ok(Looked { found, put_aside: false, refused: None });
        }
        Ok(match store.quarantine(found.clone()) {
            Ok(found) => Looked { put_aside: !found.is_sound(), found, refused: None },
            // What was found is told in any case.
            Err(error) => Looked { found, put_aside: false, refused: Some(error.to_string()) },
        })
    }
}

fn verify_json(own: &Looked, origins: &[(String, Looked)]) -> VerifyJson {
    let found = &own.found;
    let findings = found.findings.iter().map(|finding| FindingJson {
        result: finding.id.to_string(),
        test: finding.test.clone(),
        what: finding.what.clone(),
    });
    let files = |is: &dyn Fn(&Of) -> bool| -> Vec<String> {
        found.files.iter().filter(|file| is(&file.of)).map(|file| file.what.clone()).collect()
    };
    let unread = origins.iter().flat_map(|(_, looked)| &looked.found.unread).chain(&found.unread).cloned().collect();
    let origins = origins.iter().filter(|(_, looked)| !looked.found.is_sound());
    let origins = origins.map(|(origin, Looked { found, .. })| OriginJson {
        origin: origin.clone(),
        damaged: whats(found).map(String::from).collect(),
    });
    VerifyJson {
        results: found.results,
        bytes: found.bytes,
        findings: findings.collect(),
        statements: files(&|of| *of == Of::Statement),
        generations: files(&|of| matches!(of, Of::Generation(_))),
        others: files(&|of| matches!(of, Of::Index | Of::Cache | Of::Format)),
        origins: origins.collect(),
        put_aside: own.put_aside,
        unread,
        strangers: found.strangers.clone(),
    }
}

fn whats(found: &Verification) -> impl Iterator<Item = &str> {
    let of_results = found.findings.iter().map(|finding| finding.what.as_str());
    of_results.chain(found.files.iter().map(|file| file.what.as_str()))
}

fn tell(store: &Store, own: &Looked, origins: &[(String, Looked)]) -> Result<(), Trouble> {
    let found = &own.found;
    for finding in &found.findings {
        remark(&format!("damaged: {}", finding.what));
        let again = match finding.kind {
            Damage::Manifest(_) => "--force",
            Damage::Result | Damage::Gone => "--only",
        };
        match &finding.test {
            Some(test) => remark(&format!("  run again: septet run FILE {again} {test}")),
            None => remark(&format!(
                "  nothing tells which test result {} is of; `septet status FILE` does",
                finding.id.short()
            )),
        }
    }
    for file in &found.files {
        remark(&format!("damaged: {}\n  {}", file.what, what_to_do(store, file, own.put_aside)));
    }
    for unread in own.found.unread.iter().chain(origins.iter().flat_map(|(_, looked)| &looked.found.unread)) {
        remark(&format!("not looked at: {unread}\n  nobody knows whether it is sound: nothing of it is put aside"));
    }
    for (name, looked) in origins.iter().filter(|(_, looked)| !looked.found.is_sound()) {
        whats(&looked.found).for_each(|what| remark(&format!("damaged, imported as {name}: {what}")));
        remark(&format!(
            "  take {} away, then import it again: septet archive import",
            store.root().join("origins").join(name).display()
        ));
    }
    if own.put_aside {
        let again = if found.findings.is_empty() { "" } else { "; their tests are to be measured again" };
        remark(&format!("put aside in {}{again}", store.root().join("quarantine").display()));
    }
    for stranger in &found.strangers {
        remark(&format!("not a result: {stranger}"));
    }
    let damaged = whats(found).count() + origins.iter().map(|(_, looked)| whats(&looked.found).count()).sum::<usize>();
    let unread = found.unread.len() + origins.iter().map(|(_, looked)| looked.found.unread.len()).sum::<usize>();
    let state = match damaged {
        0 if unread > 0 => format!("{unread} could not be read, the rest is as its names say"),
        0 => "all as their names say".to_string(),
        count => format!("{count} damaged"),
    };
    say(&format!(
        "{}, {:.1} MiB of samples and logs: {state}",
        plural(found.results as usize, "result"),
        found.bytes as f64 / f64::from(1u32 << 20)
    ))?;
    Ok(())
}

/// What a damaged file means for its user.
fn what_to_do(store: &Store, file: &DamagedFile, put_aside: bool) -> String {
    match &file.of {
        Of::Statement => "what was accepted by it is to be accepted again: septet accept FILE".to_string(),
        Of::Generation(experiment) if put_aside => {
            let latest = store.line(experiment).ok();
            let latest = latest.and_then(|line| line.latest().ok().flatten().map(ToString::to_string));
            format!(
                "the latest of {experiment} is now {}; `septet run FILE` keeps a new one of what is stored",
                latest.as_deref().unwrap_or("none")
            )
        }
        Of::Generation(_) => {
            "put aside, the one before it is the latest, until `septet run FILE` keeps a new one".to_string()
        }
        Of::Index => "it is made anew from the results".to_string(),
        Of::Cache => "the next report is made anew".to_string(),
        Of::Format => "it is written anew".to_string(),
    }
}
