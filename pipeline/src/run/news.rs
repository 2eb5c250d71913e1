//! What the threads of a run tell the one that drives it, and what they are told. It must not do any of it.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use host_setup::facts::Facts;
use host_setup::protocol::Achieved;

use super::RunError;
use crate::agent::AgentError;
use crate::dispatch::{Number, Returned, Stand};
use crate::experiment::Test;
use crate::measure::Failed;
use crate::precise::Chosen;
use crate::ready::Ready;
use crate::store::{Entry, Record};

/// One repetition to measure on a stand.
pub(super) struct Assignment<'t> {
    pub(super) number: Number,
    pub(super) test: &'t Test,
    pub(super) ready: Box<Ready>,
    /// Facts of each host that the test is measured on, with the test's stack.
    pub(super) facts: Vec<&'t Facts>,
    /// How long its window is, where that is chosen, nanoseconds, and by what.
    pub(super) chosen: Option<(u64, Chosen)>,
    /// When a search begins no further trial.
    pub(super) until: Option<Instant>,
}

/// Something that a thread has to say.
pub(super) enum News {
    /// Another run holds a host of a stand.
    Waiting(String),
    /// Others did not leave the measuring CPUs of a stand alone in time, in words.
    Unquiet(String),
    /// A stand is leased and prepared.
    Prepared { stand: Stand, achieved: Vec<Achieved> },
    /// A stand could not be leased or prepared.
    Unprepared { stand: Stand, error: RunError },
    /// A trial of a search was made.
    Tried { test: Number, rate_pps: u32, loss_ratio: f64 },
    /// A repetition was measured, or has failed for a reason: it is on its way into the store.
    Measured { stand: Stand, failed: Option<Failed> },
    /// A stand measured nothing of its test, and goes on.
    Returned { stand: Stand, why: Returned },
    /// A stand cannot go on.
    Lost { stand: Stand, error: AgentError },
    /// What was measured is in the store.
    Kept { test: Number, entry: Entry, record: Box<Record> },
    /// What concerns the whole run.
    Trouble(RunError),
}

/// Tells it if the thread that has it dies, so that nobody waits for its word.
pub(super) struct Alarm(pub(super) Sender<News>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(News::Trouble(RunError::Ended));
        }
    }
}

/// How long stands waited for their next test, from the end of the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// How often a stand waited.
    pub count: u64,
    /// All together.
    pub total: Duration,
    /// The longest.
    pub max: Duration,
    /// How often it was longer than 10 ms.
    pub long: u64,
}

impl Idle {
    pub(super) fn add(&mut self, waited: Duration) {
        let long = u64::from(waited > Duration::from_millis(10));
        *self = self.and(Idle { count: 1, total: waited, max: waited, long });
    }

    pub(super) fn and(self, other: Idle) -> Idle {
        Idle {
            count: self.count + other.count,
            total: self.total + other.total,
            max: self.max.max(other.max),
            long: self.long + other.long,
        }
    }
}
