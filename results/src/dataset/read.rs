//! Parquet bytes to streams. The bytes may come from anybody: everything is checked, nothing panics. It must
//! not know how they were written beyond the columns.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use polars::prelude::{
    ChunkedArray, Column, DataFrame, FileMetadata, ParallelStrategy, ParquetReader, PolarsError, PolarsNumericType,
    SerReader,
};
use wire::{IntervalRecord, OverflowRecord, RttRecord};

use super::columns::{
    COUNT, Head, INTERVAL_FIELDS, KIND, LOST, ROLE, RTT_FIELDS, RTT_NS, SOURCE, STREAMS_KEY, VERSION_KEY, fits,
};
use super::pages::{self, Chunk};
use super::seal::is_intact;
use super::write::write_parquet;
use super::{DatasetError, FORMAT_VERSION, ROWS_MAX, RawStream, check};

/// First and last bytes of a Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";

/// The streams that [`super::write_parquet`] was given.
///
/// Damage of any kind is an error, and so is a file that somebody made up: what it says that it would become in
/// memory is added up before any of it is read.
///
/// # Errors
///
/// A file that is damaged, of a newer version, or not one of ours.
pub fn read_parquet(bytes: &[u8]) -> Result<Vec<RawStream>, DatasetError> {
    if bytes.len() < 12 || !bytes.starts_with(MAGIC) || !bytes.ends_with(MAGIC) {
        return Err(malformed("it does not begin and end as Parquet does"));
    }
    match is_intact(bytes) {
        None => return Err(malformed("it has no septet.samples.blake3")),
        Some(false) => return Err(malformed("its content does not have the digest that it names")),
        Some(true) => {}
    }
    // Whoever can make a seal can still make pages by which the Parquet library indexes out of bounds. Its
    // panics end here: it holds nothing that outlives the call.
    catch_unwind(AssertUnwindSafe(|| read_unguarded(bytes)))
        .unwrap_or_else(|_| Err(malformed("the Parquet library gave up on it")))
}

fn read_unguarded(bytes: &[u8]) -> Result<Vec<RawStream>, DatasetError> {
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let metadata = reader.get_metadata().map_err(refused)?.clone();
    let heads = heads(&metadata, bytes.len() as u64)?;
    columns(&metadata, bytes)?;
    let file = Sound { bytes, metadata };

    let intervals = rows(&heads, |head| head.intervals);
    let rtts = rows(&heads, |head| head.rtts);
    let overflow = rows(&heads, |head| head.overflow);
    let interval_records = read_intervals(&file, intervals)?;
    let (rtt_records, overflow_records) = read_round_trips(&file, intervals, rtts, overflow)?;

    let mut interval_records = interval_records.into_iter();
    let mut rtt_records = rtt_records.into_iter();
    let mut overflow_records = overflow_records.into_iter();
    let streams: Vec<RawStream> = heads
        .into_iter()
        .map(|head| RawStream {
            source: head.source,
            role: head.role,
            intervals: interval_records.by_ref().take(head.intervals as usize).collect(),
            rtts: rtt_records.by_ref().take(head.rtts as usize).collect(),
            overflow: overflow_records.by_ref().take(head.overflow as usize).collect(),
        })
        .collect();
    check(&streams)?;
    Ok(streams)
}

/// The list of streams, once the metadata fits itself and the file: what is read later lies within both.
fn heads(metadata: &FileMetadata, file_bytes: u64) -> Result<Vec<Head>, DatasetError> {
    let entry = |key: &str| {
        let entries = metadata.key_value_metadata().iter().flatten();
        entries.into_iter().find(|entry| entry.key == key).and_then(|entry| entry.value.as_deref())
    };
    let version = entry(VERSION_KEY).ok_or_else(|| malformed("it has no septet.samples.version"))?;
    let version: u64 = version.parse().map_err(|_| malformed("its version is no number"))?;
    if version > u64::from(FORMAT_VERSION) {
        return Err(DatasetError::NewerVersion { version });
    }
    let heads = entry(STREAMS_KEY).ok_or_else(|| malformed("it has no septet.samples.streams"))?;
    let heads: Vec<Head> =
        serde_json::from_str(heads).map_err(|error| malformed(format!("its list of streams is wrong: {error}")))?;

    let rows = heads
        .iter()
        .flat_map(|head| [head.intervals, head.rtts, head.overflow])
        .try_fold(0u64, |sum, rows| sum.checked_add(rows).filter(|&sum| sum <= ROWS_MAX));
    let rows = rows.ok_or_else(|| malformed("its list of streams names too many rows"))?;
    let grouped =
        metadata.row_groups.iter().try_fold(0u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    if metadata.num_rows as u64 != rows || grouped != Some(rows) {
        return Err(malformed("its number of rows is not what its list of streams says"));
    }
    if !fits(&heads, file_bytes) {
        return Err(malformed("its rows would become more than its own size makes likely"));
    }
    for chunk in metadata.row_groups.iter().flat_map(|group| group.parquet_columns()) {
        let offsets = [Some(chunk.data_page_offset()), chunk.dictionary_page_offset(), Some(chunk.compressed_size())];
        if offsets.into_iter().flatten().any(|offset| offset < 0 || offset as u64 > file_bytes) {
            return Err(malformed("a column lies outside the file"));
        }
        let range = chunk.byte_range();
        if range.start > range.end || range.end > file_bytes {
            return Err(malformed("a column lies outside the file"));
        }
    }
    Ok(heads)
}

/// Whether the columns are those that are written, and their pages what their rows need.
fn columns(metadata: &FileMetadata, bytes: &[u8]) -> Result<(), DatasetError> {
    static OURS: OnceLock<Arc<FileMetadata>> = OnceLock::new();
    let ours = match OURS.get() {
        Some(ours) => ours,
        None => {
            let empty = write_parquet(&[])?;
            let read = ParquetReader::new(Cursor::new(empty)).get_metadata().map_err(refused)?.clone();
            OURS.get_or_init(|| read)
        }
    };
    let ours = ours.schema().columns();
    let theirs = metadata.schema().columns();
    let is_same = ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| {
            let (own, other) = (&ours.descriptor, &theirs.descriptor);
            ours.path_in_schema == theirs.path_in_schema
                && own.primitive_type.physical_type == other.primitive_type.physical_type
                && (own.max_def_level, own.max_rep_level) == (other.max_def_level, other.max_rep_level)
        });
    if !is_same {
        return Err(malformed("its columns are not those of samples"));
    }
    for group in &metadata.row_groups {
        if group.parquet_columns().len() != theirs.len() {
            return Err(malformed("a group of rows has not all columns"));
        }
        for (column, chunk) in theirs.iter().zip(group.parquet_columns()) {
            let name = column.path_in_schema.first().map_or("", |name| name.as_str());
            // The columns of names are for other programs.
            if [SOURCE, ROLE, KIND].contains(&name) {
                continue;
            }
            let (rows, range) = (group.num_rows() as u64, chunk.byte_range());
            let width = if [RTT_NS, COUNT].contains(&name) { 8 } else { 4 };
            let bytes = bytes.get(range.start as usize..range.end as usize).unwrap_or_default();
            if u64::try_from(chunk.num_values()) != Ok(rows) {
                return Err(malformed(format!("column {name} has another number of values than rows")));
            }
            pages::check(Chunk { bytes, rows, width }).map_err(|why| malformed(format!("{why} ({name})")))?;
        }
    }
    Ok(())
}

/// A file whose metadata were checked.
struct Sound<'b> {
    bytes: &'b [u8],
    metadata: Arc<FileMetadata>,
}

fn read_intervals(file: &Sound, rows: usize) -> Result<Vec<IntervalRecord>, DatasetError> {
    if rows == 0 {
        return Ok(Vec::new());
    }
    let names = INTERVAL_FIELDS.iter().map(|field| field.name).chain([LOST]);
    let table = slice(file, names, 0, rows)?;
    let mut records = vec![IntervalRecord::default(); rows];
    for field in &INTERVAL_FIELDS {
        fill(&mut records, column(&table, field.name, Column::u32)?, rows, field.set)?;
    }
    fill(&mut records, column(&table, LOST, Column::i32)?, rows, |record, value| record.lost = value)?;
    Ok(records)
}

fn read_round_trips(
    file: &Sound,
    intervals: usize,
    rtts: usize,
    overflow: usize,
) -> Result<(Vec<RttRecord>, Vec<OverflowRecord>), DatasetError> {
    if rtts == 0 && overflow == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let table = slice(file, RTT_FIELDS.iter().map(|field| field.name).chain([RTT_NS]), intervals, rtts)?;
    let mut rtt_records = vec![RttRecord::default(); rtts];
    for field in &RTT_FIELDS {
        fill(&mut rtt_records, column(&table, field.name, Column::u32)?, rtts, field.set)?;
    }
    let mut wide = false;
    fill(&mut rtt_records, column(&table, RTT_NS, Column::u64)?, rtts, |record, value| {
        record.rtt_ns = u32::try_from(value).unwrap_or_else(|_| {
            wide = true;
            u32::MAX
        });
    })?;
    if wide {
        return Err(malformed("a round trip is longer than a record can hold"));
    }

    let table = slice(file, [RTT_NS, COUNT], intervals + rtts, overflow)?;
    let mut overflow_records = vec![OverflowRecord::default(); overflow];
    let times = column(&table, RTT_NS, Column::u64)?;
    fill(&mut overflow_records, times, overflow, |record, value| record.rtt_ns = value)?;
    let counts = column(&table, COUNT, Column::u64)?;
    fill(&mut overflow_records, counts, overflow, |record, value| record.count = value)?;
    Ok((rtt_records, overflow_records))
}

/// `rows` rows from `first` on of the named columns.
fn slice<'a>(
    file: &Sound,
    names: impl IntoIterator<Item = &'a str>,
    first: usize,
    rows: usize,
) -> Result<DataFrame, DatasetError> {
    let mut reader = ParquetReader::new(Cursor::new(file.bytes));
    reader.set_metadata(file.metadata.clone());
    reader
        .with_columns(Some(names.into_iter().map(str::to_string).collect()))
        .with_slice(Some((first, rows)))
        .read_parallel(ParallelStrategy::None)
        .finish()
        .map_err(refused)
}

/// The column in its own type.
fn column<'a, T: PolarsNumericType>(
    table: &'a DataFrame,
    name: &str,
    cast: fn(&'a Column) -> Result<&'a ChunkedArray<T>, PolarsError>,
) -> Result<&'a ChunkedArray<T>, DatasetError> {
    table.column(name).and_then(cast).map_err(refused)
}

/// Gives each record its value of a column that must have one for each.
fn fill<R, T: PolarsNumericType>(
    records: &mut [R],
    column: &ChunkedArray<T>,
    rows: usize,
    mut set: impl FnMut(&mut R, T::Native),
) -> Result<(), DatasetError> {
    if column.len() != rows || column.null_count() != 0 {
        return Err(malformed(format!("column {} has too few values", column.name())));
    }
    for (record, value) in records.iter_mut().zip(column.into_no_null_iter()) {
        set(record, value);
    }
    Ok(())
}

fn rows(heads: &[Head], of: fn(&Head) -> u64) -> usize {
    heads.iter().map(of).sum::<u64>() as usize
}

fn malformed(why: impl Into<String>) -> DatasetError {
    DatasetError::Malformed(why.into())
}

fn refused(source: PolarsError) -> DatasetError {
    DatasetError::Parquet { what: "read", source }
}
