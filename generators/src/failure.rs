//! Why a generator cannot go on, in words that complete "failed to ...".
//! It must not know what becomes of it: `main` turns it into an event and an exit code.

use std::error::Error;
use std::fmt;
use std::io;

/// What was attempted and why it did not work.
#[derive(Debug)]
pub struct Failure {
    attempt: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// `attempt` completes "failed to ..." and says by itself what is wrong.
    pub fn new(attempt: impl Into<String>) -> Self {
        Self { attempt: attempt.into(), source: None }
    }

    /// `attempt` completes "failed to ..."; `source` says why.
    pub fn because(attempt: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { attempt: attempt.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(out, "{}: {source}", self.attempt),
            None => out.write_str(&self.attempt),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn Error + 'static))
    }
}

/// Adds to an I/O error what was attempted.
pub trait Attempt<T> {
    /// `attempt` completes "failed to ...".
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> Attempt<T> for io::Result<T> {
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|source| Failure::because(attempt(), source))
    }
}
