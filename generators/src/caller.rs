//! The conversation with whoever started the process: JSON lines in and out.
//! It must not know what commands do.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use serde_json::Value;
use wire::{Command, Event, Request};

use crate::failure::{Attempt, Failure};
use crate::sys::process::{readable, stop_requested};
use crate::traffic::{Traffic, version_mismatch};

/// Longest line that is read.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Standard input and output.
#[derive(Debug)]
pub struct Caller {
    /// Unbuffered, so that polling the descriptor tells all there is.
    input: File,
    /// A descriptor of its own: what a library prints on standard output can be sent elsewhere.
    output: File,
    pending: Vec<u8>,
    stop_told: bool,
}

impl Caller {
    /// The process's standard input and output.
    ///
    /// # Errors
    /// There is no standard input or output.
    pub fn open() -> Result<Self, Failure> {
        let input = io::stdin().as_fd().try_clone_to_owned().attempt(|| "open the standard input".into())?;
        let output = io::stdout().as_fd().try_clone_to_owned().attempt(|| "open the standard output".into())?;
        Ok(Self { input: input.into(), output: output.into(), pending: Vec::new(), stop_told: false })
    }

    /// Where the caller listens, for one last word from another thread.
    ///
    /// # Errors
    /// The system call's.
    pub fn listener(&self) -> io::Result<File> {
        self.output.try_clone()
    }

    /// The request, which is the first line.
    ///
    /// # Errors
    /// There is none, or it asks for something impossible.
    pub fn request(&mut self) -> Result<Traffic, Failure> {
        let line = loop {
            if let Some(line) = self.line(1_000)? {
                break line;
            }
            if stop_requested() {
                return Err(Failure::new("read a request: a signal asked to stop"));
            }
        };
        // The version first: a request of another one may have other fields.
        let wrong = |error| Failure::because("understand the request", error);
        let value: Value = serde_json::from_slice(&line).map_err(wrong)?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version != u64::from(wire::VERSION) => return Err(version_mismatch(version)),
            _ => {}
        }
        let request: Request = serde_json::from_value(value).map_err(wrong)?;
        Traffic::new(request)
    }

    /// The next command if there is one within `timeout_ms`. A signal to stop is a command to stop, once.
    ///
    /// # Errors
    /// The caller is gone, or what it said is not a command.
    pub fn command(&mut self, timeout_ms: u16) -> Result<Option<Command>, Failure> {
        let line = self.line(timeout_ms)?;
        if stop_requested() && !self.stop_told {
            self.stop_told = true;
            return Ok(Some(Command::Stop));
        }
        let Some(line) = line else { return Ok(None) };
        let wrong = |error| {
            let line: String = String::from_utf8_lossy(&line).chars().take(80).flat_map(char::escape_debug).collect();
            Failure::because(format!("understand the command \"{line}\""), error)
        };
        serde_json::from_slice(&line).map(Some).map_err(wrong)
    }

    /// Says `event`.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn say(&mut self, event: &Event) -> Result<(), Failure> {
        let mut say = || {
            let mut line = serde_json::to_vec(event)?;
            line.push(b'\n');
            self.output.write_all(&line)
        };
        say().attempt(|| "answer the caller".into())
    }

    /// Waits until the caller says anything more or leaves, or a signal asks to stop. All has been reported: what
    /// is said or goes wrong now changes nothing.
    pub fn await_leave(&mut self) {
        while !stop_requested() && matches!(self.command(1_000), Ok(None)) {}
    }

    fn line(&mut self, timeout_ms: u16) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(line) = self.complete_line() {
            return Ok(Some(line));
        }
        if !readable(self.input.as_fd(), timeout_ms).attempt(|| "wait for the caller".into())? {
            return Ok(None);
        }
        let mut chunk = [0; 4096];
        let bytes = match self.input.read(&mut chunk) {
            Ok(0) => return Err(Failure::new("go on: the caller has closed the standard input")),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(Failure::because("read from the caller", error)),
        };
        self.pending.extend_from_slice(&chunk[..bytes]);
        if self.pending.len() > LINE_BYTES_MAX {
            return Err(Failure::new(format!("read from the caller: a line has more than {LINE_BYTES_MAX} bytes")));
        }
        Ok(self.complete_line())
    }

    fn complete_line(&mut self) -> Option<Vec<u8>> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        Some(self.pending.drain(..=end).collect())
    }
}
