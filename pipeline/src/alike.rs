//! Whether stands of one class are alike: a test has one key, so that what differs between stands and is in keys
//! forbids that they share the work, unless the site says of it that it may differ. It must not know agents or files.

use std::collections::BTreeSet;

use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::difference::Differences;
use crate::experiment::Test;
use crate::manifest::{Change, Manifest};

/// What differs for these tests on another stand than the first, in words, each once; without what may differ.
pub fn differences<'t>(
    tests: impl Iterator<Item = &'t Test>,
    first: &Conditions,
    other: &Conditions,
    may_differ: &BTreeSet<String>,
) -> Vec<String> {
    let (mut of_first, mut of_other) = (KnownSurroundings::default(), KnownSurroundings::default());
    let mut differences = Differences::default();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for test in tests {
        match (first.judge(test, &mut of_first), other.judge(test, &mut of_other)) {
            (Prospect::Ready(here), Prospect::Ready(there)) => {
                let difference = differences.between(&here.manifest, &there.manifest);
                let counts = |change: &&Change| !may_differ.contains(&name(change));
                found.extend(difference.changes.iter().filter(counts).map(words));
            }
            (Prospect::Skipped(_), Prospect::Skipped(_)) => {}
            (Prospect::Ready(_), Prospect::Skipped(reason)) => found.extend([format!("skipped there: {reason}")]),
            (Prospect::Skipped(reason), Prospect::Ready(_)) => found.extend([format!("not skipped there: {reason}")]),
        }
    }
    found.into_iter().collect()
}

/// Whether two manifests differ in nothing but what may differ.
pub fn excused(wanted: &Manifest, there: &Manifest, may_differ: &BTreeSet<String>) -> bool {
    let mut differences = Differences::default();
    differences.between(wanted, there).changes.iter().all(|change| may_differ.contains(&name(change)))
}

/// The name in site files and in `septet explain`.
fn name(change: &Change) -> String {
    format!("{} {}", change.section, change.field)
}

fn words(change: &Change) -> String {
    let shown =
        |field: &Option<crate::manifest::Field>| field.as_ref().map_or("absent".to_string(), |field| field.shown());
    format!("{}: {} on the first, {} there", name(change), shown(&change.was), shown(&change.is))
}
