//! A store that others share: the conversation with `septet-remote`, which copies files to and from it. What is
//! copied is `share`'s business, what may be believed too. It must not know results.

mod generations;
#[path = "../../remote/src/lines.rs"]
mod lines;
mod parts;
pub mod share;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lines::{Answer, PROTOCOL, Request};
pub use lines::{Op, Outcome};

/// Requests that are asked before an answer is waited for.
const AHEAD: usize = 48;

/// Why a shared store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The program is missing.
    #[error("failed to reach {url}: {} is missing; `make build` makes it", program.display())]
    NotFound {
        /// The store.
        url: String,
        /// Where it should be.
        program: PathBuf,
    },
    /// The program cannot be spoken to.
    #[error("failed to speak to septet-remote about {url}: {source}")]
    Io {
        /// The store.
        url: String,
        /// Why.
        source: std::io::Error,
    },
    /// The store refuses, or cannot be reached.
    #[error("failed to use the shared store {url}: failed to {reason}")]
    Refused {
        /// The store.
        url: String,
        /// Completes "failed to ...".
        reason: String,
    },
    /// The store was written by a newer septet.
    #[error(
        "failed to use the shared store {url}: it has format {found}, this septet reads up to {}; use a newer septet",
        crate::store::STORE_FORMAT
    )]
    Newer {
        /// The store.
        url: String,
        /// Its format.
        found: u32,
    },
    /// One's own store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

impl From<crate::beneath::Error> for RemoteError {
    fn from(error: crate::beneath::Error) -> RemoteError {
        RemoteError::Store(error.into())
    }
}

/// A path as requests carry it.
fn told(path: &Path) -> String {
    path.display().to_string()
}

/// A shared store.
#[derive(Debug)]
pub struct Remote {
    url: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Remote {
    /// The store of a URL: `s3://`, `https://`, `http://` or `file:///`.
    pub fn open(url: &str) -> Result<Remote, RemoteError> {
        let own = std::env::current_exe().unwrap_or_default();
        let program = own.parent().unwrap_or(Path::new("")).join("septet-remote");
        if !program.is_file() {
            return Err(RemoteError::NotFound { url: url.to_string(), program });
        }
        let failed = |source: std::io::Error| RemoteError::Io { url: url.to_string(), source };
        let spawned = Command::new(&program).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(failed)?;
        let broken = || failed(std::io::Error::other("it has no pipe"));
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or_else(broken)?);
        let mut remote = Remote { url: url.to_string(), child, input, output: BufReader::new(output), asked: 0 };
        match remote.hear()?.is {
            Outcome::Ready(PROTOCOL) => Ok(remote),
            Outcome::Failed(reason) => Err(remote.refused(reason)),
            other => {
                Err(remote.refused(format!("agree with a septet-remote that says {other:?}; build both together")))
            }
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn refused(&self, reason: impl Into<String>) -> RemoteError {
        RemoteError::Refused { url: self.url.clone(), reason: reason.into() }
    }

    fn hear(&mut self) -> Result<Answer, RemoteError> {
        let mut line = String::new();
        let failed = |source: std::io::Error| RemoteError::Io { url: self.url.clone(), source };
        if self.output.read_line(&mut line).map_err(failed)? == 0 {
            return Err(self.refused("go on: septet-remote has ended"));
        }
        serde_json::from_str(&line).map_err(|error| self.refused(format!("understand septet-remote: {error}")))
    }

    fn ask(&mut self, op: Op) -> Result<u64, RemoteError> {
        self.asked += 1;
        let request = Request { id: self.asked, op };
        let mut line = serde_json::to_vec(&request).map_err(|error| self.refused(format!("ask: {error}")))?;
        line.push(b'\n');
        let failed = |source: std::io::Error| RemoteError::Io { url: self.url.clone(), source };
        match &mut self.input {
            Some(input) => input.write_all(&line).and_then(|()| input.flush()).map_err(failed)?,
            None => return Err(self.refused("ask: the conversation is over")),
        }
        Ok(self.asked)
    }

    /// Names of all objects below a name.
    pub fn list(&mut self, below: &str) -> Result<Vec<String>, RemoteError> {
        self.ask(Op::List { below: below.to_string() })?;
        let mut names = Vec::new();
        loop {
            match self.hear()?.is {
                Outcome::Some(some) => names.extend(some),
                Outcome::Names(rest) => {
                    names.extend(rest);
                    return Ok(names);
                }
                Outcome::Failed(reason) => return Err(self.refused(reason)),
                other => return Err(self.refused(format!("list {below}: it says {other:?}"))),
            }
        }
    }

    /// Copies, many at a time; what became of each, in the order of the requests. The first refusal ends it.
    pub fn copy(&mut self, ops: Vec<Op>) -> Result<Vec<Outcome>, RemoteError> {
        let first = self.asked + 1;
        let mut outcomes = vec![Outcome::Absent; ops.len()];
        let mut left = ops.len();
        let mut ops = ops.into_iter();
        let mut under_way = 0;
        while left > 0 {
            while under_way < AHEAD
                && let Some(op) = ops.next()
            {
                self.ask(op)?;
                under_way += 1;
            }
            let Answer { id, is } = self.hear()?;
            if let Outcome::Failed(reason) = is {
                return Err(self.refused(reason));
            }
            let place = id.checked_sub(first).and_then(|place| usize::try_from(place).ok());
            match place.and_then(|place| outcomes.get_mut(place)) {
                Some(outcome) => *outcome = is,
                None => return Err(self.refused(format!("understand the answer {id}"))),
            }
            under_way -= 1;
            left -= 1;
        }
        Ok(outcomes)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Its input ends, so it does; one that is stuck in the network is not waited for.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
