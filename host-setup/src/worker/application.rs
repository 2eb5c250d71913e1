//! The standard streams of an application, as the worker holds them: lines in, lines out, the last lines of
//! its complaints. It must not know what the lines mean, or how the application came to be.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, write};

use crate::failure::During;
use crate::lines::{Lines, Read};
use crate::protocol::{Failure, FailureKind};

/// Longest line of an application that is passed on, bytes.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What an application may leave unread, bytes.
const UNREAD_BYTES_MAX: usize = 4 << 20;
const LAST_LINES: usize = 20;
const LAST_LINE_BYTES_MAX: usize = 1024;

/// The ends that the application gets.
pub(super) struct Inside {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// The worker's ends. One that is closed is absent.
pub(super) struct Streams {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    unwritten: Vec<u8>,
    lines: Lines,
    complaints: Lines,
    last_lines: VecDeque<String>,
}

/// Makes the three pipes.
pub(super) fn pipes() -> Result<(Inside, Streams), Failure> {
    let pipe = || pipe2(OFlag::O_CLOEXEC).scene(|| "make a pipe to an application".into());
    let (stdin_inside, stdin) = pipe()?;
    let (stdout, stdout_inside) = pipe()?;
    let (stderr, stderr_inside) = pipe()?;
    for end in [&stdin, &stdout, &stderr] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).scene(|| "prepare a pipe to an application".into())?;
    }
    let inside = Inside { stdin: stdin_inside, stdout: stdout_inside, stderr: stderr_inside };
    let streams = Streams {
        stdin: Some(stdin),
        stdout: Some(stdout),
        stderr: Some(stderr),
        unwritten: Vec::new(),
        lines: Lines::new(LINE_BYTES_MAX),
        complaints: Lines::new(LAST_LINE_BYTES_MAX),
        last_lines: VecDeque::new(),
    };
    Ok((inside, streams))
}

impl Streams {
    /// One line for the application, now or when it reads.
    pub(super) fn send(&mut self, line: &str) -> Result<(), Failure> {
        if self.stdin.is_none() {
            return Err(Failure::new(FailureKind::Scene, "write to an application: it no longer listens"));
        }
        if self.unwritten.len() + line.len() >= UNREAD_BYTES_MAX {
            return Err(Failure::new(FailureKind::Scene, "write to an application: it does not read what it is sent"));
        }
        self.unwritten.extend_from_slice(line.as_bytes());
        self.unwritten.push(b'\n');
        self.write();
        Ok(())
    }

    /// Whether something waits for the application to read.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Writes what the pipe takes. An application that closed its end is told no more: its exit says why.
    pub(super) fn write(&mut self) {
        while let Some(stdin) = &self.stdin
            && !self.unwritten.is_empty()
        {
            match write(stdin, &self.unwritten) {
                Ok(length) => drop(self.unwritten.drain(..length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => {
                    self.unwritten.clear();
                    self.stdin = None;
                }
            }
        }
    }

    /// Reads once from standard output.
    pub(super) fn read_stdout(&mut self) {
        read_once(&mut self.stdout, &mut self.lines);
    }

    /// Reads once from standard error.
    pub(super) fn read_stderr(&mut self) {
        read_once(&mut self.stderr, &mut self.complaints);
        while let Some(line) = self.complaints.next() {
            if self.last_lines.len() == LAST_LINES {
                self.last_lines.pop_front();
            }
            self.last_lines.push_back(line.text());
        }
    }

    /// Reads what a dead application has left.
    pub(super) fn read_to_the_end(&mut self) {
        while read_once(&mut self.stdout, &mut self.lines) {}
        while read_once(&mut self.stderr, &mut self.complaints) {}
        self.read_stderr();
    }

    /// The next line of standard output.
    pub(super) fn next_line(&mut self) -> Option<String> {
        self.lines.next().map(|line| line.text())
    }

    /// The last lines of standard error.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().cloned().collect()
    }
}

/// Reads once; closes the stream at its end. Whether there may be more now.
fn read_once(stream: &mut Option<OwnedFd>, lines: &mut Lines) -> bool {
    let Some(open) = stream else { return false };
    match lines.read_from(open) {
        Ok(Read::Some) => return true,
        Ok(Read::Later) => {}
        Ok(Read::End) | Err(_) => {
            lines.end();
            *stream = None;
        }
    }
    false
}
