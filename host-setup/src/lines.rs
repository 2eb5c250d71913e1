//! Lines out of byte streams, and messages into lines: the framing that client, supervisor, worker and
//! applications share. It must not know what the lines say.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use serde::Serialize;

/// Cuts a stream into lines, with a bound on what it keeps of one.
pub(crate) struct Lines {
    bytes_max: usize,
    partial: Vec<u8>,
    cut: bool,
    ready: VecDeque<Line>,
}

/// A line without its newline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub bytes: Vec<u8>,
    /// Whether more of it was thrown away.
    pub cut: bool,
}

impl Line {
    /// The line as text, with what is not UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Bytes were read.
    Some,
    /// There is nothing to read now.
    Later,
    /// There will never be anything to read: the other end is closed.
    End,
}

impl Lines {
    pub(crate) fn new(bytes_max: usize) -> Lines {
        Lines { bytes_max, partial: Vec::new(), cut: false, ready: VecDeque::new() }
    }

    /// Reads once, as much as there is room for.
    pub(crate) fn read_from(&mut self, fd: impl AsFd) -> nix::Result<Read> {
        let mut bytes = [0; 16 << 10];
        let (read, length) = read_some(fd, &mut bytes)?;
        self.push(&bytes[..length]);
        Ok(read)
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.keep(&bytes[..end]);
            self.finish();
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// A last line without a newline counts once the stream has ended.
    pub(crate) fn end(&mut self) {
        if !self.partial.is_empty() {
            self.finish();
        }
    }

    pub(crate) fn next(&mut self) -> Option<Line> {
        self.ready.pop_front()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.bytes_max - self.partial.len();
        self.cut |= bytes.len() > room;
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&mut self) {
        self.ready.push_back(Line { bytes: std::mem::take(&mut self.partial), cut: self.cut });
        self.cut = false;
    }
}

/// One read that an interruption or an empty non-blocking stream does not fail.
pub(crate) fn read_some(fd: impl AsFd, bytes: &mut [u8]) -> nix::Result<(Read, usize)> {
    match nix::unistd::read(fd, bytes) {
        Ok(0) => Ok((Read::End, 0)),
        Ok(length) => Ok((Read::Some, length)),
        Err(Errno::EINTR | Errno::EAGAIN) => Ok((Read::Later, 0)),
        // What is left of a stream whose other end died in the middle.
        Err(Errno::ECONNRESET) => Ok((Read::End, 0)),
        Err(error) => Err(error),
    }
}

/// A message as a line, newline included.
pub(crate) fn to_line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes everything to a stream socket, waiting as long as it takes.
pub(crate) fn send_all(socket: impl AsFd, mut bytes: &[u8]) -> nix::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    while !bytes.is_empty() {
        match send(socket, bytes, MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_arrive(
            texts in prop::collection::vec("[a-z]{0,20}", 0..10), chunk in 1usize..7,
        ) {
            let stream: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\n").into_bytes()).collect();
            let mut lines = Lines::new(12);
            stream.chunks(chunk).for_each(|bytes| lines.push(bytes));
            for text in &texts {
                let cut = text.len() > 12;
                let bytes = text.as_bytes()[..text.len().min(12)].to_vec();
                prop_assert_eq!(lines.next(), Some(Line { bytes, cut }));
            }
            prop_assert_eq!(lines.next(), None);
        }
    }

    #[test]
    fn a_last_line_needs_no_newline() {
        let mut lines = Lines::new(100);
        lines.push(b"one\ntwo");
        assert_eq!(lines.next().map(|line| line.text()), Some("one".into()));
        assert_eq!(lines.next(), None);
        lines.end();
        assert_eq!(lines.next().map(|line| line.text()), Some("two".into()));
    }
}
