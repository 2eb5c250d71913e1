//! `store gc`: which results nobody needs, what deleting them would cost, and deleting them. What a generation
//! that is kept names is never deleted; record and samples go together. It must not know experiments but by
//! their tests.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Entry, GenerationName, Line, Standing, Store, StoreError, TestId};
use crate::beneath::Below;
use crate::key::{Key, ResultId};

/// A kind of results that may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Attempts that failed.
    Failed,
    /// Suspect repetitions, which no average contains.
    Suspect,
    /// Results of tests that the latest generation which has them names under another key: of older components.
    Superseded,
    /// Results of tests that no experiment has any more.
    Unreferenced,
}

/// What is deleted, and what is kept whatever the scopes say.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The kinds.
    pub scopes: BTreeSet<Scope>,
    /// Tests of the experiments that are roots; needed for [`Scope::Unreferenced`] only.
    pub tests: HashSet<TestId>,
    /// How many of each experiment's newest generations are roots, besides the latest complete one and those
    /// that were archived; all of them if absent. The others are deleted.
    pub generations: Option<usize>,
}

/// What would be deleted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condemned {
    /// Results, by id, each with why.
    pub results: Vec<(Entry, Scope)>,
    /// Generations, `(experiment, name)`.
    pub generations: Vec<(String, GenerationName)>,
    /// Bytes of the results.
    pub bytes: u64,
}

impl Condemned {
    /// What measuring all of it again would cost, milliseconds.
    pub fn cost_ms(&self) -> u64 {
        self.results.iter().map(|(entry, _)| u64::from(entry.cost_ms)).sum()
    }

    /// Digest of the list, 8 hexadecimal digits: who deletes has seen this very list.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (entry, _) in &self.results {
            hasher.update(&entry.id.0);
        }
        for text in self.generations.iter().flat_map(|(experiment, name)| [experiment.as_str(), name.as_str()]) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex()[..8].to_string()
    }
}

/// Why an entry is deleted, if it is. Pure.
fn condemned(
    entry: &Entry,
    kept: &HashSet<ResultId>,
    current: &HashMap<TestId, HashSet<Key>>,
    wish: &Wish,
) -> Option<Scope> {
    if kept.contains(&entry.id) {
        return None;
    }
    let is = |scope: &Scope| match scope {
        Scope::Failed => entry.standing == Standing::Failed,
        Scope::Suspect => entry.standing == Standing::Suspect,
        Scope::Superseded => current.get(&entry.test).is_some_and(|keys| !keys.contains(&entry.key)),
        Scope::Unreferenced => !wish.tests.contains(&entry.test),
    };
    wish.scopes.iter().copied().find(is)
}

impl Store {
    /// Names of the experiments that have generations.
    pub fn experiments(&self) -> Result<Vec<String>, StoreError> {
        self.subfolders(&self.name(["generations"])?)
    }

    /// What a wish would delete. Deletes nothing.
    pub fn condemn(&self, wish: &Wish) -> Result<Condemned, StoreError> {
        let mut kept = HashSet::new();
        let mut generations = Vec::new();
        let mut current: HashMap<TestId, HashSet<Key>> = HashMap::new();
        for experiment in self.experiments()? {
            let line = self.line(&experiment)?;
            // What it names that cannot be read, nobody knows.
            if let Some(unusable) = line.unusable().first() {
                return Err(StoreError::damaged(&unusable.path, &unusable.reason));
            }
            let roots = self.roots(&experiment, &line, wish.generations)?;
            let mut of_experiment: HashMap<TestId, HashSet<Key>> = HashMap::new();
            // The latest first: what it says of a test goes for the test.
            for name in line.names().iter().rev().cloned() {
                let is_root = roots.contains(&name);
                if is_root || wish.scopes.contains(&Scope::Superseded) {
                    for test in self.generation(&experiment, &name)?.tests {
                        if test.key.is_some() {
                            let known = of_experiment.entry(TestId::of(&test.name));
                            known.or_insert_with(|| test.keys().collect());
                        }
                        kept.extend(test.repetitions.into_iter().filter(|_| is_root));
                    }
                }
                if !is_root {
                    generations.push((experiment.clone(), name));
                }
            }
            generations.sort();
            of_experiment.into_iter().for_each(|(test, keys)| current.entry(test).or_default().extend(keys));
        }
        let index = self.whole_index()?;
        let mut results: Vec<(Entry, Scope)> = index
            .entries()
            .iter()
            .filter_map(|entry| Some((*entry, condemned(entry, &kept, &current, wish)?)))
            .collect();
        results.sort_by_key(|(entry, _)| entry.id);
        let bytes = results.iter().map(|(entry, _)| self.result_bytes(&entry.id)).sum();
        Ok(Condemned { results, generations, bytes })
    }

    /// The generations of an experiment that are roots.
    fn roots(
        &self,
        experiment: &str,
        line: &Line,
        newest: Option<usize>,
    ) -> Result<BTreeSet<GenerationName>, StoreError> {
        let names = line.names();
        let Some(newest) = newest else { return Ok(names.iter().cloned().collect()) };
        let from = names.len().saturating_sub(newest.max(1));
        let mut roots: BTreeSet<GenerationName> = names[from..].iter().chain(line.heads()).cloned().collect();
        roots.extend(self.latest_generation(experiment)?.map(|(name, _)| name));
        for name in names {
            if self.has(&self.archived_name(experiment, name)?) {
                roots.insert(name.clone());
            }
        }
        Ok(roots)
    }

    /// Where it is noted that a generation was archived.
    fn archived_name(&self, experiment: &str, generation: &GenerationName) -> Result<Below, StoreError> {
        self.name(["archives", experiment, &format!("{generation}.json")])
    }

    /// Notes that a generation was archived, so that it stays.
    pub fn note_archive(&self, experiment: &str, generation: &GenerationName, archive: &str) -> Result<(), StoreError> {
        const NOTE_BYTES_MAX: u64 = 1 << 16;
        let name = self.archived_name(experiment, generation)?;
        let note = serde_json::json!({"format": 1, "archive": archive});
        let bytes = format!("{note}\n");
        match self.read(&name, NOTE_BYTES_MAX)?.is_some_and(|known| known == bytes.as_bytes()) {
            true => Ok(()),
            false => self.put(&name, bytes.as_bytes()),
        }
    }

    fn result_bytes(&self, id: &ResultId) -> u64 {
        let of_files = || {
            let folder = self.folder()?.map(|root| root.folder(&self.result_name(id)?).map_err(StoreError::from));
            let Some(folder) = folder.transpose()? else { return Ok(0) };
            let names = folder.list()?.into_iter().filter_map(|file| file.below());
            let looks = names.filter_map(|name| folder.look(&name).ok().flatten());
            Ok::<u64, StoreError>(looks.map(|look| look.len).sum())
        };
        of_files().unwrap_or(0)
    }

    /// Deletes what a wish condemns, if it is what was seen before: `seen` is the digest of that list.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while somebody adds results; [`StoreError::Changed`] if the list is another one now.
    pub fn collect(&self, wish: &Wish, seen: &str) -> Result<Condemned, StoreError> {
        let _alone = self.taking_away()?;
        let condemned = self.condemn(wish)?;
        if condemned.digest() != seen {
            return Err(StoreError::Changed { path: self.root().display().to_string() });
        }
        let gone: HashSet<ResultId> = condemned.results.iter().map(|(entry, _)| entry.id).collect();
        // First whoever names a result, then the index, the result last: nothing ever names what is not there.
        for (experiment, name) in &condemned.generations {
            self.remove_generation(experiment, name)?;
        }
        let keys = self.take_off_index(&gone)?;
        let stage = self.stage_for_results()?;
        let root = self.made()?;
        for id in &gone {
            let (folder, name) = (self.result_name(id)?, stage.folder().name([&id.to_string()])?);
            if !root.rename(&folder, stage.folder(), &name)? {
                // A folder of a lower layer of a file system cannot be renamed. What has no record is no result.
                root.remove_file(&self.name([folder.as_str(), "record.json"])?)?;
                root.remove_tree(&folder)?;
            }
        }
        for key in keys {
            self.remove(&self.manifest_name(&key)?)?;
        }
        Ok(condemned)
    }

    /// Takes results off the index, for good. Returns the keys that no result has any more.
    pub(super) fn take_off_index(&self, gone: &HashSet<ResultId>) -> Result<BTreeSet<Key>, StoreError> {
        let mut entries = self.whole_index()?.entries().to_vec();
        let mut keys: BTreeMap<Key, bool> = BTreeMap::new();
        for entry in &entries {
            let stays = keys.entry(entry.key).or_default();
            *stays |= !gone.contains(&entry.id);
        }
        entries.retain(|entry| !gone.contains(&entry.id));
        self.replace_index(entries)?;
        Ok(keys.into_iter().filter(|(_, stays)| !stays).map(|(key, _)| key).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: u8, test: u8, key: u8, standing: Standing) -> Entry {
        let test = TestId::of(&test.to_string());
        let (key, id) = (Key([key; 32]), ResultId([id; 32]));
        Entry { key, id, test, standing, cost_ms: 1, stored_ms: u64::from(id.0[0]), value: 1.0 }
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        prop_oneof![Just(Standing::Valid), Just(Standing::Suspect), Just(Standing::Failed)]
    }

    fn any_scopes() -> impl Strategy<Value = BTreeSet<Scope>> {
        let all = vec![Scope::Failed, Scope::Suspect, Scope::Superseded, Scope::Unreferenced];
        prop::sample::subsequence(all, 0..=4).prop_map(|scopes| scopes.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_kept_or_in_no_scope_stays(
            rows in prop::collection::vec((0u8..4, 0u8..3, any_standing()), 1..20),
            kept in prop::collection::hash_set(0u8..20, 0..10),
            tests in prop::collection::hash_set(0u8..4, 0..4),
            scopes in any_scopes(),
        ) {
            let entries: Vec<Entry> =
                (0u8..).zip(rows).map(|(id, (test, key, standing))| entry(id, test, key, standing)).collect();
            let current: HashMap<TestId, HashSet<Key>> =
                entries.iter().map(|entry| (entry.test, HashSet::from([entry.key]))).collect();
            let kept: HashSet<ResultId> = kept.into_iter().map(|id| ResultId([id; 32])).collect();
            let tests = tests.into_iter().map(|test| TestId::of(&test.to_string())).collect();
            let wish = Wish { scopes, tests, generations: None };
            for entry in &entries {
                let why = condemned(entry, &kept, &current, &wish);
                if let Some(scope) = why {
                    prop_assert!(!kept.contains(&entry.id));
                    prop_assert!(wish.scopes.contains(&scope));
                }
                // A valid result under the current key of a test that an experiment has is never taken.
                let current = current[&entry.test].contains(&entry.key) && entry.standing == Standing::Valid;
                if current && wish.tests.contains(&entry.test) {
                    prop_assert_eq!(why, None);
                }
            }
        }
    }
}
