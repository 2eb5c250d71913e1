//! From raw samples and evidence to a record: reduction, doubts, and whether the repetition counts.
//! Pure but for the time that it is given. It must not know the agent or where records are kept.

mod set_up;

use std::collections::{BTreeMap, BTreeSet};

use host_setup::cores::CorePlan;
use host_setup::facts::{Facts, Through};
use host_setup::protocol::{Achieved, Mapped};
use host_setup::settings::planned;
use host_setup::switch::Ends;
use results::accounting::{check_offer, check_totals};
use results::dataset::{About, DatasetError, RawStream, write_parquet_about};
use results::flags::{Flag, INVOLUNTARY_SWITCHES_PER_S_MAX, STALLED_NS_MAX};
use results::reduce::CountedWindow;
use results::summary::{REDUCTION_VERSION, Reduction};
use results::tuple::Tuple;

use self::set_up::SetUp;
use crate::counters;
use crate::drift;
use crate::experiment::{Test, Times};
use crate::measure::{Failed, Measured};
use crate::precise::Chosen;
use crate::ready::Ready;
use crate::store::{Cost, Evidence, PeerHost, Record, Repetition, Seen, Status};
use crate::traffic::{self, INTERVAL_NS, Seating};

/// What is known of a repetition besides what was measured.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// The test.
    pub test: &'a Test,
    /// What it ran through.
    pub ready: &'a Ready,
    /// The host, or the one of those who begin.
    pub host: KnownHost<'a>,
    /// The other hosts.
    pub peers: Vec<KnownHost<'a>>,
    /// When it was started.
    pub started: String,
    /// How its window was chosen, if it was.
    pub chosen: Option<Chosen>,
}

/// A host that a test is measured on.
#[derive(Clone, Copy, Debug)]
pub struct KnownHost<'a> {
    /// What it is.
    pub facts: &'a Facts,
    /// What it was prepared to.
    pub achieved: &'a Achieved,
}

impl<'a> Circumstances<'a> {
    /// On these hosts, in the order of the test's sides; nothing without any.
    pub fn new(
        test: &'a Test,
        ready: &'a Ready,
        facts: &[&'a Facts],
        achieved: &'a [Achieved],
        started: String,
    ) -> Option<Circumstances<'a>> {
        let mut hosts = facts.iter().zip(achieved).map(|(facts, achieved)| KnownHost { facts, achieved });
        Some(Circumstances { test, ready, host: hosts.next()?, peers: hosts.collect(), started, chosen: None })
    }

    fn hosts(&self) -> impl Iterator<Item = &KnownHost<'a>> {
        std::iter::once(&self.host).chain(&self.peers)
    }
}

/// Why what was measured is not to be kept as a measurement; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something ran that the key does not know.
    #[error("{0}")]
    Unexpected(String),
    /// The generators' files are not what they must be; nothing was measured then.
    #[error(transparent)]
    Samples(#[from] DatasetError),
}

/// A measured repetition or a trial of a search, judged.
///
/// # Errors
/// When it is refused.
pub fn judge(measured: Measured, about: &Circumstances, log: String) -> Result<Repetition, Refused> {
    let Measured { windows, cost } = measured;
    let SetUp { streams, evidence, reduction, flags, seen, within, windows } = set_up::judged(windows, about)?;
    let status = if flags.iter().any(|flag| flag.suspect()) { Status::Suspect } else { Status::Valid };
    let chosen = about.chosen.clone().map(|chosen| Chosen { seen_within: within, ..chosen });
    let format = Record::format_of(1 + about.peers.len(), windows.len());
    let record = record(about, status, flags, reduction, evidence, cost);
    let record = Record { format, seen, chosen, windows, ..record };
    Ok(Repetition { samples: write_samples(&streams, &record)?, record, log })
}

/// Samples as they are stored: with what they are of.
pub fn write_samples(streams: &[RawStream], record: &Record) -> Result<Vec<u8>, DatasetError> {
    let Record { test, times, interval_ns, .. } = record;
    let about = About {
        test,
        key: &record.key.to_string(),
        interval_ns: *interval_ns,
        warmup_ns: times.warmup_ns,
        duration_ns: times.duration_ns,
        cooldown_ns: times.cooldown_ns,
    };
    write_parquet_about(streams, &about)
}

/// A repetition that failed, as it is kept.
pub fn failure(failed: &Failed, about: &Circumstances, log: String) -> Result<Repetition, DatasetError> {
    let status = Status::Failed { reason: failed.reason.clone(), last_lines: failed.last_lines.clone() };
    let record = record(about, status, Vec::new(), Reduction::default(), Evidence::default(), failed.cost);
    Ok(Repetition { samples: write_samples(&[], &record)?, record, log })
}

/// What a record's samples say by the reduction of this program.
pub fn reduce_again(record: &Record, streams: &[RawStream]) -> Reduction {
    let Record { times, interval_ns, tuple, .. } = record;
    if let Some(search) = &record.search {
        return search.reduce(streams, times, *interval_ns, tuple);
    }
    let window =
        CountedWindow { warmup_ns: times.warmup_ns, duration_ns: times.duration_ns, interval_ns: *interval_ns };
    record.reduce_set_up(streams, &window, tuple)
}

/// What ran and is in no fingerprint that the key was made of (promise 9), in words that follow "failed to ":
/// the key would say that something else was measured.
fn stranger(evidence: &Evidence, about: &Circumstances) -> Option<String> {
    let tuple = &about.test.tuple;
    let application = traffic::application(tuple);
    let mut hosts = about.ready.sides.iter().zip(about.hosts()).zip(evidence.hosts());
    let stranger = hosts.find_map(|((side, host), seen)| {
        let uplink = side.uplink.as_ref().map(|uplink| uplink.component(tuple.vswitch.name()));
        let through = Through {
            switch: tuple.vswitch.name(),
            application: &application,
            runtime: Some(side.runtime.name()),
            uplink: uplink.as_deref(),
        };
        let components = host.facts.components_on(&through);
        let known: BTreeSet<&str> =
            components.iter().flat_map(|component| component.files.iter().map(|(_, digest)| digest.as_str())).collect();
        let is_known = |file: &&Mapped| file.blake3.as_deref().is_some_and(|digest| known.contains(digest));
        seen.mapped.iter().find(|file| !is_known(file))
    })?;
    let Mapped { process, path, blake3 } = stranger;
    let content = blake3.as_deref().map_or("is not there any more".into(), |digest| format!("is {digest}"));
    Some(format!("trust what was measured: {process} ran {path}, which {content} and in no fingerprint of the key"))
}

fn record(
    about: &Circumstances,
    status: Status,
    flags: Vec<Flag>,
    reduction: Reduction,
    evidence: Evidence,
    cost: Cost,
) -> Record {
    let peer = |KnownHost { facts, achieved }: &KnownHost| PeerHost {
        host: facts.for_record(),
        achieved: (*achieved).clone(),
    };
    let near = about.ready.sides.iter().map(|side| side.near).collect();
    let cabled = !about.peers.is_empty() && about.ready.sides.iter().any(|side| side.near.is_some());
    Record {
        format: Record::format_of(1 + about.peers.len(), 1),
        test: about.test.tuple.to_string(),
        tuple: about.test.tuple.clone(),
        times: about.test.times,
        interval_ns: INTERVAL_NS,
        key: about.ready.manifest.key(),
        status,
        flags,
        seen: Vec::new(),
        reduction,
        reduction_version: REDUCTION_VERSION,
        evidence,
        cost,
        started: about.started.clone(),
        host: about.host.facts.for_record().into(),
        achieved: about.host.achieved.clone(),
        peers: about.peers.iter().map(peer).collect(),
        near: if cabled { near } else { Vec::new() },
        search: None,
        stand: None,
        chosen: None,
        windows: Vec::new(),
        origin: None,
        files: BTreeMap::new(),
    }
}

/// What doubts about a run are made of, besides its samples: all of it is in its record, so that whoever has one
/// can judge again.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The test, at a fixed rate.
    pub tuple: &'a Tuple,
    /// The times of the window.
    pub times: &'a Times,
    /// The test's hosts, in the order of its sides.
    pub hosts: &'a [RunHost<'a>],
    /// Counts and counters.
    pub evidence: &'a Evidence,
}

/// A host of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunHost<'a> {
    /// Who ran where.
    pub cores: &'a CorePlan,
    /// The host.
    pub facts: &'a Facts,
    /// What the host was prepared to.
    pub achieved: &'a Achieved,
}

/// Doubts about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Sorted, each once.
    pub flags: Vec<Flag>,
    /// What the host did that raised some of them.
    pub seen: Vec<Seen>,
}

impl<'a> Run<'a> {
    /// Every doubt that totals, host and counters raise.
    pub fn doubts(&self) -> Doubts {
        let mut seen = Vec::new();
        let mut flags = self.totals_flags();
        for (place, (host, evidence)) in self.hosts.iter().zip(self.evidence.hosts()).enumerate() {
            let told = drift::seen(host.achieved, &evidence, host.cores).into_iter();
            seen.extend(told.map(|seen| if place == 0 { seen } else { elsewhere(host, seen) }));
            flags.extend(host.flags());
        }
        flags.extend(self.switched());
        flags.extend(self.of_the_site());
        flags.extend(seen.iter().map(|seen| seen.flag));
        flags.sort_unstable();
        flags.dedup();
        Doubts { flags, seen }
    }

    /// What a switch counted of the site's own, or programs of the site's in place of our generators, held against what
    /// else counted.
    fn of_the_site(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        let foreign = traffic::of_site(self.tuple).is_some();
        let disagrees = self.tuple.vswitch.is_custom() && !foreign && !counters::agree(self.evidence);
        if disagrees || (foreign && !counters::cover(self.evidence)) {
            flags.push(Flag::CountersDisagree);
        }
        if foreign {
            flags.push(Flag::Unproven);
        }
        flags
    }

    /// Promise 10: each pair's two independent counts must agree, and what was intended must be accounted for.
    fn totals_flags(&self) -> Vec<Flag> {
        // Neither what is at the ends of links nor what memory is made of changes a count.
        let seat =
            |host: &RunHost<'a>| Seating { ends: Ends::Interfaces, cores: host.cores, memory: None, drivers: &[] };
        let seats: Vec<Seating> = self.hosts.iter().map(seat).collect();
        let parties = traffic::parties(self.tuple, self.times, &seats);
        let mut flags = Vec::new();
        for pair in parties.chunks(2) {
            let [responder, initiator] = pair else { continue };
            let told = |party: &traffic::Party| self.evidence.parties.get(&party.container).map(|party| &party.totals);
            match (told(initiator), told(responder)) {
                (Some(source), Some(sink)) if traffic::of_site(self.tuple).is_some() => {
                    flags.extend(counters::of_foreign(source, sink));
                    flags.extend(check_offer(initiator.request.packets_intended(), source));
                }
                (Some(source), Some(sink)) => {
                    flags.extend(check_totals(self.tuple.dimension, source, sink));
                    flags.extend(check_offer(initiator.request.packets_intended(), source));
                }
                _ => flags.push(Flag::SampleShortfall),
            }
        }
        if self.evidence.parties.values().any(|party| party.totals.stalled_ns_max > STALLED_NS_MAX) {
            flags.push(Flag::Stalled);
        }
        flags
    }

    /// How the hosts treated the generators.
    fn switched(&self) -> Option<Flag> {
        let Evidence { before, after, parties, .. } = self.evidence;
        let span_s = after.mono_ns.saturating_sub(before.mono_ns) as f64 / 1e9;
        let switched = parties.values().map(|party| party.totals.involuntary_switches).max().unwrap_or(0);
        (switched as f64 > span_s * INVOLUNTARY_SWITCHES_PER_S_MAX).then_some(Flag::InvoluntarySwitches)
    }
}

/// What was seen of another host than the first one.
fn elsewhere(host: &RunHost, seen: Seen) -> Seen {
    Seen { words: format!("on {}: {}", host.facts.aside.hostname, seen.words), ..seen }
}

impl RunHost<'_> {
    /// What the host is.
    fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        if self.cores.oversubscribed {
            flags.push(Flag::Oversubscribed);
        }
        if self.facts.virtualisation.is_some() {
            flags.push(Flag::Virtualised);
        }
        if self.facts.knobs.left {
            flags.push(Flag::HostLeft);
        }
        let tuning = planned::tuned(self.facts);
        if tuning.governor.as_deref() != Some(planned::GOVERNOR) || tuning.turbo == Some(true) {
            flags.push(Flag::FrequencyUncontrolled);
        }
        flags
    }
}
