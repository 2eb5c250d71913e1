//! What a test's own page shows besides its summary: repetitions, rates over time, the distribution of round
//! trips. Reads samples and logs of that test alone. It must not draw.

use reports::model::{Details, Distribution, Fact, FactList, RatesOverTime, RepetitionView};
use results::axes::{Dimension, Rate};
use results::dataset::{RawStream, read_parquet};
use wire::Role;

use super::views::{self, Measured};
use crate::key::ResultId;
use crate::search::trials::{Search, Trial};
use crate::store::{Record, Status, Store, StoreError};
use crate::workspace::Workspace;

/// Points of a cumulative distribution.
const CUMULATIVE_POINTS: usize = 200;
/// Bins of a histogram.
const BINS: usize = 50;
/// Last lines of a log that are shown for a repetition that does not count.
const LOG_LINES: usize = 12;

/// The details of a test.
pub(super) fn of(workspace: &Workspace, measured: &Measured, place: usize) -> Result<Details, StoreError> {
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
        None => streams,
    };
    details.rates = rates(&streams, record);
    details.round_trips = (record.tuple.dimension == Dimension::Latency).then(|| distribution(&streams)).flatten();
    details.facts =
        vec![FactList { heading: "Key".to_string(), facts: vec![Fact::new("Key", record.key.to_string())] }];
    details.facts.extend(record.search.as_ref().map(trial_list));
    details.components = views::components(record);
    let file = workspace.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    details.command = Some(format!("septet run {file} --force {}", record.test));
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

fn repetition(workspace: &Workspace, id: &ResultId, record: &Record) -> Result<RepetitionView, StoreError> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for (container, party) in &record.evidence.parties {
        let totals = &party.totals;
        let of_role: &[(&str, u64)] = match party.role {
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
        counts.extend(of_role.iter().map(|(name, count)| (format!("{container} {name}"), *count)));
    }
    let log = match record.status {
        Status::Valid => None,
        _ => Some(last_lines(&log(&workspace.store, id, record)?)),
    };
    Ok(RepetitionView {
        id: id.to_string(),
        suspect: !record.is_valid(),
        flags: record.flags.clone(),
        values: record.reduction.values.clone(),
        counts,
        log,
    })
}

/// The log of a repetition, whole.
pub fn log(store: &Store, id: &ResultId, record: &Record) -> Result<String, StoreError> {
    const LOG_BYTES_MAX: usize = 64 << 20;
    let bytes = store.file(id, record, "log.zst")?;
    let path = store.result_folder(id).join("log.zst");
    let text = zstd::bulk::decompress(&bytes, LOG_BYTES_MAX).map_err(|error| StoreError::damaged(&path, error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
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
    // The slowest half per cent would squeeze everything else into the first bins; they share the last one.
    let bulk = rtts[(rtts.len() - 1) * 199 / 200];
    let width = ((bulk - first) / BINS as u32).max(1);
    let mut histogram = Vec::with_capacity(BINS + 1);
    let mut from = first;
    let mut rest = &rtts[..];
    while from <= bulk {
        let to = from.saturating_add(width);
        let inside = rest.partition_point(|rtt| *rtt < to);
        histogram.push((f64::from(from), f64::from(to), inside as u64));
        rest = &rest[inside..];
        from = to;
    }
    if !rest.is_empty() {
        histogram.push((f64::from(from), f64::from(last) + 1.0, rest.len() as u64));
    }
    Some(Distribution { cumulative, histogram })
}
