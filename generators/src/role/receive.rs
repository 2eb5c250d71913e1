//! `receive`: counts what comes until it is told that nothing more will. It must not know who sends.

use crate::failure::Failure;
use crate::ledger::Noted;
use crate::payload::Arrival;
use crate::port::{Found, Port};
use crate::run::Run;

/// After the end marker, so long without traffic means that nothing is in flight any more.
const QUIET_NS: u64 = 20_000_000;

/// The clock is read when a poll finds nothing, and every so many bursts: reading it takes as long as looking at
/// several packets, and what comes until the next reading is counted a few microseconds too early.
const BURSTS_A_READING: u32 = 8;

/// When a receiver that was told to stop may do so.
pub(super) struct Drain {
    last_traffic_ns: u64,
    until_ns: Option<u64>,
}

impl Drain {
    pub(super) fn new(now_ns: u64) -> Self {
        Self { last_traffic_ns: now_ns, until_ns: None }
    }

    /// Traffic came.
    #[inline]
    pub(super) fn traffic(&mut self, now_ns: u64) {
        self.last_traffic_ns = now_ns;
    }

    /// Whether all is over: told to stop, and the end marker seen and all quiet, or waited long enough.
    #[inline]
    pub(super) fn is_over<P: Port>(&mut self, run: &mut Run<P>, intake: &Intake) -> Result<bool, Failure> {
        let (now_ns, idle) = (intake.now_ns, intake.arrivals.is_empty());
        if run.beat_is_due(now_ns) && run.beat(now_ns)? {
            self.until_ns.get_or_insert(now_ns.saturating_add(run.traffic.schedule.drain_ns_max));
        }
        let Some(until_ns) = self.until_ns else { return Ok(false) };
        let quiet = idle && now_ns.saturating_sub(self.last_traffic_ns) >= QUIET_NS;
        Ok(now_ns >= until_ns || (quiet && run.ledger.end_marker_seen()))
    }
}

/// Counts until told to stop, then until nothing is in flight. How many packets were to come the end marker
/// says.
pub(crate) fn run<P: Port>(run: &mut Run<P>) -> Result<Option<u64>, Failure> {
    let mut intake = Intake::new(run);
    let mut drain = Drain::new(intake.now_ns);
    loop {
        let found = intake.poll(run)?;
        if found != Found::Nothing {
            let expected = run.ledger.expected(&intake.arrivals);
            let mut traffic = expected > 0;
            for arrival in &intake.arrivals[expected..] {
                traffic |= run.ledger.arrival(arrival) != Noted::Other;
            }
            if traffic {
                drain.traffic(intake.now_ns);
            }
        }
        run.let_fill(found);
        if drain.is_over(run, &intake)? {
            return Ok(None);
        }
    }
}

/// The polls of a role that waits for what comes.
pub(super) struct Intake {
    /// What the last poll found.
    pub(super) arrivals: Vec<Arrival>,
    /// When it returned, or one of the [`BURSTS_A_READING`] before.
    pub(super) now_ns: u64,
    /// Bursts since the clock was read.
    unread: u32,
    /// When the poll before returned, if that found nothing: since then there was nothing to do.
    idle_from_ns: Option<u64>,
}

impl Intake {
    pub(super) fn new<P: Port>(run: &Run<P>) -> Self {
        let arrivals = Vec::with_capacity(run.traffic.burst.into());
        Self { arrivals, now_ns: run.clock.now(), unread: 0, idle_from_ns: None }
    }

    /// Polls. The time until the first poll that finds nothing counts as busy: it was, but for that poll.
    #[inline]
    pub(super) fn poll<P: Port>(&mut self, run: &mut Run<P>) -> Result<Found, Failure> {
        let found = run.take(&mut self.arrivals)?;
        let nothing = found == Found::Nothing;
        self.unread += 1;
        if nothing || self.unread == BURSTS_A_READING {
            self.now_ns = run.clock.now();
            self.unread = 0;
        }
        run.arrived(&mut self.arrivals, self.now_ns);
        if nothing && let Some(from_ns) = self.idle_from_ns {
            run.idle(from_ns, self.now_ns);
        }
        self.idle_from_ns = nothing.then_some(self.now_ns);
        Ok(found)
    }
}
