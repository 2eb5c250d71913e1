//! The EAL: DPDK's start and end in this process, and its error numbers in words.
//! It must not know ports or packets.

use std::ffi::{CStr, CString, c_char, c_int};

use dpdk_sys as sys;
use generators::failure::Failure;

use crate::log;

/// The EAL, running; ended when dropped. Whoever uses DPDK holds a reference to it.
#[derive(Debug)]
pub struct Eal(());

impl Eal {
    /// Starts the EAL with exactly these arguments. It can be started once in a process.
    ///
    /// # Errors
    /// EAL's reason and what it said last.
    pub fn start(arguments: &[String]) -> Result<Self, Failure> {
        let attempt = || format!("start DPDK with {:?}", arguments.join(" "));
        let words: Result<Vec<CString>, _> =
            std::iter::once("septet-gen-dpdk").chain(arguments.iter().map(String::as_str)).map(CString::new).collect();
        let words = words.map_err(|error| Failure::because(attempt(), error))?;
        let count = c_int::try_from(words.len()).map_err(|error| Failure::because(attempt(), error))?;
        let mut pointers: Vec<*mut c_char> = words.into_iter().map(CString::into_raw).collect();
        pointers.push(std::ptr::null_mut());
        // The EAL changes the order of the pointers and keeps some: they are never freed.
        let pointers = pointers.leak();
        // SAFETY: `count` pointers to strings that end with 0, writable and alive for good, and a null pointer
        // behind them, as for a `main`. Called once: `measure` is, and no other place makes an `Eal`.
        let parsed = unsafe { sys::rte_eal_init(count, pointers.as_mut_ptr()) };
        if parsed < 0 {
            return Err(Failure::because(attempt(), reason(last_error())));
        }
        Ok(Self(()))
    }
}

impl Drop for Eal {
    fn drop(&mut self) {
        // SAFETY: the EAL runs, and nobody uses it any more. What it could not tidy up ends with the process.
        let _ = unsafe { sys::rte_eal_cleanup() };
    }
}

/// The error number that DPDK left for the calling thread.
pub fn last_error() -> c_int {
    // SAFETY: reads a variable of the calling thread.
    unsafe { sys::septet_errno() }
}

/// What a function of DPDK returned, or why it failed: the number in words and what DPDK complained about.
pub fn checked(returned: c_int) -> Result<c_int, String> {
    if returned < 0 { Err(reason(-returned)) } else { Ok(returned) }
}

/// The error `number` in words, and what DPDK complained about.
pub fn reason(number: c_int) -> String {
    // SAFETY: returns a string that ends with 0, of the calling thread or constant.
    let words = unsafe { CStr::from_ptr(sys::rte_strerror(number)) }.to_string_lossy();
    match log::complaint() {
        Some(complaint) => format!("{words} ({complaint})"),
        None => words.into_owned(),
    }
}
