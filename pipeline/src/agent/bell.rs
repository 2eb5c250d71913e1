//! What tells whoever listens to several agents that one of them has said something. It must not know what.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bell that agents share; a clone is the same bell.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<(Mutex<u64>, Condvar)>);

impl Bell {
    /// Wakes whoever waits.
    pub fn ring(&self) {
        let (count, woken) = &*self.0;
        *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        woken.notify_all();
    }

    /// How often it was rung: to be asked before agents are, so that nothing is missed in between.
    pub fn rung(&self) -> u64 {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has been rung more often than that, for `patience` at most; how long that was.
    pub fn wait(&self, rung: u64, patience: Duration) -> Duration {
        let began = Instant::now();
        let (count, woken) = &*self.0;
        let guard = count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(woken.wait_timeout_while(guard, patience, |count| *count == rung));
        // A program that was stopped meanwhile has not listened for longer than it meant to.
        began.elapsed().min(patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rung_before_is_not_waited_for_and_what_is_not_rung_ends_the_patience() {
        let bell = Bell::default();
        let rung = bell.rung();
        bell.clone().ring();
        assert!(bell.wait(rung, Duration::from_secs(3600)) < Duration::from_secs(3600));
        assert_eq!(bell.wait(bell.rung(), Duration::from_millis(1)), Duration::from_millis(1));
    }
}
