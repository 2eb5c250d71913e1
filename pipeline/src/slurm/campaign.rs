//! A run on a cluster from where it was asked for: submits what is missing, knows the jobs of an earlier run again,
//! watches, and submits what was not measured again, until all is stored or there is a reason why not. Its jobs are
//! cancelled however it ends, unless it is let go. It must not measure, conclude or print.

mod jobs;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use super::commands::{self, SlurmError};
use super::ledger::{Fate, Graces, Ledger, Seen, Verdict};
use super::script::{Commanded, Unspeakable};
use super::shard::{self, Piece, Shard};
use super::wants::{Became, Count, Wants};
use crate::acceptance::Acceptances;
use crate::conditions::Conditions;
use crate::key::{BatchId, Key, ShardId};
use crate::planned::plural;
use crate::site::Cluster;
use crate::store::{Entry, Index, Standing, Status, StoreError};
use crate::workspace::Workspace;

/// A job that is nowhere for so long is lost.
const LOST: Duration = Duration::from_secs(15);
/// How long what a job has stored may not be seen here: on one machine, and on a network file system with its caches.
const STORE_NEAR: Duration = Duration::from_secs(1);
const STORE_FAR: Duration = Duration::from_secs(65);
/// How often the queue is looked at: often as long as something happens.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// How long one waits for jobs that were cancelled.
const CANCELLED_MAX: Duration = Duration::from_secs(60);

/// What a campaign is asked.
pub struct CampaignInput<'a> {
    /// The experiment.
    pub workspace: &'a Workspace,
    /// What nodes are.
    pub conditions: &'a Conditions<'a>,
    /// The changes that count as harmless.
    pub accepted: &'a Acceptances,
    /// Where jobs are submitted.
    pub cluster: &'a Cluster,
    /// Features of cables.
    pub features: &'a [&'a str],
    /// What jobs start.
    pub commanded: Commanded<'a>,
    /// Whether inputs may differ between nodes.
    pub may_differ: bool,
    /// How long a shard is to be.
    pub about: Duration,
    /// Whether the user wants to stop.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Why a campaign could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The cluster.
    #[error(transparent)]
    Slurm(#[from] SlurmError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A path.
    #[error(transparent)]
    Script(#[from] Unspeakable),
}

/// What became of a campaign.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Repetitions stored.
    pub measured: u64,
    /// Tests that failed.
    pub failed: Vec<String>,
    /// Tests that were not measured, by why.
    pub missing: Vec<(String, usize)>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// A shard that was submitted, or is to be.
struct Part {
    shard: Shard,
    id: ShardId,
    /// The job's array and its index in it.
    job: Option<(BatchId, u32, u32)>,
    /// What there was of its tests before it was submitted.
    before: BTreeMap<Key, Count>,
    attempts: u32,
}

/// Jobs of a run.
pub struct Campaign<'a> {
    asked: CampaignInput<'a>,
    wants: Wants<'a>,
    parts: Vec<Part>,
    by_job: HashMap<(BatchId, u32), usize>,
    /// How many elements each array has.
    batch_sizes: HashMap<BatchId, usize>,
    /// Parts to be submitted, the next one first.
    queue: Vec<usize>,
    /// Submissions of which it is not known whether they were taken.
    doubtful: Vec<(BatchId, Vec<usize>)>,
    ledger: Ledger,
    index: Index,
    /// What there was as this began.
    start: BTreeMap<Key, Count>,
    graces: Graces,
    /// Elements of an array: as the queue takes them now, and at most.
    size_max: usize,
    size_limit: usize,
    full_until: Option<Instant>,
    began: Instant,
    submissions: u32,
    outcome: Outcome,
    told: String,
    /// Whether jobs are to go on without it.
    let_go: bool,
    /// Whether nothing is submitted any more.
    is_stopped: bool,
}

impl<'a> Campaign<'a> {
    /// Knows the jobs of earlier runs again that still measure what is wanted, cancels those of them that do not, and
    /// cuts the rest of what is wanted into shards. In words what became of the earlier ones.
    pub fn begin(asked: CampaignInput<'a>, pieces: &[Piece]) -> Result<(Campaign<'a>, Vec<String>), CampaignError> {
        let index = asked.workspace.store.index()?;
        let wants = Wants::new(asked.workspace, asked.conditions, asked.accepted);
        let start = pieces.iter().map(|piece| (piece.wanted.key, Count::of(&index, &piece.wanted.key))).collect();
        let store = if is_far(asked.workspace.store.root()) { STORE_FAR } else { STORE_NEAR };
        let size_limit = commands::array_size_max();
        let mut campaign = Campaign {
            wants,
            parts: Vec::new(),
            by_job: HashMap::new(),
            batch_sizes: HashMap::new(),
            queue: Vec::new(),
            doubtful: Vec::new(),
            ledger: Ledger::default(),
            index,
            start,
            graces: Graces { store, lost: LOST },
            size_max: size_limit,
            size_limit,
            full_until: None,
            began: Instant::now(),
            submissions: 0,
            outcome: Outcome::default(),
            told: String::new(),
            let_go: false,
            is_stopped: false,
            asked,
        };
        let (adopted, words) = campaign.adopt(pieces)?;
        let rest: Vec<Piece> = pieces.iter().filter(|piece| !adopted.contains(&piece.wanted)).cloned().collect();
        let name = campaign.asked.workspace.experiment.name.as_str();
        for shard in shard::cut(name, &rest, campaign.asked.about) {
            campaign.add(shard, 1)?;
        }
        Ok((campaign, words))
    }

    /// How many shards are to be submitted, and how many are under way.
    pub fn sizes(&self) -> (usize, usize) {
        (self.queue.len(), self.ledger.under_way().count())
    }

    fn add(&mut self, mut shard: Shard, attempts: u32) -> Result<(), CampaignError> {
        let held = if self.asked.may_differ { shard.tests.len() } else { shard.tests.len().min(1) };
        shard.planned = self.wants.planned(&shard.tests[..held]);
        let id = self.asked.workspace.store.keep_shard(&shard)?;
        let before = shard.tests.iter().map(|wanted| (wanted.key, Count::of(&self.index, &wanted.key))).collect();
        self.queue.push(self.parts.len());
        self.parts.push(Part { shard, id, job: None, before, attempts });
        Ok(())
    }

    /// Waits until all is settled, telling how it goes.
    ///
    /// # Errors
    /// When it cannot go on. Its jobs are cancelled then.
    pub fn wait(mut self, tell: &mut dyn FnMut(&str)) -> Result<Outcome, CampaignError> {
        let (mut pause, mut is_heard) = (PAUSE_MIN, true);
        let mut cancelled: Option<Instant> = None;
        loop {
            if (self.asked.interrupted)() && cancelled.is_none() {
                self.outcome.interrupted = true;
                self.is_stopped = true;
                self.queue.clear();
                commands::cancel(&self.arrays(), false)?;
                cancelled = Some(Instant::now());
            }
            match commands::jobs() {
                Ok(jobs) => {
                    is_heard = true;
                    self.look(&jobs)?;
                }
                Err(error) => {
                    self.ledger.unheard();
                    if std::mem::take(&mut is_heard) {
                        tell(&format!("{error}; jobs go on without it, and it is asked again"));
                    }
                }
            }
            let happened = self.settle(tell)?;
            self.submit()?;
            if cancelled.is_some_and(|since| since.elapsed() > CANCELLED_MAX) {
                tell("jobs that were cancelled have not ended; squeue shows them");
                break;
            }
            let (queued, under_way) = self.sizes();
            if queued + under_way + self.doubtful.len() == 0 {
                break;
            }
            let words = self.words();
            pause = if happened || words != self.told { PAUSE_MIN } else { (pause * 3 / 2).min(PAUSE_MAX) };
            if words != self.told {
                tell(&words);
                self.told = words;
            }
            let until = Instant::now() + pause;
            while Instant::now() < until && (cancelled.is_some() || !(self.asked.interrupted)()) {
                std::thread::sleep(Duration::from_millis(50).min(pause));
            }
        }
        self.index = self.asked.workspace.store.index()?;
        for (key, before) in &self.start {
            let now = Count::of(&self.index, key);
            let stored = (now.all - now.failed).saturating_sub(before.all - before.failed);
            self.outcome.measured += stored as u64;
        }
        self.forget()?;
        Ok(std::mem::take(&mut self.outcome))
    }

    /// Lets its jobs go on without it.
    pub fn detach(mut self) {
        self.let_go = true;
    }

    /// Settles what can be; whether anything was.
    fn settle(&mut self, tell: &mut dyn FnMut(&str)) -> Result<bool, CampaignError> {
        let is_over = |fate: &Fate| !matches!(fate, Fate::Seen(Seen::Pending(_) | Seen::Running(_)));
        let over: Vec<usize> =
            self.ledger.under_way().filter(|(_, fate)| is_over(fate)).map(|(part, _)| part).collect();
        if over.is_empty() {
            return Ok(false);
        }
        self.index = self.asked.workspace.store.index()?;
        let mut standings = BTreeMap::new();
        for part in over {
            let Part { shard, before, attempts, .. } = &self.parts[part];
            let keep_going = self.asked.commanded.keep_going;
            standings.insert(part, self.wants.of(shard, before, &self.index, *attempts, keep_going));
        }
        let verdicts = self
            .ledger
            .settle(self.graces, &|part| standings.get(&part).map_or_else(Default::default, |(standing, _)| *standing));
        let happened = !verdicts.is_empty();
        for (part, verdict) in verdicts {
            let Some((standing, missing)) = standings.remove(&part) else { continue };
            self.failures(part, tell);
            let name = self.parts[part].id.short();
            let words = match verdict {
                Verdict::Stored => continue,
                Verdict::Again(why) if self.is_stopped => why,
                Verdict::Again(why) => {
                    let again = plural(missing.len(), "test");
                    tell(&format!("shard {name}: {why}{}; {again} submitted again", self.last_lines(part)?));
                    let attempts = if standing.has_progressed { 1 } else { standing.attempts + 1 };
                    let shard = Shard { tests: missing, ..self.parts[part].shard.clone() };
                    self.add(shard, attempts)?;
                    continue;
                }
                Verdict::Over(why) => why,
            };
            if !self.outcome.interrupted {
                tell(&format!("shard {name}: {words}{}", self.last_lines(part)?));
            }
            self.outcome.missing.push((words, missing.len()));
        }
        if !self.outcome.failed.is_empty() && !self.asked.commanded.keep_going && !self.is_stopped {
            self.is_stopped = true;
            let waiting: usize = self.queue.drain(..).map(|part| self.parts[part].shard.tests.len()).sum();
            if waiting > 0 {
                self.outcome.missing.push(("a test failed before".to_string(), waiting));
            }
            commands::cancel(&self.arrays(), true)?;
        }
        Ok(happened)
    }

    /// Tells which tests of a part have failed.
    fn failures(&mut self, part: usize, tell: &mut dyn FnMut(&str)) {
        let Part { shard, before, .. } = &self.parts[part];
        for wanted in &shard.tests {
            let known = before.get(&wanted.key).copied().unwrap_or_default();
            if self.wants.became(wanted, shard.force, known, &self.index) != Became::Failed
                || self.outcome.failed.contains(&wanted.test)
            {
                continue;
            }
            let is_failed = |entry: &&Entry| entry.standing == Standing::Failed;
            let newest = self.index.of_key(&wanted.key).iter().rfind(is_failed);
            let record = newest.and_then(|entry| self.asked.workspace.store.record(&entry.id).ok());
            let reason = record.map(|record| match record.status {
                Status::Failed { reason, .. } => reason,
                _ => String::new(),
            });
            tell(&format!("FAILED {}: {}", wanted.test, reason.unwrap_or_default()));
            self.outcome.failed.push(wanted.test.clone());
        }
    }

    /// What a part's job printed last, to follow a reason.
    fn last_lines(&self, part: usize) -> Result<String, CampaignError> {
        let Some((_, array, task)) = self.parts[part].job else { return Ok(String::new()) };
        let lines = self.asked.workspace.store.last_lines_of_job(&log(array, task), 4)?;
        Ok(lines.iter().map(|line| format!("\n    {line}")).collect())
    }

    /// How it stands: what runs where, what waits and why.
    fn words(&self) -> String {
        let (mut nodes, mut reasons): (BTreeSet<&str>, BTreeMap<&str, usize>) = Default::default();
        let mut running = 0;
        for (_, fate) in self.ledger.under_way() {
            match fate {
                Fate::Seen(Seen::Running(on)) => {
                    running += 1;
                    nodes.insert(on);
                }
                Fate::Seen(Seen::Pending(reason)) => *reasons.entry(reason).or_default() += 1,
                Fate::Seen(Seen::Ended(_)) => *reasons.entry("what they have stored is looked for").or_default() += 1,
                Fate::Unseen => *reasons.entry("not seen in the queue").or_default() += 1,
            }
        }
        let queued = self.queue.len() + self.doubtful.iter().map(|(_, parts)| parts.len()).sum::<usize>();
        if queued > 0 {
            reasons.insert("not submitted yet: the queue is full, or does not answer", queued);
        }
        let mut words = format!("{} running", plural(running, "shard"));
        if running > 0 {
            let shown: Vec<&str> = nodes.iter().take(6).copied().collect();
            let more = if nodes.len() > shown.len() { ", ..." } else { "" };
            words.push_str(&format!(" on {}{more}", shown.join(", ")));
        }
        for (reason, count) in reasons {
            words.push_str(&format!(", {count} waiting ({reason})"));
        }
        words
    }

    /// Forgets what was submitted, and what jobs printed whose tests are all there.
    fn forget(&mut self) -> Result<(), CampaignError> {
        if self.sizes() != (0, 0) || !self.doubtful.is_empty() {
            return Ok(());
        }
        let mut logs: BTreeMap<BatchId, Vec<String>> = BTreeMap::new();
        for part in 0..self.parts.len() {
            let Part { shard, before, job, attempts, .. } = &self.parts[part];
            let Some((batch, array, task)) = job else { continue };
            let (standing, _) = self.wants.of(shard, before, &self.index, *attempts, true);
            let of_batch = logs.entry(*batch).or_default();
            if standing.missing == 0 {
                of_batch.push(log(*array, *task));
            }
        }
        for (batch, logs) in logs {
            self.asked.workspace.store.forget_batch(&batch, &logs)?;
        }
        Ok(())
    }
}

impl Drop for Campaign<'_> {
    fn drop(&mut self) {
        let arrays = self.arrays();
        if !self.let_go && !arrays.is_empty() {
            // They have a time limit if this fails, and the next run knows them.
            let _ = commands::cancel(&arrays, false);
        }
    }
}

fn log(array: u32, task: u32) -> String {
    format!("{array}_{task}.log")
}

/// Whether a folder lies on a file system of a network, which shows late what others wrote.
fn is_far(folder: &Path) -> bool {
    use nix::sys::statfs::{FsType, statfs};
    /// NFS, SMB 1 and 2, Lustre, BeeGFS, GPFS, Ceph, FUSE (sshfs, GlusterFS), AFS, 9p.
    const FAR: [i64; 10] = [
        0x6969,
        0x517b,
        0xfe53_4d42,
        0x0bd0_0bd0,
        0x1983_0326,
        0x4750_4653,
        0x00c3_6400,
        0x6573_5546,
        0x5346_414f,
        0x0102_1997,
    ];
    statfs(folder).is_ok_and(|of| FAR.iter().any(|magic| of.filesystem_type() == FsType(*magic)))
}
