//! `store verify`: whether every result is what its name and its record say. Reads everything, changes
//! nothing. It must not know why something is damaged.

use std::collections::BTreeMap;
use std::fs;

use rayon::prelude::*;

use super::{Record, Store, StoreError};
use crate::key::ResultId;

/// What was found.
#[derive(Debug, Default)]
pub struct Verification {
    /// Results looked at.
    pub results: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong, in order of id.
    pub findings: Vec<Finding>,
    /// Files and folders in the store that belong to no result.
    pub strangers: Vec<String>,
}

/// Something that is wrong with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its folder.
    pub id: ResultId,
    /// The test to run again, if the record can still tell.
    pub test: Option<String>,
    /// What is wrong, in words.
    pub what: String,
}

impl Store {
    /// Reads every result and every manifest that one names.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let ids = self.result_ids()?;
        let checked: Vec<(u64, Option<Finding>, Option<Record>)> =
            ids.par_iter().map(|id| self.verify_result(id)).collect();
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
            verification.findings.push(Finding { id, test: Some(test), what });
        }
        verification.findings.sort_by_key(|finding| finding.id);
        verification.strangers = self.strangers()?;
        Ok(verification)
    }

    fn verify_result(&self, id: &ResultId) -> (u64, Option<Finding>, Option<Record>) {
        let record = match self.record(id) {
            Ok(record) => record,
            Err(error) => return (0, Some(Finding { id: *id, test: None, what: error.to_string() }), None),
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
        (bytes, Some(Finding { id: *id, test: Some(record.test.clone()), what: wrong.join("; ") }), Some(record))
    }

    /// What lies in `results/` and is no result.
    fn strangers(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for shelf in super::subfolders(&self.results())? {
            for entry in fs::read_dir(&shelf).map_err(StoreError::io("list", &shelf))? {
                let entry = entry.map_err(StoreError::io("list", &shelf))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.parse::<ResultId>().is_err() || !entry.path().is_dir() {
                    found.push(entry.path().display().to_string());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
