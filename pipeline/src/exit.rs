//! Exit codes: stable, documented, and the only place that has them.

use std::io;

use serde_json::json;

use crate::agent::AgentError;
use crate::beneath;
use crate::clock::ClockError;
use crate::experiment::diagnostic::{Diagnostics, Place};
use crate::run::RunError;
use crate::store::StoreError;
use crate::workspace::WorkspaceError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Well = 0,
    /// Some tests failed.
    TestsFailed = 1,
    /// The user's input is wrong.
    BadInput = 2,
    /// The host, or the store, cannot be used or prepared.
    Host = 3,
    /// What the command was asked to tell by its exit code is so.
    Answer = 4,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Exit; 6] =
        [Exit::Well, Exit::TestsFailed, Exit::BadInput, Exit::Host, Exit::Answer, Exit::Interrupted];

    /// What it means, for a manual page.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Well => "All is well.",
            Exit::TestsFailed => "Some tests failed, or were given up: too many attempts gave nothing valid.",
            Exit::BadInput => "Your input is wrong: the command line, an experiment, a site file, an archive.",
            Exit::Host => {
                "The host or the store cannot be used, or, where you asked for it, the host is not good enough for \
                 paper-grade results."
            }
            Exit::Answer => {
                "What you asked to be told by exit code is so: something is stale (status -q), slower (compare \
                 --fail-if-slower), refuted (--strict-claims), not reproduced (reproduce) or damaged (store verify, pull \
                 and push; archive verify and import; reproduce)."
            }
            Exit::Interrupted => "Interrupted; what was finished is kept.",
        }
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub struct Trouble {
    /// How the program ends.
    pub exit: Exit,
    /// What is printed; one or more whole lines.
    pub text: String,
    /// What is wrong with a file, place by place; `text` says by itself where it comes from then
    /// (`FILE:LINE:COLUMN: ...`).
    pub diagnostics: Option<Box<Diagnostics>>,
}

impl Trouble {
    /// The user's input is wrong.
    pub fn input(text: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::BadInput, text: text.into(), diagnostics: None }
    }

    /// A file of the user's is wrong.
    pub fn placed(diagnostics: Diagnostics) -> Trouble {
        let text = diagnostics.to_string();
        Trouble { exit: Exit::BadInput, text, diagnostics: Some(Box::new(diagnostics)) }
    }

    /// The error as JSON: `{"error": {"exit", "message", "places": [{"file", "line", "column", ...}]}}`.
    pub fn json(&self) -> serde_json::Value {
        let places = self.diagnostics.iter().flat_map(|diagnostics| {
            diagnostics.list().iter().map(|one| {
                let Place { line, column } = diagnostics.place(one);
                let file = diagnostics.file_name();
                json!({"file": file, "line": line, "column": column, "message": one.message, "help": one.help})
            })
        });
        let mut error = json!({"exit": self.exit as u8, "message": self.text.trim_end()});
        if self.diagnostics.is_some() {
            error["places"] = places.collect();
        }
        json!({"error": error})
    }

    /// A file cannot be used, or the user wants to stop while it is waited for.
    pub fn of_files(error: &impl ToString, source: &io::Error) -> Trouble {
        let exit = if source.kind() == io::ErrorKind::Interrupted { Exit::Interrupted } else { Exit::Host };
        Trouble { exit, text: error.to_string(), diagnostics: None }
    }

    /// The host or the store does not do what it must.
    pub fn host(text: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Host, text: text.into(), diagnostics: None }
    }
}

impl From<WorkspaceError> for Trouble {
    fn from(error: WorkspaceError) -> Trouble {
        match error {
            WorkspaceError::File(crate::experiment::LoadError::Invalid(diagnostics)) => Trouble::placed(diagnostics),
            WorkspaceError::File(error) => Trouble::input(error.to_string()),
            WorkspaceError::Store(error) => error.into(),
        }
    }
}

impl From<beneath::Error> for Trouble {
    fn from(error: beneath::Error) -> Trouble {
        Trouble::of_files(&error, &error.source)
    }
}

impl From<ClockError> for Trouble {
    fn from(error: ClockError) -> Trouble {
        Trouble::host(error.to_string())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        match &error {
            StoreError::Io { source, .. } => Trouble::of_files(&error, source),
            _ => Trouble::host(error.to_string()),
        }
    }
}

impl From<AgentError> for Trouble {
    fn from(error: AgentError) -> Trouble {
        match error {
            AgentError::Interrupted => {
                Trouble { exit: Exit::Interrupted, text: "interrupted".to_string(), diagnostics: None }
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
