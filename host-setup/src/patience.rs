//! How long something is waited for, in time that this process had. It must not know for what.
//!
//! A clock alone will not do: a process that was stopped (Ctrl-Z, a suspended laptop, a frozen cgroup) finds its
//! deadline passed when it goes on, though whoever it waited for was stopped as well and had no time to answer.

use std::time::{Duration, Instant};

/// Time between two looks beyond this is not counted: nobody waits in one step for longer.
const STEP_MAX: Duration = Duration::from_millis(500);

/// What is left to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    left: Duration,
    looked: Instant,
}

impl Patience {
    pub(crate) fn of(all: Duration) -> Patience {
        Patience { left: all, looked: Instant::now() }
    }

    /// Whether nothing is left. To be asked once a step, after a look at what is waited for.
    pub(crate) fn is_over(&mut self) -> bool {
        self.passed(Instant::now())
    }

    /// How long the next step may be.
    pub(crate) fn step(&self) -> Duration {
        self.left.min(STEP_MAX)
    }

    fn passed(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.looked).min(STEP_MAX * 2);
        self.left = self.left.saturating_sub(passed);
        self.looked = now;
        self.left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_nobody_could_look_does_not_count() {
        let mut patience = Patience::of(Duration::from_secs(3));
        let began = patience.looked;
        assert!(!patience.passed(began + Duration::from_secs(3600)));
        assert_eq!(patience.left, Duration::from_secs(2));
        let woken = patience.looked;
        assert!((1..8).all(|step| !patience.passed(woken + step * Duration::from_millis(250))));
        assert!(patience.passed(woken + Duration::from_secs(2)));
        assert!(patience.step().is_zero());
    }
}
