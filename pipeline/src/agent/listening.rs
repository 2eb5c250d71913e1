//! What an agent says, heard by a thread, and its last words by another. It must not know what is asked.

use std::io::{self, BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use host_setup::protocol::{Bulk, Message};

use super::bell::Bell;
use crate::last_lines;

/// Longest bulk that is taken, bytes.
const BULK_BYTES_MAX: u64 = 1 << 32;
/// Longest line that is taken, bytes.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Something that an application of a scene did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppEvent {
    /// An application wrote a line.
    Line {
        /// The application's container.
        container: String,
        /// The line.
        line: String,
    },
    /// An application ended.
    Exit {
        /// The application's container.
        container: String,
        /// Exit code, or 128 plus the signal.
        status: i32,
        /// Last lines of its standard error.
        last_lines: Vec<String>,
    },
}

/// What an agent said.
pub(super) enum Heard {
    Message(Box<Message>),
    Bulk(Bulk, Vec<u8>),
    End(String),
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Heard")
    }
}

pub(super) type Listeners = (Option<JoinHandle<()>>, Option<JoinHandle<Vec<String>>>);

/// The threads that hear an agent: what it says, and its last words.
pub(super) fn listen(child: &mut Child, sender: Sender<Heard>, bell: Bell) -> io::Result<Listeners> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reader = out.map(|out| thread::Builder::new().spawn(move || read_all(out, &sender, &bell))).transpose()?;
    let errors = err.map(|err| thread::Builder::new().spawn(move || last_lines::of(err))).transpose()?;
    Ok((reader, errors))
}

/// Reads messages until the end, each bulk with its bytes.
fn read_all(out: impl Read, sender: &Sender<Heard>, bell: &Bell) {
    let mut out = BufReader::new(out);
    loop {
        let heard = read_one(&mut out).unwrap_or_else(|error| Heard::End(error.to_string()));
        let ended = matches!(heard, Heard::End(_));
        let unheard = sender.send(heard).is_err();
        bell.ring();
        if unheard || ended {
            return;
        }
    }
}

fn read_one(out: &mut impl BufRead) -> io::Result<Heard> {
    let mut line = String::new();
    if out.take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
        return Ok(Heard::End("it ended".to_string()));
    }
    let message: Message = serde_json::from_str(&line)
        .map_err(|error| io::Error::other(format!("a line that is no message ({error}): {}", line.trim_end())))?;
    let Message::Bulk(bulk) = message else { return Ok(Heard::Message(Box::new(message))) };
    if bulk.len > BULK_BYTES_MAX {
        return Err(io::Error::other(format!("{} has {} bytes, more than are taken", bulk.bulk, bulk.len)));
    }
    let mut bytes = Vec::new();
    out.take(bulk.len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != bulk.len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Heard::Bulk(bulk, bytes))
}
