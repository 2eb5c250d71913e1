//! The system calls and instructions that the standard library does not have, each behind a safe function.
//! Apart from the batches of `port::mmsg` no other module contains `unsafe`. It must not know traffic.

pub mod crc;
pub mod memory;
pub mod process;
pub mod socket;
pub mod time;

use std::io;

/// The result of a system call that says -1 for "see errno".
fn checked<T: PartialOrd + From<i8>>(returned: T) -> io::Result<T> {
    if returned < T::from(0) { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
