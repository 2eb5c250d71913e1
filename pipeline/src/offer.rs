//! What could be declared harmless: of tests that are to be measured although results of them are there, the
//! changes that keep those results from counting. It must not record or print anything.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::acceptance::{Step, is_trigger, trigger};
use crate::conditions::{KnownSurroundings, Prospect};
use crate::difference::{Difference, DifferenceId, Differences, Manifests};
use crate::key::Key;
use crate::manifest::Section;
use crate::plan::Status;
use crate::planned::Planned;
use crate::store::{Entry, Standing, StoreError, TestId};

/// Changes of one name that could be declared harmless.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name of the trigger.
    pub trigger: String,
    /// The changes: one, or where tests had several contents of the section, one for each.
    pub steps: Vec<Step>,
    /// Tests whose results do not count because of it, and maybe of others besides.
    pub tests: usize,
}

/// Every change that could be declared harmless, in order of name.
pub fn offers(planned: &Planned) -> Result<Vec<Offer>, StoreError> {
    let stored = older_results(planned);
    let (conditions, mut shared) = (planned.conditions, KnownSurroundings::default());
    let (mut manifests, mut differences) = (Manifests::of(&planned.workspace.store), Differences::default());
    let mut found: BTreeMap<String, Offer> = BTreeMap::new();
    let mut known: HashMap<DifferenceId, Option<Steps>> = HashMap::new();
    for (test, decision) in planned.tests().filter(|(_, decision)| decision.status == Status::ToMeasure) {
        let Prospect::Ready(ready) = conditions.judge(test, &mut shared) else { continue };
        let older = stored.get(&TestId::of(&test.tuple.to_string())).map_or(&[][..], |entries| &entries[..]);
        let mut tried = BTreeSet::from([ready.manifest.key()]);
        tried.extend(decision.leans.iter().map(|lean| lean.key));
        for entry in older.iter().filter(|entry| tried.insert(entry.key)) {
            let Some(before) = manifests.get(ready.manifest.own(), &entry.key)? else { continue };
            let difference = differences.between(&before, &ready.manifest);
            let kept = match known.entry(difference.id) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(steps_of(planned, &difference, &entry.key)?)
                }
            };
            let Some(steps) = kept else { continue };
            for (name, step) in steps {
                let fresh = || Offer { trigger: name.clone(), steps: Vec::new(), tests: 0 };
                let offer = found.entry(name.clone()).or_insert_with(fresh);
                offer.tests += 1;
                if !offer.steps.contains(step) {
                    offer.steps.push(step.clone());
                }
            }
            break;
        }
    }
    Ok(found.into_values().collect())
}

/// Changes, each with the name of its trigger.
type Steps = Vec<(String, Step)>;

/// What of a difference since a key is not accepted yet; none where the experiment asks for something else than it did:
/// then no change can be called harmless.
fn steps_of(planned: &Planned, difference: &Difference, before: &Key) -> Result<Option<Steps>, StoreError> {
    if difference.sections.keys().any(|section| !is_trigger(section)) {
        return Ok(None);
    }
    let versions = planned.versions(before)?;
    let mut steps = Vec::new();
    for (section, (was, is)) in &difference.sections {
        if planned.acceptances.cover(section, was, is) {
            continue;
        }
        let (before, now) = (was.section().clone(), is.section().clone());
        let named = |of: &Section| of.fields().map(|(_, field)| field.whole()).collect::<BTreeSet<String>>();
        let digests: BTreeSet<String> = named(&before).union(&named(&now)).cloned().collect();
        let versions = versions.iter().filter(|(digest, _)| digests.contains(*digest));
        let versions = versions.map(|(digest, version)| (digest.clone(), version.clone())).collect();
        let name = trigger(section, &before, &now);
        steps.push((name, Step { section: section.clone(), before, now, versions }));
    }
    Ok(Some(steps))
}

/// Valid results of tests that are to be measured, whatever their keys, the newest first.
fn older_results(planned: &Planned) -> HashMap<TestId, Vec<Entry>> {
    let wanted = planned.tests().filter(|(_, decision)| decision.status == Status::ToMeasure);
    let mut found: HashMap<TestId, Vec<Entry>> =
        wanted.map(|(test, _)| (TestId::of(&test.tuple.to_string()), Vec::new())).collect();
    for entry in planned.index.entries().iter().filter(|entry| entry.standing == Standing::Valid) {
        if let Some(entries) = found.get_mut(&entry.test) {
            entries.push(*entry);
        }
    }
    for entries in found.values_mut() {
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.stored_ms, entry.id)));
    }
    found
}
