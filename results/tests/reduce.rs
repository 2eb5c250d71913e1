//! Reduction of streams that a perfect, a stalling and a failing testbed would leave.

use proptest::prelude::*;
use results::axes::{Burst, Dimension, FrameSize, Locality, PacketSize, Pairs, Rate, VSwitch};
use results::dataset::{RawStream, read_parquet, write_parquet};
use results::flags::Flag;
use results::metric::Quantity;
use results::reduce::{CountedWindow, reduce, trial};
use results::tuple::{Tuple, Variant};
use wire::{IntervalRecord, OverflowRecord, Role, RttRecord};

const MS: u64 = 1_000_000;
const WINDOW: CountedWindow = CountedWindow { warmup_ns: 200 * MS, duration_ns: 1000 * MS, interval_ns: 10 * MS };

fn tuple(dimension: Dimension, pairs: u16, rate_pps: u64, burst: u16) -> Tuple {
    Tuple {
        dimension,
        locality: Locality::Local,
        pairs: Pairs::new(pairs).unwrap(),
        vswitch: VSwitch::LINUX_BRIDGE,
        packet: PacketSize::new(64).unwrap(),
        rate: Rate::pps(rate_pps).unwrap(),
        burst: Burst::new(burst).unwrap(),
        variant: Variant::default_for(VSwitch::LINUX_BRIDGE),
    }
}

fn stream(source: &str, role: Role, intervals: Vec<IntervalRecord>) -> RawStream {
    RawStream { source: source.to_string(), role, intervals, rtts: Vec::new(), overflow: Vec::new() }
}

/// Intervals over warm-up, window and as much again of cool-down, each with the packets of bursts due in it.
fn due_intervals(window: &CountedWindow, rate_pps: u64, burst: u16) -> Vec<IntervalRecord> {
    let count = (2 * window.warmup_ns + window.duration_ns).div_ceil(window.interval_ns);
    let due = |ns| wire::bursts_intended(ns, rate_pps, burst);
    (0..count)
        .map(|i| IntervalRecord {
            index: i as u32 + 1,
            packets: ((due((i + 1) * window.interval_ns) - due(i * window.interval_ns)) * u64::from(burst)) as u32,
            idle_ns: (window.interval_ns / 2) as u32,
            ..IntervalRecord::default()
        })
        .collect()
}

/// One pair, nothing lost.
fn perfect(window: &CountedWindow, rate_pps: u64, burst: u16) -> Vec<RawStream> {
    let intervals = due_intervals(window, rate_pps, burst);
    vec![stream("send-0", Role::Send, intervals.clone()), stream("receive-0", Role::Receive, intervals)]
}

#[test]
fn a_perfect_testbed_gives_what_was_asked_for() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 64);
    let reduction = reduce(&perfect(&WINDOW, 1_000_000, 64), &WINDOW, &test);
    assert_eq!(reduction.flags, []);
    let value = |quantity| reduction.values[&quantity];
    // 15,625 bursts are due from 0.2 s to before 1.2 s.
    assert_eq!(value(Quantity::RxPps), 1e6);
    assert_eq!(value(Quantity::TxPps), 1e6);
    assert_eq!(value(Quantity::OfferedPps), 1e6);
    assert_eq!(value(Quantity::RxBps), 512e6);
    assert_eq!(value(Quantity::RxBpsL1), 704e6);
    for ratio in [Quantity::LossRatio, Quantity::PathLossRatio, Quantity::RejectedRatio, Quantity::MissedRatio] {
        assert_eq!(value(ratio), 0.0);
    }
    assert_eq!(reduction.rtt_count, 0);
    assert!(!reduction.values.keys().any(|quantity| quantity.is_latency()));
}

#[test]
fn frames_with_fcs_are_no_longer_on_the_wire() {
    let mut test = tuple(Dimension::Throughput, 1, 1_000_000, 64);
    test.variant.frame = FrameSize::WithFcs;
    let reduction = reduce(&perfect(&WINDOW, 1_000_000, 64), &WINDOW, &test);
    assert_eq!(reduction.values[&Quantity::RxBps], 512e6);
    assert_eq!(reduction.values[&Quantity::RxBpsL1], 672e6);
}

#[test]
fn rejected_missed_and_lost_packets_are_told_apart() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 1);
    let mut streams = perfect(&WINDOW, 1_000_000, 1);
    for record in &mut streams[0].intervals {
        *record = IntervalRecord { packets: 7000, rejected: 2000, missed: 1000, idle_ns: 0, ..*record };
    }
    for record in &mut streams[1].intervals {
        record.packets = 6300;
    }
    let reduction = reduce(&streams, &WINDOW, &test);
    assert_eq!(reduction.flags, [Flag::MissedDeadlines, Flag::GeneratorBound]);
    let near = |quantity, expected: f64| {
        let value: f64 = reduction.values[&quantity];
        assert!((value - expected).abs() < 1e-12, "{quantity:?}: {value}");
    };
    near(Quantity::RxPps, 630_000.0);
    near(Quantity::TxPps, 700_000.0);
    near(Quantity::LossRatio, 0.37);
    near(Quantity::PathLossRatio, 0.1);
    near(Quantity::RejectedRatio, 0.2);
    near(Quantity::MissedRatio, 0.1);
}

#[test]
fn a_rate_that_nothing_explains_is_flagged() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 32);
    let mut streams = perfect(&WINDOW, 1_000_000, 32);
    for record in &mut streams[0].intervals {
        record.packets -= record.packets / 100;
    }
    assert_eq!(reduce(&streams, &WINDOW, &test).flags, [Flag::RateUnexplained]);
}

#[test]
fn a_stall_across_an_edge_is_no_unexplained_rate() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 1);
    for edge in [20, 120] {
        let mut streams = perfect(&WINDOW, 1_000_000, 1);
        // Nothing happens for 40 ms around the edge; the misses are noticed where it ends.
        let sender = &mut streams[0].intervals;
        for record in &mut sender[edge - 2..edge + 2] {
            (record.packets, record.idle_ns) = (0, 0);
        }
        sender[edge + 2].missed = 40_000;
        let flags = reduce(&streams, &WINDOW, &test).flags;
        assert!(!flags.contains(&Flag::RateUnexplained), "{flags:?}");
    }
}

#[test]
fn a_rate_that_changes_inside_the_window_is_not_steady() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 32);
    let flags = |received: &dyn Fn(u32) -> u32| {
        let mut streams = perfect(&WINDOW, 1_000_000, 32);
        for record in &mut streams[1].intervals {
            record.packets = received(record.index);
        }
        reduce(&streams, &WINDOW, &test).flags
    };
    // The first 20 of 140 intervals are the warm-up.
    assert_eq!(flags(&|index| if index <= 20 { 1000 } else { 10_000 }), [], "the warm-up takes it");
    assert_eq!(flags(&|index| if index <= 50 { 5000 } else { 10_000 }), [Flag::NotSteady]);
    assert_eq!(flags(&|index| 5000 + 40 * index), [Flag::NotSteady], "it never is");
    assert_eq!(flags(&|index| 9000 + index * 7919 % 1000), [], "noise is steady");
}

#[test]
fn missing_intervals_and_processes_are_a_shortfall() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 64);
    for process in 0..2 {
        let mut streams = perfect(&WINDOW, 1_000_000, 64);
        streams[process].intervals.remove(119);
        let reduction = reduce(&streams, &WINDOW, &test);
        assert!(reduction.flags.contains(&Flag::SampleShortfall), "{:?}", reduction.flags);
        let mut streams = perfect(&WINDOW, 1_000_000, 64);
        streams[process].intervals.remove(120); // after the window
        assert_eq!(reduce(&streams, &WINDOW, &test).flags, []);
        streams.remove(process);
        let reduction = reduce(&streams, &WINDOW, &test);
        assert_eq!((reduction.flags, reduction.values.len()), (vec![Flag::SampleShortfall], 0));
    }
    assert_eq!(reduce(&[], &WINDOW, &test).flags, [Flag::SampleShortfall]);
    let two_pairs = tuple(Dimension::Throughput, 2, 1_000_000, 64);
    assert_eq!(reduce(&perfect(&WINDOW, 1_000_000, 64), &WINDOW, &two_pairs).flags, [Flag::SampleShortfall]);
}

#[test]
fn a_trial_loses_what_gaps_rejections_and_misses_say_and_a_silent_receiver_loses_all() {
    let test = tuple(Dimension::Throughput, 1, 1_000_000, 32);
    let streams = perfect(&WINDOW, 1_000_000, 32);
    let lost = |streams: &[RawStream]| trial(streams, &WINDOW, &test).map(|count| count.lost);
    let whole = trial(&streams, &WINDOW, &test).unwrap();
    assert_eq!((whole.intended, whole.lost, whole.loss_ratio()), (1_000_000, 0, 0.0));

    let mut edges = streams.clone();
    // Twenty packets arrive an interval late, out of the window: no loss.
    edges[1].intervals[119].packets -= 20;
    edges[1].intervals[120].packets += 20;
    assert_eq!(lost(&edges), Some(0));

    let mut gaps = streams.clone();
    (gaps[1].intervals[60].lost, gaps[1].intervals[61].lost) = (7, -2);
    gaps[1].intervals[60].packets -= 5;
    assert_eq!(lost(&gaps), Some(5));
    gaps[0].intervals[60].rejected = 100;
    gaps[0].intervals[60].missed = 10;
    assert_eq!(lost(&gaps), Some(115));

    let mut silent = streams.clone();
    silent[1].intervals[70..].iter_mut().for_each(|record| record.packets = 0);
    assert!(lost(&silent).unwrap() > 490_000, "{:?}", lost(&silent));
    assert_eq!(lost(&streams[..1]), None);
}

/// A client and its server at 1000 packets/s in bursts of 4; the round trip of packet `n` is `rtt_ns(n)`.
fn latency_streams(rtt_ns: impl Fn(u32) -> u32) -> Vec<RawStream> {
    let intervals = due_intervals(&WINDOW, 1000, 4);
    let mut client = stream("client-0", Role::Client, intervals.clone());
    client.rtts = (0..1400).map(|n| RttRecord { burst: n / 4, place: n % 4, late_ns: 0, rtt_ns: rtt_ns(n) }).collect();
    vec![client, stream("server-0", Role::Server, intervals)]
}

#[test]
fn round_trips_count_where_their_burst_was_due_inside() {
    let test = tuple(Dimension::Latency, 1, 1000, 4);
    // Bursts 50 to 299, packets 200 to 1199, are due from 0.2 s to before 1.2 s.
    let streams = latency_streams(|n| if (200..1200).contains(&n) { 10_000 + n } else { 1 });
    let reduction = reduce(&streams, &WINDOW, &test);
    assert_eq!(reduction.flags, []);
    assert_eq!(reduction.rtt_count, 1000);
    let value = |quantity| reduction.values.get(&quantity).copied();
    assert_eq!(value(Quantity::RttMin), Some(10_200.0));
    assert_eq!(value(Quantity::RttMax), Some(11_199.0));
    assert_eq!(value(Quantity::RttMean), Some(10_699.5));
    assert_eq!(value(Quantity::RttP50), Some(10_699.0));
    assert_eq!(value(Quantity::RttP90), Some(11_099.0));
    assert_eq!(value(Quantity::RttP99), None, "250 bursts say nothing of the 99th percentile");
    assert_eq!(reduction.refused.get(&Quantity::RttP99), Some(&250));
    assert_eq!(reduction.refused.get(&Quantity::RttP90), None);
    let (low, high) = reduction.within[&Quantity::RttP90];
    assert!(low < 11_099.0 && 11_099.0 < high && !reduction.within.contains_key(&Quantity::RttP99));
    assert_eq!(value(Quantity::RxPps), Some(1000.0));
    assert_eq!(value(Quantity::TxPps), Some(1000.0));
    assert_eq!(value(Quantity::LossRatio), Some(0.0));
}

#[test]
fn round_trips_beyond_the_cap_count_as_their_buckets() {
    let test = tuple(Dimension::Latency, 1, 1000, 4);
    let mut streams = latency_streams(|_| 10_000);
    streams[0].overflow =
        vec![OverflowRecord { rtt_ns: 30_000, count: 600 }, OverflowRecord { rtt_ns: 20_000, count: 400 }];
    let reduction = reduce(&streams, &WINDOW, &test);
    assert_eq!(reduction.rtt_count, 2000);
    let value = |quantity| reduction.values.get(&quantity).copied();
    assert_eq!(value(Quantity::RttMean), Some(18_000.0));
    assert_eq!(value(Quantity::RttP50), Some(10_000.0));
    assert_eq!(value(Quantity::RttP90), Some(30_000.0));
    assert_eq!(value(Quantity::RttMax), Some(30_000.0));
}

#[test]
fn a_test_without_a_single_answer_lost_everything() {
    let test = tuple(Dimension::Latency, 1, 1000, 4);
    let mut streams = latency_streams(|_| 1);
    streams[0].rtts.clear();
    streams[0].intervals.iter_mut().for_each(|record| record.packets = 0);
    let reduction = reduce(&streams, &WINDOW, &test);
    assert_eq!(reduction.values[&Quantity::LossRatio], 1.0);
    assert!(!reduction.values.contains_key(&Quantity::RttMean));
    assert_eq!(reduction.flags, []);
}

#[test]
fn absurd_records_and_windows_do_not_panic() {
    let test = tuple(Dimension::Latency, 1, 1_000_000_000, 1024);
    let mut streams = latency_streams(|_| u32::MAX);
    for record in &mut streams[0].intervals {
        let most = u32::MAX;
        *record = IntervalRecord { packets: most, rejected: most, missed: most, idle_ns: most, ..*record };
    }
    streams[0].intervals.push(IntervalRecord { index: u32::MAX, ..IntervalRecord::default() });
    streams[0].overflow = vec![OverflowRecord { rtt_ns: u64::MAX, count: u64::MAX }; 3];
    for warmup_ns in [0, 1, u64::MAX] {
        for duration_ns in [0, 1, u64::MAX] {
            for interval_ns in [0, 1, u64::MAX] {
                let reduction = reduce(&streams, &CountedWindow { warmup_ns, duration_ns, interval_ns }, &test);
                assert!(reduction.values.values().all(|value| value.is_finite()), "{reduction:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the rate, the burst and the place of the window among the intervals, a perfect testbed raises
    /// no doubt, and its rate is off by no more than the bursts at the edges.
    #[test]
    fn a_perfect_testbed_is_never_doubted(
        rate_pps in 1u64..20_000_000, burst in 1u16..=1024,
        warmup_ns in 0u64..300 * MS, duration_ns in 50 * MS..2000 * MS, interval_ns in MS..50 * MS,
    ) {
        let window = CountedWindow { warmup_ns, duration_ns, interval_ns };
        let test = tuple(Dimension::Throughput, 1, rate_pps, burst);
        let mut streams = perfect(&window, rate_pps, burst);
        let end = (warmup_ns + duration_ns).div_ceil(interval_ns) as u32;
        for stream in &mut streams {
            let next = stream.intervals.len() as u32 + 1;
            stream.intervals.extend((next..=end).map(|index| IntervalRecord { index, ..IntervalRecord::default() }));
        }
        let reduction = reduce(&streams, &window, &test);
        prop_assert_eq!(&reduction.flags, &vec![]);
        let off = (reduction.values[&Quantity::RxPps] - rate_pps as f64).abs() * duration_ns as f64 / 1e9;
        prop_assert!(off <= 2.0 * f64::from(burst) + 1.0, "{} packets", off);
        // What is stored reduces to the same bits.
        let stored = read_parquet(&write_parquet(&streams).unwrap()).unwrap();
        prop_assert_eq!(reduce(&stored, &window, &test), reduction);
    }
}
