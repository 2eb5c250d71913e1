//! Batches of messages for `sendmmsg` and `recvmmsg`: one slot of memory a message, and the kernel's array of
//! headers that point to the slots, built once. It must not know what a message contains.

use std::io;
use std::net::SocketAddrV4;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};

/// Slots of memory and the message headers that point to them.
pub struct Batch {
    messages: Vec<libc::mmsghdr>,
    slots: *mut u8,
    slot_bytes: usize,
    slot_stride: usize,
    names: *mut libc::sockaddr_in,
    names_len: usize,
    // What the pointers above and those in `messages` point into; kept alive here, reached only by them.
    _arena: Vec<u8>,
    _vectors: Vec<libc::iovec>,
    _names: Vec<libc::sockaddr_in>,
}

impl Batch {
    /// `count` slots (at least one) of `slot_bytes`, each beginning with the bytes of `template`, which is
    /// no longer. `addresses` are those that [`Self::address`] chooses from.
    pub fn new(count: u16, slot_bytes: usize, template: &[u8], addresses: &[SocketAddrV4]) -> Self {
        let count = usize::from(count.max(1));
        // Slots begin on cache lines of their own.
        let slot_stride = slot_bytes.next_multiple_of(64);
        let mut arena = vec![0; count * slot_stride];
        for slot in arena.chunks_exact_mut(slot_stride) {
            slot[..template.len()].copy_from_slice(template);
        }
        let slots = arena.as_mut_ptr();
        let vector = |index: usize| libc::iovec {
            // SAFETY: `index` is below `count`, so the slot lies inside the arena.
            iov_base: unsafe { slots.add(index * slot_stride) }.cast(),
            iov_len: slot_bytes,
        };
        let mut vectors: Vec<_> = (0..count).map(vector).collect();
        let first_vector = vectors.as_mut_ptr();
        let message = |index: usize| {
            // SAFETY: all zeros is a valid mmsghdr (no name, no vectors, no control data), and `index` is
            // below `count`, so the vector exists. Moving the `Vec`s into the batch moves none of their items.
            unsafe {
                let mut message: libc::mmsghdr = std::mem::zeroed();
                message.msg_hdr.msg_iov = first_vector.add(index);
                message.msg_hdr.msg_iovlen = 1;
                message
            }
        };
        let messages = (0..count).map(message).collect();
        let mut names: Vec<_> = addresses.iter().map(name).collect();
        Self {
            messages,
            slots,
            slot_bytes,
            slot_stride,
            names: names.as_mut_ptr(),
            names_len: names.len(),
            _arena: arena,
            _vectors: vectors,
            _names: names,
        }
    }

    /// How many slots there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// The memory of one slot.
    ///
    /// # Panics
    /// If there is no such slot.
    #[inline]
    pub fn slot_mut(&mut self, index: usize) -> &mut [u8] {
        assert!(index < self.messages.len(), "slot {index} of {}", self.messages.len());
        // SAFETY: the slot lies inside the arena, which lives as long as `self` and is initialised; nothing
        // else refers to it while `self` is borrowed, for the kernel uses it only during calls.
        unsafe { std::slice::from_raw_parts_mut(self.slots.add(index * self.slot_stride), self.slot_bytes) }
    }

    /// Makes message `index` go to one of the addresses that the batch was made with.
    ///
    /// # Panics
    /// If there is no such message.
    #[inline]
    pub fn address(&mut self, index: usize, address: usize) {
        if address < self.names_len {
            let header = &mut self.messages[index].msg_hdr;
            // SAFETY: `address` is below the number of names.
            header.msg_name = unsafe { self.names.add(address) }.cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
    }

    /// Sends the messages of `range` and returns how many the kernel took.
    ///
    /// # Errors
    /// The system call's, if it took none.
    ///
    /// # Panics
    /// If there are no such messages.
    #[inline]
    pub fn send(&mut self, socket: &impl AsFd, range: Range<usize>) -> io::Result<usize> {
        let messages = &mut self.messages[range];
        let file = socket.as_fd().as_raw_fd();
        let count = messages.len() as libc::c_uint;
        // SAFETY: pointer and count are those of a slice; its headers point to one vector each and, if
        // anywhere, to a name, and the vectors to slots, all of which live as long as `self`.
        let sent = unsafe { libc::sendmmsg(file, messages.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Receives as many messages as there are, up to the number of slots, into the first slots.
    ///
    /// # Errors
    /// The system call's; `WouldBlock` if there is none.
    #[inline]
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        let file = socket.as_fd().as_raw_fd();
        let count = self.messages.len() as libc::c_uint;
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: as in `send`; the kernel writes at most `slot_bytes` to each slot, as the vectors say.
        let received =
            unsafe { libc::recvmmsg(file, self.messages.as_mut_ptr(), count, flags as _, std::ptr::null_mut()) };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// Message `index` of the last [`Self::receive`], cut to the size of its slot.
    ///
    /// # Panics
    /// If there is no such slot.
    #[inline]
    pub fn received(&mut self, index: usize) -> &[u8] {
        let bytes = self.messages[index].msg_len as usize;
        let slot = self.slot_mut(index);
        &slot[..bytes.min(slot.len())]
    }
}

fn name(address: &SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}
