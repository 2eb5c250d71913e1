//! What generators cannot do in the times of a test, or in no time: said where the file is checked, by the bounds that
//! generators refuse requests by. Pure; it must not know groups or files.

use std::fmt;

use results::axes::{Axis, Dimension, Io, Rate, io_name};
use results::tuple::Tuple;
use wire::bounds::{CLIENT_BURSTS_MAX, INTERVALS_MAX, flows_max};
use wire::bursts_intended;

use super::matrix::Times;
use super::units::with_commas;
use crate::traffic;

/// Why generators would refuse a test, or have nothing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The technique has no port with so many flows.
    Flows(Io, u16),
    /// No burst is due within the window.
    NoBurst {
        /// Packets a second.
        rate_pps: u32,
        /// Packets a burst.
        burst: u16,
    },
    /// Warm-up, window and cool-down have more intervals together than are counted.
    Intervals(u64),
    /// A client numbers its bursts, and there are too many.
    Bursts(u64),
}

/// What the limits of tests with the same times have in common.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    times: Times,
    intervals: u64,
    traffic_ns: u64,
}

impl Timed {
    /// For tests with these times.
    pub fn new(times: &Times) -> Timed {
        let schedule = traffic::schedule(&times.longest());
        Timed { times: *times, intervals: schedule.intervals(), traffic_ns: schedule.traffic_ns() }
    }

    /// The first limit that a test is beyond, if there is one.
    pub fn limit(&self, tuple: &Tuple) -> Option<Limit> {
        let Timed { times, intervals, traffic_ns } = *self;
        let io = tuple.variant.io;
        if tuple.variant.flows > flows_max(io) {
            return Some(Limit::Flows(io, tuple.variant.flows));
        }
        if intervals > INTERVALS_MAX {
            return Some(Limit::Intervals(intervals));
        }
        let Rate::Pps(rate_pps) = tuple.rate else { return None };
        let burst = tuple.burst.get();
        let due_by = |time_ns: u64| bursts_intended(time_ns, rate_pps.into(), burst);
        // A window that is as long as from burst to burst has one, wherever it begins.
        let is_short = u128::from(times.duration_ns) * u128::from(rate_pps) < u128::from(burst) * 1_000_000_000;
        if is_short && due_by(times.warmup_ns + times.duration_ns) == due_by(times.warmup_ns) {
            return Some(Limit::NoBurst { rate_pps, burst });
        }
        if tuple.dimension != Dimension::Latency {
            return None;
        }
        let bursts = due_by(traffic_ns);
        (bursts > CLIENT_BURSTS_MAX).then_some(Limit::Bursts(bursts))
    }
}

impl Limit {
    /// Whether tests that differ on this axis alone can differ in their limit: where they cannot, one is asked for all.
    pub fn depends_on(axis: Axis) -> bool {
        // The switch chooses the technique where none is named.
        matches!(axis, Axis::D | Axis::V | Axis::R | Axis::B | Axis::Io | Axis::Flows)
    }

    /// The axis whose value is to be changed; none if it is the times.
    pub fn axis(self) -> Option<Axis> {
        match self {
            Limit::Flows(..) => Some(Axis::Flows),
            Limit::NoBurst { .. } | Limit::Bursts(_) => Some(Axis::R),
            Limit::Intervals(_) => None,
        }
    }

    /// What to do about it.
    pub fn help(self) -> String {
        match self {
            Limit::Flows(io, _) => {
                format!("flows is 1 to {} with io = \"{}\"", flows_max(io), io_name(io))
            }
            Limit::NoBurst { .. } => "raise R, lower B, or give a longer duration".into(),
            Limit::Intervals(_) => "shorten duration, warmup or cooldown".into(),
            Limit::Bursts(_) => "lower R, raise B, or shorten duration".into(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Limit::Flows(io, flows) => write!(f, "io = '{}' does not take flows = {flows}", io_name(io)),
            Limit::NoBurst { rate_pps, burst } => {
                write!(f, "R = {rate_pps} and B = {burst} have no burst within the window: one is due every ")?;
                write!(f, "{} s", f64::from(burst) / f64::from(rate_pps))
            }
            Limit::Intervals(intervals) => {
                let [intervals, most] = [intervals, INTERVALS_MAX].map(|count| with_commas(count.into()));
                write!(f, "warmup, duration and cooldown have {intervals} intervals of 10 ms together, {most} at most")
            }
            Limit::Bursts(bursts) => {
                let [bursts, most] = [bursts, CLIENT_BURSTS_MAX].map(|count| with_commas(count.into()));
                write!(f, "a latency test has {most} bursts at most, not {bursts}")
            }
        }
    }
}
