//! What DPDK says: all of it goes to the standard error, and its complaints are remembered for messages of ours.
//! It must not know what is being done when DPDK complains.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dpdk_sys as sys;

/// Complaints that are remembered; the first of many says more than the last, so both ends are kept.
const COMPLAINTS_MAX: usize = 6;
/// What begins the lines of others than drivers.
const NO_DRIVERS: [&str; 2] = ["EAL:", "TELEMETRY:"];
/// Longest complaint, in characters.
const COMPLAINT_CHARS_MAX: usize = 200;

static COMPLAINTS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Sends DPDK's log to the standard error, and with it whatever is printed on standard output from now on:
/// EAL's help, say. Only the caller's own descriptor leads there still.
///
/// # Errors
/// The system calls'.
pub fn take_over() -> io::Result<()> {
    // SAFETY: two descriptors of this process, which both are open; the call has no other effect.
    if unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the listener is a function of this program, which may be called from any thread at any time.
    match unsafe { sys::septet_listen(Some(hear)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

unsafe extern "C" fn hear(level: u32, text: *const std::ffi::c_char, bytes: usize) {
    // SAFETY: the shim passes one message and its length, alive and unchanged during the call.
    let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), bytes) };
    // Nobody may be listening there; the measurement goes on all the same.
    let _ = io::stderr().write_all(text);
    if level <= sys::SEPTET_LOG_ERR {
        let line = String::from_utf8_lossy(text);
        let line: String = line.trim().chars().filter(|c| !c.is_control()).take(COMPLAINT_CHARS_MAX).collect();
        let mut complaints = complaints();
        if complaints.len() == COMPLAINTS_MAX {
            complaints.remove(COMPLAINTS_MAX / 2);
        }
        complaints.push_back(line);
    }
}

fn complaints() -> MutexGuard<'static, VecDeque<String>> {
    COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what DPDK has complained about since the last call; `None` if about nothing.
pub fn complaint() -> Option<String> {
    joined(complaints().drain(..))
}

/// Takes the same, but returns only what drivers have complained about, who often go on as if nothing was wrong.
/// What the EAL itself does not get over, it says by failing.
pub fn driver_complaint() -> Option<String> {
    joined(complaints().drain(..).filter(|line| !NO_DRIVERS.iter().any(|prefix| line.starts_with(prefix))))
}

fn joined(lines: impl Iterator<Item = String>) -> Option<String> {
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}
