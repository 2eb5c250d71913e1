//! The schedule against its definition: burst k is due k * burst / rate seconds after the epoch.

use generators::pacing::{CATCH_UP_NS, Pacer, Step};
use proptest::prelude::*;

fn due_ns(burst_number: u64, rate_pps: u64, burst: u16) -> u64 {
    (u128::from(burst_number) * u128::from(burst) * 1_000_000_000 / u128::from(rate_pps)) as u64
}

/// What came of a schedule that was asked at the times of `clock`: bursts sent, and bursts missed.
fn drive(
    pacer: &mut Pacer,
    rate_pps: u64,
    burst: u16,
    (epoch_ns, end_ns): (u64, u64),
    mut clock: impl FnMut(Step) -> u64,
) -> (u64, u64) {
    let intended = wire::bursts_intended(end_ns - epoch_ns, rate_pps, burst);
    let bound_ns = CATCH_UP_NS.max(due_ns(1, rate_pps, burst));
    let (mut sent, mut missed) = (0, 0);
    let mut now_ns = clock(Step::Wait { due_ns: epoch_ns });
    loop {
        let step = pacer.step(now_ns);
        let next_due_ns = match sent + missed == intended {
            true => end_ns,
            false => epoch_ns + due_ns(sent + missed, rate_pps, burst),
        };
        match step {
            Step::Wait { due_ns } => {
                assert_eq!(due_ns, next_due_ns);
                assert!(now_ns < due_ns);
            }
            Step::Send { burst: number, late_ns } => {
                assert_eq!(number, sent + missed);
                assert_eq!(now_ns - late_ns, next_due_ns);
                assert!(late_ns <= bound_ns);
                sent += 1;
            }
            Step::Missed { bursts } => {
                assert!(bursts > 0);
                let last_missed_ns = epoch_ns + due_ns(sent + missed + bursts - 1, rate_pps, burst);
                assert!(now_ns - last_missed_ns > bound_ns, "a burst was given up too early");
                missed += bursts;
                continue;
            }
            Step::End => {
                assert!(now_ns >= end_ns, "it ended with its last burst, before its time");
                return (sent, missed);
            }
        }
        now_ns = clock(step);
    }
}

proptest! {
    #[test]
    fn every_burst_is_sent_in_time_or_missed(
        rate_pps in prop_oneof![1u64..100, 1_000u64..100_000, 1_000_000u64..20_000_000],
        burst in 1u16..=256,
        bursts in 1u64..300,
        epoch_ns in 0u64..1 << 40,
        rest in 0f64..1.0,
        stalls in prop::collection::vec(prop_oneof![Just(0u64), 0u64..50_000, 500_000u64..5_000_000], 1..600),
    ) {
        let traffic_ns = due_ns(bursts, rate_pps, burst) + (rest * due_ns(1, rate_pps, burst) as f64) as u64;
        let mut pacer = Pacer::new(epoch_ns, traffic_ns, rate_pps, burst);
        let mut now_ns = epoch_ns;
        let mut stalls = stalls.iter().cycle();
        let (sent, missed) = drive(&mut pacer, rate_pps, burst, (epoch_ns, epoch_ns + traffic_ns), |step| {
            let idle_until = if let Step::Wait { due_ns } = step { due_ns } else { 0 };
            now_ns = now_ns.max(idle_until) + stalls.next().copied().unwrap_or(0);
            now_ns
        });
        prop_assert_eq!(sent + missed, wire::bursts_intended(traffic_ns, rate_pps, burst));
        prop_assert_eq!(pacer.step(now_ns), Step::End);
    }

    #[test]
    fn the_schedule_holds_the_bursts_due_before_its_end(
        rate_pps in 1u64..10_000, burst in 1u16..=64, traffic_ns in 0u64..2_000_000_000,
    ) {
        let counted = (0u64..).take_while(|number| u128::from(*number) * u128::from(burst) * 1_000_000_000
            < u128::from(traffic_ns) * u128::from(rate_pps)).count() as u64;
        prop_assert_eq!(wire::bursts_intended(traffic_ns, rate_pps, burst), counted);
    }
}

#[test]
fn no_error_adds_up_over_a_day() {
    // 3 packets a burst at 7 Mpps: the distance of deadlines is 428.571428... ns.
    let day_ns = 86_400_000_000_000;
    let mut pacer = Pacer::new(0, day_ns, 7_000_000, 3);
    let late = 86_399_000_000_000;
    let Step::Missed { bursts } = pacer.step(late) else { panic!("a day's bursts are late") };
    let Step::Send { burst, late_ns } = pacer.step(late) else { panic!("the next burst is due") };
    assert_eq!(burst, bursts);
    assert_eq!(late - late_ns, due_ns(burst, 7_000_000, 3));
    assert!(late_ns <= CATCH_UP_NS && due_ns(burst - 1, 7_000_000, 3) < late - CATCH_UP_NS);
}

#[test]
fn an_overslept_schedule_is_missed_to_its_end() {
    let mut pacer = Pacer::new(1_000, 1_000_000_000, 1_000, 10);
    assert_eq!(pacer.step(999), Step::Wait { due_ns: 1_000 });
    assert_eq!(pacer.step(u64::MAX), Step::Missed { bursts: 100 });
    assert_eq!(pacer.step(u64::MAX), Step::End);
}

#[test]
fn a_schedule_lasts_as_long_as_its_time_however_early_its_last_burst_is() {
    // 128 packets at 1,000 pps: every 128 ms, the last one 96 ms before the end.
    let mut pacer = Pacer::new(0, 1_120_000_000, 1_000, 128);
    for burst in 0..9 {
        assert_eq!(pacer.step(burst * 128_000_000), Step::Send { burst, late_ns: 0 });
    }
    assert_eq!(pacer.step(1_024_000_001), Step::Wait { due_ns: 1_120_000_000 });
    assert_eq!(pacer.step(1_119_999_999), Step::Wait { due_ns: 1_120_000_000 });
    assert_eq!(pacer.step(1_120_000_000), Step::End);
    // Nothing to send is waited for as well.
    assert_eq!(Pacer::new(5, 10, 0, 1).step(14), Step::Wait { due_ns: 15 });
}

#[test]
fn a_slow_schedule_waits_for_the_next_deadline_before_it_gives_one_up() {
    // 4 packets at 1,000 pps: every 4 ms. 3 ms late is late, not missed.
    let mut pacer = Pacer::new(0, 1_000_000_000, 1_000, 4);
    assert_eq!(pacer.step(3_000_000), Step::Send { burst: 0, late_ns: 3_000_000 });
    assert_eq!(pacer.step(3_500_000), Step::Wait { due_ns: 4_000_000 });
    assert_eq!(pacer.step(8_000_001), Step::Missed { bursts: 1 });
    assert_eq!(pacer.step(8_000_001), Step::Send { burst: 2, late_ns: 1 });
}
