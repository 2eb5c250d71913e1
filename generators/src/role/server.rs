//! `server`: answers each packet with its own number and time stamp. It must not know round trips.

use super::receive::{Drain, Intake};
use crate::failure::Failure;
use crate::ledger::Noted;
use crate::port::{Found, Port};
use crate::run::Run;

/// Answers until told to stop, then until nothing is in flight. How many packets were to come the end marker
/// says. A packet that came twice is answered twice: whoever asked counts.
pub(crate) fn run<P: Port>(run: &mut Run<P>) -> Result<Option<u64>, Failure> {
    let mut intake = Intake::new(run);
    let mut answers = Vec::with_capacity(run.traffic.burst.into());
    let mut drain = Drain::new(intake.now_ns);
    loop {
        if intake.poll(run)? != Found::Nothing {
            answers.clear();
            run.ledger.arrived(&intake.arrivals, |noted| {
                if let Noted::First(header) | Noted::Again(header) = noted {
                    answers.push(header);
                }
            });
            if !answers.is_empty() {
                drain.traffic(intake.now_ns);
                run.hand_over(&answers, intake.now_ns, 0)?;
            }
        } else {
            run.pause();
        }
        if drain.is_over(run, &intake)? {
            return Ok(None);
        }
    }
}
