//! A store that others share: the conversation with `septet-remote`, which copies files to and from it. What is
//! copied is `share`'s business, what may be believed too. It must not know results.

#[path = "../../remote/src/address.rs"]
pub mod address;
mod generations;
#[path = "../../remote/src/lines.rs"]
mod lines;
mod parts;
pub mod share;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use address::Address;
use lines::{Answer, Opening, PROTOCOL, Request};
pub use lines::{Op, Outcome};

use crate::last_lines;

/// Requests that are asked before an answer is waited for.
const AHEAD: usize = 48;
/// Longest line that is taken, bytes: the names of a thousand objects.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// How long a program that has closed its output may take to end.
const END_MAX: Duration = Duration::from_secs(2);

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
        /// What the system said.
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
    /// What was said to be the address of a store is none.
    #[error("failed to {0}")]
    Address(String),
    /// The store was written by a newer septet.
    #[error(
        "failed to use the shared store {url}: it has format {found}, this septet reads up to {}; use a newer septet",
        crate::store::STORE_FORMAT
    )]
    Newer {
        /// The store.
        url: String,
        /// The shared store's format.
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
    address: Address,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    errors: Option<JoinHandle<Vec<String>>>,
    asked: u64,
}

impl Remote {
    /// The store of an address.
    pub fn open(address: &Address) -> Result<Remote, RemoteError> {
        let own = std::env::current_exe().unwrap_or_default();
        let program = own.parent().unwrap_or(Path::new("")).join("septet-remote");
        if !program.is_file() {
            return Err(RemoteError::NotFound { url: address.to_string(), program });
        }
        let failed = |source: std::io::Error| RemoteError::Io { url: address.to_string(), source };
        let mut command = Command::new(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let broken = || failed(std::io::Error::other("it has no pipe"));
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or_else(broken)?);
        let errors = child.stderr.take().ok_or_else(broken)?;
        let errors = std::thread::Builder::new().spawn(move || last_lines::of(errors)).map_err(failed);
        let errors = errors.inspect_err(|_| drop(child.kill()))?;
        let output = BufReader::new(output);
        let mut remote = Remote { address: address.clone(), child, input, output, errors: Some(errors), asked: 0 };
        remote.say(&Opening { address: address.in_full().to_string() })?;
        match remote.hear()?.is {
            Outcome::Ready(PROTOCOL) => Ok(remote),
            Outcome::Failed(reason) => Err(remote.refused(reason)),
            other => {
                Err(remote.refused(format!("agree with a septet-remote that says {other:?}; build both together")))
            }
        }
    }

    /// The address of the shared store.
    pub fn address(&self) -> &Address {
        &self.address
    }

    fn refused(&self, reason: impl AsRef<str>) -> RemoteError {
        RemoteError::Refused { url: self.address.to_string(), reason: self.address.without_secrets(reason.as_ref()) }
    }

    /// How a program ended that owes an answer, with its last words.
    fn ended(&mut self) -> RemoteError {
        drop(self.input.take());
        let limit = Instant::now() + END_MAX;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break format!(" ({status})"),
                Ok(None) if Instant::now() < limit => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => {
                    let _ = self.child.kill();
                    break String::new();
                }
            }
        };
        let lines = self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let lines: String = lines.iter().map(|line| format!("\n  | {line}")).collect();
        self.refused(format!("go on: septet-remote has ended{status}{lines}"))
    }

    fn hear(&mut self) -> Result<Answer, RemoteError> {
        let mut line = String::new();
        match self.output.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => return Err(self.ended()),
            Ok(_) => {}
        }
        serde_json::from_str(&line).map_err(|error| self.refused(format!("understand septet-remote: {error}")))
    }

    fn ask(&mut self, op: Op) -> Result<u64, RemoteError> {
        self.asked += 1;
        self.say(&Request { id: self.asked, op })?;
        Ok(self.asked)
    }

    fn say(&mut self, what: &impl serde::Serialize) -> Result<(), RemoteError> {
        let mut line = serde_json::to_vec(what).map_err(|error| self.refused(format!("ask: {error}")))?;
        line.push(b'\n');
        let said = self.input.as_mut().map(|input| input.write_all(&line).and_then(|()| input.flush()));
        match said {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self.ended()),
        }
    }

    /// Whether an object was copied; one that is longer than it said is refused by name.
    fn came(&self, name: &str, outcome: &Outcome) -> Result<bool, RemoteError> {
        match outcome {
            Outcome::Absent => Ok(false),
            Outcome::Longer(most) => Err(self.refused(format!("get {name}: it goes on after {most} bytes"))),
            _ => Ok(true),
        }
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
        if let Some(errors) = self.errors.take() {
            let _ = errors.join();
        }
    }
}
