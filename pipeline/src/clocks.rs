//! How the monotonic clocks of two hosts stand to each other: read in round trips of which the shortest is believed,
//! before a window and after it. What is counted is counted by each generator's own clock; this is for beginning
//! together, and for what a record says of how well that went. It must not know what clocks are used for.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::agent::{Agent, AgentError};

/// Round trips of one reading, at least and at most: more are made until one was short.
const ROUND_TRIPS: std::ops::Range<usize> = 8..40;
/// A round trip that is short enough, ns.
const SHORT_NS: u64 = 400_000;

/// A host's clock against this program's, which counts from some instant of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the host's clock shows, less what this program's does, ns.
    pub offset_ns: i128,
    /// How far that may be off, ns: half of the shortest round trip.
    pub uncertainty_ns: u64,
    /// When it was read by this program's clock, ns.
    pub at_ns: u64,
}

/// How the clock of the second host stands to that of the first one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clocks {
    /// What the second one shows more than the first before the window, ns.
    pub offset_ns: i64,
    /// How far that may be off, ns.
    pub uncertainty_ns: u64,
    /// How much more it shows after the window than before it, ns.
    pub drift_ns: i64,
    /// How far that may be off, ns.
    pub drift_uncertainty_ns: u64,
    /// Time between the two readings, ns.
    pub span_ns: u64,
}

/// Reads a host's clock against one that counts from `zero`.
///
/// # Errors
/// When the agent cannot go on.
pub fn read(agent: &mut Agent, zero: Instant) -> Result<Reading, AgentError> {
    let now_ns = || u64::try_from(zero.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut trips: Vec<Trip> = Vec::new();
    let short =
        |trips: &[Trip]| trips.len() >= ROUND_TRIPS.start && trips.iter().any(|trip| trip.length_ns() < SHORT_NS);
    while trips.len() < ROUND_TRIPS.end && !short(&trips) {
        let asked_ns = now_ns();
        let shown_ns = agent.clock()?;
        trips.push(Trip { asked_ns, shown_ns, answered_ns: now_ns() });
    }
    trips.iter().min_by_key(|trip| trip.length_ns()).map(Trip::reading).ok_or(AgentError::Interrupted)
}

/// One question and its answer.
#[derive(Clone, Copy, Debug)]
struct Trip {
    asked_ns: u64,
    shown_ns: u64,
    answered_ns: u64,
}

impl Trip {
    fn length_ns(&self) -> u64 {
        self.answered_ns.saturating_sub(self.asked_ns)
    }

    /// The answer was made somewhere between question and answer: in the middle, give or take half of it.
    fn reading(&self) -> Reading {
        let uncertainty_ns = self.length_ns().div_ceil(2);
        let at_ns = self.asked_ns + self.length_ns() / 2;
        Reading { offset_ns: i128::from(self.shown_ns) - i128::from(at_ns), uncertainty_ns, at_ns }
    }
}

/// The second host's clock against the first one's, by readings of both before and after a window.
pub fn between(before: [Reading; 2], after: [Reading; 2]) -> Clocks {
    let offset = |[first, second]: [Reading; 2]| second.offset_ns - first.offset_ns;
    let uncertainty = |[first, second]: [Reading; 2]| first.uncertainty_ns + second.uncertainty_ns;
    let saturated = |ns: i128| i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX });
    Clocks {
        offset_ns: saturated(offset(before)),
        uncertainty_ns: uncertainty(before),
        drift_ns: saturated(offset(after) - offset(before)),
        drift_uncertainty_ns: uncertainty(before) + uncertainty(after),
        span_ns: after[0].at_ns.saturating_sub(before[0].at_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_truth_lies_within_the_uncertainty(
            offset in -4_000_000_000_000i64..4_000_000_000_000,
            drift in -1_000_000i64..1_000_000,
            delays in proptest::array::uniform8(1u64..5_000_000),
        ) {
            // An hour is 3.6e12 ns: a clock that is off by that is as good as any other.
            let base = 8_000_000_000_000u64;
            let reading = |asked_ns: u64, offset: i64, there: u64, back: u64| {
                let shown_ns = (asked_ns + there).checked_add_signed(offset).expect("positive");
                Trip { asked_ns, shown_ns, answered_ns: asked_ns + there + back }.reading()
            };
            let [a, b, c, d, e, f, g, h] = delays;
            let before = [reading(base, 0, a, b), reading(base, offset, c, d)];
            let after = [reading(2 * base, 0, e, f), reading(2 * base, offset + drift, g, h)];
            let clocks = between(before, after);
            prop_assert!(clocks.offset_ns.abs_diff(offset) <= clocks.uncertainty_ns + 2);
            prop_assert!(clocks.drift_ns.abs_diff(drift) <= clocks.drift_uncertainty_ns + 4);
        }
    }
}
