//! How the agent's steps fail: a [`Failure`] of the protocol, made where the step is and carried up.
//! It must not know which step it is.

use std::fmt::Display;
use std::io::Write as _;

use crate::protocol::{Failure, FailureKind};

impl Failure {
    /// `message` completes "failed to ...".
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), advice: None, last_lines: Vec::new() }
    }

    /// This failure with a word about what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Failure {
        self.advice = Some(advice.into());
        self
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "failed to {}", self.message)?;
        if let Some(advice) = &self.advice {
            write!(formatter, "; {advice}")?;
        }
        for line in &self.last_lines {
            write!(formatter, "\n  | {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// A word to people, on standard error. What cannot be written there has nobody to read it.
pub(crate) fn warn(words: &str) {
    let _ = writeln!(std::io::stderr(), "septet-host: {words}");
}

/// Says of an error during what it happened, and who can do something about it.
pub(crate) trait During<T> {
    /// The request made no sense.
    fn request(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
    /// The host is not as it must be.
    fn host(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
    /// An error as a failure of the scene, which leaves the host usable.
    fn scene(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Display> During<T> for Result<T, E> {
    fn request(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(FailureKind::Request, format!("{}: {error}", doing())))
    }

    fn host(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(FailureKind::Host, format!("{}: {error}", doing())))
    }

    fn scene(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(FailureKind::Scene, format!("{}: {error}", doing())))
    }
}
