//! `store verify`: whether every result is what its name and its record say, and putting aside what is not, so
//! that its tests are measured again. It must not know why something is damaged.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::{Record, Store, StoreError, acceptances};
use crate::beneath::{Below, Kind as FileKind};
use crate::key::{Key, ResultId};

/// What was found.
#[derive(Debug, Default)]
pub struct Verification {
    /// Results looked at.
    pub results: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong, in order of id.
    pub findings: Vec<Finding>,
    /// Files of statements about changes that are not what their names say, each with why.
    pub statements: Vec<(String, String)>,
    /// Files and folders in the store that belong to no result.
    pub strangers: Vec<String>,
}

/// Something that is wrong with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its folder.
    pub id: ResultId,
    /// The test to run again, if anything can still tell.
    pub test: Option<String>,
    /// What is wrong, in words.
    pub what: String,
    /// What of it is to be put aside.
    pub kind: Kind,
}

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The result: its record, its samples or its log.
    Result,
    /// It is not there, though the index or the latest generation names it.
    Gone,
    /// The manifest of its key.
    Manifest(Key),
}

impl Store {
    /// Reads every result and every manifest that one names. Changes nothing.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let ids = self.result_ids()?;
        let names = self.names()?;
        let checked: Vec<(u64, Option<Finding>, Option<Record>)> =
            ids.par_iter().map(|id| self.verify_result(id, &names)).collect();
        let mut verification = Verification { results: ids.len() as u64, ..Verification::default() };
        let mut keys = BTreeMap::new();
        for ((bytes, finding, record), id) in checked.into_iter().zip(&ids) {
            verification.bytes += bytes;
            verification.findings.extend(finding);
            if let Some(record) = record {
                keys.entry(record.key).or_insert((*id, record.test));
            }
        }
        for (key, (id, test)) in keys {
            let what = match self.manifest(&key) {
                Ok(Some(_)) => continue,
                Ok(None) => format!("the manifest of its key {} is missing", key.short()),
                Err(error) => error.to_string(),
            };
            verification.findings.push(Finding { id, test: Some(test), what, kind: Kind::Manifest(key) });
        }
        verification.findings.extend(self.gone(&ids, &names)?);
        verification.findings.sort_by_key(|finding| finding.id);
        verification.statements = self.damaged_statements()?;
        verification.strangers = self.strangers()?;
        Ok(verification)
    }

    fn verify_result(
        &self,
        id: &ResultId,
        names: &HashMap<ResultId, String>,
    ) -> (u64, Option<Finding>, Option<Record>) {
        let finding = |test: Option<String>, what: String| Some(Finding { id: *id, test, what, kind: Kind::Result });
        let record = match self.record(id) {
            Ok(record) => record,
            Err(error) => return (0, finding(names.get(id).cloned(), error.to_string()), None),
        };
        let mut bytes = 0;
        let mut wrong = Vec::new();
        for name in ["samples.parquet", "log.zst"] {
            match self.file(id, &record, name) {
                Ok(content) => bytes += content.len() as u64,
                Err(error) => wrong.push(error.to_string()),
            }
        }
        if wrong.is_empty() {
            return (bytes, None, Some(record));
        }
        (bytes, finding(Some(record.test.clone()), wrong.join("; ")), Some(record))
    }

    /// The tests of results, as generations know them: of one that is damaged nothing else may tell.
    fn names(&self) -> Result<HashMap<ResultId, String>, StoreError> {
        let mut names = HashMap::new();
        for experiment in self.experiments()? {
            for name in self.generation_names(&experiment)? {
                for test in self.generation(&experiment, &name)?.tests {
                    for id in test.repetitions {
                        names.entry(id).or_insert_with(|| test.name.clone());
                    }
                }
            }
        }
        Ok(names)
    }

    /// Results that the index or the latest generation of an experiment names and that are not there.
    fn gone(&self, ids: &[ResultId], names: &HashMap<ResultId, String>) -> Result<Vec<Finding>, StoreError> {
        let mut named: HashSet<ResultId> = self.index()?.entries().iter().map(|entry| entry.id).collect();
        for experiment in self.experiments()? {
            if let Some((_, generation)) = self.latest_generation(&experiment)? {
                named.extend(generation.tests.into_iter().flat_map(|test| test.repetitions));
            }
        }
        let there: HashSet<&ResultId> = ids.iter().collect();
        let is_aside = |id: &ResultId| self.quarantined(&id.to_string()).is_ok_and(|name| self.has(&name));
        let missing = named.into_iter().filter(|id| !there.contains(id) && !is_aside(id));
        let finding = |id: ResultId| Finding {
            id,
            test: names.get(&id).cloned(),
            what: format!("result {} is not there", id.short()),
            kind: Kind::Gone,
        };
        Ok(missing.map(finding).collect())
    }

    /// Where something lies that was put aside.
    fn quarantined(&self, name: &str) -> Result<Below, StoreError> {
        self.name(["quarantine", name])
    }

    /// Puts aside what was found, so that its tests count as not measured. Nothing is deleted.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while somebody adds results.
    pub fn quarantine(&self, Verification { findings, statements, .. }: &Verification) -> Result<(), StoreError> {
        let _alone = self.taking_away()?;
        let root = self.made()?;
        let bad =
            findings.iter().filter(|finding| !matches!(finding.kind, Kind::Manifest(_))).map(|finding| finding.id);
        self.take_off_index(&bad.collect())?;
        for finding in findings {
            let (from, to) = match finding.kind {
                Kind::Result => (self.result_name(&finding.id)?, self.quarantined(&finding.id.to_string())?),
                Kind::Manifest(key) => (self.manifest_name(&key)?, self.quarantined(&format!("{key}.json"))?),
                // An empty folder: it was told, and is not told again.
                Kind::Gone => {
                    root.make_folder(&self.quarantined(&finding.id.to_string())?)?;
                    continue;
                }
            };
            if self.has(&from) && !self.has(&to) {
                self.put_elsewhere(&from, &to)?;
            }
        }
        for (file, _) in statements {
            self.put_elsewhere(&self.name([acceptances::FOLDER, file])?, &self.quarantined(file)?)?;
        }
        Ok(())
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
}
