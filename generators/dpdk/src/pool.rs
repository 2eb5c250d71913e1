//! Pools of packet buffers, and bursts of buffers taken from them.
//! It must not know ports or what is in a packet.

use std::ffi::{CStr, c_uint};
use std::ptr::NonNull;

use dpdk_sys as sys;

use crate::eal::{Eal, last_error, reason};

/// Buffers that a thread keeps at hand.
pub const CACHE: usize = 256;

/// A pool of buffers; freed when dropped, which must be after every port that uses it was closed.
#[derive(Debug)]
pub struct Pool {
    raw: NonNull<sys::rte_mempool>,
    size: usize,
}

impl Pool {
    /// `size` buffers with room for frames of `frame_bytes` behind the headroom, in memory near `socket`.
    ///
    /// # Errors
    /// Above all that there is too little memory.
    pub fn new(_: &Eal, name: &CStr, size: usize, frame_bytes: usize, socket: i32) -> Result<Self, String> {
        let room = sys::SEPTET_HEADROOM as usize + frame_bytes.next_multiple_of(64);
        // What a cache may hold cannot be taken by anybody else: half as much again as its size.
        let size = size + CACHE * 3 / 2;
        // SAFETY: the EAL runs; the name ends with 0 and is copied.
        let raw = unsafe {
            sys::rte_pktmbuf_pool_create(name.as_ptr(), size as c_uint, CACHE as c_uint, 0, room as u16, socket)
        };
        NonNull::new(raw).map(|raw| Self { raw, size }).ok_or_else(|| reason(last_error()))
    }

    /// For functions of DPDK.
    pub fn raw(&self) -> *mut sys::rte_mempool {
        self.raw.as_ptr()
    }

    /// Writes the start of `frame` to where frames begin in all buffers. Only while the pool is whole.
    pub fn fill(&mut self, frame: &[u8]) {
        debug_assert_eq!(self.absent(), 0);
        // SAFETY: the pool is whole, so nobody else refers to the buffers; every one has room for a frame of the
        // measurement, as `new` was told.
        unsafe { sys::septet_fill(self.raw(), frame.as_ptr(), frame.len() as u16) }
    }

    /// How many buffers are not in the pool.
    pub fn absent(&self) -> usize {
        // SAFETY: the pool exists; counting changes nothing.
        self.size.saturating_sub(unsafe { sys::rte_mempool_avail_count(self.raw()) } as usize)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: the pool exists and, as is said above, no port uses it any more.
        unsafe { sys::rte_mempool_free(self.raw()) }
    }
}

/// Room for the buffers of a burst that is received.
#[derive(Debug)]
pub struct Incoming {
    buffers: Box<[*mut sys::rte_mbuf]>,
    /// Buffers that are ours, at the front.
    count: usize,
}

impl Incoming {
    /// Room for `size` buffers.
    pub fn new(size: u16) -> Self {
        Self { buffers: vec![std::ptr::null_mut(); size.into()].into(), count: 0 }
    }

    /// How many buffers there is room for.
    pub fn room(&self) -> usize {
        self.buffers.len()
    }

    /// Receives, and says how many buffers are held then.
    #[inline]
    pub fn receive(&mut self, port: u16, queue: u16) -> usize {
        debug_assert_eq!(self.count, 0);
        let room = self.buffers.len() as u16;
        // SAFETY: the port is started and has the queue (`Device` sees to it), the array has room for as many as is
        // said, and what comes is ours until released.
        self.count = usize::from(unsafe { sys::septet_receive(port, queue, self.buffers.as_mut_ptr(), room) });
        self.count
    }

    /// The frames that were received; of one in several segments the first.
    #[inline]
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: the buffers are held, as long as `self` is borrowed.
        self.buffers[..self.count].iter().map(|buffer| unsafe { frame(*buffer) })
    }

    /// Gives all buffers back.
    #[inline]
    pub fn release(&mut self, pool: &Pool) {
        // SAFETY: the first `count` buffers are ours, and no longer after this.
        unsafe { sys::septet_release(pool.raw(), self.buffers.as_mut_ptr(), self.count as u16) }
        self.count = 0;
    }
}

/// The packet in a buffer; of one in several segments the first.
///
/// # Safety
/// The buffer was received and is held as long as the frame is used.
#[inline(always)]
unsafe fn frame<'a>(buffer: *const sys::rte_mbuf) -> &'a [u8] {
    let buffer = buffer.cast::<u8>();
    // SAFETY: at these places a buffer has these fields; the driver has initialised the bytes that it says it has
    // received, and nobody else has them.
    unsafe {
        let room = buffer.add(sys::SEPTET_BUFFER_ROOM as usize).cast::<*const u8>().read();
        let distance = buffer.add(sys::SEPTET_BUFFER_DISTANCE as usize).cast::<u16>().read();
        let bytes = buffer.add(sys::SEPTET_BUFFER_BYTES as usize).cast::<u16>().read();
        std::slice::from_raw_parts(room.add(distance.into()), bytes.into())
    }
}

/// Room for the buffers of a burst that is sent, and those that were refused and wait for the next one.
#[derive(Debug)]
pub struct Outgoing {
    buffers: Box<[*mut sys::rte_mbuf]>,
    /// Where the frame of each begins.
    frames: Box<[*mut u8]>,
    frame_bytes: u16,
    /// Buffers that are ours, at the front.
    count: usize,
}

impl Outgoing {
    /// Room for `size` buffers of frames of `frame_bytes`.
    pub fn new(size: u16, frame_bytes: usize) -> Self {
        Self {
            buffers: vec![std::ptr::null_mut(); size.into()].into(),
            frames: vec![std::ptr::null_mut(); size.into()].into(),
            frame_bytes: frame_bytes as u16,
            count: 0,
        }
    }

    /// How many buffers are held.
    pub fn held(&self) -> usize {
        self.count
    }

    /// Takes buffers of `pool`, which must have been filled and made for as many bytes, until `count` are held.
    /// Says whether it could.
    #[inline]
    pub fn acquire(&mut self, pool: &Pool, count: usize) -> bool {
        let held = self.count;
        if count <= held {
            return true;
        }
        let (buffers, frames) = (&mut self.buffers[held..count], &mut self.frames[held..count]);
        // SAFETY: both slices have as much room as is said, and the buffers as the pool was made with.
        let acquired = unsafe {
            let room = buffers.len() as u16;
            sys::septet_acquire(pool.raw(), self.frame_bytes, buffers.as_mut_ptr(), frames.as_mut_ptr(), room)
        };
        if acquired != 0 {
            self.count = count;
        }
        acquired != 0
    }

    /// The frames of the buffers held, as they were left by whoever had them last.
    #[inline]
    pub fn frames_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let bytes = usize::from(self.frame_bytes);
        // SAFETY: the buffers are held, different from each other, and have been written to (`Pool::fill`);
        // nobody else refers to them as long as `self` is borrowed.
        self.frames[..self.count].iter().map(move |frame| unsafe { std::slice::from_raw_parts_mut(*frame, bytes) })
    }

    /// Hands the first `count` of the buffers held to the port, and returns how many it took. The others are held
    /// still.
    #[inline]
    pub fn send(&mut self, port: u16, queue: u16, count: usize) -> usize {
        let count = count.min(self.count);
        // SAFETY: the port is started and has the queue, the buffers are ours, and those taken no longer are.
        let taken = usize::from(unsafe { sys::septet_send(port, queue, self.buffers.as_mut_ptr(), count as u16) });
        if taken < self.count {
            self.buffers.copy_within(taken..self.count, 0);
            self.frames.copy_within(taken..self.count, 0);
        }
        self.count -= taken;
        taken
    }
}
