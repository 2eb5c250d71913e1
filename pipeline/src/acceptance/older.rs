//! Which older manifests count as one of now, and by which accepted changes. Pure: sections in, manifests out. It
//! must not know whether any result has one of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Acceptances, Step};
use crate::key::{Key, StatementId};
use crate::manifest::{Common, CommonId, Keyed, Listing, Sealed, Section};

/// Most older manifests that count as one: beyond it those of the most changes are left out, and their tests are
/// measured again.
const OLDER_MAX: usize = 256;

/// What older manifests have in common, and the accepted changes by which they count.
#[derive(Clone, Debug)]
pub struct Older {
    /// Everything but the test's own section.
    pub common: Arc<Common>,
    /// From the oldest change of each section to its newest.
    pub by: Vec<StatementId>,
}

/// An older key whose results count, and the accepted changes by which they do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lean {
    /// The key under which they were measured.
    pub key: Key,
    /// The changes, in an order in which they can be made one after the other.
    pub by: Vec<StatementId>,
}

impl Acceptances {
    /// Everything in common that counts as `now`: each of its sections as it is or as it was before accepted
    /// changes, in all combinations but the one that is `now` itself; the fewest changes first.
    pub fn older(&self, now: &Common) -> Vec<Older> {
        let mut sections: Vec<&str> = self.iter().map(|acceptance| acceptance.step.section.as_str()).collect();
        sections.sort_unstable();
        sections.dedup();
        let mut made: Vec<(BTreeMap<String, Sealed>, Vec<StatementId>)> = vec![Default::default()];
        for section in sections {
            let chains = self.chains(section, &now.section(section));
            let more: Vec<_> = made
                .iter()
                .flat_map(|(others, by)| {
                    chains.iter().map(move |(older, steps)| {
                        let mut others = others.clone();
                        others.insert(section.to_string(), older.clone());
                        (others, by.iter().chain(steps).copied().collect::<Vec<_>>())
                    })
                })
                .collect();
            made.extend(more);
            made.sort_by_key(|(_, by)| by.len());
            made.truncate(OLDER_MAX + 1);
        }
        // The first is the one without any change.
        made.drain(1..).map(|(sections, by)| Older { common: Arc::new(now.with(&sections)), by }).collect()
    }
}

/// What counts by acceptances for one test after the other: most have in common what others have.
#[derive(Debug)]
pub struct Leaning<'a> {
    acceptances: &'a Acceptances,
    known: HashMap<CommonId, Vec<Older>>,
    /// For what is hashed.
    buffer: Vec<u8>,
}

impl<'a> Leaning<'a> {
    /// By these.
    pub fn new(acceptances: &'a Acceptances) -> Leaning<'a> {
        Leaning { acceptances, known: HashMap::new(), buffer: Vec::new() }
    }

    /// The keys that count as that of `now`, the fewest changes first.
    pub fn keys(&mut self, now: Keyed) -> Vec<Lean> {
        let Leaning { acceptances, known, buffer } = self;
        if acceptances.is_empty() {
            return Vec::new();
        }
        let older = known.entry(now.common.id()).or_insert_with(|| acceptances.older(now.common));
        let mut key = |older: &Older| older.common.key_with(now.own.as_ref(), buffer);
        older.iter().map(|older| Lean { key: key(older), by: older.by.clone() }).collect()
    }
}

/// The key that a manifest has once these changes are made, one after the other.
///
/// # Errors
/// The first change that is not one of this manifest, in words.
pub fn carried<'s>(mut manifest: Listing, steps: impl IntoIterator<Item = &'s Step>) -> Result<Key, String> {
    for Step { section, before, now, .. } in steps {
        if !super::is_trigger(section) {
            return Err(format!("{section} is what the experiment asks for"));
        }
        let empty = Section::new();
        if manifest.sections.get(section).unwrap_or(&empty) != before {
            return Err(format!("{section} was not what the change begins with"));
        }
        match *now == empty {
            true => manifest.sections.remove(section),
            false => manifest.sections.insert(section.clone(), now.clone()),
        };
    }
    Ok(manifest.key())
}
