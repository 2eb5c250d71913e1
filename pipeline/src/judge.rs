//! From raw samples and evidence to a record: reduction, doubts, and whether the repetition counts.
//! Pure but for the time that it is given. It must not know the agent or where records are kept.

use std::collections::{BTreeMap, BTreeSet};

use host_setup::cores::CorePlan;
use host_setup::facts::{Facts, Through};
use host_setup::protocol::{Achieved, Mapped};
use host_setup::settings::planned;
use host_setup::switch::Ends;
use results::accounting::{check_offer, check_totals};
use results::dataset::{About, DatasetError, RawStream, write_parquet_about};
use results::flags::{Flag, INVOLUNTARY_SWITCHES_PER_S_MAX, STALLED_NS_MAX};
use results::reduce::{CountedWindow, reduce};
use results::summary::{REDUCTION_VERSION, Reduction};
use results::tuple::Tuple;

use crate::drift;
use crate::experiment::{Test, Times};
use crate::measure::{Failed, Measured};
use crate::ready::Ready;
use crate::store::{Cost, Evidence, RECORD_VERSION, Record, Repetition, Seen, Status};
use crate::traffic::{self, INTERVAL_NS};

/// What is known of a repetition besides what was measured.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// The test.
    pub test: &'a Test,
    /// What it ran through.
    pub ready: &'a Ready,
    /// The host.
    pub facts: &'a Facts,
    /// What the host was prepared to.
    pub achieved: &'a Achieved,
    /// When it was started.
    pub started: String,
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
    if let Some(reason) = stranger(&measured.evidence, about) {
        return Err(Refused::Unexpected(reason));
    }
    let Measured { files, evidence, cost } = measured;
    let mut streams = Vec::new();
    for (container, (role, files)) in &files {
        let file = |name: &str| files.get(name).map(Vec::as_slice);
        let intervals = file(wire::INTERVALS_FILE).unwrap_or_default();
        streams.push(RawStream::from_files(
            container,
            *role,
            intervals,
            file(wire::RTT_FILE),
            file(wire::OVERFLOW_FILE),
        )?);
    }
    let window = CountedWindow::from(&traffic::schedule(&about.test.times));
    let reduction = reduce(&streams, &window, &about.test.tuple);
    let Test { tuple, times, .. } = about.test;
    let Doubts { flags: mut of_the_run, seen } = Run {
        tuple,
        times,
        cores: &about.ready.cores,
        facts: about.facts,
        achieved: about.achieved,
        evidence: &evidence,
    }
    .doubts();
    let mut flags = reduction.flags.clone();
    flags.append(&mut of_the_run);
    flags.sort_unstable();
    flags.dedup();
    let status = if flags.iter().any(|flag| flag.suspect()) { Status::Suspect } else { Status::Valid };
    let record = Record { seen, ..record(about, status, flags, reduction, evidence, cost) };
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
    reduce(streams, &window, tuple)
}

/// What ran and is in no fingerprint that the key was made of (promise 9), in words that follow "failed to ":
/// the key would say that something else was measured.
fn stranger(evidence: &Evidence, about: &Circumstances) -> Option<String> {
    let tuple = &about.test.tuple;
    let through = Through {
        switch: tuple.vswitch.name(),
        application: traffic::generator(tuple.variant.io),
        runtime: Some(about.ready.runtime.name()),
    };
    let components = about.facts.components_on(&through);
    let known: BTreeSet<&str> =
        components.iter().flat_map(|component| component.files.iter().map(|(_, digest)| digest.as_str())).collect();
    let is_known = |file: &&Mapped| file.blake3.as_deref().is_some_and(|digest| known.contains(digest));
    let stranger = evidence.mapped.iter().find(|file| !is_known(file))?;
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
    Record {
        format: RECORD_VERSION,
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
        host: about.facts.for_record(),
        achieved: about.achieved.clone(),
        search: None,
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
    /// Who ran where.
    pub cores: &'a CorePlan,
    /// The host.
    pub facts: &'a Facts,
    /// What the host was prepared to.
    pub achieved: &'a Achieved,
    /// Counts and counters.
    pub evidence: &'a Evidence,
}

/// Doubts about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Sorted, each once.
    pub flags: Vec<Flag>,
    /// What the host did that raised some of them.
    pub seen: Vec<Seen>,
}

impl Run<'_> {
    /// Every doubt that totals, host and counters raise.
    pub fn doubts(&self) -> Doubts {
        let seen = drift::seen(self.achieved, self.evidence, self.cores);
        let mut flags = self.totals_flags();
        flags.extend(self.host_flags());
        flags.extend(seen.iter().map(|seen| seen.flag));
        flags.sort_unstable();
        flags.dedup();
        Doubts { flags, seen }
    }

    /// Promise 10: each pair's two independent counts must agree, and what was intended must be accounted for.
    fn totals_flags(&self) -> Vec<Flag> {
        // Neither what is at the ends of links nor what memory is made of changes a count.
        let parties = traffic::parties(self.tuple, self.times, Ends::Interfaces, self.cores, None);
        let mut flags = Vec::new();
        for pair in parties.chunks(2) {
            let [responder, initiator] = pair else { continue };
            let told = |party: &traffic::Party| self.evidence.parties.get(&party.container).map(|party| &party.totals);
            match (told(initiator), told(responder)) {
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

    /// What the host is, and how it treated the generators.
    fn host_flags(&self) -> Vec<Flag> {
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
        let Evidence { before, after, parties, .. } = self.evidence;
        let span_s = after.mono_ns.saturating_sub(before.mono_ns) as f64 / 1e9;
        let switched = parties.values().map(|party| party.totals.involuntary_switches).max().unwrap_or(0);
        if switched as f64 > span_s * INVOLUNTARY_SWITCHES_PER_S_MAX {
            flags.push(Flag::InvoluntarySwitches);
        }
        flags
    }
}
