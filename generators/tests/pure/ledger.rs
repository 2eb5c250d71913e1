//! The accounts of packets that are told of one by one, against those of the same packets told of as series.

use std::fs;

use generators::ledger::{Ledger, Noted};
use generators::payload::{Arrival, Header, Kind};
use generators::traffic::Traffic;
use proptest::prelude::*;
use wire::{INTERVALS_FILE, Request, Role, Totals};

use crate::requests::request;
use crate::window::stream;

/// The totals and the file of intervals that `bursts` leave, a millisecond apart.
fn accounts(bursts: &[Vec<Arrival>]) -> (Totals, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().display().to_string();
    let request = Request { role: Role::Receive, rate_pps: None, output, ..request() };
    let mut ledger = Ledger::create(&Traffic::new(request).expect("a valid request")).expect("a file");
    ledger.start(0, 0);
    for (number, burst) in (1..).zip(bursts) {
        ledger.at(number * 1_000_000, number);
        let expected = ledger.expected(burst);
        for arrival in &burst[expected..] {
            assert_ne!(ledger.arrival(arrival), Noted::Other);
        }
    }
    (ledger.close(None), fs::read(folder.path().join(INTERVALS_FILE)).expect("a file"))
}

/// The same packets, those with consecutive numbers together.
fn as_series(numbers: &[u64]) -> Vec<Arrival> {
    let follows = |earlier: &u64, later: &u64| earlier + 1 == *later;
    numbers.chunk_by(follows).map(|run| Arrival::Series { first: run[0], count: run.len() as u64 }).collect()
}

proptest! {
    #[test]
    fn a_series_is_its_packets(stream in stream(), burst in 1usize..100) {
        let header = |sequence: &u64| Header { kind: Kind::Data, flow: 0, sequence: *sequence, stamp_ns: 0 };
        let one_by_one: Vec<Vec<Arrival>> =
            stream.chunks(burst).map(|burst| burst.iter().map(header).map(Arrival::Ours).collect()).collect();
        let series: Vec<Vec<Arrival>> = stream.chunks(burst).map(as_series).collect();
        prop_assert_eq!(accounts(&one_by_one), accounts(&series));
    }
}
