//! System calls that no safe wrapper exists for; the only `unsafe` of the agent. It must decide nothing.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::unistd::Pid;

/// Forks a process into new namespaces. Returns the child's pid in the parent, nothing in the child.
/// The caller must be single-threaded, which every process of the agent is.
pub(crate) fn fork_into(namespaces: CloneFlags) -> nix::Result<Option<Pid>> {
    let flags = libc::c_long::from(namespaces.bits() | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and without a stack of its own this is fork(2): the child continues on a copy
    // of this memory. No other thread exists whose locks the copy could hold.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match Errno::result(pid)? {
        0 => Ok(None),
        pid => Ok(Some(Pid::from_raw(libc::pid_t::try_from(pid).map_err(|_| Errno::EOVERFLOW)?))),
    }
}

/// Ends the process at once, without running what the parent registered for its own end.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) takes any number and does not return.
    unsafe { libc::_exit(status) }
}

/// Closes every descriptor from 3 on but `keep`, which is sorted here.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) -> nix::Result<()> {
    let mut keep: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).filter(|fd| *fd > 2).collect();
    keep.sort_unstable();
    let mut from = 3;
    for fd in keep {
        if from < fd {
            close_range(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, RawFd::MAX)
}

fn close_range(first: RawFd, last: RawFd) -> nix::Result<()> {
    // SAFETY: called only in a child that never returns to code that owns the closed descriptors, or at the start of
    // a program that has opened none.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    Errno::result(result).map(drop)
}

/// Removes a capability from the bounding set; `EINVAL` for one that the kernel does not know.
pub(crate) fn drop_from_bounding_set(capability: libc::c_ulong) -> nix::Result<()> {
    // SAFETY: PR_CAPBSET_DROP reads its one number and touches no memory.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    Errno::result(result).map(drop)
}

/// Gives a program that will be executed next the signals that a shell would give it.
pub(crate) fn default_signals() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    for ignored in [Signal::SIGPIPE, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: the default action is no handler, so nothing of this program runs in it.
        unsafe { signal(ignored, SigHandler::SigDfl)? };
    }
    Ok(())
}

/// Gives every signal its default action, and blocks none. Those that are `set_aside` do nothing, and neither does
/// SIGPIPE: a write says what it would.
pub(crate) fn reset_signals(set_aside: &[Signal]) -> nix::Result<()> {
    // What a fault does is for the run-time of this program to say.
    let kept = [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGSEGV, Signal::SIGBUS];
    for of in Signal::iterator().filter(|signal| !kept.contains(signal)) {
        let action = match of {
            Signal::SIGPIPE => SigHandler::SigIgn,
            _ if set_aside.contains(&of) => SigHandler::SigIgn,
            _ => SigHandler::SigDfl,
        };
        // SAFETY: neither action is a handler, so nothing of this program runs in it.
        unsafe { signal(of, action)? };
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Makes this process one that is scheduled as usual: nice value 0, no policy but the common one, no class of its own
/// among those who use disks. Each as far as the system lets it.
pub(crate) fn schedule_as_usual() {
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    let usual = libc::sched_param { sched_priority: 0 };
    // SAFETY: all three are about this process (0) and take numbers, but for one structure that is read.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const usual);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
    }
}

/// Forgets every variable of the environment.
pub(crate) fn clear_environment() {
    // SAFETY: this process has one thread, which holds no reference into the environment.
    unsafe { libc::clearenv() };
}

/// What the processor calls its hypervisor; absent on bare metal, and where there is no such instruction.
pub(crate) fn hypervisor_signature() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        const HYPERVISOR_BIT: u32 = 1 << 31;
        if __cpuid(1).ecx & HYPERVISOR_BIT == 0 {
            return None;
        }
        let leaf = __cpuid(0x4000_0000);
        let bytes = [leaf.ebx, leaf.ecx, leaf.edx].map(u32::to_le_bytes).concat();
        Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// Version of a network interface's firmware, as its driver tells it (`ETHTOOL_GDRVINFO`).
pub(crate) fn firmware_version(interface: &str) -> Option<String> {
    const ETHTOOL_GDRVINFO: u32 = 3;
    /// `struct ethtool_drvinfo` of linux/ethtool.h; its fields behind the firmware are not looked at.
    #[repr(C)]
    struct DriverInfo {
        command: u32,
        driver: [u8; 32],
        version: [u8; 32],
        firmware: [u8; 32],
        rest: [u8; 96],
    }
    let mut info =
        DriverInfo { command: ETHTOOL_GDRVINFO, driver: [0; 32], version: [0; 32], firmware: [0; 32], rest: [0; 96] };
    // SAFETY: `DriverInfo` begins with the command, and is as large as the kernel's structure for it.
    unsafe { ethtool(interface, &mut info) }?;
    let end = info.firmware.iter().position(|byte| *byte == 0).unwrap_or(info.firmware.len());
    let text = String::from_utf8_lossy(&info.firmware[..end]).trim().to_owned();
    (!text.is_empty() && text != "N/A").then_some(text)
}

/// Speed of a network interface's link, Mbit/s, as its driver tells it (`ETHTOOL_GSET`, which the kernel answers for
/// drivers of the newer call as well); none while it is down, and for devices that have no speed.
pub(crate) fn link_speed_mbps(interface: &str) -> Option<u32> {
    const ETHTOOL_GSET: u32 = 1;
    /// `struct ethtool_cmd` of linux/ethtool.h, by what is read of it.
    #[repr(C)]
    struct Settings {
        command: u32,
        supported: u32,
        advertising: u32,
        speed: u16,
        ports: [u8; 6],
        packets: [u32; 2],
        speed_high: u16,
        rest: [u8; 14],
    }
    let mut settings = Settings {
        command: ETHTOOL_GSET,
        supported: 0,
        advertising: 0,
        speed: 0,
        ports: [0; 6],
        packets: [0; 2],
        speed_high: 0,
        rest: [0; 14],
    };
    const { assert!(size_of::<Settings>() == 44) };
    // SAFETY: `Settings` begins with the command, and is as large as the kernel's structure for it.
    unsafe { ethtool(interface, &mut settings) }?;
    let mbps = u32::from(settings.speed_high) << 16 | u32::from(settings.speed);
    // -1 is SPEED_UNKNOWN; some drivers say it in the lower half only.
    (mbps != 0 && mbps != u32::MAX && mbps != u32::from(u16::MAX)).then_some(mbps)
}

/// Has the driver of a network interface of this namespace answer a question; none if it does not.
///
/// # Safety
/// `T` must be laid out as the kernel's structure for the command that is its first field.
unsafe fn ethtool<T>(interface: &str, question: &mut T) -> Option<()> {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    // SAFETY: an ifreq of zeroes is a valid value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero, which ends the name.
    if interface.len() >= request.ifr_name.len() {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = std::ptr::from_mut(question).cast();
    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Datagram,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )
    .ok()?;
    // SAFETY: `request` points to `question`, which the kernel may fill as the caller promises; both outlive the call.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) }).ok().map(drop)
}
