//! What the process asks of the kernel about itself: signals to stop, its use of the processor, input waiting.
//! It must not know what is done about any of them.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use super::checked;

static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn note_stop(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// Makes SIGTERM and SIGINT set the flag that [`stop_requested`] reads, and interrupt [`readable`].
///
/// # Errors
/// The system call's.
pub fn catch_stop_signals() -> io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: all zeros is a valid sigaction; the handler only stores to an atomic, which is
        // async-signal-safe, and lives as long as the program.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note_stop as extern "C" fn(libc::c_int) as usize;
            checked(libc::sigaction(signal, &action, std::ptr::null_mut()))?;
        }
    }
    Ok(())
}

/// Whether a signal asked the process to stop.
pub fn stop_requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Whether reading from `file` would not block, after waiting for `timeout_ms` at most.
/// An interrupting signal ends the wait early.
///
/// # Errors
/// The system call's.
pub fn readable(file: BorrowedFd<'_>, timeout_ms: u16) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd of ours, as the length says.
    match checked(unsafe { libc::poll(&mut entry, 1, libc::c_int::from(timeout_ms)) }) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the process has used of the processor so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time, ns.
    pub cpu_ns: u64,
    /// Times it was made to yield the processor.
    pub involuntary_switches: u64,
    /// Times it yielded it.
    pub voluntary_switches: u64,
}

/// The use so far (`getrusage`).
pub fn usage() -> Usage {
    // SAFETY: all zeros is a valid rusage, the pointer is to it, and the call cannot fail for RUSAGE_SELF.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    Usage {
        cpu_ns: ns(usage.ru_utime) + ns(usage.ru_stime),
        involuntary_switches: usage.ru_nivcsw as u64,
        voluntary_switches: usage.ru_nvcsw as u64,
    }
}
