//! Reducing raw round trips to summaries: the half of `benches/reduction.sh` that is Septet's.
//!
//!   reduction make FOLDER TESTS ROUND_TRIPS    writes that many synthetic tests, each of so many round trips
//!   reduction reduce FOLDER                    reduces all of them, a test a line: what it was and what came out
//!
//! Reads no more than a file a core at a time.

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use results::axes::{Burst, Dimension, Locality, PacketSize, Pairs, Rate, VSwitch};
use results::dataset::{RawStream, read_parquet, write_parquet};
use results::metric::Quantity;
use results::reduce::{CountedWindow, reduce};
use results::statistics::random::Random;
use results::summary::{Repetition, summarise};
use results::tuple::{Tuple, Variant};
use wire::{IntervalRecord, Role, RttRecord};

const RATE_PPS: u32 = 100_000;
const BURST: u16 = 32;
const INTERVAL_NS: u64 = 10_000_000;
const TRIM_NS: u64 = 200_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |place: usize| arguments.get(place).and_then(|text| text.parse::<u64>().ok());
    match (arguments.first().map(String::as_str), arguments.get(1), number(2), number(3)) {
        (Some("make"), Some(folder), Some(tests), Some(round_trips)) => make(Path::new(folder), tests, round_trips),
        (Some("reduce"), Some(folder), ..) => reduce_all(Path::new(folder)),
        _ => println!("reduction: run benches/reduction.sh, which says how"),
    }
}

fn tuple() -> Tuple {
    Tuple {
        dimension: Dimension::Latency,
        locality: Locality::Local,
        pairs: Pairs::new(1).expect("possible"),
        vswitch: VSwitch::LINUX_BRIDGE,
        packet: PacketSize::new(64).expect("possible"),
        rate: Rate::Pps(RATE_PPS),
        burst: Burst::new(BURST).expect("possible"),
        variant: Variant::default_for(VSwitch::LINUX_BRIDGE),
    }
}

/// The window of the whole traffic: the trims are cut off.
fn window(round_trips: u64) -> CountedWindow {
    let traffic_ns = round_trips * 1_000_000_000 / u64::from(RATE_PPS);
    let duration_ns = (traffic_ns.saturating_sub(2 * TRIM_NS) / INTERVAL_NS * INTERVAL_NS).max(INTERVAL_NS);
    CountedWindow { warmup_ns: TRIM_NS, duration_ns, interval_ns: INTERVAL_NS }
}

fn make(folder: &Path, tests: u64, round_trips: u64) {
    fs::create_dir_all(folder).expect("the folder can be made");
    (0..tests).into_par_iter().for_each(|test| {
        let mut random = Random::seeded(test);
        let mut shared = 0;
        let rtts = (0..round_trips as u32).map(|packet| {
            let (burst, place) = (packet / u32::from(BURST), packet % u32::from(BURST));
            if place == 0 {
                // A long tail that a burst shares.
                shared = 8_000 + (1u64 << random.below(14)) + random.below(4_000);
            }
            let rtt_ns = (shared + 40 * u64::from(place) + random.below(500)) as u32;
            RttRecord { burst, place, late_ns: random.below(300) as u32, rtt_ns }
        });
        let rtts: Vec<RttRecord> = rtts.collect();
        let intervals = round_trips * 1_000_000_000 / u64::from(RATE_PPS) / INTERVAL_NS;
        let interval = |index| IntervalRecord { index, packets: RATE_PPS / 100, ..IntervalRecord::default() };
        let intervals: Vec<IntervalRecord> = (1..=intervals as u32).map(interval).collect();
        let stream = |source: &str, role, rtts| RawStream {
            source: source.to_string(),
            role,
            intervals: intervals.clone(),
            rtts,
            overflow: Vec::new(),
        };
        let streams = [stream("client-0", Role::Client, rtts), stream("server-0", Role::Server, Vec::new())];
        let bytes = write_parquet(&streams).expect("they can be written");
        fs::write(folder.join(format!("{test:04}.parquet")), bytes).expect("the file can be written");
    });
    let CountedWindow { warmup_ns, duration_ns, .. } = window(round_trips);
    let bursts = |ns: u64| wire::bursts_intended(ns, u64::from(RATE_PPS), BURST);
    fs::write(
        folder.join("window"),
        format!("{round_trips} {} {}\n", bursts(warmup_ns), bursts(warmup_ns + duration_ns)),
    )
    .expect("the file can be written");
}

fn reduce_all(folder: &Path) {
    let text = fs::read_to_string(folder.join("window")).expect("`make` came first");
    let round_trips: u64 = text.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    let window = window(round_trips);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder can be listed")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .collect();
    files.sort();
    let tuple = tuple();
    let rows: Vec<String> = files
        .par_iter()
        .map(|path| {
            let bytes = fs::read(path).expect("the file can be read");
            let streams = read_parquet(&bytes).expect("it is one of ours");
            let reduction = reduce(&streams, &window, &tuple);
            let summary = summarise(&[Repetition { reduction, ..Repetition::default() }]);
            let value = |quantity| summary.get(quantity).map_or(f64::NAN, |estimate| estimate.mean);
            let shown = [Quantity::RttP50, Quantity::RttP90, Quantity::RttP99, Quantity::RttP999].map(value);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let [p50, p90, p99, p999] = shown;
            format!("{name} {} {:.3} {p50} {p90} {p99} {p999}", summary.rtt_count, value(Quantity::RttMean))
        })
        .collect();
    println!("{}", rows.join("\n"));
}
