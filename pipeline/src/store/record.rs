//! The record of one repetition: `record.json`. Everything that is known of it besides the raw samples.
//! It must not know where it is stored. Every field has its unit in its name; an absent field means that
//! it could not be known.

mod alike;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;

use host_setup::facts::{Component, Facts, Part};
use host_setup::protocol::{Achieved, Load, Mapped, Snapshot, Watched};
use results::flags::Flag;
use results::summary::Reduction;
use results::tuple::Tuple;
use serde::{Deserialize, Serialize};

use crate::clocks::Clocks;
use crate::experiment::Times;
use crate::key::{Key, ResultId};
use crate::precise::Chosen;
use crate::search::trials::Search;

pub use windows::{SetUpWindow, streams_of_window, window_stream};

/// Version of the record. A newer one is refused with its number.
pub const RECORD_VERSION: u32 = 3;
/// Version of a record of several hosts.
const OF_SEVERAL_HOSTS: u32 = 2;
/// Version of a record of one host, which is what the first version was.
const OF_ONE_HOST: u32 = 1;

/// One repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`] where a set-up had several windows; otherwise 2 for a record of several hosts and 1 for one of one
    /// host: nothing of them has changed since.
    pub format: u32,
    /// Name of the test.
    pub test: String,
    /// The test's coordinates.
    pub tuple: Tuple,
    /// The protocol's times.
    pub times: Times,
    /// Length of an accounting interval, ns.
    pub interval_ns: u64,
    /// What could change the measurement, by digest; the manifest is stored by it.
    pub key: Key,
    /// Whether it is valid, suspect or failed.
    pub status: Status,
    /// Doubts, sorted; those of the samples and those of the run.
    pub flags: Vec<Flag>,
    /// What the host did that raised some of them, in order of [`Evidence`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// The samples reduced, by [`results::summary::REDUCTION_VERSION`] as below.
    pub reduction: Reduction,
    /// Version of the reduction.
    pub reduction_version: u32,
    /// What shows that it was measured.
    pub evidence: Evidence,
    /// What it took to measure.
    pub cost: Cost,
    /// When it was started, UTC, RFC 3339.
    pub started: String,
    /// The host, or the one of those who begin; that of many records is one and the same.
    #[serde(with = "alike")]
    pub host: Arc<Facts>,
    /// What the host was prepared to, read back.
    pub achieved: Achieved,
    /// The other hosts of a remote test, in the order of its sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerHost>,
    /// NUMA node of the card at the cable, for each side of a remote test, which cores were chosen by; empty where no side
    /// has one, and in records of before this was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<Option<u32>>,
    /// What the site calls the stand; absent where everything is measured on the client's own host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand: Option<String>,
    /// The trials that it is made of, where the rate was searched; the samples hold those of all trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// How long its window was chosen to be and by what, where that was not fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// The windows of its set-up, where there were several; the samples hold those of all, the reduction is of all, and
    /// the evidence is that of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<SetUpWindow>,
    /// Where it came from, if it was not measured into this store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The other files of the folder.
    pub files: BTreeMap<String, FileDigest>,
}

/// Another host of a remote test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerHost {
    /// The host.
    pub host: Facts,
    /// What it was prepared to, read back.
    pub achieved: Achieved,
}

/// Whether a repetition counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Status {
    /// The repetition counts.
    Valid,
    /// Kept, marked, left out of averages; the flags say why.
    Suspect,
    /// The repetition failed: there are no values.
    Failed {
        /// Completes "failed to ...".
        reason: String,
        /// Last lines of what died.
        last_lines: Vec<String>,
    },
}

/// What the host did that raises a doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The doubt.
    pub flag: Flag,
    /// What was seen and when, in words.
    pub words: String,
}

/// What shows that something was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Each generator's own counts, by container.
    pub parties: BTreeMap<String, Party>,
    /// Host counters before the window.
    pub before: Snapshot,
    /// Host counters after it.
    pub after: Snapshot,
    /// Who had the measuring CPUs around the window; absent in records of before this was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// What was seen of the host while the window lasted; absent in records of before it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
    /// The executable files that the processes had mapped; empty in records of before this was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapped: Vec<Mapped>,
    /// What the switch said of its own version; absent for one that is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<String>,
    /// What was seen of the other hosts, in the order of [`Record::peers`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerEvidence>,
    /// How the clocks of two hosts stood to each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<Clocks>,
}

/// What was seen of another host of a remote test; as in [`Evidence`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeerEvidence {
    /// Host counters before the window.
    pub before: Snapshot,
    /// Host counters after it.
    pub after: Snapshot,
    /// Who had the measuring CPUs around the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// What was seen of the host while the window lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
    /// The executable files that the processes had mapped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapped: Vec<Mapped>,
    /// What the switch said of its own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<String>,
}

/// What was seen of one host, whichever.
#[derive(Clone, Copy, Debug)]
pub struct HostEvidence<'e> {
    /// Host counters before the window.
    pub before: &'e Snapshot,
    /// Host counters after it.
    pub after: &'e Snapshot,
    /// Who had the measuring CPUs around the window.
    pub load: Option<&'e Load>,
    /// What was seen of the host while the window lasted.
    pub watched: Option<&'e Watched>,
    /// The executable files that the processes had mapped.
    pub mapped: &'e [Mapped],
}

impl Evidence {
    /// What was seen of each host, in the order of the test's sides.
    pub fn hosts(&self) -> impl Iterator<Item = HostEvidence<'_>> {
        let Evidence { before, after, load, watched, mapped, .. } = self;
        let first = HostEvidence { before, after, load: load.as_ref(), watched: watched.as_ref(), mapped };
        let peer = |peer| {
            let PeerEvidence { before, after, load, watched, mapped, .. }: &PeerEvidence = peer;
            HostEvidence { before, after, load: load.as_ref(), watched: watched.as_ref(), mapped }
        };
        std::iter::once(first).chain(self.peers.iter().map(peer))
    }

    /// Keeps what was seen of each host, in the order of the test's sides.
    pub fn keep(&mut self, seen: Vec<PeerEvidence>) {
        let mut seen = seen.into_iter();
        if let Some(first) = seen.next() {
            let PeerEvidence { before, after, load, watched, mapped, reported } = first;
            (self.before, self.after, self.load, self.watched) = (before, after, load, watched);
            (self.mapped, self.reported) = (mapped, reported);
        }
        self.peers = seen.collect();
    }
}

/// One generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Party {
    /// Whether it sent, received, asked or answered.
    pub role: wire::Role,
    /// The generator's counts.
    pub totals: wire::Totals,
    /// What it told time by.
    pub clock: wire::Clock,
}

/// What a repetition cost, in milliseconds of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// From the first request to the last answer.
    pub total_ms: u64,
    /// Building switch and containers.
    pub build_ms: u64,
    /// Starting generators until all are ready.
    pub ready_ms: u64,
    /// From the start of traffic until all have reported: window, trims and drain are in it.
    pub traffic_ms: u64,
    /// Fetching the samples.
    pub collect_ms: u64,
    /// Taking everything down.
    pub teardown_ms: u64,
}

/// A file's size and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Bytes.
    pub len: u64,
    /// BLAKE3, hex.
    pub blake3: String,
}

impl Record {
    /// The version of a record of so many hosts and windows.
    pub fn format_of(hosts: usize, windows: usize) -> u32 {
        match (hosts, windows) {
            (_, 2..) => RECORD_VERSION,
            (2.., _) => OF_SEVERAL_HOSTS,
            _ => OF_ONE_HOST,
        }
    }

    /// The hosts in the order of the test's sides, each with the settings that it was given.
    pub fn hosts(&self) -> impl Iterator<Item = (&Facts, &Achieved)> {
        let peers = self.peers.iter().map(|peer| (&peer.host, &peer.achieved));
        std::iter::once((&*self.host, &self.achieved)).chain(peers)
    }

    /// The components of all its hosts.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.hosts().flat_map(|(host, _)| &host.components)
    }

    /// What tells its stand from others: the site's name of it, or those of its hosts.
    pub fn stand_name(&self) -> String {
        self.stand.clone().unwrap_or_else(|| self.host_names())
    }

    /// What its hosts are called, in words.
    pub fn host_names(&self) -> String {
        let names: Vec<&str> = self.hosts().map(|(host, _)| host.aside.hostname.as_str()).collect();
        names.join(" and ")
    }

    /// The version of one of its components: as whoever installed it says, or else as the switch's program said while
    /// it ran.
    pub fn version_of(&self, component: &Component) -> Option<String> {
        let offer = self.host.offer(Part::Switch(self.tuple.vswitch.name()));
        let is_of_switch = offer.is_some_and(|offer| offer.components.contains(&component.name));
        component.version.clone().or_else(|| self.evidence.reported.clone().filter(|_| is_of_switch))
    }

    /// A record from its bytes.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn parse(bytes: &[u8]) -> Result<Record, String> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        if let Some(record) = alike::parse_known(bytes).filter(|record| record.format <= RECORD_VERSION) {
            return Ok(record);
        }
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if versioned.format > RECORD_VERSION {
            return Err(format!("it has format {}, this septet reads up to {RECORD_VERSION}", versioned.format));
        }
        alike::parse(bytes).map_err(|error| error.to_string())
    }

    /// The record of a result from its bytes, which must have the digest that is the result's name.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn of(id: &ResultId, bytes: &[u8]) -> Result<Record, String> {
        match blake3::hash(bytes).as_bytes() == &id.0 {
            true => Record::parse(bytes),
            false => Err("its content is not what its folder's name says".to_string()),
        }
    }

    /// Whether it goes into averages.
    pub fn is_valid(&self) -> bool {
        self.status == Status::Valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_setup::facts::Privilege;
    use results::metric::Quantity;

    /// A record written by the previous version.
    const VERSION_1: &[u8] = include_bytes!("../../tests/records/version-1.json");

    #[test]
    fn a_record_of_version_1_is_read_whole() {
        let id = ResultId(*blake3::hash(VERSION_1).as_bytes());
        let record = Record::of(&id, VERSION_1).expect("it is read for good");
        assert_eq!((record.format, record.test.as_str()), (1, "latency/local/1vs1/linux-bridge/64B/1kpps/b4"));
        assert!(record.is_valid());
        assert!(record.reduction.values[&Quantity::RttMean] > 0.0);
        let Evidence { parties, before, after, watched, mapped, .. } = &record.evidence;
        assert_eq!((record.hosts().count(), record.evidence.hosts().count()), (1, 1));
        assert_eq!(parties.keys().collect::<Vec<_>>(), ["client-0", "server-0"]);
        assert!(before.mono_ns < after.mono_ns && watched.is_some() && !mapped.is_empty());
        assert_eq!(record.host.privilege, Privilege::Root);
        assert!(!record.achieved.staged.is_empty());
        // Nothing of it is left out, and nothing is added.
        let stored: serde_json::Value = serde_json::from_slice(VERSION_1).expect("JSON");
        let mut again = serde_json::to_value(&record).expect("JSON");
        // Counts that later programs have besides.
        for (name, party) in again["evidence"]["parties"].as_object_mut().expect("parties") {
            let known = stored["evidence"]["parties"][name]["totals"].as_object().expect("totals");
            party["totals"].as_object_mut().expect("totals").retain(|count, _| known.contains_key(count));
        }
        assert_eq!(again, stored);
        let entry = record.entry(id);
        assert_eq!((entry.key, entry.cost_ms), (record.key, u32::try_from(record.cost.total_ms).expect("short")));
    }

    #[test]
    fn a_newer_record_is_refused_with_its_number() {
        let text = String::from_utf8(VERSION_1.to_vec()).expect("text");
        let newer = text.replacen("\"format\": 1", "\"format\": 9", 1);
        let refused = Record::parse(newer.as_bytes()).expect_err("nobody knows it yet");
        assert!(refused.contains("format 9"), "{refused}");
    }
}
