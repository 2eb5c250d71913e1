//! `receive`: counts what comes until it is told that nothing more will. It must not know who sends.

use crate::failure::Failure;
use crate::ledger::Noted;
use crate::payload::Arrival;
use crate::port::Port;
use crate::run::Run;

/// After the end marker, so long without traffic means that nothing is in flight any more.
const QUIET_NS: u64 = 20_000_000;

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
    pub(super) fn is_over<P: Port>(&mut self, run: &mut Run<P>, now_ns: u64, idle: bool) -> Result<bool, Failure> {
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
    let mut arrivals = Vec::with_capacity(run.traffic.burst.into());
    let mut now_ns = run.clock.now();
    let mut drain = Drain::new(now_ns);
    loop {
        if take(run, &mut arrivals, &mut now_ns)? {
            let expected = run.ledger.expected(&arrivals);
            let mut traffic = expected > 0;
            for arrival in &arrivals[expected..] {
                traffic |= run.ledger.arrival(arrival) != Noted::Other;
            }
            if traffic {
                drain.traffic(now_ns);
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

/// Polls, moves `now_ns` on to when the poll returned, and says whether something came; if not, the time
/// since the old `now_ns` was idle (so whoever was busy moves it on). What came before the start and is no
/// traffic belongs to the setting up of the network, and is forgotten.
#[inline]
pub(super) fn take<P: Port>(run: &mut Run<P>, arrivals: &mut Vec<Arrival>, now_ns: &mut u64) -> Result<bool, Failure> {
    run.take(arrivals)?;
    let before_ns = (*now_ns).max(run.epoch_ns);
    *now_ns = run.clock.now();
    run.ledger.at(*now_ns, run.port.calls());
    if *now_ns < run.epoch_ns {
        arrivals.retain(|arrival| matches!(arrival, Arrival::Ours(_)));
    }
    if arrivals.is_empty() {
        run.ledger.idle(now_ns.saturating_sub(before_ns));
    }
    Ok(!arrivals.is_empty())
}
