//! `client`: bursts at a rate, open loop, and the round trip of each packet. It must not know who answers.

use super::Burst;
use crate::failure::Failure;
use crate::ledger::Noted;
use crate::pacing::{Pacer, Step};
use crate::payload::Arrival;
use crate::port::{Found, Port};
use crate::round_trips::RoundTrips;
use crate::run::Run;

/// After the last burst, so long without an answer means that the missing ones are lost: the server may
/// have been off a shared core for some time slices.
const QUIET_NS: u64 = 100_000_000;

/// Sends what the schedule holds, timing the answers, waits for those still missing, and then says that it
/// has sent. As many answers are to come as packets were sent.
pub(crate) fn run<P: Port>(run: &mut Run<P>, round_trips: &mut RoundTrips) -> Result<Option<u64>, Failure> {
    let traffic = run.traffic;
    let mut pacer = Pacer::new(run.epoch_ns, traffic.schedule.traffic_ns(), traffic.rate_pps, traffic.burst);
    let mut burst = Burst::new(traffic);
    let mut answers = Answers { arrivals: Vec::with_capacity(traffic.burst.into()), round_trips, last_ns: 0 };
    let mut stop = run.await_epoch()?;
    let mut now_ns = run.clock.now();
    while !stop {
        match pacer.step(now_ns) {
            Step::Send { burst: number, late_ns } => {
                let first_sequence = run.ledger.sent();
                let headers = burst.number(first_sequence, now_ns);
                if run.hand_over(headers, now_ns, late_ns)? > 0 {
                    answers.round_trips.sent(number, first_sequence, now_ns, late_ns);
                }
                now_ns = run.clock.now();
                // As many answers as were sent may be waiting, however late the next burst is.
                answers.take(run, &mut now_ns, u64::MAX)?;
            }
            Step::Wait { due_ns } => {
                if answers.take(run, &mut now_ns, due_ns)? == 0 {
                    run.pause();
                }
            }
            Step::Missed { bursts } => {
                run.ledger.at(now_ns, run.port.calls());
                run.ledger.missed(bursts * u64::from(traffic.burst));
            }
            Step::End => break,
        }
        stop = run.beat_is_due(now_ns) && run.beat(now_ns)?;
    }
    answers.drain(run, now_ns)?;
    run.send_end_markers()?;
    Ok(Some(run.ledger.sent()))
}

struct Answers<'a> {
    arrivals: Vec<Arrival>,
    round_trips: &'a mut RoundTrips,
    last_ns: u64,
}

impl Answers<'_> {
    /// Takes answers until there is none, a burst of them is taken, or it is `until_ns`; returns how many
    /// packets came.
    #[inline]
    fn take<P: Port>(&mut self, run: &mut Run<P>, now_ns: &mut u64, until_ns: u64) -> Result<usize, Failure> {
        let mut taken = 0;
        while taken < usize::from(run.traffic.burst) {
            let before_ns = *now_ns;
            let found = run.take(&mut self.arrivals)?;
            *now_ns = run.clock.now();
            run.arrived(&mut self.arrivals, *now_ns);
            if found == Found::Nothing {
                run.idle(before_ns, *now_ns);
                break;
            }
            run.ledger.arrived(&self.arrivals, |noted| {
                if let Noted::First(header) = noted {
                    self.round_trips.answered(&header, *now_ns);
                    self.last_ns = *now_ns;
                }
            });
            taken += self.arrivals.len();
            *now_ns = run.clock.now();
            if *now_ns >= until_ns {
                break;
            }
        }
        Ok(taken)
    }

    /// Takes answers until all have come, none has come for long, or the schedule's longest drain is over.
    fn drain<P: Port>(&mut self, run: &mut Run<P>, mut now_ns: u64) -> Result<(), Failure> {
        let until_ns = now_ns.saturating_add(run.traffic.schedule.drain_ns_max);
        self.last_ns = now_ns;
        while !run.ledger.is_complete(run.ledger.sent()) {
            if self.take(run, &mut now_ns, until_ns)? == 0 {
                run.pause();
            }
            if now_ns >= until_ns || now_ns.saturating_sub(self.last_ns) >= QUIET_NS {
                break;
            }
            if run.beat_is_due(now_ns) {
                // A stop changes nothing here, but a caller that is gone ends the process.
                run.beat(now_ns)?;
            }
        }
        Ok(())
    }
}
