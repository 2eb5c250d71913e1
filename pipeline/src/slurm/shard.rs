//! What one job measures: tests that ask the same of their hosts, for about so long. Pure. It must not know how a job is
//! submitted, or what became of one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::{BatchId, Key, ShardId};
use crate::manifest::Listing;

/// Version of the files.
pub const FORMAT: u32 = 1;
/// What a job takes besides its tests, at most: starting the agent, its lease, fingerprints.
const AROUND: Duration = Duration::from_secs(120);

/// A test to be measured, as the cut knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The test.
    pub wanted: WantedTest,
    /// What measuring all of what is missing will take.
    pub cost: Duration,
    /// What it asks of its hosts. Tests that differ in it do not share a job.
    pub setting: Setting,
}

/// What tests ask of hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// One, or two that a cable joins.
    pub hosts: u8,
    /// Settings of each host, in any text that is the same for the same ones.
    pub setup: String,
    /// Whether they are measured whatever is stored.
    pub force: bool,
}

/// A test of a shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WantedTest {
    /// The test's name.
    pub test: String,
    /// The key under which it is wanted: on a node that gives it another one it is not measured.
    pub key: Key,
}

/// What one job measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// [`FORMAT`].
    pub format: u32,
    /// The experiment's name.
    pub experiment: String,
    /// Hosts that it needs.
    pub hosts: u8,
    /// Whether its tests are measured whatever is stored.
    pub force: bool,
    /// Longest time for the job, minutes.
    pub limit_min: u32,
    /// The tests, in the order in which they were planned.
    pub tests: Vec<WantedTest>,
    /// What they were planned for, by which a node is held against it: of all tests where inputs may differ between
    /// nodes, otherwise of one, to tell in what a node differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<Listing>,
}

/// Shards that are submitted as one array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// [`FORMAT`].
    pub format: u32,
    /// The experiment's name.
    pub experiment: String,
    /// Who has submitted it, by number.
    pub user: u32,
    /// What tells one submission of the same shards from another.
    pub submission: String,
    /// Hosts that each needs.
    pub hosts: u8,
    /// Longest time for each, minutes.
    pub limit_min: u32,
    /// By their place in the array.
    pub shards: Vec<ShardId>,
}

/// The text of a file and its digest, which is its name.
fn sealed(value: &impl Serialize) -> (Vec<u8>, [u8; 32]) {
    // Texts and numbers have no reason not to be JSON.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    let digest = *blake3::hash(&bytes).as_bytes();
    (bytes, digest)
}

impl Shard {
    /// The file, and its name.
    pub fn sealed(&self) -> (Vec<u8>, ShardId) {
        let (bytes, digest) = sealed(self);
        (bytes, ShardId(digest))
    }
}

impl Batch {
    /// The file, and its name.
    pub fn sealed(&self) -> (Vec<u8>, BatchId) {
        let (bytes, digest) = sealed(self);
        (bytes, BatchId(digest))
    }
}

/// The time limit of a job whose tests take so long as far as is known: twice as long, and what is around them.
pub fn limit_min(cost: Duration) -> u32 {
    u32::try_from((cost * 2 + AROUND).as_secs().div_ceil(60)).unwrap_or(u32::MAX)
}

/// Cuts tests into shards of about so long, each of one setting; tests keep their order.
pub fn cut(experiment: &str, pieces: &[Piece], about: Duration) -> Vec<Shard> {
    let mut settings: Vec<(&Setting, Vec<&Piece>)> = Vec::new();
    for piece in pieces {
        match settings.iter_mut().find(|(setting, _)| **setting == piece.setting) {
            Some((_, of_setting)) => of_setting.push(piece),
            None => settings.push((&piece.setting, vec![piece])),
        }
    }
    let mut shards = Vec::new();
    for (setting, pieces) in settings {
        // As many as are needed, of about the same length: none that is hardly begun.
        let total: Duration = pieces.iter().map(|piece| piece.cost).sum();
        let count = total.as_millis().div_ceil(about.as_millis().max(1)).max(1);
        let each = Duration::from_millis(u64::try_from(total.as_millis().div_ceil(count)).unwrap_or(u64::MAX));
        let (mut tests, mut cost): (Vec<WantedTest>, Duration) = Default::default();
        let mut done = |tests: &mut Vec<WantedTest>, cost: &mut Duration| {
            shards.push(Shard {
                format: FORMAT,
                experiment: experiment.to_string(),
                hosts: setting.hosts,
                force: setting.force,
                limit_min: limit_min(*cost),
                tests: std::mem::take(tests),
                planned: Vec::new(),
            });
            *cost = Duration::ZERO;
        };
        for piece in pieces {
            if !tests.is_empty() && cost + piece.cost > about {
                done(&mut tests, &mut cost);
            }
            tests.push(piece.wanted.clone());
            cost += piece.cost;
            if cost >= each {
                done(&mut tests, &mut cost);
            }
        }
        if !tests.is_empty() {
            done(&mut tests, &mut cost);
        }
    }
    shards
}

/// Groups shards into batches: those of one batch ask for the same number of hosts, and for about the same time.
pub fn batches(
    (experiment, user): (&str, u32),
    shards: &[(ShardId, &Shard)],
    submission: &str,
    size_max: usize,
) -> Vec<Batch> {
    let mut batches: Vec<(u32, Batch)> = Vec::new();
    for (id, shard) in shards {
        // Limits within a factor of two are one: an array has one limit.
        let about = shard.limit_min.next_power_of_two();
        let fits = |(known, batch): &&mut (u32, Batch)| {
            *known == about && batch.hosts == shard.hosts && batch.shards.len() < size_max.max(1)
        };
        match batches.iter_mut().find(fits) {
            Some((_, batch)) => {
                batch.limit_min = batch.limit_min.max(shard.limit_min);
                batch.shards.push(*id);
            }
            None => {
                let batch = Batch {
                    format: FORMAT,
                    experiment: experiment.to_string(),
                    user,
                    submission: format!("{submission}-{}", batches.len()),
                    hosts: shard.hosts,
                    limit_min: shard.limit_min,
                    shards: vec![*id],
                };
                batches.push((about, batch));
            }
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(number: usize, cost_s: u64, setting: u8) -> Piece {
        let wanted =
            WantedTest { test: format!("test-{number}"), key: Key(*blake3::hash(&number.to_le_bytes()).as_bytes()) };
        let setting = Setting { hosts: 1 + setting % 2, setup: (setting / 2).to_string(), force: false };
        Piece { wanted, cost: Duration::from_secs(cost_s), setting }
    }

    proptest! {
        #[test]
        fn each_test_is_in_one_shard_of_its_setting_and_none_is_too_long(
            rows in prop::collection::vec((0u64..900, 0u8..4), 0..80),
            about_s in 60u64..1800,
            size_max in 1usize..5,
        ) {
            let pieces: Vec<Piece> =
                rows.iter().enumerate().map(|(number, (cost_s, setting))| piece(number, *cost_s, *setting)).collect();
            let about = Duration::from_secs(about_s);
            let shards = cut("x", &pieces, about);
            let of = |wanted: &WantedTest| pieces.iter().find(|piece| piece.wanted == *wanted).expect("it was cut");
            let mut all = Vec::new();
            for shard in &shards {
                prop_assert!(!shard.tests.is_empty());
                let first = &of(&shard.tests[0]).setting;
                let cost: Duration = shard.tests.iter().map(|wanted| of(wanted).cost).sum();
                prop_assert!(shard.tests.iter().all(|wanted| of(wanted).setting == *first));
                prop_assert!(cost <= about || shard.tests.len() == 1, "{cost:?} in one shard");
                prop_assert!(Duration::from_secs(u64::from(shard.limit_min) * 60) >= cost * 2 + AROUND);
                all.extend(shard.tests.clone());
            }
            all.sort();
            let mut wanted: Vec<WantedTest> = pieces.iter().map(|piece| piece.wanted.clone()).collect();
            wanted.sort();
            prop_assert_eq!(all, wanted);
            // The same tests give the same shards, by name.
            let ids: Vec<ShardId> = shards.iter().map(|shard| shard.sealed().1).collect();
            let again: Vec<ShardId> = cut("x", &pieces, about).iter().map(|shard| shard.sealed().1).collect();
            prop_assert_eq!(&ids, &again);

            let named: Vec<(ShardId, &Shard)> = ids.iter().copied().zip(&shards).collect();
            let batches = batches(("x", 5), &named, "one", size_max);
            let mut submitted = Vec::new();
            for batch in &batches {
                prop_assert!((1..=size_max).contains(&batch.shards.len()));
                for id in &batch.shards {
                    let shard = &shards[ids.iter().position(|known| known == id).expect("it was cut")];
                    prop_assert!(shard.hosts == batch.hosts);
                    prop_assert!(shard.limit_min <= batch.limit_min && batch.limit_min < 2 * shard.limit_min.max(1));
                }
                submitted.extend(batch.shards.clone());
            }
            submitted.sort();
            let mut ids = ids;
            ids.sort();
            prop_assert_eq!(submitted, ids);
        }
    }

    #[test]
    fn the_form_of_a_shard_is_pinned() {
        let shards = cut("small", &[piece(1, 60, 0)], Duration::from_secs(600));
        let (bytes, id) = shards[0].sealed();
        let text = String::from_utf8(bytes).expect("JSON");
        assert!(
            text.starts_with("{\"format\":1,\"experiment\":\"small\",\"hosts\":1,\"force\":false,\"limit_min\":4,")
        );
        assert_eq!(id.to_string(), blake3::hash(text.as_bytes()).to_hex().to_string());
    }
}
