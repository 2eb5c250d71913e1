//! Signals as questions: whether the user wants to stop. The first SIGINT, SIGTERM or SIGHUP asks for a tidy
//! end; a second SIGINT ends the program at once, and the agent, whose input ends with it, gives the host
//! back by itself. What was ignored when the program started stays ignored: SIGHUP under nohup, SIGINT in a background
//! job of a shell.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use host_setup::inherited;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// The signals that were taken, for whoever waits deep inside.
static TAKEN: OnceLock<Signals> = OnceLock::new();

/// Whether the user wants to stop, and signals were taken: otherwise a signal ends the program by itself.
pub fn asked() -> bool {
    TAKEN.get().is_some_and(Signals::asked)
}

/// Makes a limit on the size of files a reason that a write gives, and not the end of the program.
pub fn outlive_limits() {
    // Where it cannot be registered, the signal ends the program as it did.
    let _ = flag::register(nix::sys::signal::Signal::SIGXFSZ as i32, Arc::default());
}

/// Whether a signal has come.
#[derive(Clone, Debug, Default)]
pub struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Takes the signals from now on.
    pub fn take() -> io::Result<Signals> {
        if let Some(taken) = TAKEN.get() {
            return Ok(taken.clone());
        }
        let signals = Signals::default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !inherited::ignores(&status, *signal)) {
            if signal == SIGINT {
                // Registered first, so that it sees the flag that the first signal has set and not its own.
                flag::register_conditional_shutdown(SIGINT, Exit::Interrupted as i32, signals.0.clone())?;
            }
            flag::register(signal, signals.0.clone())?;
        }
        Ok(TAKEN.get_or_init(|| signals.clone()).clone())
    }

    /// Whether the user wants to stop.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
