//! Files of fixed size that are memory: reserved, mapped, and present before they are used.
//! It must not know what is written into them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use super::checked;

/// A whole file, mapped shared: what is written here is in the file, however the process ends.
#[derive(Debug)]
pub struct Mapped {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapped {
    /// Makes the empty `file` `bytes` long, all zeros, every page of it present.
    ///
    /// # Errors
    /// The system calls'; above all that there is no room for so much.
    pub fn new(file: &File, bytes: usize) -> io::Result<Self> {
        if bytes == 0 {
            return Ok(Self { start: NonNull::dangling(), bytes });
        }
        let length = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // Reserved first, so that a full file system is an error here and not a SIGBUS at some write.
        // SAFETY: a call on a descriptor that is open as long as `file`; it reads no memory of ours.
        let failed = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) };
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice, as long as the file now is.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        match NonNull::new(start.cast()) {
            Some(start) => Ok(Self { start, bytes }),
            None => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    /// The bytes.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `start` is `bytes` readable and writable bytes until drop (or dangling and `bytes` is 0), and
        // they are borrowed as long as `self`. No other process maps the file for writing or shortens it: it
        // was created, in the caller's folder for this one process, by the caller of `new`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: exactly the mapping that `new` made; every borrow of it has ended.
            // Unmapping what is mapped cannot fail.
            let _ = checked(unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) });
        }
    }
}
