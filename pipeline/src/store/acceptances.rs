//! Statements about changes, one file each, named by its digest: written once, never edited, never deleted, since
//! a generation or an archive may lean on one. It must not know what they mean for keys.

use std::path::PathBuf;

use super::{Fault, STATEMENT_BYTES_MAX, Store, StoreError};
use crate::acceptance::{Acceptances, Statement};
use crate::beneath::Below;
use crate::key::StatementId;

/// Folder of the statements.
pub(super) const FOLDER: &str = "acceptances";

impl Store {
    fn statement_name(&self, id: &StatementId) -> Result<Below, StoreError> {
        self.name([FOLDER, &format!("{id}.json")])
    }

    /// File of a statement, by its path.
    pub fn statement_path(&self, id: &StatementId) -> PathBuf {
        let own = self.root().join(FOLDER).join(format!("{id}.json"));
        self.statement_name(id).map_or(own, |name| self.having(&name).path_of(&name))
    }

    /// A statement, checked against the name of its file.
    pub fn statement(&self, id: &StatementId) -> Result<Statement, StoreError> {
        let name = self.statement_name(id)?;
        let store = self.having(&name);
        let (path, bytes) = (store.path_of(&name), store.read_there(&name, STATEMENT_BYTES_MAX)?);
        if blake3::hash(&bytes).as_bytes() != &id.0 {
            return Err(StoreError::damaged(&path, "its content is not what its name says"));
        }
        Statement::parse(&bytes).map_err(|reason| StoreError::damaged(&path, reason))
    }

    /// Names of the files of all statements, in order; what is being written has a dot before its name.
    fn statement_files(&self) -> Result<Vec<String>, StoreError> {
        let listed = self.list(&self.name([FOLDER])?)?;
        let names = listed.into_iter().map(|entry| entry.name.to_string_lossy().into_owned());
        Ok(names.filter(|name| !name.starts_with('.')).collect())
    }

    /// The statement in a file, by the file's name.
    fn said(&self, file: &str) -> Result<(StatementId, Statement), StoreError> {
        let path = self.root().join(FOLDER).join(file);
        let id = file.strip_suffix(".json").and_then(|name| name.parse().ok());
        let id = id.ok_or_else(|| StoreError::damaged(&path, "its name is no digest"))?;
        Ok((id, self.statement(&id)?))
    }

    /// The changes that are accepted for an experiment.
    pub fn acceptances(&self, experiment: &str) -> Result<Acceptances, StoreError> {
        let said: Result<Vec<_>, StoreError> = self.statement_files()?.iter().map(|file| self.said(file)).collect();
        Ok(Acceptances::in_force(&said?, experiment))
    }

    /// Names of files that hold no sound statement, or cannot be read, each with why.
    pub(super) fn damaged_statements(&self) -> Result<Vec<(String, Fault)>, StoreError> {
        let wrong = |file: String| self.said(&file).err().map(|error| (file, error.into()));
        Ok(self.statement_files()?.into_iter().filter_map(wrong).collect())
    }

    /// Keeps a statement; its name.
    pub fn keep_statement(&self, statement: &Statement) -> Result<StatementId, StoreError> {
        let encoding = |error: serde_json::Error| StoreError::io("encode", &self.root().join(FOLDER))(error.into());
        let mut bytes = serde_json::to_vec_pretty(statement).map_err(encoding)?;
        bytes.push(b'\n');
        let id = StatementId(*blake3::hash(&bytes).as_bytes());
        self.prepare()?;
        self.put(&self.statement_name(&id)?, &bytes)?;
        Ok(id)
    }
}
