//! `server`: answers each packet with its own number and time stamp. It must not know round trips.

use super::receive::{Drain, take};
use crate::failure::Failure;
use crate::ledger::Noted;
use crate::port::Port;
use crate::run::Run;

/// Answers until told to stop, then until nothing is in flight. How many packets were to come the end marker
/// says. A packet that came twice is answered twice: whoever asked counts.
pub(crate) fn run<P: Port>(run: &mut Run<P>) -> Result<Option<u64>, Failure> {
    let mut arrivals = Vec::with_capacity(run.traffic.burst.into());
    let mut answers = Vec::with_capacity(run.traffic.burst.into());
    let mut now_ns = run.clock.now();
    let mut drain = Drain::new(now_ns);
    loop {
        if take(run, &mut arrivals, &mut now_ns)? {
            answers.clear();
            run.ledger.arrived(&arrivals, |noted| {
                if let Noted::First(header) | Noted::Again(header) = noted {
                    answers.push(header);
                }
            });
            if !answers.is_empty() {
                drain.traffic(now_ns);
                run.hand_over(&answers, now_ns, 0)?;
            }
            now_ns = run.clock.now();
        } else {
            run.pause();
        }
        if drain.is_over(run, now_ns, arrivals.is_empty())? {
            return Ok(None);
        }
    }
}
