//! An end to a start that does not end: a peer that accepts a vhost-user connection and never answers keeps the
//! EAL waiting for ever. It must not know what is waited for.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use wire::Event;

/// How long DPDK may take to start and to open its port: far beyond the zeroing of its memory.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the process with an answer to the caller, unless dismissed in time.
#[derive(Debug)]
pub struct Watchdog {
    _dismissal: Sender<()>,
}

impl Watchdog {
    /// Watches from now on; if it comes to that, answers on `listener` what the caller is to hear.
    pub fn watch(mut listener: File) -> Self {
        let (dismissal, dismissed) = channel();
        std::thread::spawn(move || {
            if dismissed.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let why = crate::log::complaint().unwrap_or_else(|| "it does not say what it waits for".into());
                let message = format!("open the DPDK port within {} s: {why}", PATIENCE.as_secs());
                if let Ok(mut line) = serde_json::to_vec(&Event::Failed { message }) {
                    line.push(b'\n');
                    // If nobody listens any more, the exit code has to say it all.
                    let _ = listener.write_all(&line);
                }
                // SAFETY: ends the process at once, without the tidying up that may wait for the same thing.
                unsafe { libc::_exit(1) }
            }
        });
        Self { _dismissal: dismissal }
    }

    /// Ends the watch.
    pub fn dismiss(self) {}
}
