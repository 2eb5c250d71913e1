//! Exit codes: stable, documented, and the only place that has them.

use crate::agent::AgentError;
use crate::run::RunError;
use crate::store::StoreError;
use crate::workspace::WorkspaceError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Well = 0,
    /// Some tests failed; under `--strict-claims`, a claim is refuted; for `compare`, a test is slower; for `status -q`, something is stale; for `store verify`, something is damaged.
    TestsFailed = 1,
    /// The user's input is wrong.
    BadInput = 2,
    /// The host, or the store, cannot be used or prepared.
    Host = 3,
    /// Interrupted.
    Interrupted = 130,
}

/// An error on its way to the user.
#[derive(Debug)]
pub struct Trouble {
    /// How the program ends.
    pub exit: Exit,
    /// What is printed; one or more whole lines.
    pub text: String,
    /// Whether `text` says by itself where it comes from (`FILE:LINE:COLUMN: ...`).
    pub placed: bool,
}

impl Trouble {
    /// The user's input is wrong.
    pub fn input(text: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::BadInput, text: text.into(), placed: false }
    }

    /// The host or the store does not do what it must.
    pub fn host(text: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Host, text: text.into(), placed: false }
    }
}

impl From<WorkspaceError> for Trouble {
    fn from(error: WorkspaceError) -> Trouble {
        match error {
            WorkspaceError::File(crate::experiment::LoadError::Invalid(diagnostics)) => {
                Trouble { exit: Exit::BadInput, text: diagnostics.to_string(), placed: true }
            }
            WorkspaceError::File(error) => Trouble::input(error.to_string()),
            WorkspaceError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::host(error.to_string())
    }
}

impl From<AgentError> for Trouble {
    fn from(error: AgentError) -> Trouble {
        match error {
            AgentError::Interrupted => {
                Trouble { exit: Exit::Interrupted, text: "interrupted".to_string(), placed: false }
            }
            other => Trouble::host(other.to_string()),
        }
    }
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Trouble {
        match error {
            RunError::Agent(error) => error.into(),
            RunError::Store(error) => error.into(),
            other => Trouble::host(other.to_string()),
        }
    }
}
