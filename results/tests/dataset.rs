//! The Parquet file of samples: exact, the same bytes every time, and safe to read whoever wrote it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::process::Command;
use std::sync::LazyLock;

use polars::prelude::{
    Column, DataFrame, DataType, KeyValueMetadata, ParquetCompression, ParquetWriter, PlSmallStr, Scalar,
    StatisticsOptions,
};
use proptest::prelude::*;
use results::dataset::{DatasetError, RawStream, read_parquet, write_parquet};
use wire::{IntervalRecord, OverflowRecord, Role, RttRecord};

fn interval() -> impl Strategy<Value = IntervalRecord> {
    (any::<[u32; 10]>(), any::<i32>()).prop_map(|(values, lost)| {
        let [packets, rejected, missed, duplicates, reordered, corrupt, foreign, late_ns_max, calls, idle_ns] = values;
        let index = 0; // given by the stream
        IntervalRecord {
            index,
            packets,
            rejected,
            missed,
            lost,
            duplicates,
            reordered,
            corrupt,
            foreign,
            late_ns_max,
            calls,
            idle_ns,
        }
    })
}

fn rtt() -> impl Strategy<Value = RttRecord> {
    any::<[u32; 4]>().prop_map(|[burst, place, late_ns, rtt_ns]| RttRecord { burst, place, late_ns, rtt_ns })
}

fn overflow() -> impl Strategy<Value = OverflowRecord> {
    any::<[u64; 2]>().prop_map(|[rtt_ns, count]| OverflowRecord { rtt_ns, count })
}

fn streams() -> impl Strategy<Value = Vec<RawStream>> {
    let role = prop::sample::select(vec![Role::Send, Role::Receive, Role::Client, Role::Server]);
    let intervals = prop::collection::btree_map(1u32.., interval(), 0..30).prop_map(|records: BTreeMap<_, _>| {
        records.into_iter().map(|(index, record)| IntervalRecord { index, ..record }).collect::<Vec<_>>()
    });
    let stream = (role, intervals, prop::collection::vec(rtt(), 0..50), prop::collection::vec(overflow(), 0..5));
    prop::collection::btree_map("\\PC{0,12}", stream, 0..5).prop_map(|streams| {
        let streams = streams.into_iter().rev();
        let stream =
            |(source, (role, intervals, rtts, overflow))| RawStream { source, role, intervals, rtts, overflow };
        streams.map(stream).collect()
    })
}

/// Two processes of a latency test, `packets` round trips.
fn latency_test(packets: u32) -> Vec<RawStream> {
    let intervals = |count: u32| {
        (1..=count).map(|index| IntervalRecord { index, packets: 10, lost: -1, ..IntervalRecord::default() }).collect()
    };
    let rtt =
        |n: u32| RttRecord { burst: n / 32, place: n % 32, late_ns: n % 7, rtt_ns: 20_000 + n % 10_007 * 79 % 10_007 };
    let client = RawStream {
        source: "client-0".to_string(),
        role: Role::Client,
        intervals: intervals(140),
        rtts: (0..packets).map(rtt).collect(),
        overflow: (0..20).map(|n| OverflowRecord { rtt_ns: 30_000 + n, count: n + 1 }).collect(),
    };
    let server = RawStream {
        source: "server-0".to_string(),
        role: Role::Server,
        intervals: intervals(139),
        rtts: Vec::new(),
        overflow: Vec::new(),
    };
    vec![client, server]
}

/// Makes the digest right again, as the module's doc says it is made: what somebody with intent would do.
fn reseal(bytes: &mut [u8]) {
    let key = b"septet.samples.blake3";
    let digits = bytes.windows(key.len()).rposition(|window| window == key).unwrap() + key.len() + 2;
    bytes[digits..digits + 64].fill(b'0');
    let digest = blake3::hash(bytes).to_hex();
    bytes[digits..digits + 64].copy_from_slice(digest.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_written_is_read(streams in streams()) {
        let bytes = write_parquet(&streams).unwrap();
        prop_assert_eq!(&write_parquet(&streams).unwrap(), &bytes);
        prop_assert_eq!(read_parquet(&bytes).unwrap(), streams);
    }
}

#[test]
fn no_streams_and_empty_streams_are_kept() {
    let empty = |source: &str, role| RawStream {
        source: source.to_string(),
        role,
        intervals: Vec::new(),
        rtts: Vec::new(),
        overflow: Vec::new(),
    };
    for streams in [vec![], vec![empty("send-0", Role::Send), empty("receive-0", Role::Receive)]] {
        assert_eq!(read_parquet(&write_parquet(&streams).unwrap()).unwrap(), streams);
    }
}

#[test]
fn files_of_several_row_groups_are_kept() {
    let streams = latency_test(600_000);
    let bytes = write_parquet(&streams).unwrap();
    let small = write_parquet(&latency_test(0)).unwrap();
    assert!(small.len() < 8_000, "{} bytes a repetition are many for a store of 100,000 tests", small.len());
    assert!(bytes.len() < 600_000 * 16, "{} bytes are more than the raw records", bytes.len());
    assert_eq!(read_parquet(&bytes).unwrap(), streams);
}

#[test]
fn streams_that_cannot_be_told_apart_or_ordered_are_refused() {
    let mut streams = latency_test(10);
    streams[1].source = streams[0].source.clone();
    assert!(matches!(write_parquet(&streams), Err(DatasetError::TwoStreams { .. })));
    let mut streams = latency_test(10);
    streams[0].intervals.swap(3, 4);
    assert!(matches!(write_parquet(&streams), Err(DatasetError::UnorderedIntervals { .. })));
    streams[0].intervals = vec![IntervalRecord::default()];
    assert!(matches!(write_parquet(&streams), Err(DatasetError::UnorderedIntervals { .. })));
}

/// Bytes do not depend on the machine's threads: this test runs itself with other numbers of them.
#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    const ASKED: &str = "SEPTET_TEST_PRINT_DIGEST";
    let digest = || {
        let mut hasher = DefaultHasher::new();
        hasher.write(&write_parquet(&latency_test(400_000)).unwrap());
        format!("digest={:016x}", hasher.finish())
    };
    if std::env::var_os(ASKED).is_some() {
        writeln!(std::io::stdout(), "{}", digest()).unwrap();
        return;
    }
    for threads in ["1", "5"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_bytes_do_not_depend_on_the_number_of_threads", "--nocapture"])
            .env(ASKED, "1")
            .env("POLARS_MAX_THREADS", threads)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&digest()), "with {threads} threads: {said}");
    }
}

#[test]
fn a_newer_version_is_refused_with_its_number() {
    let bytes = write_parquet(&latency_test(10)).unwrap();
    let key = b"septet.samples.version";
    let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap() + key.len();
    let digit = at + bytes[at..].iter().position(|&byte| byte == b'1').unwrap();
    let mut newer = [&bytes[..digit], b"7", &bytes[digit + 1..]].concat();
    reseal(&mut newer);
    let error = read_parquet(&newer).unwrap_err();
    assert!(matches!(error, DatasetError::NewerVersion { version: 7 }), "{error}");
    assert!(error.to_string().contains('7'));
}

#[test]
fn truncated_files_are_errors() {
    for packets in [0, 3, 20_000] {
        let bytes = write_parquet(&latency_test(packets)).unwrap();
        for sixteenth in 0..16 {
            let cut = &bytes[..bytes.len() * sixteenth / 16];
            assert!(read_parquet(cut).is_err(), "{sixteenth}/16 of {} bytes", bytes.len());
            // Closed again as if it were whole.
            let closed = [cut, &bytes[bytes.len() - 8..]].concat();
            assert!(read_parquet(&closed).is_err(), "{sixteenth}/16 of {} bytes, closed", bytes.len());
        }
        for last in bytes.len() - 12..bytes.len() {
            assert!(read_parquet(&bytes[..last]).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damaged_files_are_errors(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4), in_footer in any::<bool>(),
    ) {
        static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| write_parquet(&latency_test(200)).unwrap());
        let whole = &*WHOLE;
        let mut bytes = whole.clone();
        let length = bytes.len();
        let footer = length - 8 - u32::from_le_bytes(bytes[length - 8..length - 4].try_into().unwrap()) as usize;
        for (place, flip) in flips {
            let place = if in_footer { footer + place.index(length - footer) } else { place.index(length) };
            bytes[place] ^= flip;
        }
        // Two flips can undo each other.
        if &bytes != whole {
            prop_assert!(read_parquet(&bytes).is_err());
        }
    }

    #[test]
    fn garbage_is_an_error(middle in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read_parquet(&middle).is_err());
        prop_assert!(read_parquet(&[b"PAR1", middle.as_slice(), b"PAR1"].concat()).is_err());
    }
}

/// A file that whoever knows the format can make: rows of one value, which take next to no bytes.
fn bomb(rows: usize) -> Vec<u8> {
    let numbers =
        ["interval", "packets", "rejected", "missed", "lost", "duplicates", "reordered", "corrupt", "foreign"];
    let more = ["late_ns_max", "calls", "idle_ns", "burst", "place", "late_ns", "rtt_ns", "count"];
    let text = |name: &str, text: &str| Column::new_scalar(name.into(), Scalar::from(PlSmallStr::from_str(text)), rows);
    let mut columns = vec![text("source", "client-0"), text("role", "client"), text("kind", "rtt")];
    for name in numbers.into_iter().chain(more) {
        let kind = match name {
            "lost" => DataType::Int32,
            "rtt_ns" | "count" => DataType::UInt64,
            _ => DataType::UInt32,
        };
        columns.push(match name {
            "burst" | "place" | "late_ns" => Column::new_scalar(name.into(), Scalar::from(1u32), rows),
            "rtt_ns" => Column::new_scalar(name.into(), Scalar::from(1u64), rows),
            _ => Column::full_null(name.into(), rows, &kind),
        });
    }
    let streams = format!(r#"[{{"source":"client-0","role":"client","intervals":0,"rtts":{rows},"overflow":0}}]"#);
    let metadata = KeyValueMetadata::from_static(vec![
        ("septet.samples.version".to_string(), "1".to_string()),
        ("septet.samples.streams".to_string(), streams),
        ("septet.samples.blake3".to_string(), "0".repeat(64)),
    ]);
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .with_statistics(StatisticsOptions::empty())
        .with_row_group_size(Some(1 << 20))
        .with_key_value_metadata(Some(metadata))
        .finish(&mut DataFrame::new(rows, columns).unwrap())
        .unwrap();
    reseal(&mut bytes);
    bytes
}

#[test]
fn few_bytes_that_would_become_much_are_refused_before_they_do() {
    // The same made small is read: what is refused is its size.
    let small = bomb(1000);
    assert_eq!(read_parquet(&small).unwrap()[0].rtts.len(), 1000);
    let bytes = bomb(8_000_000);
    assert!(bytes.len() < 1 << 20, "{} bytes are no bomb", bytes.len());
    let error = read_parquet(&bytes).unwrap_err().to_string();
    assert!(error.contains("would become more than its own size makes likely"), "{error}");
}

#[test]
fn samples_in_which_nothing_ever_happens_are_not_taken_for_a_bomb() {
    // 2.7 hours of 10 ms intervals of a receiver that hears nothing, and round trips that are all alike.
    let intervals = (1..=1_000_000).map(|index| IntervalRecord { index, ..IntervalRecord::default() }).collect();
    let rtts = (0..2_000_000).map(|n| RttRecord { burst: n / 32, place: n % 32, late_ns: 1, rtt_ns: 20_000 }).collect();
    let idle = RawStream { source: "client-0".to_string(), role: Role::Client, intervals, rtts, overflow: Vec::new() };
    let bytes = write_parquet(std::slice::from_ref(&idle)).unwrap();
    assert!(read_parquet(&bytes).unwrap() == [idle], "{} bytes", bytes.len());
}
