//! `store verify`: whether everything in a store is what its name, its record or its digest says. Nothing that is
//! damaged keeps it from looking at the rest, and what others add or take away meanwhile is not taken for damage: each
//! finding is looked at again. It must not know why something is damaged.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::prelude::*;
use serde::de::IgnoredAny;

use super::{Generation, Record, Store, StoreError, acceptances};
use crate::beneath::{Below, FileKind, Look};
use crate::key::{Key, ResultId};
use crate::stood::Identity;

/// Most bytes of a file that remembers what was rendered.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Results looked at.
    pub results: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong with results, in order of id.
    pub findings: Vec<Finding>,
    /// What is wrong with other files, in order of path.
    pub files: Vec<DamagedFile>,
    /// What could not be read, in words: nobody knows what is in it.
    pub unread: Vec<String>,
    /// Files and folders in the store that belong to no result.
    pub strangers: Vec<String>,
}

impl Verification {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.files.is_empty()
    }

    /// Whether everything was read, and nothing is damaged.
    fn is_proven(&self) -> bool {
        self.is_sound() && self.unread.is_empty()
    }
}

/// Something that is wrong with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The result's folder.
    pub id: ResultId,
    /// The test to run again, if anything can still tell.
    pub test: Option<String>,
    /// What is wrong, in words.
    pub what: String,
    /// What of it is to be put aside.
    pub kind: Damage,
}

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The result: its record, its samples or its log.
    Result,
    /// The result is not there, though the index or the latest generation names it.
    Gone,
    /// The manifest of its key.
    Manifest(Key),
}

/// A file of no result that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// The file, in the store.
    pub file: Below,
    /// What is wrong, in words, the file named.
    pub what: String,
    /// What the file belongs to.
    pub of: Of,
}

/// What a file is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// A change that somebody accepted.
    Statement,
    /// A generation of that experiment.
    Generation(String),
    /// The index, which is made anew from the results.
    Index,
    /// What is remembered of reports, which are then made anew.
    Cache,
    /// The file that says the store's format.
    Format,
}

/// Why a file is not what it must be.
#[derive(Debug)]
pub(super) struct Fault {
    what: String,
    /// The result could not be read, and may be sound.
    unread: bool,
}

impl Fault {
    pub(super) fn damage(what: impl ToString) -> Fault {
        Fault { what: what.to_string(), unread: false }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault { unread: error.is_unread(), what: error.to_string() }
    }
}

/// A look at a store, so far.
#[derive(Default)]
struct Names {
    /// Results that the index or a latest generation names.
    named: HashSet<ResultId>,
    /// The results in the index.
    indexed: HashSet<ResultId>,
    /// Generations that are what their names say, with their files.
    generations: Vec<(Below, Generation)>,
    /// The tests of results, as generations know them: of one that is damaged nothing else may tell.
    names: HashMap<ResultId, String>,
    files: Vec<DamagedFile>,
    unread: Vec<String>,
}

/// What came of reading one result.
#[derive(Default)]
struct Checked {
    bytes: u64,
    finding: Option<Finding>,
    unread: Option<String>,
    record: Option<Record>,
}

impl Store {
    /// Reads everything, and what is wrong a second time. Changes nothing.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let found = self.look_at_all()?;
        match (found.is_proven(), found.unread.is_empty()) {
            (true, _) => Ok(found),
            (false, true) => self.again(found),
            // What could not be read may be readable now.
            (false, false) => self.again(self.look_at_all()?),
        }
    }

    fn look_at_all(&self) -> Result<Verification, StoreError> {
        // First who names results, then the results: what is added meanwhile is there in any case.
        let mut look = self.look_at_names()?;
        let ids = self.result_ids()?;
        let checked: Vec<Checked> = ids.par_iter().map(|id| self.verify_result(id, &look.names)).collect();
        let mut verification = Verification { results: ids.len() as u64, ..Verification::default() };
        let mut keys = BTreeMap::new();
        let mut identities = HashMap::new();
        let mut sound = BTreeSet::new();
        for (Checked { bytes, finding, unread, record }, id) in checked.into_iter().zip(&ids) {
            verification.bytes += bytes;
            if finding.is_none() && unread.is_none() {
                sound.insert(*id);
            }
            verification.findings.extend(finding);
            look.unread.extend(unread);
            if let Some(record) = record {
                keys.entry(record.key).or_insert((*id, record.test.clone()));
                identities.insert(*id, Identity::of(&record));
            }
        }
        let keys: Vec<_> = keys.into_iter().collect();
        let manifests: Vec<_> =
            keys.into_par_iter().map(|(key, (id, test))| self.verify_manifest(&key, id, test)).collect();
        for manifest in manifests {
            match manifest {
                Ok(finding) => verification.findings.extend(finding),
                Err(error) => look.unread.push(error.to_string()),
            }
        }
        let there: HashSet<ResultId> = ids.into_iter().collect();
        let missing = look.named.iter().filter(|id| !there.contains(id));
        for id in missing {
            match self.verify_gone(id, &look.names) {
                Ok(finding) => verification.findings.extend(finding),
                Err(error) => look.unread.push(error.to_string()),
            }
        }
        verification.findings.sort_by_key(|finding| finding.id);
        if sound.iter().any(|id| !look.indexed.contains(id)) {
            look.files.extend(self.verify_indexed(&sound)?);
        }
        let contradictions = look.generations.iter();
        look.files
            .extend(contradictions.filter_map(|(file, generation)| self.contradiction(file, generation, &identities)));
        look.files.sort_by(|a, b| a.file.as_str().cmp(b.file.as_str()));
        verification.files = look.files;
        verification.unread = look.unread;
        verification.strangers = self.strangers()?;
        Ok(verification)
    }

    /// What names results, and is sound; of the rest, what is wrong with it.
    fn look_at_names(&self) -> Result<Names, StoreError> {
        let mut look = Names::default();
        let format = self.format_there().err().map(Fault::from);
        self.note(
            &mut look,
            &Of::Format,
            super::FORMAT,
            Ok(format.into_iter().map(|why| (self.name([super::FORMAT]), why))),
        );
        let statements = self.damaged_statements();
        self.note(
            &mut look,
            &Of::Statement,
            acceptances::FOLDER,
            statements.map(|found| found.into_iter().map(|(file, why)| (self.name([acceptances::FOLDER, &file]), why))),
        );
        let plain = |found: Vec<(Below, Fault)>| found.into_iter().map(|(file, why)| (Ok(file), why));
        self.note(&mut look, &Of::Cache, "reports", self.damaged_caches().map(plain));
        self.note(&mut look, &Of::Index, super::INDEX, self.damaged_index().map(plain));
        let mut latest = Vec::new();
        let experiments = self.experiments().unwrap_or_else(|error| {
            look.unread.push(error.to_string());
            Vec::new()
        });
        for experiment in experiments {
            let read = self.read_generations(&experiment);
            let of = Of::Generation(experiment.clone());
            let damaged = read.map(|(sound, damaged)| {
                look.generations.extend(sound);
                plain(damaged)
            });
            self.note(&mut look, &of, super::generation::FOLDER, damaged);
            match self.latest_generation(&experiment) {
                Ok(found) => latest.extend(found.map(|(_, generation)| generation)),
                Err(error) if error.is_unread() => look.unread.push(error.to_string()),
                // It is damaged, as was found already.
                Err(_) => {}
            }
        }
        match self.index() {
            Ok(index) => look.indexed = index.entries().iter().map(|entry| entry.id).collect(),
            Err(error) if error.is_unread() => look.unread.push(error.to_string()),
            Err(_) => {}
        }
        for test in look.generations.iter().flat_map(|(_, generation)| &generation.tests) {
            for id in &test.repetitions {
                look.names.entry(*id).or_insert_with(|| test.name.clone());
            }
        }
        look.named.extend(&look.indexed);
        look.named.extend(latest.iter().flat_map(|generation| &generation.tests).flat_map(|test| &test.repetitions));
        Ok(look)
    }

    /// Notes what is wrong with files; where they cannot be listed, what is wrong with their folder.
    fn note(
        &self,
        look: &mut Names,
        of: &Of,
        folder: &str,
        found: Result<impl Iterator<Item = (Result<Below, StoreError>, Fault)>, StoreError>,
    ) {
        let mut add = |file: Result<Below, StoreError>, Fault { what, unread }: Fault| match file {
            _ if unread => look.unread.push(what),
            Ok(file) => {
                let what = format!("{}: {what}", self.path_of(&file).display());
                look.files.push(DamagedFile { file, what, of: of.clone() });
            }
            Err(_) => {}
        };
        match found {
            Ok(found) => found.for_each(|(file, fault)| add(file, fault)),
            Err(error) => add(self.name([folder]), error.into()),
        }
    }

    fn verify_result(&self, id: &ResultId, names: &HashMap<ResultId, String>) -> Checked {
        let finding = |test: Option<String>, what: String| Some(Finding { id: *id, test, what, kind: Damage::Result });
        let record = match self.record(id) {
            Ok(record) => record,
            Err(error) if error.is_unread() => {
                return Checked { unread: Some(error.to_string()), ..Checked::default() };
            }
            Err(error) => {
                return Checked { finding: finding(names.get(id).cloned(), error.to_string()), ..Checked::default() };
            }
        };
        let mut checked = Checked::default();
        let mut wrong = Vec::new();
        for name in ["samples.parquet", "log.zst"] {
            match self.file(id, &record, name) {
                Ok(content) => checked.bytes += content.len() as u64,
                Err(error) if error.is_unread() => checked.unread = Some(error.to_string()),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        if !wrong.is_empty() {
            checked.finding = finding(Some(record.test.clone()), wrong.join("; "));
        }
        Checked { record: Some(record), ..checked }
    }

    /// # Errors
    /// Where it cannot be read.
    fn verify_manifest(&self, key: &Key, id: ResultId, test: String) -> Result<Option<Finding>, StoreError> {
        let what = match self.manifest(key) {
            Ok(Some(_)) => return Ok(None),
            Ok(None) => format!("the manifest of its key {} is missing", key.short()),
            Err(error) if error.is_unread() => return Err(error),
            Err(error) => error.to_string(),
        };
        Ok(Some(Finding { id, test: Some(test), what, kind: Damage::Manifest(*key) }))
    }

    /// A result that somebody names, that is not there, and that was not put aside.
    ///
    /// # Errors
    /// Where nobody can tell.
    fn verify_gone(&self, id: &ResultId, names: &HashMap<ResultId, String>) -> Result<Option<Finding>, StoreError> {
        let is_known = self.is_there(id)? || self.looks(&self.quarantined(&id.to_string())?)?.is_some();
        let what = format!("result {} is not there", id.short());
        Ok((!is_known).then(|| Finding { id: *id, test: names.get(id).cloned(), what, kind: Damage::Gone }))
    }

    /// Whether a result's folder is there.
    ///
    /// # Errors
    /// Where nobody can tell.
    fn is_there(&self, id: &ResultId) -> Result<bool, StoreError> {
        Ok(self.looks(&self.result_name(id)?)?.is_some_and(|look| look.kind == FileKind::Folder))
    }

    fn looks(&self, name: &Below) -> Result<Option<Look>, StoreError> {
        match self.folder()?.map(|folder| folder.look(name)).transpose() {
            Ok(look) => Ok(look.flatten()),
            Err(error) => match StoreError::from(error) {
                error if error.is_unread() => Err(error),
                // Something else lies on the way.
                _ => Ok(None),
            },
        }
    }

    /// Results that are there and that the index, as it is now, does not have.
    fn verify_indexed(&self, there: &BTreeSet<ResultId>) -> Result<Option<DamagedFile>, StoreError> {
        // One that cannot be read at all was found already.
        let Ok(index) = self.index() else { return Ok(None) };
        let indexed: HashSet<ResultId> = index.entries().iter().map(|entry| entry.id).collect();
        let missing = there.iter().filter(|id| !indexed.contains(id) && self.has_result(id)).count();
        let file = self.name([super::INDEX])?;
        let what = format!("{}: {missing} results that are there are missing in it", self.path_of(&file).display());
        Ok((missing > 0).then_some(DamagedFile { file, what, of: Of::Index }))
    }

    /// Where something lies that was put aside.
    pub(super) fn quarantined(&self, name: &str) -> Result<Below, StoreError> {
        self.name(["quarantine", name])
    }

    /// Looks at what was found a second time; what is left of it. Others may have added or taken away something in
    /// between.
    pub(super) fn again(&self, first: Verification) -> Result<Verification, StoreError> {
        let mut look = self.look_at_names()?;
        look.unread.extend(first.unread);
        let mut findings = Vec::new();
        for finding in first.findings {
            if let Some(test) = &finding.test {
                look.names.entry(finding.id).or_insert_with(|| test.clone());
            }
            match self.finding_again(finding, &look) {
                Ok(finding) => findings.extend(finding),
                Err(error) => look.unread.push(error),
            }
        }
        let mut files = Vec::new();
        for file in first.files {
            let is_folder = file.of == Of::Index && file.file.as_str() == super::INDEX;
            if is_folder || look.files.iter().any(|other| other.file == file.file) {
                files.push(file);
                continue;
            }
            // It is what its name says, and was found to contradict results.
            if let Some((name, generation)) = look.generations.iter().find(|(name, _)| *name == file.file) {
                let mut identities = HashMap::new();
                for id in generation.tests.iter().flat_map(|test| &test.repetitions) {
                    match self.record(id) {
                        Ok(record) => drop(identities.insert(*id, Identity::of(&record))),
                        Err(error) if error.is_unread() => look.unread.push(error.to_string()),
                        Err(_) => {}
                    }
                }
                files.extend(self.contradiction(name, generation, &identities));
            }
        }
        look.unread.sort();
        look.unread.dedup();
        Ok(Verification { findings, files, unread: look.unread, ..first })
    }

    /// What is left of a finding at a second look; in words, where nobody can tell.
    fn finding_again(&self, finding: Finding, look: &Names) -> Result<Option<Finding>, String> {
        let Finding { id, kind, .. } = finding;
        let words = |error: StoreError| error.to_string();
        match kind {
            Damage::Result if self.is_there(&id).map_err(words)? => {
                let Checked { finding, unread, .. } = self.verify_result(&id, &look.names);
                unread.map_or(Ok(finding), Err)
            }
            Damage::Result => Ok(None),
            Damage::Gone if look.named.contains(&id) => self.verify_gone(&id, &look.names).map_err(words),
            Damage::Gone => Ok(None),
            // Its results may have been deleted, and it with them.
            Damage::Manifest(key) => match self.record(&id) {
                Ok(record) => self.verify_manifest(&key, id, record.test).map_err(words),
                Err(error) if error.is_unread() => Err(words(error)),
                Err(_) => Ok(None),
            },
        }
    }

    /// What is remembered of reports, where it cannot be understood.
    fn damaged_caches(&self) -> Result<Vec<(Below, Fault)>, StoreError> {
        let mut found = Vec::new();
        for folder in self.subfolders(&self.name(["reports"])?)? {
            for entry in self.list(&self.name(["reports", &folder])?)? {
                let Some(name) = entry.text().filter(|name| name.ends_with(".json") && !name.starts_with('.')) else {
                    continue;
                };
                let file = self.name(["reports", &folder, name])?;
                let read = self.read(&file, CACHE_BYTES_MAX).map_err(Fault::from);
                let read = read.and_then(|bytes| {
                    serde_json::from_slice::<IgnoredAny>(&bytes.unwrap_or_default()).map_err(Fault::damage)
                });
                found.extend(read.err().map(|why| (file, why)));
            }
        }
        Ok(found)
    }

    /// What lies in `results/` and is no result.
    fn strangers(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for shelf in self.shelves()? {
            for entry in self.list(&shelf)? {
                let is_result = entry.text().is_some_and(|name| name.parse::<ResultId>().is_ok());
                if !is_result || entry.kind != FileKind::Folder {
                    found.push(self.path_of(&shelf).join(&entry.name).display().to_string());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// What a generation says of results and is not so; results that are damaged or gone are another matter.
    fn contradiction(
        &self,
        file: &Below,
        generation: &Generation,
        known: &HashMap<ResultId, Identity>,
    ) -> Option<DamagedFile> {
        let listed = generation.tests.iter().flat_map(|test| test.repetitions.iter().map(move |id| (id, test)));
        let mut wrong = listed.filter_map(|(id, test)| known.get(id)?.stands_under(id, test).err());
        let what = format!("{}: {}", self.path_of(file).display(), wrong.next()?);
        Some(DamagedFile { file: file.clone(), what, of: Of::Generation(generation.experiment.clone()) })
    }
}
