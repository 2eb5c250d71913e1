//! Looks at the counters while a window lasts: seldom, and the more seldom the longer a look takes. It must not
//! know what is made of them.

use nix::time::{ClockId, clock_gettime};

use crate::disturbance::Series;
use crate::failure::During;
use crate::protocol::{Failure, Watched};

/// Looking takes at most one part in so many of a CPU: a look is followed by so many times its own duration.
const PARTS: u64 = 500;

/// A window that is looked at.
pub(crate) struct Watch {
    cpus: Vec<u32>,
    until_ns: u64,
    every_ns: u64,
    /// When the next look is due; none when there is none any more.
    due_ns: Option<u64>,
    series: Series,
}

impl Watch {
    /// `cpus` measure from one time to another (`CLOCK_MONOTONIC`, ns).
    pub(crate) fn new(cpus: Vec<u32>, from_ns: u64, until_ns: u64, every_ms: u64) -> Watch {
        let every_ns = every_ms.saturating_mul(1_000_000);
        let series = Series::new(cpus.clone(), from_ns);
        Watch { cpus, until_ns, every_ns, due_ns: Some(from_ns), series }
    }

    /// Time until the next look, ns; none when all have been taken.
    pub(crate) fn wait_ns(&self) -> Result<Option<u64>, Failure> {
        let Some(due_ns) = self.due_ns else { return Ok(None) };
        Ok(Some(due_ns.saturating_sub(super::mono_ns()?)))
    }

    /// Looks. After a failure there are no more looks.
    pub(crate) fn look(&mut self) -> Result<(), Failure> {
        self.due_ns = None;
        let began_ns = cpu_ns()?;
        let look = super::take(Vec::new(), &self.cpus)?;
        let now_ns = look.mono_ns;
        let took_ns = cpu_ns()?.saturating_sub(began_ns);
        self.series.add(look, took_ns);
        let pause_ns = self.every_ns.max(took_ns.saturating_mul(PARTS));
        self.due_ns = next(now_ns, self.until_ns, pause_ns);
        Ok(())
    }

    pub(crate) fn seen(&self) -> &Watched {
        self.series.seen()
    }
}

/// When to look next: after a pause, or at the end of the window if that is about then. What is left that is much
/// shorter than a pause is not looked at, since few events make a high rate in it.
fn next(now_ns: u64, until_ns: u64, pause_ns: u64) -> Option<u64> {
    let left_ns = until_ns.saturating_sub(now_ns);
    let half = pause_ns / 2;
    if left_ns < half.max(1) {
        None
    } else if left_ns < pause_ns.saturating_add(half) {
        Some(until_ns)
    } else {
        Some(now_ns.saturating_add(pause_ns))
    }
}

/// Processor time of this process, which has one thread.
fn cpu_ns() -> Result<u64, Failure> {
    let spent = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).host(|| "read the clock".into())?;
    Ok(std::time::Duration::from(spent).as_nanos().try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn looks_are_about_a_pause_apart_and_end_with_the_window(
            length in 0u64..10_000_000,
            pause in 1u64..5_000_000,
        ) {
            let (from, until) = (77, 77 + length);
            let mut looks = vec![from];
            while let Some(due) = next(looks[looks.len() - 1], until, pause) {
                looks.push(due);
                prop_assert!(looks.len() < 20_000_000);
                if looks.len() > 1000 {
                    break;
                }
            }
            for pair in looks.windows(2) {
                let span = pair[1] - pair[0];
                prop_assert!(span >= pause / 2 && span <= pause + pause / 2);
            }
            prop_assert!(looks.len() == 1 || looks.len() > 1000 || looks[looks.len() - 1] == until);
        }
    }
}
