//! What changed between stored manifests and others, for one test after the other. An upgrade changes many tests in
//! the same way: what tests have in common is read once and compared once. It must not know why anybody asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use reports::since::InputChange;

use crate::conditions::OWN_SECTION;
use crate::key::Key;
use crate::manifest::{Change, Common, CommonId, Field, Manifest, Sealed};
use crate::store::{Store, StoreError};

/// Manifests of stored keys, few of which are read.
#[derive(Debug)]
pub struct Manifests<'s> {
    store: &'s Store,
    /// What manifests that were read have in common with others; the one that was met last stands first.
    seen: Vec<Arc<Common>>,
}

impl<'s> Manifests<'s> {
    /// Nothing is read yet.
    pub fn of(store: &'s Store) -> Manifests<'s> {
        Manifests { store, seen: Vec::new() }
    }

    /// The manifest of a key; none if the store has none, or one of another version. `own` is what the test
    /// probably has of its own.
    pub fn get(&mut self, own: &Sealed, key: &Key) -> Result<Option<Manifest>, StoreError> {
        let of = |common: &Arc<Common>| Manifest::new(common.clone(), own.clone());
        if let Some(place) = self.seen.iter().position(|common| of(common).key() == *key) {
            self.seen.swap(0, place);
            return Ok(Some(of(&self.seen[0])));
        }
        let Some(listing) = self.store.manifest(key)? else { return Ok(None) };
        let Some(common) = listing.common(OWN_SECTION).map(Arc::new) else { return Ok(None) };
        self.seen.insert(0, common.clone());
        let own = listing.sections.get(OWN_SECTION).cloned().unwrap_or_default();
        Ok(Some(Manifest::new(common, Sealed::new(own))))
    }
}

/// What is not the same in two manifests.
#[derive(Debug)]
pub struct Difference {
    /// What tells it from others that the same [`Differences`] made.
    pub id: DifferenceId,
    /// Every section that differs, by name: what it was, what it is.
    pub sections: BTreeMap<String, (Sealed, Sealed)>,
    /// Every input that differs, in order of name.
    pub changes: Vec<Change>,
}

/// One difference among those of a [`Differences`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DifferenceId(u32);

impl Difference {
    fn of(id: DifferenceId, before: &Manifest, now: &Manifest) -> Difference {
        let mut sections = before.common().differing(now.common());
        if before.own().digest() != now.own().digest() {
            sections.insert(OWN_SECTION.to_string(), (before.own().clone(), now.own().clone()));
        }
        let changes = sections.iter().flat_map(|(name, (was, is))| was.section().changes_to(is.section(), name));
        let changes = changes.collect();
        Difference { id, sections, changes }
    }
}

/// Differences between manifests; of those that have the same in common, one is made.
#[derive(Debug, Default)]
pub struct Differences {
    /// By what was compared.
    compared: HashMap<(CommonId, CommonId), Arc<Difference>>,
    /// The id of the difference that is made next.
    next: DifferenceId,
}

impl Differences {
    /// What changed from one to the other.
    pub fn between(&mut self, before: &Manifest, now: &Manifest) -> Arc<Difference> {
        let Differences { compared, next } = self;
        let mut make = || {
            let id = std::mem::replace(next, DifferenceId(next.0 + 1));
            Arc::new(Difference::of(id, before, now))
        };
        if before.own().digest() != now.own().digest() {
            return make();
        }
        compared.entry((before.common().id(), now.common().id())).or_insert_with(make).clone()
    }
}

/// How many tests have another input than before, by what it was and is.
#[derive(Debug, Default)]
pub struct Tally {
    differences: Differences,
    /// Tests by the differences that they have.
    counts: HashMap<Vec<DifferenceId>, (Vec<Arc<Difference>>, usize)>,
}

impl Tally {
    /// Counts a test that was measured under these manifests, and under those later; what differs.
    pub fn add(&mut self, before: &[Manifest], now: &[Manifest]) -> Vec<Arc<Difference>> {
        let mut found: Vec<Arc<Difference>> = Vec::new();
        for (before, now) in before.iter().flat_map(|before| now.iter().map(move |now| (before, now))) {
            let difference = self.differences.between(before, now);
            if !difference.changes.is_empty() && !found.iter().any(|other| other.id == difference.id) {
                found.push(difference);
            }
        }
        let ids = found.iter().map(|difference| difference.id).collect();
        self.counts.entry(ids).or_insert_with(|| (found.clone(), 0)).1 += 1;
        found
    }

    /// Every input that differs, in order of name; components with their versions, by digest, where they are known.
    pub fn inputs(&self, versions: &BTreeMap<String, String>) -> Vec<InputChange> {
        let mut counts: BTreeMap<&Change, usize> = BTreeMap::new();
        for (differences, tests) in self.counts.values() {
            let changes: BTreeSet<&Change> = differences.iter().flat_map(|difference| &difference.changes).collect();
            for change in changes {
                *counts.entry(change).or_default() += tests;
            }
        }
        let shown =
            |field: &Option<Field>| field.as_ref().map(|field| field.with_version(versions)).unwrap_or_default();
        let input = |(change, tests): (&Change, usize)| InputChange {
            input: format!("{}.{}", change.section, change.field),
            was: shown(&change.was),
            is: shown(&change.is),
            tests,
        };
        counts.into_iter().map(input).collect()
    }
}
