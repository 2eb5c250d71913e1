//! The jobs of a campaign: those of earlier runs are known again, what is missing is submitted, what the queue says is
//! taken note of. It must not decide what becomes of a shard.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::{Campaign, CampaignError, Part};
use crate::key::{BatchId, ShardId};
use crate::planned::plural;
use crate::slurm::commands::{self, SlurmError};
use crate::slurm::ledger::Seen;
use crate::slurm::queue::Job;
use crate::slurm::script::{self, Unspeakable};
use crate::slurm::shard::{self, Piece, Shard, WantedTest};
use crate::slurm::wants::Count;

/// How long one waits before a full queue is tried again.
const FULL_PAUSE: Duration = Duration::from_secs(2);

impl Campaign<'_> {
    /// Knows jobs of earlier runs again; the tests that they measure, and what became of them in words.
    pub(super) fn adopt(&mut self, pieces: &[Piece]) -> Result<(BTreeSet<WantedTest>, Vec<String>), CampaignError> {
        let store = &self.asked.workspace.store;
        let wanted: BTreeSet<&WantedTest> = pieces.iter().map(|piece| &piece.wanted).collect();
        let name = self.asked.workspace.experiment.name.as_str();
        let known: HashMap<BatchId, shard::Batch> =
            store.batches(name)?.into_iter().filter(|(_, batch)| batch.user == user()).collect();
        let (mut adopted, mut outdated) = (BTreeSet::new(), Vec::new());
        let jobs = commands::jobs()?;
        let is_alive = |job: &&Job| !matches!(job.seen, Seen::Ended(_)) && job.user == user();
        for job in jobs.iter().filter(is_alive) {
            let Some((id, batch)) = job.batch.and_then(|id| Some((id, known.get(&id)?))) else { continue };
            self.batch_sizes.insert(id, batch.shards.len());
            for task in tasks(job, batch.shards.len()) {
                let Some(shard) = batch.shards.get(task as usize) else { continue };
                let Ok(content) = store.shard(shard) else { continue };
                if content.tests.iter().any(|test| wanted.contains(test)) {
                    adopted.extend(content.tests.iter().cloned());
                    let before = content.tests.iter().map(|test| (test.key, Count::of(&self.index, &test.key)));
                    let number = self.parts.len();
                    let job = Some((id, job.array, task));
                    self.by_job.insert((id, task), number);
                    self.ledger.submitted(number);
                    self.parts.push(Part { before: before.collect(), shard: content, id: *shard, job, attempts: 1 });
                } else {
                    outdated.push(format!("{}_{task}", job.array));
                }
            }
        }
        commands::cancel(&outdated, false)?;
        let mut words = Vec::new();
        for (count, what) in [
            (self.parts.len(), "of an earlier run are under way, and are waited for"),
            (outdated.len(), "of an earlier run measured what nobody wants any more, and were cancelled"),
        ] {
            if count > 0 {
                words.push(format!("{} {what}", plural(count, "shard")));
            }
        }
        // What nothing is known of any more.
        let alive: BTreeSet<BatchId> = jobs.iter().filter(is_alive).filter_map(|job| job.batch).collect();
        for id in known.keys().filter(|id| !alive.contains(id)) {
            store.forget_batch(id, &[])?;
        }
        Ok((adopted, words))
    }

    /// Submits all that can be submitted now.
    pub fn submit(&mut self) -> Result<(), CampaignError> {
        if self.is_stopped || self.full_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        while !self.queue.is_empty() && !(self.asked.interrupted)() {
            let store = &self.asked.workspace.store;
            let named: Vec<(ShardId, &Shard)> =
                self.queue.iter().map(|part| (self.parts[*part].id, &self.parts[*part].shard)).collect();
            self.submissions += 1;
            let submission = format!("{}-{}", crate::beneath::unique_name(), self.submissions);
            let name = self.asked.workspace.experiment.name.as_str();
            let Some(batch) = shard::batches((name, user()), &named, &submission, self.size_max).into_iter().next()
            else {
                return Ok(());
            };
            // Two parts may be the same shard: each element is one of them.
            let mut left = self.queue.clone();
            let mut parts = Vec::new();
            for shard in &batch.shards {
                if let Some(at) = left.iter().position(|part| self.parts[*part].id == *shard) {
                    parts.push(left.remove(at));
                }
            }
            let id = store.keep_batch(&batch)?;
            let logs = std::path::absolute(store.logs_of_jobs()?)
                .map_err(|error| Unspeakable(format!("the folder of the store ({error})")))?;
            let arguments = script::submission(&batch, &id, self.asked.cluster, self.asked.features, &logs)?;
            match commands::submit(&arguments, &script::script(&batch, self.asked.commanded)?) {
                Ok(array) => {
                    self.size_max = (self.size_max * 2).min(self.size_limit);
                    self.queue = left;
                    self.placed(&parts, id, array);
                }
                Err(SlurmError::Full) => {
                    self.full_until = Some(Instant::now() + FULL_PAUSE);
                    self.size_max = (batch.shards.len() / 2).max(1);
                    self.queue = left;
                    self.doubtful.push((id, parts));
                    return Ok(());
                }
                Err(SlurmError::Refused { said, .. }) if is_passing(&said) => {
                    self.full_until = Some(Instant::now() + FULL_PAUSE);
                    self.queue = left;
                    self.doubtful.push((id, parts));
                    return Ok(());
                }
                Err(error) => {
                    store.forget_batch(&id, &[])?;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// The elements of an array are these parts.
    fn placed(&mut self, parts: &[usize], id: BatchId, array: u32) {
        self.batch_sizes.insert(id, parts.len());
        for (task, part) in (0..).zip(parts) {
            self.parts[*part].job = Some((id, array, task));
            self.by_job.insert((id, task), *part);
            self.ledger.submitted(*part);
        }
    }

    /// Takes note of what the queue says, and of what accounts say of what it does not.
    pub(super) fn look(&mut self, jobs: &[Job]) -> Result<(), CampaignError> {
        for (id, parts) in std::mem::take(&mut self.doubtful) {
            match jobs.iter().find(|job| job.batch == Some(id)) {
                Some(job) => self.placed(&parts, id, job.array),
                None => {
                    self.asked.workspace.store.forget_batch(&id, &[])?;
                    // The files of shards went with it.
                    for part in &parts {
                        self.asked.workspace.store.keep_shard(&self.parts[*part].shard)?;
                    }
                    self.queue.splice(0..0, parts);
                }
            }
        }
        let mut seen = BTreeMap::new();
        let ours: Vec<&Job> = jobs.iter().filter(|job| job.batch.is_some()).collect();
        // What waits together first: an element that is told by itself is known better.
        let (together, alone): (Vec<&Job>, Vec<&Job>) =
            ours.into_iter().partition(|job| job.tasks.list.len() != 1 || job.tasks.from.is_some());
        for job in together.into_iter().chain(alone) {
            let Some(batch) = job.batch else { continue };
            for task in tasks(job, self.batch_sizes.get(&batch).copied().unwrap_or(0)) {
                if let Some(part) = self.by_job.get(&(batch, task)) {
                    seen.insert(*part, job.seen.clone());
                }
            }
        }
        self.ledger.look(&seen, self.began.elapsed());
        let unseen: Vec<usize> = self.ledger.unseen().collect();
        let arrays: BTreeSet<u32> = unseen.iter().filter_map(|part| Some(self.parts[*part].job?.1)).collect();
        if !arrays.is_empty() {
            let accounts = commands::accounts(&arrays.into_iter().collect::<Vec<_>>());
            for part in unseen {
                let end = self.parts[part].job.and_then(|(_, array, task)| accounts.get(&(array, task)));
                if let Some(end) = end {
                    self.ledger.accounted(part, end.clone());
                }
            }
        }
        Ok(())
    }

    /// All arrays of which something is, or may be, under way.
    pub(super) fn arrays(&self) -> Vec<String> {
        let jobs = self.ledger.under_way().filter_map(|(part, _)| self.parts[part].job);
        let mut arrays: Vec<String> = jobs.map(|(_, array, task)| format!("{array}_{task}")).collect();
        arrays.sort();
        if !self.doubtful.is_empty() {
            let is_doubtful = |job: &Job| self.doubtful.iter().any(|(id, _)| job.batch == Some(*id));
            let known = commands::jobs().unwrap_or_default();
            arrays.extend(known.iter().filter(|job| is_doubtful(job)).map(|job| job.array.to_string()));
        }
        arrays
    }
}

/// The elements of a job's array, of so many.
fn tasks(job: &Job, count: usize) -> Vec<u32> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    job.tasks.list.iter().copied().chain(job.tasks.from.into_iter().flat_map(|from| from..count)).collect()
}

fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Whether a refusal says that the controller could not be asked, or that the user has too many jobs now.
fn is_passing(said: &str) -> bool {
    const WORDS: [&str; 7] = [
        "Unable to contact",
        "not responding",
        "timed out",
        "Connection refused",
        "Zero Bytes",
        "backup controller",
        "job submit limit",
    ];
    WORDS.iter().any(|word| said.contains(word))
}
