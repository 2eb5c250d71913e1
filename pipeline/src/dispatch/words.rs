//! What is said to a dispatcher and by it: tests and stands by their places, what happened, what is to be done. It must
//! not know what comes of either.

use std::time::Duration;

#[cfg(doc)]
use super::State;
use super::{StandState, Urgency};
use crate::key::Key;

/// A test of a run: its place in the list that the run began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub usize);

/// A stand of a run, by its place in the list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stand(pub usize);

/// A test that wants repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The task's key; no two tasks have the same.
    pub key: Key,
    /// What one repetition will take; zero for a test that looks at the time by itself.
    pub cost: Duration,
    /// How urgent its next repetition is.
    pub urgency: Urgency,
}

/// A stand as a run begins.
#[derive(Clone, Debug)]
pub struct StandAtStart {
    /// Whether it takes no other test before what it measured is stored: the store is written on the same machine,
    /// and nothing may disturb a window.
    pub quiet: bool,
    /// [`StandState::Preparing`], or what became of its preparation.
    pub state: StandState,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A stand is prepared.
    Prepared(Stand),
    /// The stand has measured its test, or the test failed there; it is handed to the store.
    Measured {
        /// The stand.
        stand: Stand,
        /// Whether the repetition is to be stored as a failure.
        failed: bool,
    },
    /// The stand has measured nothing of its test, and goes on.
    Returned {
        /// The stand.
        stand: Stand,
        /// Why the stand returned it.
        why: Returned,
    },
    /// A test that was ordered cannot be measured on that stand, which was not given it.
    Unfit {
        /// The test.
        test: Number,
        /// The stand.
        stand: Stand,
        /// Why it cannot, in words.
        reason: String,
    },
    /// The stand cannot be used any more; its test, if it has one, is for another.
    Lost {
        /// The stand.
        stand: Stand,
        /// Why the stand was lost, in words.
        reason: String,
    },
    /// A repetition is in the store.
    Stored {
        /// The test that ended.
        test: Number,
        /// What the next repetition will take, if one is wanted; none for a test that failed.
        more: Option<Duration>,
    },
    /// The answer to [`Order::Review`]: what the next repetition of a test will take; none where none is wanted.
    Reviewed(Vec<(Number, Option<Duration>)>),
    /// How urgent the next repetitions of tests are from now on.
    Urgent(Vec<(Number, Urgency)>),
    /// Nothing is begun any more.
    Stop(Stop),
}

/// Why a stand returns a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The user wants to stop.
    Interrupted,
    /// The time limit was reached in the midst of it.
    OutOfTime,
    /// Another test failed before this one was begun, and the run is not to go on after that.
    Halted,
}

/// Why a run begins nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The user wants to stop.
    Interrupted,
    /// What is next would end after the time limit.
    OutOfTime,
    /// A test failed, and the run is not to go on after that.
    Failure,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Measure a test once: on a stand that is free, or, where its state is [`State::Next`], as the next one of a stand
    /// that measures another.
    Measure {
        /// The test.
        test: Number,
        /// Where.
        stand: Stand,
    },
    /// A stand has gone on with the test that was its next: that is to be told.
    Begun {
        /// The test.
        test: Number,
        /// Where.
        stand: Stand,
    },
    /// Look again at what the tests in [`State::Wanted`] want, before the first one of this block is begun: another
    /// run may have measured it. Nothing else is ordered until [`Event::Reviewed`].
    Review(u64),
    /// Tell that a test was given up.
    GiveUp(Number),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing is wanted any more.
    Settled,
    /// The run was stopped.
    Stopped(Stop),
    /// No stand is left for what is wanted.
    NoStand,
}

/// An event that cannot have happened: a fault of this program. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to keep account of a run: {0}; this is a fault of septet")]
pub struct Impossible(pub(super) String);

/// What is limited in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Whether a run goes on after a failed test.
    pub keep_going: bool,
    /// Nothing is begun that would end later than this.
    pub time: Option<Duration>,
    /// Whether stands are given their next test while they measure: not where it matters when a test is begun.
    pub ahead: bool,
}
