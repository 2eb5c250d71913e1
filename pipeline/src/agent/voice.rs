//! What is said to an agent. To one on another host a thread says it, which says that we live when there is nothing
//! else to say: a write that a dead link holds up keeps nobody from noticing that. It must not know what is said.

use std::io::{self, Write as _};
use std::process::ChildStdin;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use host_setup::protocol::{HEARTBEAT, HEARTBEAT_MS};

/// The way to an agent's standard input, which ends when this is dropped.
#[derive(Debug)]
pub(super) enum Voice {
    /// Said at once; on this host the end of the input tells of our death.
    Plain(ChildStdin),
    /// Said by a thread, between heartbeats.
    Beating(Sender<String>),
}

impl Voice {
    pub(super) fn plain(input: ChildStdin) -> Voice {
        Voice::Plain(input)
    }

    pub(super) fn beating(mut input: ChildStdin) -> io::Result<Voice> {
        let (sender, lines) = channel::<String>();
        thread::Builder::new().spawn(move || {
            loop {
                let line = match lines.recv_timeout(Duration::from_millis(HEARTBEAT_MS)) {
                    Ok(line) => line,
                    Err(RecvTimeoutError::Timeout) => format!("{HEARTBEAT}\n"),
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                if input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Voice::Beating(sender))
    }

    /// Says a line, newline included.
    pub(super) fn say(&mut self, line: String) -> io::Result<()> {
        match self {
            Voice::Plain(input) => input.write_all(line.as_bytes()).and_then(|()| input.flush()),
            Voice::Beating(sender) => sender.send(line).map_err(|_| io::ErrorKind::BrokenPipe.into()),
        }
    }
}
