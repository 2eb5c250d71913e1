//! How much one more repetition of a test helps: what is not known at all comes first, then what is in doubt, the widest
//! first, and at last what needs no more. It must not know what a test is needed for, or how wide its interval is.

use std::cmp::Reverse;

/// Steps of a factor of two in which widths are told apart: within one, tests are equals.
const STEPS: f64 = 4.0;
/// The widest that is told apart, in those steps.
const WIDTH_MAX: i32 = 1_000;

/// How urgent the next repetition of a test is; the most urgent is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Urgency {
    tier: Tier,
    width: Reverse<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Unknown,
    Doubtful,
    Settled,
}

/// When a test's turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    tier: Tier,
    pub(super) block: u64,
    width: Reverse<i32>,
}

impl Urgency {
    /// Nothing is known of the test; also that of all tests of a run in which no test is more urgent than another.
    pub const UNKNOWN: Urgency = Urgency { tier: Tier::Unknown, width: Reverse(WIDTH_MAX) };
    /// The test has what it is needed for.
    pub const SETTLED: Urgency = Urgency { tier: Tier::Settled, width: Reverse(0) };

    /// The urgency of an interval `times` as wide as needed; one that is no wider is settled. Infinity is a
    /// test without any interval.
    pub fn of_width(times: f64) -> Urgency {
        match times {
            times if times > 1.0 => {
                // In [0, WIDTH_MAX] beforehand; infinity becomes the latter.
                let steps = (STEPS * times.log2()).round().clamp(0.0, f64::from(WIDTH_MAX)) as i32;
                Urgency { tier: Tier::Doubtful, width: Reverse(steps) }
            }
            times if times.is_nan() => Urgency { tier: Tier::Doubtful, width: Reverse(WIDTH_MAX) },
            _ => Urgency::SETTLED,
        }
    }

    /// When it is its turn in a block: blocks keep two repetitions of a test apart in time, whatever its width.
    pub(super) fn turn(self, block: u64) -> Turn {
        Turn { tier: self.tier, block, width: self.width }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_wider_one_is_never_later(a in 0.0..1e9f64, b in 0.0..1e9f64) {
            let (narrow, wide) = (a.min(b), a.max(b));
            prop_assert!(Urgency::of_width(wide) <= Urgency::of_width(narrow));
            prop_assert!(Urgency::UNKNOWN < Urgency::of_width(f64::INFINITY));
            prop_assert!(Urgency::of_width(f64::INFINITY) <= Urgency::of_width(wide));
            prop_assert_eq!(Urgency::of_width(a) == Urgency::SETTLED, a <= 1.0);
        }
    }

    #[test]
    fn nearly_equal_widths_are_equals() {
        assert_eq!(Urgency::of_width(4.0), Urgency::of_width(4.2));
        assert!(Urgency::of_width(8.0) < Urgency::of_width(4.0));
        assert_eq!(Urgency::of_width(f64::NAN), Urgency::of_width(f64::INFINITY));
    }
}
