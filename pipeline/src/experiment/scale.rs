//! The same experiment with shorter windows and fewer repetitions, for a first look. It has a name of its own, so that
//! what was measured for it is never taken for the whole. It must not know why somebody wants it.

use reports::spec::Id;

use super::Experiment;
use super::header::{DURATION_NS_MIN, Repetitions};
use super::matrix::{self, MatrixError, Times};

/// Fewest repetitions: one has no interval, and decides no claim.
const REPETITIONS_MIN: u32 = 2;

/// The widest interval that a precision is scaled to, as a part of the mean.
const RATIO_MAX: f64 = 0.5;

impl Experiment {
    /// The experiment with windows, warm-ups, cool-downs and repetitions scaled to `part` of what they are, and with a
    /// name and a title that say so.
    ///
    /// # Errors
    /// Where a test makes no sense in so short a time, in words.
    pub fn scaled(&self, part: f64) -> Result<Experiment, String> {
        if !(part > 0.0 && part <= 1.0) {
            return Err(format!("{part} is not above 0 and at most 1"));
        }
        let mut scaled = self.clone();
        scaled.protocol.times = times(self.protocol.times, part);
        scaled.protocol.repetitions = repetitions(self.protocol.repetitions, part);
        for group in &mut scaled.groups {
            group.times = times(group.times, part);
        }
        let (matrix, errors) = matrix::expand(&scaled.groups);
        if let Some(error) = errors.into_iter().next() {
            return Err(match error {
                MatrixError::Beyond { limit, .. } => limit.to_string(),
                other => format!("its tests are not what they were: {other:?}"),
            });
        }
        scaled.matrix = matrix;
        let name = format!("{}-scale-{part}", self.name);
        scaled.name = Id::new(&name).ok_or_else(|| format!("'{name}' is no name: the experiment's is too long"))?;
        scaled.title = format!("{} (scaled to {part})", self.title);
        Ok(scaled)
    }
}

fn times(times: Times, part: f64) -> Times {
    // Whole microseconds, so that the same part always gives the same key.
    let scaled = |ns: u64| ((ns as f64 * part / 1_000.0).round() as u64) * 1_000;
    Times {
        // A window that is chosen is as long as it must be; what is scaled is the precision.
        duration_ns: match times.chosen {
            true => times.duration_ns,
            false => scaled(times.duration_ns).max(DURATION_NS_MIN.min(times.duration_ns)),
        },
        warmup_ns: scaled(times.warmup_ns),
        cooldown_ns: scaled(times.cooldown_ns),
        chosen: times.chosen,
    }
}

fn repetitions(wanted: Repetitions, part: f64) -> Repetitions {
    let scaled = |count: u32| ((f64::from(count) * part).ceil() as u32).max(REPETITIONS_MIN.min(count));
    match wanted.cap_ns {
        None => Repetitions { min: scaled(wanted.min), max: scaled(wanted.max), ..wanted },
        // A tenth of the time reaches a width about three times as large.
        Some(cap_ns) => Repetitions {
            ci: wanted.ci.map(|ci| (ci / part.sqrt()).min(RATIO_MAX)),
            cap_ns: Some((cap_ns as f64 * part) as u64),
            ..wanted
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::{STARTER, parse};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_scaled_is_the_same_tests_for_no_longer(part in 0.05f64..=1.0) {
            let whole = parse(STARTER, "starter.toml").expect("it is an experiment");
            let scaled = whole.scaled(part).expect("its rates are high enough");
            prop_assert_eq!(whole.matrix.tests.len(), scaled.matrix.tests.len());
            prop_assert_ne!(&whole.name, &scaled.name);
            prop_assert!(scaled.title.contains("scaled to"));
            for (a, b) in whole.matrix.tests.iter().zip(&scaled.matrix.tests) {
                prop_assert_eq!(&a.tuple, &b.tuple);
                prop_assert_eq!(&a.groups, &b.groups);
                prop_assert!(b.times.duration_ns <= a.times.duration_ns && b.times.duration_ns >= 10_000_000);
            }
            let (a, b) = (whole.protocol.repetitions, scaled.protocol.repetitions);
            prop_assert!(b.min <= a.min && b.max <= a.max && b.min <= b.max && b.min >= a.min.min(2));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let whole = parse(STARTER, "starter.toml").expect("it is an experiment");
        for part in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            assert!(whole.scaled(part).is_err(), "{part}");
        }
    }

    #[test]
    fn a_window_without_a_burst_is_refused() {
        let text = "[experiment]\nname = \"slow\"\n[protocol]\nduration = \"1s\"\nwarmup = \"100ms\"\ncooldown = \"0s\"\n\
                    repetitions = 2\n[[tests]]\nid = \"a\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
                    V = \"linux-bridge\"\nP = 64\nR = 10\nB = 4\n";
        let whole = parse(text, "slow.toml").unwrap_or_else(|errors| panic!("{errors}"));
        let refused = whole.scaled(0.1).expect_err("a burst is due every 400 ms");
        assert!(refused.contains("no burst within the window"), "{refused}");
    }
}
