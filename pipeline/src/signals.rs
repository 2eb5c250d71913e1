//! Signals as questions: whether the user wants to stop. The first SIGINT, SIGTERM or SIGHUP asks for a tidy
//! end; a second SIGINT ends the program at once, and the agent, whose input ends with it, gives the host
//! back by itself. What was ignored when the program started stays ignored: SIGHUP under nohup, SIGINT in a background
//! job of a shell.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use host_setup::inherited;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// Whether a signal has come.
#[derive(Clone, Debug, Default)]
pub struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Takes the signals from now on.
    pub fn take() -> io::Result<Signals> {
        let signals = Signals::default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !inherited::ignores(&status, *signal)) {
            if signal == SIGINT {
                // Registered first, so that it sees the flag that the first signal has set and not its own.
                flag::register_conditional_shutdown(SIGINT, Exit::Interrupted as i32, signals.0.clone())?;
            }
            flag::register(signal, signals.0.clone())?;
        }
        Ok(signals)
    }

    /// Whether the user wants to stop.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
