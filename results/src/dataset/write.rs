//! Streams to Parquet bytes. It must not know how they are read back.

use std::collections::BTreeMap;

use polars::prelude::{
    ChunkFullNull, ChunkedArray, Column, DataFrame, Int32Type, IntoColumn, KeyValueMetadata, NewChunkedArray,
    ParquetCompression, ParquetWriter, PolarsNumericType, PolarsResult, StatisticsOptions, StringChunked, UInt32Type,
    UInt64Type,
};
use wire::{OverflowRecord, RttRecord};

use super::columns::{
    COUNT, Head, INTERVAL_FIELDS, KEY_KEY, KIND, LOST, ROLE, RTT_FIELDS, RTT_NS, SOURCE, STREAMS_KEY, TEST_KEY,
    UNITS_KEY, VERSION_KEY, WINDOW_KEY, fits, role_name,
};
use super::seal::{SEAL_KEY, UNSEALED, seal};
use super::{DatasetError, FORMAT_VERSION, RawStream, check};
use crate::dictionary;

/// Rows of a row group: what a reader decodes at once.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// The streams of one repetition as one Parquet file, as the module describes it. Same streams in the same
/// order, same bytes. No stream at all is fine: a repetition that failed before its first packet.
///
/// # Errors
///
/// Two streams of one name, intervals out of order, more than [`super::ROWS_MAX`] rows.
pub fn write_parquet(streams: &[RawStream]) -> Result<Vec<u8>, DatasetError> {
    write(streams, Vec::new())
}

/// What samples are of, for programs that have nothing but the file.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Name of the test.
    pub test: &'a str,
    /// The test's key.
    pub key: &'a str,
    /// Length of an interval, ns.
    pub interval_ns: u64,
    /// From the common start to the window, ns.
    pub warmup_ns: u64,
    /// The window, ns; of a search that of its full trials.
    pub duration_ns: u64,
    /// What is sent behind it, ns.
    pub cooldown_ns: u64,
}

/// Like [`write_parquet`], with what the samples belong to in the file's metadata.
///
/// # Errors
///
/// As [`write_parquet`].
pub fn write_parquet_about(streams: &[RawStream], about: &About) -> Result<Vec<u8>, DatasetError> {
    let About { test, key, interval_ns, warmup_ns, duration_ns, cooldown_ns } = *about;
    let window = format!(
        "{{\"interval_ns\":{interval_ns},\"warmup_ns\":{warmup_ns},\"duration_ns\":{duration_ns},\"cooldown_ns\":{cooldown_ns}}}"
    );
    let columns = dictionary::samples();
    let units: BTreeMap<&str, &str> =
        columns.iter().filter_map(|column| Some((column.name.as_str(), column.unit?))).collect();
    let units = serde_json::to_string(&units).map_err(|error| DatasetError::Malformed(error.to_string()))?;
    let entries = [(TEST_KEY, test.to_string()), (KEY_KEY, key.to_string()), (WINDOW_KEY, window), (UNITS_KEY, units)];
    write(streams, entries.map(|(key, value)| (key.to_string(), value)).into())
}

fn write(streams: &[RawStream], about: Vec<(String, String)>) -> Result<Vec<u8>, DatasetError> {
    check(streams)?;
    let heads: Vec<Head> = streams.iter().map(head).collect();
    let list = serde_json::to_string(&heads).map_err(|error| DatasetError::Malformed(error.to_string()))?;
    let mut entries = vec![(VERSION_KEY.to_string(), FORMAT_VERSION.to_string()), (STREAMS_KEY.to_string(), list)];
    entries.extend(about);
    // The last, so that no name can be taken for it.
    entries.push((SEAL_KEY.to_string(), UNSEALED.to_string()));
    let metadata = KeyValueMetadata::from_static(entries);
    let mut bytes = Vec::new();
    table(streams)
        .and_then(|mut table| {
            ParquetWriter::new(&mut bytes)
                .with_compression(ParquetCompression::Zstd(None))
                // Most files are small, and statistics would be half of them.
                .with_statistics(StatisticsOptions::empty())
                .with_row_group_size(Some(ROW_GROUP_ROWS))
                .with_key_value_metadata(Some(metadata))
                .set_parallel(false)
                .finish(&mut table)
        })
        .map_err(|source| DatasetError::Parquet { what: "write", source })?;
    seal(&mut bytes).ok_or(DatasetError::Unsealed)?;
    match fits(&heads, bytes.len() as u64) {
        true => Ok(bytes),
        false => Err(DatasetError::TooAlike),
    }
}

fn head(stream: &RawStream) -> Head {
    Head {
        source: stream.source.clone(),
        role: stream.role,
        intervals: stream.intervals.len() as u64,
        rtts: stream.rtts.len() as u64,
        overflow: stream.overflow.len() as u64,
    }
}

fn table(streams: &[RawStream]) -> PolarsResult<DataFrame> {
    let intervals: usize = streams.iter().map(|stream| stream.intervals.len()).sum();
    let rtts: usize = streams.iter().map(|stream| stream.rtts.len()).sum();
    let overflow: usize = streams.iter().map(|stream| stream.overflow.len()).sum();

    let mut columns = vec![
        label(SOURCE, streams, |stream, _| stream.source.as_str()),
        label(ROLE, streams, |stream, _| role_name(stream.role)),
        label(KIND, streams, |_, kind| kind),
    ];
    for field in &INTERVAL_FIELDS {
        let values = streams.iter().flat_map(|stream| &stream.intervals).map(field.get).collect();
        columns.push(padded::<UInt32Type>(field.name, 0, values, rtts + overflow)?);
        if field.name == "missed" {
            let values = streams.iter().flat_map(|stream| &stream.intervals).map(|record| record.lost).collect();
            columns.push(padded::<Int32Type>(LOST, 0, values, rtts + overflow)?);
        }
    }
    for field in &RTT_FIELDS {
        let values = streams.iter().flat_map(|stream| &stream.rtts).map(field.get).collect();
        columns.push(padded::<UInt32Type>(field.name, intervals, values, overflow)?);
    }
    let times = streams.iter().flat_map(|stream| &stream.rtts).map(|&RttRecord { rtt_ns, .. }| u64::from(rtt_ns));
    let buckets = || streams.iter().flat_map(|stream| &stream.overflow);
    let times = times.chain(buckets().map(|&OverflowRecord { rtt_ns, .. }| rtt_ns));
    columns.push(padded::<UInt64Type>(RTT_NS, intervals, times.collect(), 0)?);
    let counts = buckets().map(|bucket| bucket.count).collect();
    columns.push(padded::<UInt64Type>(COUNT, intervals + rtts, counts, 0)?);
    DataFrame::new(intervals + rtts + overflow, columns)
}

/// A column of names: `name` of each stream and kind, as often as it has such rows.
fn label<'a>(column: &str, streams: &'a [RawStream], name: fn(&'a RawStream, &'static str) -> &'a str) -> Column {
    let repeat = |kind, rows: fn(&RawStream) -> usize| {
        streams.iter().flat_map(move |stream| std::iter::repeat_n(name(stream, kind), rows(stream)))
    };
    let intervals = repeat("interval", |stream| stream.intervals.len());
    let rtts = repeat("rtt", |stream| stream.rtts.len());
    let overflow = repeat("overflow", |stream| stream.overflow.len());
    StringChunked::from_iter_values(column.into(), intervals.chain(rtts).chain(overflow)).into_column()
}

/// A column of nulls, values, nulls.
fn padded<T>(name: &str, before: usize, values: Vec<T::Native>, after: usize) -> PolarsResult<Column>
where
    T: PolarsNumericType,
    ChunkedArray<T>: ChunkFullNull + IntoColumn,
{
    let mut column = ChunkedArray::<T>::full_null(name.into(), before);
    column.append(&ChunkedArray::from_vec(name.into(), values))?;
    column.append(&ChunkedArray::full_null(name.into(), after))?;
    Ok(column.rechunk().into_owned().into_column())
}
