//! The process's clock: nanoseconds of `CLOCK_MONOTONIC`, read from the time stamp counter where that is
//! invariant (one instruction instead of a call), from the clock itself elsewhere. It must not know pacing.

use wire::ClockSource;

use crate::sys::time::{monotonic_ns, tsc, tsc_is_invariant};

/// How long [`Clock::open`] measures the counter's rate. A reading errs by some 50 ns, so the rate is right
/// to 10 parts in a million, and [`Clock::refine`] betters it before the traffic starts.
const CALIBRATION_NS: u64 = 10_000_000;
/// Readings of which the tightest is taken: one may be interrupted, all are not.
const READINGS: usize = 16;
/// Fractional bits of the nanoseconds per tick.
const FRACTION_BITS: u32 = 32;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    ticks: u64,
    ns: u64,
}

impl Reading {
    fn take() -> Self {
        let one = || {
            let before = tsc();
            let ns = monotonic_ns();
            let after = tsc();
            (after.wrapping_sub(before), Self { ticks: before.wrapping_add(after.wrapping_sub(before) / 2), ns })
        };
        let mut best = one();
        for _ in 1..READINGS {
            let next = one();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    fn hz_since(&self, earlier: &Self) -> f64 {
        let ns = self.ns.saturating_sub(earlier.ns).max(1);
        self.ticks.wrapping_sub(earlier.ticks) as f64 * 1e9 / ns as f64
    }
}

/// A clock that can be read cheaply.
#[derive(Clone, Debug)]
pub struct Clock {
    source: ClockSource,
    first: Reading,
    base: Reading,
    ns_per_tick: u64,
}

impl Clock {
    /// The best clock of this machine, calibrated for some milliseconds.
    pub fn open() -> Self {
        let source = if tsc_is_invariant() { ClockSource::Tsc } else { ClockSource::Monotonic };
        let first = Reading::take();
        let mut clock = Self { source, first, base: first, ns_per_tick: 1 << FRACTION_BITS };
        if source == ClockSource::Tsc {
            while monotonic_ns() < first.ns + CALIBRATION_NS {
                std::hint::spin_loop();
            }
            clock.refine();
        }
        clock
    }

    /// Measures the rate again, over all the time since [`Self::open`], and goes on from here with it.
    /// Only while nobody compares times from before with times from after.
    pub fn refine(&mut self) {
        if self.source == ClockSource::Tsc {
            let base = Reading::take();
            let hz = base.hz_since(&self.first);
            let ns_per_tick = 1e9 / hz * (1u64 << FRACTION_BITS) as f64;
            if ns_per_tick.is_normal() {
                (self.base, self.ns_per_tick) = (base, ns_per_tick as u64);
            }
        }
    }

    /// Now, on the scale of `CLOCK_MONOTONIC`, nanoseconds.
    #[inline]
    pub fn now(&self) -> u64 {
        match self.source {
            ClockSource::Monotonic => monotonic_ns(),
            ClockSource::Tsc => {
                let ticks = u128::from(tsc().saturating_sub(self.base.ticks));
                self.base.ns + ((ticks * u128::from(self.ns_per_tick)) >> FRACTION_BITS) as u64
            }
        }
    }

    /// The source, and the rate as measured from [`Self::open`] to this moment, without changing the scale.
    pub fn report(&self) -> wire::Clock {
        let hz = match self.source {
            ClockSource::Monotonic => 1e9,
            ClockSource::Tsc => Reading::take().hz_since(&self.first),
        };
        wire::Clock { source: self.source, hz }
    }
}
