//! When each burst is due, by exact integer arithmetic, and what becomes of deadlines that have passed.
//! It must not know clocks or ports: time comes in as a number.
//!
//! Burst `k` is due `k * burst / rate` seconds after the epoch, rounded down to a nanosecond: no error adds
//! up, and an overslept deadline moves no later one. The schedule holds the whole bursts that are due before
//! the traffic's end, so that every burst has the size that was asked for; after the last one it waits for that end,
//! however far that is.

/// How late a burst may be sent at least. After a stall the schedule catches up on this much, back to back;
/// what is older is missed, by number, and never sent. Shorter stalls (an interrupt, a timer tick, another
/// process's few system calls) cost nothing but lateness, which is recorded; after longer ones catching up
/// would make a load that nobody asked for. Where bursts are further apart than this, a burst is missed only
/// once the next one is due.
pub const CATCH_UP_NS: u64 = 1_000_000;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before `due_ns`.
    Wait {
        /// When the next burst is due, or after the last one the end.
        due_ns: u64,
    },
    /// Send this burst; the schedule has moved on.
    Send {
        /// The burst's number, from 0.
        burst: u64,
        /// How long ago it was due.
        late_ns: u64,
    },
    /// So many bursts are too late to be sent; the schedule has moved on.
    Missed {
        /// How many.
        bursts: u64,
    },
    /// The schedule's time is over.
    End,
}

/// A schedule of bursts and the place reached in it.
#[derive(Clone, Debug)]
pub struct Pacer {
    epoch_ns: u64,
    /// Nanoseconds of one burst times `rate_pps`: the exact distance of deadlines is `burst_ns_rate / rate_pps`.
    burst_ns_rate: u128,
    rate_pps: u64,
    step_ns: u64,
    step_rest: u64,
    catch_up_ns: u64,
    end_ns: u64,
    bursts: u64,
    next: u64,
    due_ns: u64,
    due_rest: u64,
}

impl Pacer {
    /// Bursts of `burst` packets at `rate_pps` packets per second, for `traffic_ns` from `epoch_ns` on.
    /// A rate of 0 makes a schedule without bursts.
    pub fn new(epoch_ns: u64, traffic_ns: u64, rate_pps: u64, burst: u16) -> Self {
        let bursts = wire::bursts_intended(traffic_ns, rate_pps, burst);
        let rate_pps = rate_pps.max(1);
        let burst_ns = u64::from(burst) * 1_000_000_000;
        let step_ns = burst_ns / rate_pps;
        Self {
            epoch_ns,
            burst_ns_rate: u128::from(burst_ns),
            rate_pps,
            step_ns,
            step_rest: burst_ns % rate_pps,
            catch_up_ns: CATCH_UP_NS.max(step_ns),
            end_ns: epoch_ns.saturating_add(traffic_ns),
            bursts,
            next: 0,
            due_ns: epoch_ns,
            due_rest: 0,
        }
    }

    /// What to do at `now_ns`.
    #[inline]
    pub fn step(&mut self, now_ns: u64) -> Step {
        if self.next == self.bursts {
            return if now_ns < self.end_ns { Step::Wait { due_ns: self.end_ns } } else { Step::End };
        }
        if now_ns < self.due_ns {
            return Step::Wait { due_ns: self.due_ns };
        }
        let late_ns = now_ns - self.due_ns;
        if late_ns > self.catch_up_ns {
            return self.skip(now_ns - self.catch_up_ns);
        }
        let burst = self.next;
        self.next += 1;
        self.due_ns += self.step_ns;
        self.due_rest += self.step_rest;
        if self.due_rest >= self.rate_pps {
            self.due_rest -= self.rate_pps;
            self.due_ns += 1;
        }
        Step::Send { burst, late_ns }
    }

    /// Moves on to the first burst that is due at `oldest_ns` or later. It is one beyond the present one at
    /// least, and exists even where the schedule ends before.
    #[cold]
    fn skip(&mut self, oldest_ns: u64) -> Step {
        let elapsed_rate = u128::from(oldest_ns - self.epoch_ns) * u128::from(self.rate_pps);
        let first = u64::try_from(elapsed_rate.div_ceil(self.burst_ns_rate)).unwrap_or(u64::MAX).min(self.bursts);
        let bursts = first - self.next;
        let exact = u128::from(first) * self.burst_ns_rate;
        let rate = u128::from(self.rate_pps);
        self.next = first;
        self.due_ns = self.epoch_ns.saturating_add(u64::try_from(exact / rate).unwrap_or(u64::MAX));
        self.due_rest = (exact % rate) as u64;
        Step::Missed { bursts }
    }
}
