//! What a test of a run, and a stand, can be, and from where to where each may go. It must not know why.

use super::{Number, Stand};

/// What a test of a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The test wants one more repetition, in this block.
    Wanted {
        /// The block: as many repetitions of it were stored in this run.
        block: u64,
    },
    /// It is the next one of a stand that still measures another.
    Next {
        /// The block.
        block: u64,
        /// The stand, which goes on with it by itself.
        stand: Stand,
    },
    /// A repetition of it is measured.
    Running {
        /// The block.
        block: u64,
        /// The stand that measures it.
        stand: Stand,
    },
    /// A repetition was measured or has failed, and is on its way into the store.
    Storing {
        /// The block.
        block: u64,
        /// Where it was measured.
        stand: Stand,
        /// Whether the repetition is stored as a failure.
        failed: bool,
    },
    /// Everything that was wanted of it is stored.
    Stored,
    /// A repetition failed and is stored as a failure: no more is wanted of it in this run.
    Failed,
    /// The test cannot be measured in this run.
    GivenUp(GivenUp),
}

/// Why a test is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The stands that measured it were lost, one after the other; what the last one died of.
    Lost {
        /// How many stands were lost.
        stands: u32,
        /// The reason of the last loss.
        reason: String,
    },
    /// No stand that is left can measure it; why the last one asked cannot.
    Unfit(String),
}

/// Completes "failed to ...".
impl std::fmt::Display for GivenUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GivenUp::Lost { stands, reason } => {
                write!(f, "measure it: {stands} stands were lost while they measured it, the last one since {reason}")
            }
            GivenUp::Unfit(reason) => write!(f, "find a stand for it: {reason}"),
        }
    }
}

/// What a stand is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandState {
    /// The stand's hosts are being leased and prepared.
    Preparing,
    /// The stand waits for a test.
    Free,
    /// The stand measures this test, or waits until what it measured is stored.
    Busy(Number),
    /// The stand takes no test any more, for this reason.
    Aside(String),
}

impl State {
    /// Whether a test may go from here to there.
    pub(super) fn leads_to(&self, next: &State) -> bool {
        use State::{Failed, GivenUp, Next, Running, Stored, Storing, Wanted};
        match (self, next) {
            (Wanted { block }, Running { block: same, .. } | Next { block: same, .. }) => block == same,
            (Next { block, stand }, Running { block: same, stand: there }) => block == same && stand == there,
            (Next { block, .. }, Wanted { block: same }) => block == same,
            (Wanted { .. }, Stored | GivenUp(_)) => true,
            (Running { block, .. }, Wanted { block: same }) => block == same,
            (Running { block, stand }, Storing { block: same, stand: there, .. }) => block == same && stand == there,
            (Running { .. }, GivenUp(_)) => true,
            (Storing { block, failed: false, .. }, Wanted { block: later }) => *later == block + 1,
            (Storing { failed, .. }, Stored) => !failed,
            (Storing { failed, .. }, Failed) => *failed,
            _ => false,
        }
    }

    /// Whether nothing more becomes of it in this run.
    pub fn is_settled(&self) -> bool {
        matches!(self, State::Stored | State::Failed | State::GivenUp(_))
    }
}

impl StandState {
    /// Whether a stand may go from here to there.
    pub(super) fn leads_to(&self, next: &StandState) -> bool {
        use StandState::{Aside, Busy, Free, Preparing};
        matches!(
            (self, next),
            (Preparing, Free) | (Free, Busy(_)) | (Busy(_), Free) | (Preparing | Free | Busy(_), Aside(_))
        )
    }
}
