//! What a test's own page shows besides its summary: repetitions, rates over time, the distribution of round
//! trips. Reads samples and logs of that test alone. It must not draw.

use std::io;
use std::path::Path;

use reports::model::{Details, Distribution, Fact, FactList, PartyCounts, RatesOverTime, RepetitionView};
use reports::templates::Prepared;
use results::axes::{Dimension, Rate};
use results::dataset::{RawStream, read_parquet};
use results::metric::Metric;
use results::statistics::precise;
use wire::Role;

use super::ReportError;
use super::shared::Shared;
use super::views::ViewedTests;
use crate::clock;
use crate::clocks::Clocks;
use crate::key::ResultId;
use crate::plan;
use crate::search::trials::{Search, Trial};
use crate::store::{Record, SetUpWindow, Store, StoreError, bounded, judged_by};
use crate::workspace::Workspace;

/// Points of a cumulative distribution.
const CUMULATIVE_POINTS: usize = 200;
/// Most classes of a histogram.
const BINS: usize = 64;
/// Last lines of a log that are shown.
const LOG_LINES: usize = 16;
/// Characters of such a line; `septet show --log` has the whole.
const LOG_LINE_CHARS: usize = 400;

/// The details of a test.
pub(super) fn of(
    workspace: &Workspace,
    measured: &ViewedTests,
    place: usize,
    shared: &Shared,
) -> Result<Details, ReportError> {
    let records = measured.records(place);
    let repetitions: Result<_, _> = records.iter().map(|(id, record)| repetition(workspace, id, record)).collect();
    let mut details = Details { repetitions: repetitions?, ..Details::default() };
    let Some((id, record)) = records.iter().find(|(_, record)| record.is_valid()).or(records.first()) else {
        return Ok(details);
    };
    let samples = workspace.store.file(id, record, "samples.parquet")?;
    let path = workspace.store.result_folder(id).join("samples.parquet");
    let streams = read_parquet(&samples).map_err(|error| StoreError::damaged(&path, error))?;
    let streams = match &record.search {
        Some(search) => search.evidenced(&streams),
        None => record.streams_of_first(streams),
    };
    details.rates = rates(&streams, record);
    details.round_trips = (record.tuple.dimension == Dimension::Latency).then(|| distribution(&streams)).flatten();
    details.facts = facts(records, record, shared)?;
    for list in record
        .search
        .as_ref()
        .map(trial_list)
        .into_iter()
        .chain(precision_list(workspace, records))
        .chain(window_list(records))
    {
        details.facts.push(shared.facts(&list)?);
    }
    details.inputs = inputs(workspace, record, shared)?;
    details.components = Some(shared.components(record)?);
    let file = workspace.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    details.command = Some(format!("septet run {file} --only '{0}' --force '{0}'", record.test));
    Ok(details)
}

/// The trials of a search, one a line.
fn trial_list(search: &Search) -> FactList {
    let fact = |trial: &Trial| {
        let offered = format!("{} for {} ms", Rate::Pps(trial.rate_pps), trial.duration_ns / 1_000_000);
        Fact::new(offered, format!("{} of {} lost", trial.count.lost, trial.count.intended))
    };
    let facts = search.trials.iter().map(fact).collect();
    FactList { heading: "Trials of the search, in order".to_string(), facts }
}

/// What was asked of a test that is measured to a precision, what was chosen for it, and what came of it.
fn precision_list(workspace: &Workspace, records: &[(ResultId, Record)]) -> Option<FactList> {
    let wanted = &workspace.experiment.protocol.repetitions;
    let (asked, cap_ns) = (plan::asked(wanted)?, wanted.cap_ns?);
    let valid: Vec<&Record> = records.iter().map(|(_, record)| record).filter(|record| record.is_valid()).collect();
    let quantity = judged_by(valid.first()?.tuple.dimension);
    let values: Vec<f64> = valid.iter().filter_map(|record| record.reduction.values.get(&quantity)).copied().collect();
    let (mean, half_width) = precise::interval(&values, &asked).ok()?;
    let shown = |ns: u64| clock::shown(std::time::Duration::from_nanos(ns));
    let windows = || valid.iter().map(|record| record.times.duration_ns);
    let (shortest, longest) = (windows().min()?, windows().max()?);
    let percent = |part: f64| format!("±{:.2} %", part * 100.0);
    let reached = percent(half_width / mean.abs().max(f64::MIN_POSITIVE));
    let reached = match precise::is_precise(&values, &asked) {
        true => reached,
        false => format!("{reached}: the asked one cannot be had in {}", shown(cap_ns)),
    };
    let mut facts = vec![
        Fact::new("Asked", percent(asked.half_width_ratio)),
        Fact::new("Reached", reached),
        Fact::new("Set-ups", values.len().to_string()),
        Fact::new("Windows of a set-up", window_counts(&valid)),
        Fact::new(
            "Windows",
            if shortest == longest { shown(shortest) } else { format!("{} to {}", shown(shortest), shown(longest)) },
        ),
    ];
    if let Some(chosen) = valid.iter().rev().find_map(|record| record.chosen.as_ref()) {
        let share = |variance: f64| format!("{:.2} % of the mean", variance.sqrt() * 100.0);
        facts.push(Fact::new("Deviation between set-ups", share(chosen.between_set_ups)));
        facts.extend(
            chosen.between_windows.map(|variance| Fact::new("Deviation between windows of a set-up", share(variance))),
        );
        facts.push(Fact::new("Deviation of a window of 1 s", share(chosen.within_s)));
    }
    Some(FactList { heading: "Precision".to_string(), facts })
}

/// How many windows set-ups have.
fn window_counts(records: &[&Record]) -> String {
    let counts = || records.iter().map(|record| record.windows.len().max(1));
    match (counts().min().unwrap_or(1), counts().max().unwrap_or(1)) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}

/// The values of each window, by set-up, where there are several.
fn window_list(records: &[(ResultId, Record)]) -> Option<FactList> {
    let several = records.iter().filter(|(_, record)| !record.windows.is_empty());
    let fact = |(id, record): &(ResultId, Record)| {
        let quantity = judged_by(record.tuple.dimension);
        let unit = quantity.units()[0];
        let value = |window: &SetUpWindow| {
            let value = window.reduction.values.get(&quantity).map(|value| format!("{:.2}", value / unit.scale()));
            let suspect = if window.flags.iter().any(|flag| flag.suspect()) { " (suspect)" } else { "" };
            format!("{}{suspect}", value.as_deref().unwrap_or("none"))
        };
        let values: Vec<String> = record.windows.iter().map(value).collect();
        let metric = Metric { quantity, unit };
        Fact::new(format!("Set-up {}", id.short()), format!("{}: {}", metric.label(), values.join(", ")))
    };
    let facts: Vec<Fact> = several.map(fact).collect();
    (!facts.is_empty()).then(|| FactList { heading: "Windows of set-ups, in order".to_string(), facts })
}

/// The host as `shown` was measured on it, and when all repetitions were.
fn facts(records: &[(ResultId, Record)], shown: &Record, shared: &Shared) -> Result<Vec<Prepared>, ReportError> {
    let started: Vec<&str> = records.iter().map(|(_, record)| record.started.as_str()).collect();
    let mean_ms = records.iter().map(|(_, record)| record.cost.total_ms).sum::<u64>() / records.len().max(1) as u64;
    let mut run = vec![Fact::new("First repetition started", started.iter().min().copied().unwrap_or_default())];
    if started.len() > 1 {
        run.push(Fact::new("Last repetition started", started.iter().max().copied().unwrap_or_default()));
    }
    run.push(Fact::new("A repetition took", clock::shown(std::time::Duration::from_millis(mean_ms))));
    run.extend(shown.origin.iter().map(|origin| Fact::new("Comes from", origin.clone())));
    let mut lists = vec![shared.facts(&FactList { heading: "Measured".to_string(), facts: run })?];
    lists.extend(shared.hosts(shown)?);
    if let Some(Clocks { offset_ns, uncertainty_ns, drift_ns, drift_uncertainty_ns, .. }) = &shown.evidence.clocks {
        let us = |ns: f64| format!("{:.1} us", ns / 1e3);
        let give_or_take = |ns: i64, off: u64| format!("{} ± {}", us(ns as f64), us(off as f64));
        let facts = vec![
            Fact::new("Second host's clock ahead by", give_or_take(*offset_ns, *uncertainty_ns)),
            Fact::new("Drift over the test", give_or_take(*drift_ns, *drift_uncertainty_ns)),
        ];
        lists.push(shared.facts(&FactList { heading: "Clocks".to_string(), facts })?);
    }
    Ok(lists)
}

/// The sections of the test's manifest.
fn inputs(workspace: &Workspace, record: &Record, shared: &Shared) -> Result<Vec<Prepared>, ReportError> {
    let sections = workspace.store.sections(&record.key)?.unwrap_or_default();
    sections.iter().map(|(name, section)| shared.inputs(name, section)).collect()
}

fn repetition(workspace: &Workspace, id: &ResultId, record: &Record) -> Result<RepetitionView, StoreError> {
    let mut counts: Vec<PartyCounts> = Vec::new();
    for (container, party) in record.parties() {
        let totals = &party.totals;
        let of_role: &[(&'static str, u64)] = match party.role {
            Role::Send => &[
                ("attempted", totals.attempted),
                ("sent", totals.sent),
                ("rejected", totals.rejected),
                ("missed", totals.missed),
            ],
            Role::Receive => &[
                ("received", totals.received),
                ("lost", totals.lost),
                ("corrupt", totals.corrupt),
                ("duplicates", totals.duplicates),
                ("reordered", totals.reordered),
                ("foreign", totals.foreign),
            ],
            Role::Client => &[
                ("sent", totals.sent),
                ("rejected", totals.rejected),
                ("missed", totals.missed),
                ("answered", totals.received),
                ("lost", totals.lost),
            ],
            Role::Server => &[
                ("received", totals.received),
                ("answered", totals.sent),
                ("rejected", totals.rejected),
                ("lost", totals.lost),
            ],
        };
        counts.push(PartyCounts { name: container, counts: of_role.to_vec() });
    }
    let log = Some(last_lines(&workspace.store, id, record)?);
    Ok(RepetitionView {
        id: id.to_string(),
        suspect: !record.is_valid(),
        flags: record.flags.clone(),
        seen: record.seen.iter().map(|seen| (seen.flag, seen.words.clone())).collect(),
        values: record.reduction.values.clone(),
        counts,
        log,
    })
}

/// The log of a repetition, whole.
pub fn log(store: &Store, id: &ResultId, record: &Record) -> Result<String, StoreError> {
    const LOG_BYTES_MAX: u64 = 64 << 20;
    let bytes = store.file(id, record, "log.zst")?;
    let path = store.result_folder(id).join("log.zst");
    text(bounded::unpack(&bytes, LOG_BYTES_MAX), &path)
}

/// The last lines of it, for a page.
fn last_lines(store: &Store, id: &ResultId, record: &Record) -> Result<String, StoreError> {
    /// Long lines are cut, but not so long ones that others have no room.
    const KEPT_BYTES: usize = 1 << 20;
    let bytes = store.file(id, record, "log.zst")?;
    let path = store.result_folder(id).join("log.zst");
    let log = text(bounded::unpacked_end(&bytes, KEPT_BYTES), &path)?;
    let lines: Vec<&str> = log.lines().collect();
    let cut = |line: &&str| match line.char_indices().nth(LOG_LINE_CHARS) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_string(),
    };
    Ok(lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(cut).collect::<Vec<_>>().join("\n"))
}

fn text(bytes: io::Result<Vec<u8>>, path: &Path) -> Result<String, StoreError> {
    let bytes = bytes.map_err(|error| StoreError::damaged(path, error))?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Rates in the accounting intervals, all pairs together.
fn rates(streams: &[RawStream], record: &Record) -> Option<RatesOverTime> {
    let interval_ns = record.interval_ns;
    let times = record.times;
    let traffic_ns = times.warmup_ns + times.duration_ns + times.cooldown_ns;
    let count = usize::try_from(traffic_ns.div_ceil(interval_ns)).ok()?;
    let (source, sink) = match record.tuple.dimension {
        Dimension::Throughput => (Role::Send, Role::Receive),
        Dimension::Latency => (Role::Server, Role::Client),
    };
    let series = |role: Role| {
        let mut packets = vec![0u64; count];
        for record in streams.iter().filter(|stream| stream.role == role).flat_map(|stream| &stream.intervals) {
            if let Some(slot) = packets.get_mut(record.index.saturating_sub(1) as usize) {
                *slot += u64::from(record.packets);
            }
        }
        packets.into_iter().map(|packets| packets as f64 * 1e9 / interval_ns as f64).collect::<Vec<f64>>()
    };
    let place = |ns: u64| usize::try_from(ns / interval_ns).unwrap_or(usize::MAX).min(count);
    let window = (place(times.warmup_ns), place(times.warmup_ns + times.duration_ns));
    (!streams.is_empty()).then(|| RatesOverTime { interval_ns, tx_pps: series(source), rx_pps: series(sink), window })
}

/// How round trips were distributed, over the whole repetition, trims included.
fn distribution(streams: &[RawStream]) -> Option<Distribution> {
    let mut rtts: Vec<u32> = streams.iter().flat_map(|stream| &stream.rtts).map(|record| record.rtt_ns).collect();
    rtts.sort_unstable();
    let (first, last) = (*rtts.first()?, *rtts.last()?);
    let points = CUMULATIVE_POINTS.min(rtts.len());
    let cumulative: Vec<(f64, f64)> = (1..=points)
        .map(|point| point * rtts.len() / points)
        .map(|rank| (f64::from(rtts[rank - 1]), rank as f64 / rtts.len() as f64))
        .collect();
    Some(Distribution { cumulative, histogram: histogram(&rtts, first, last) })
}

/// Classes that look equally wide on a logarithmic scale: every power of two is cut into the same number of
/// equal parts, as many as leave at most [`BINS`] classes.
fn histogram(sorted: &[u32], first: u32, last: u32) -> Vec<(f64, f64, u64)> {
    // The end of each class, starting with the one that `first` is in.
    let ends = |parts: u64| {
        let mut ends = Vec::new();
        let mut octave = 1u64 << (63 - u64::from(first.max(1)).leading_zeros());
        'all: loop {
            for part in 1..=parts {
                let end = octave + octave * part / parts;
                if end > u64::from(first) && ends.last().is_none_or(|last| end > *last) {
                    ends.push(end);
                }
                if end > u64::from(last) {
                    break 'all;
                }
            }
            octave *= 2;
        }
        ends
    };
    let parts = [64, 32, 16, 8, 4, 2].into_iter().find(|parts| ends(*parts).len() <= BINS).unwrap_or(1);
    let (mut from, mut rest) = (u64::from(first), sorted);
    let mut classes = Vec::new();
    for end in ends(parts) {
        let inside = rest.partition_point(|rtt| u64::from(*rtt) < end);
        let to = end.min(u64::from(last) + 1);
        classes.push((from as f64, to as f64, inside as u64));
        (from, rest) = (to, &rest[inside..]);
    }
    classes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BINS, histogram};

    proptest! {
        #[test]
        fn a_histogram_counts_everything_in_adjoining_classes(mut rtts in prop::collection::vec(any::<u32>(), 1..200)) {
            rtts.sort_unstable();
            let classes = histogram(&rtts, rtts[0], rtts[rtts.len() - 1]);
            prop_assert!(classes.len() <= BINS);
            prop_assert_eq!(classes.iter().map(|(_, _, count)| *count).sum::<u64>(), rtts.len() as u64);
            prop_assert!(classes.windows(2).all(|pair| pair[0].1 == pair[1].0));
            prop_assert!(classes.iter().all(|(from, to, _)| from < to));
        }
    }
}
