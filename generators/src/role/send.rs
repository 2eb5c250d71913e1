//! `send`: bursts at a rate, open loop. It must not know what becomes of them.

use super::Burst;
use crate::failure::Failure;
use crate::pacing::{Pacer, Step};
use crate::port::Port;
use crate::run::Run;

/// Sends what the schedule holds, then says that it has. How many packets come back it does not know.
pub(crate) fn run<P: Port>(run: &mut Run<P>) -> Result<Option<u64>, Failure> {
    let traffic = run.traffic;
    let mut pacer = Pacer::new(run.epoch_ns, traffic.schedule.traffic_ns(), traffic.rate_pps, traffic.burst);
    let mut burst = Burst::new(traffic);
    let mut stop = run.await_epoch()?;
    let mut now_ns = run.clock.now();
    while !stop {
        match pacer.step(now_ns) {
            Step::Send { late_ns, .. } => {
                let headers = burst.number(run.ledger.sent(), now_ns);
                run.hand_over(headers, now_ns, late_ns)?;
                now_ns = run.clock.now();
            }
            Step::Wait { .. } => {
                run.pause();
                let before_ns = now_ns;
                now_ns = run.clock.now();
                run.ledger.at(now_ns, run.port.calls());
                run.idle(before_ns, now_ns);
            }
            Step::Missed { bursts } => {
                run.ledger.at(now_ns, run.port.calls());
                run.ledger.missed(bursts * u64::from(traffic.burst));
            }
            Step::End => break,
        }
        stop = run.beat_is_due(now_ns) && run.beat(now_ns)?;
    }
    run.send_end_markers()?;
    Ok(None)
}
