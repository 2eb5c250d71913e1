//! What changed between stored manifests and others, for one test after the other. An upgrade changes many tests in
//! the same way: what tests have in common is read once and compared once. It must not know why anybody asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use reports::since::InputChange;

use crate::conditions::OWN_SECTION;
use crate::key::Key;
use crate::manifest::{Change, Common, CommonId, Field, Manifest, OwnDigest, Sealed};
use crate::store::{Store, StoreError};

/// Manifests of stored keys, few of which are read.
#[derive(Debug)]
pub struct Manifests<'s> {
    store: &'s Store,
    /// What manifests that were read have in common with others; the one that was met last stands first.
    seen: Vec<Arc<Common>>,
    /// For what is hashed.
    buffer: Vec<u8>,
}

impl<'s> Manifests<'s> {
    /// Nothing is read yet.
    pub fn of(store: &'s Store) -> Manifests<'s> {
        Manifests { store, seen: Vec::new(), buffer: Vec::new() }
    }

    /// What a key has in common with others, if that was read already and the test has this of its own.
    pub fn seen(&mut self, own: &OwnDigest, key: &Key) -> Option<&Arc<Common>> {
        let Manifests { seen, buffer, .. } = self;
        let place = seen.iter().position(|common| common.key_with(own.as_ref(), buffer) == *key)?;
        seen.swap(0, place);
        seen.first()
    }

    /// The manifest of a key; none if the store has none, or one of another version. `own` is what the test
    /// probably has of its own.
    pub fn get(&mut self, own: &Sealed, key: &Key) -> Result<Option<Manifest>, StoreError> {
        let digest = own.as_own();
        if let Some(common) = self.seen(&digest, key) {
            return Ok(Some(Manifest::new(common.clone(), own.clone())));
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

impl DifferenceId {
    /// The id; the one after it stays.
    fn take(&mut self) -> DifferenceId {
        std::mem::replace(self, DifferenceId(self.0 + 1))
    }
}

impl Difference {
    fn of(id: DifferenceId, sections: BTreeMap<String, (Sealed, Sealed)>) -> Difference {
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
        if before.own().digest() == now.own().digest() {
            return self.in_common(before.common(), now.common()).clone();
        }
        let mut sections = before.common().differing(now.common());
        sections.insert(OWN_SECTION.to_string(), (before.own().clone(), now.own().clone()));
        Arc::new(Difference::of(self.next.take(), sections))
    }

    /// What changed for tests that have the same of their own.
    pub fn in_common(&mut self, before: &Common, now: &Common) -> &Arc<Difference> {
        let Differences { compared, next } = self;
        let make = || Arc::new(Difference::of(next.take(), before.differing(now)));
        compared.entry((before.id(), now.id())).or_insert_with(make)
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
