//! Raw samples: what the generators of one repetition left behind, stream by stream, and their one Parquet
//! file. It must not know what the numbers are good for (`reduce` does) or where files lie.
//!
//! # The file
//!
//! One flat table, zstd, the same bytes for the same streams whatever machine or thread count wrote it. First
//! all intervals, then all round trips, then all overflow buckets; within each, stream by stream. Columns
//! that a kind of row does not have are null.
//!
//! | column | type | rows | meaning |
//! |---|---|---|---|
//! | `source` | string | all | the process that wrote it, `send-0`; `t007.send-0` of a trial, `w001.send-0` of one of several windows |
//! | `role` | string | all | `send`, `receive`, `client`, `server` |
//! | `kind` | string | all | `interval`, `rtt`, `overflow` |
//! | `interval` | u32 | interval | number of the interval; it starts `interval * interval_ns` after the common start |
//! | `packets` | u32 | interval | sent (sender), received once (the others) |
//! | `rejected` | u32 | interval | packets that the port refused |
//! | `missed` | u32 | interval | packets whose deadline had passed, never attempted |
//! | `lost` | i32 | interval | gaps in sequence numbers; a late arrival takes one back |
//! | `duplicates`, `reordered`, `corrupt`, `foreign` | u32 | interval | packets |
//! | `late_ns_max` | u32 | interval | largest lateness of a burst, ns |
//! | `calls` | u32 | interval | calls into the port |
//! | `idle_ns` | u32 | interval | time with nothing to do, ns |
//! | `burst` | u32 | rtt | number of the burst; it was due `burst * B / R` after the common start |
//! | `place` | u32 | rtt | place in the burst |
//! | `late_ns` | u32 | rtt | lateness of the burst, ns |
//! | `rtt_ns` | u64 | rtt, overflow | round-trip time, ns; of a bucket, its highest value |
//! | `count` | u64 | overflow | round trips in the bucket |
//!
//! Key-value metadata: `septet.samples.version` is [`FORMAT_VERSION`]; `septet.samples.streams` lists the
//! streams as JSON with their numbers of rows, so that a stream that left nothing behind is not forgotten.
//! Reading goes by that list and never by the three columns of names, which are for other programs.
//! `septet.test`, `septet.key`, `septet.window` (`interval_ns`, `warmup_ns`, `duration_ns`, `cooldown_ns`) and
//! `septet.units` (by column) say what the samples are of, where their writer knew: for other programs, too.
//! `septet.samples.blake3` is the digest of the file, its own digits taken as 0.

pub(crate) mod columns;
mod pages;
mod read;
mod seal;
mod write;

use wire::{INTERVAL_BYTES, IntervalRecord, OVERFLOW_BYTES, OverflowRecord, RTT_BYTES, Role, RttRecord};

pub use read::read_parquet;
pub use write::{About, write_parquet, write_parquet_about};

/// Version of the Parquet file. A newer one is refused with its number; older ones are read.
pub const FORMAT_VERSION: u32 = 1;
/// Most rows that a file may have: what 64 clients with a million round trips each leave behind.
pub const ROWS_MAX: u64 = 1 << 26;

/// What one generator process left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStream {
    /// Name of the process in its repetition, `send-0`.
    pub source: String,
    /// What it did.
    pub role: Role,
    /// Intervals that it reached, in order; `index` counts from 1.
    pub intervals: Vec<IntervalRecord>,
    /// Round trips, in order of arrival.
    pub rtts: Vec<RttRecord>,
    /// Round trips beyond the cap, as buckets.
    pub overflow: Vec<OverflowRecord>,
}

impl RawStream {
    /// Decodes the files of one generator's output folder; intervals that were never reached are dropped.
    ///
    /// # Errors
    ///
    /// A file that is no whole number of records, an interval in a place that is not its own.
    pub fn from_files(
        source: impl Into<String>,
        role: Role,
        intervals: &[u8],
        rtt: Option<&[u8]>,
        overflow: Option<&[u8]>,
    ) -> Result<RawStream, DatasetError> {
        let source = source.into();
        let whole = |file, bytes: usize, rest: usize| match rest {
            0 => Ok(()),
            _ => Err(DatasetError::PartialRecord { source_name: source.clone(), file, bytes }),
        };

        let (records, rest) = intervals.as_chunks::<INTERVAL_BYTES>();
        whole(wire::INTERVALS_FILE, intervals.len(), rest.len())?;
        let mut reached = Vec::with_capacity(records.len());
        for (place, bytes) in (1u64..).zip(records) {
            let record = IntervalRecord::decode(bytes);
            match u64::from(record.index) {
                0 => {}
                index if index == place => reached.push(record),
                index => return Err(DatasetError::MisplacedInterval { source_name: source, place, index }),
            }
        }

        let rtt = rtt.unwrap_or_default();
        let (rtt_records, rest) = rtt.as_chunks::<RTT_BYTES>();
        whole(wire::RTT_FILE, rtt.len(), rest.len())?;
        let overflow = overflow.unwrap_or_default();
        let (overflow_records, rest) = overflow.as_chunks::<OVERFLOW_BYTES>();
        whole(wire::OVERFLOW_FILE, overflow.len(), rest.len())?;

        Ok(RawStream {
            source,
            role,
            intervals: reached,
            rtts: rtt_records.iter().map(RttRecord::decode).collect(),
            overflow: overflow_records.iter().map(OverflowRecord::decode).collect(),
        })
    }
}

/// What a file of samples must be, checked before writing and after reading: sources are distinct, intervals
/// count from 1 and rise, and there are no more than [`ROWS_MAX`] rows.
fn check(streams: &[RawStream]) -> Result<(), DatasetError> {
    let mut sources: Vec<&str> = streams.iter().map(|stream| stream.source.as_str()).collect();
    sources.sort_unstable();
    if let Some(pair) = sources.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(DatasetError::TwoStreams { source_name: pair[0].to_string() });
    }
    for stream in streams {
        let rising = stream.intervals.windows(2).all(|pair| pair[0].index < pair[1].index);
        if !rising || stream.intervals.first().is_some_and(|first| first.index == 0) {
            return Err(DatasetError::UnorderedIntervals { source_name: stream.source.clone() });
        }
    }
    let rows: usize = streams.iter().map(|s| s.intervals.len() + s.rtts.len() + s.overflow.len()).sum();
    if rows as u64 > ROWS_MAX {
        return Err(DatasetError::TooManyRows { rows: rows as u64 });
    }
    Ok(())
}

/// Why samples were not read or written; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A generator's file ends within a record.
    #[error("read {file} of {source_name}: {bytes} bytes are no whole number of records; measure the test again")]
    PartialRecord {
        /// The process.
        source_name: String,
        /// The file.
        file: &'static str,
        /// The file's size, bytes.
        bytes: usize,
    },
    /// An interval lies in another one's place.
    #[error("read the intervals of {source_name}: number {index} lies in place {place}; measure the test again")]
    MisplacedInterval {
        /// The process.
        source_name: String,
        /// Where it lies, from 1.
        place: u64,
        /// Where it says that it belongs.
        index: u64,
    },
    /// Two streams have one name.
    #[error("tell the samples of two processes apart: both are called {source_name}")]
    TwoStreams {
        /// The name.
        source_name: String,
    },
    /// Intervals are not in order.
    #[error("use the intervals of {source_name}: their numbers do not rise from 1")]
    UnorderedIntervals {
        /// The process.
        source_name: String,
    },
    /// More rows than a file may have.
    #[error("keep {rows} rows of samples in one file: {ROWS_MAX} is the most; shorten the test")]
    TooManyRows {
        /// How many.
        rows: u64,
    },
    /// Samples that are so much alike that their file would be taken for one that was made to exhaust memory.
    #[error("keep samples: so many rows that are all alike were never measured; measure the test again")]
    TooAlike,
    /// The file is of a version to come.
    #[error("read samples of format version {version}: this septet knows up to {FORMAT_VERSION}; use a newer one")]
    NewerVersion {
        /// The version that was found.
        version: u64,
    },
    /// The file is not what [`write_parquet`] writes.
    #[error("read samples: {0}; the file is damaged or not one of septet's")]
    Malformed(String),
    /// The Parquet library put the metadata elsewhere than it used to.
    #[error("seal a file of samples: its digest has no place in the footer; this build of septet is broken")]
    Unsealed,
    /// The Parquet library refuses.
    #[error("{what} samples as Parquet")]
    Parquet {
        /// `read` or `write`.
        what: &'static str,
        /// What polars said.
        #[source]
        source: polars::error::PolarsError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_decoded_and_unreached_intervals_dropped() {
        let record = |index| IntervalRecord { index, packets: 7, ..IntervalRecord::default() };
        let bytes = [record(1).encode(), record(0).encode(), record(3).encode()].concat();
        let stream = RawStream::from_files("send-0", Role::Send, &bytes, None, None).unwrap();
        assert_eq!(stream.intervals, [record(1), record(3)]);

        let cut = RawStream::from_files("send-0", Role::Send, &bytes[1..], None, None);
        assert!(matches!(cut, Err(DatasetError::PartialRecord { bytes: 143, .. })), "{cut:?}");
        let misplaced = RawStream::from_files("send-0", Role::Send, &record(2).encode(), None, None);
        assert!(matches!(misplaced, Err(DatasetError::MisplacedInterval { place: 1, index: 2, .. })));
        let cut = RawStream::from_files("client-0", Role::Client, &bytes, Some(&[0; 15]), None);
        assert!(matches!(cut, Err(DatasetError::PartialRecord { file: wire::RTT_FILE, .. })));
        let cut = RawStream::from_files("client-0", Role::Client, &bytes, None, Some(&[0; 17]));
        assert!(matches!(cut, Err(DatasetError::PartialRecord { file: wire::OVERFLOW_FILE, .. })));
    }
}
