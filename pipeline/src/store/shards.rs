//! What was cut for a cluster and submitted: files that are named by their content, so that a job measures exactly what
//! was planned, and a run that comes back knows its jobs. It must not know jobs.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::{Store, StoreError, bounded};
use crate::beneath::Below;
use crate::key::{BatchId, ShardId};
use crate::slurm::shard::{Batch, FORMAT, Shard};

const FOLDER: &str = "slurm";
/// Most bytes of such a file.
const BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a job's words.
const LOG_BYTES_MAX: u64 = 16 << 20;

impl Store {
    fn submitted(&self, kind: &str, name: &str) -> Result<Below, StoreError> {
        self.name([FOLDER, kind, &format!("{name}.json")])
    }

    /// Keeps a shard.
    pub fn keep_shard(&self, shard: &Shard) -> Result<ShardId, StoreError> {
        let (bytes, id) = shard.sealed();
        let name = self.submitted("shards", &id.to_string())?;
        if !self.has(&name) {
            self.prepare()?;
            self.put(&name, &bytes)?;
        }
        Ok(id)
    }

    /// Keeps a batch, before it is submitted.
    pub fn keep_batch(&self, batch: &Batch) -> Result<BatchId, StoreError> {
        let (bytes, id) = batch.sealed();
        self.prepare()?;
        self.put(&self.submitted("batches", &id.to_string())?, &bytes)?;
        Ok(id)
    }

    /// A shard, checked against its name.
    pub fn shard(&self, id: &ShardId) -> Result<Shard, StoreError> {
        let shard: Shard = self.sealed("shards", &id.to_string())?;
        self.known_format(id, shard.format)?;
        Ok(shard)
    }

    /// A batch, checked against its name; nothing if it is none of this store's.
    pub fn batch(&self, id: &BatchId) -> Result<Option<Batch>, StoreError> {
        if !self.has(&self.submitted("batches", &id.to_string())?) {
            return Ok(None);
        }
        let batch: Batch = self.sealed("batches", &id.to_string())?;
        self.known_format(id, batch.format)?;
        Ok(Some(batch))
    }

    /// The batches of an experiment, by their names; what cannot be read is none.
    pub fn batches(&self, experiment: &str) -> Result<Vec<(BatchId, Batch)>, StoreError> {
        let listed = self.list(&self.name([FOLDER, "batches"])?)?;
        let ids = listed.iter().filter_map(|entry| entry.text()?.strip_suffix(".json")?.parse::<BatchId>().ok());
        let known = ids.filter_map(|id| Some((id, self.batch(&id).ok()??)));
        Ok(known.filter(|(_, batch)| batch.experiment == experiment).collect())
    }

    fn known_format(&self, id: &impl ToString, format: u32) -> Result<(), StoreError> {
        match format {
            FORMAT => Ok(()),
            found => {
                Err(StoreError::Newer { path: format!("{}/{FOLDER}/{}", self.root().display(), id.to_string()), found })
            }
        }
    }

    fn sealed<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<T, StoreError> {
        let name = self.submitted(kind, id)?;
        let bytes = self.read_there(&name, BYTES_MAX)?;
        let damaged = |reason: String| StoreError::damaged(&self.path_of(&name), reason);
        if blake3::hash(&bytes).to_hex().as_str() != id {
            return Err(damaged("its content is not what its name says; run again, and it is cut anew".to_string()));
        }
        bounded::json(&bytes).map_err(|error| damaged(error.to_string()))
    }

    /// Forgets a batch of which nothing is under way, and the words of its jobs that are named.
    pub fn forget_batch(&self, id: &BatchId, logs: &[String]) -> Result<(), StoreError> {
        let Some(batch) = self.batch(id)? else { return Ok(()) };
        self.remove(&self.submitted("batches", &id.to_string())?)?;
        for shard in &batch.shards {
            self.remove(&self.submitted("shards", &shard.to_string())?)?;
        }
        for log in logs {
            self.remove(&self.name([FOLDER, "logs", log])?)?;
        }
        Ok(())
    }

    /// The folder for what jobs print, made if it is missing.
    pub fn logs_of_jobs(&self) -> Result<PathBuf, StoreError> {
        let name = self.name([FOLDER, "logs"])?;
        self.made()?.make_folder(&name)?;
        Ok(self.path_of(&name))
    }

    /// The last lines that a job printed; none where there is no such file.
    pub fn last_lines_of_job(&self, log: &str, count: usize) -> Result<Vec<String>, StoreError> {
        let bytes = self.read(&self.name([FOLDER, "logs", log])?, LOG_BYTES_MAX)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_string).collect();
        Ok(lines[lines.len().saturating_sub(count)..].to_vec())
    }
}
