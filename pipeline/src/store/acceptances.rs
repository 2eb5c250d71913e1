//! Statements about changes, one file each, named by its digest: written once, never edited, never deleted, since
//! a generation or an archive may lean on one. It must not know what they mean for keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Store, StoreError, write_atomically};
use crate::acceptance::{Acceptances, Statement};
use crate::key::StatementId;

impl Store {
    /// File of a statement.
    pub fn statement_path(&self, id: &StatementId) -> PathBuf {
        self.own_or_also(&Path::new("acceptances").join(format!("{id}.json")))
    }

    /// A statement, checked against the name of its file.
    pub fn statement(&self, id: &StatementId) -> Result<Statement, StoreError> {
        let path = self.statement_path(id);
        let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
        if blake3::hash(&bytes).as_bytes() != &id.0 {
            return Err(StoreError::damaged(&path, "its content is not what its name says"));
        }
        Statement::parse(&bytes).map_err(|reason| StoreError::damaged(&path, reason))
    }

    /// Files of all statements, in order of name.
    fn statement_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.root().join("acceptances");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("list", &folder)(error)),
        };
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(StoreError::io("list", &folder))?;
        paths.sort();
        Ok(paths)
    }

    /// The statement in a file, by the file's name.
    fn said(&self, path: &Path) -> Result<(StatementId, Statement), StoreError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let id = name.parse().map_err(|_| StoreError::damaged(path, "its name is no digest"))?;
        Ok((id, self.statement(&id)?))
    }

    /// The changes that are accepted for an experiment.
    pub fn acceptances(&self, experiment: &str) -> Result<Acceptances, StoreError> {
        let said: Result<Vec<_>, StoreError> = self.statement_files()?.iter().map(|path| self.said(path)).collect();
        Ok(Acceptances::in_force(&said?, experiment))
    }

    /// Files that hold no sound statement, each with why.
    pub(super) fn damaged_statements(&self) -> Result<Vec<(PathBuf, String)>, StoreError> {
        let wrong = |path: PathBuf| self.said(&path).err().map(|error| (path, error.to_string()));
        Ok(self.statement_files()?.into_iter().filter_map(wrong).collect())
    }

    /// Keeps a statement; its name.
    pub fn keep_statement(&self, statement: &Statement) -> Result<StatementId, StoreError> {
        let path = self.root().join("acceptances");
        let mut bytes =
            serde_json::to_vec_pretty(statement).map_err(|error| StoreError::io("encode", &path)(error.into()))?;
        bytes.push(b'\n');
        let id = StatementId(*blake3::hash(&bytes).as_bytes());
        self.prepare()?;
        write_atomically(&self.tmp(), &path.join(format!("{id}.json")), &bytes)?;
        Ok(id)
    }
}
