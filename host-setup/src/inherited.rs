//! What a process gets from whoever starts it, made what an agent needs before it does anything else: descriptors,
//! folder, mask of new files, signals, limits, scheduling, environment. It must not know who that was.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, chdir};

use crate::failure::During;
use crate::protocol::Failure;
use crate::sys;

/// Files that an agent must be able to have open, if the system lets it.
const FILES_MIN: u64 = 1024;
/// What would end it, or what it starts, in the middle of something.
const UNLIMITED: [Resource; 4] =
    [Resource::RLIMIT_AS, Resource::RLIMIT_CPU, Resource::RLIMIT_DATA, Resource::RLIMIT_FSIZE];

/// Puts it in order, and returns the signals that end an agent. SIGHUP and SIGINT that whoever starts it has set aside
/// (nohup, a background job) are none of them: such an agent ends with its client.
pub(crate) fn put_in_order() -> Result<Vec<Signal>, Failure> {
    let doing = || "put in order what was inherited".to_string();
    sys::close_all_but(&[]).host(doing)?;
    // Relative names mean nothing here, and a folder that is removed, or is another user's, is in nobody's way.
    chdir("/").host(doing)?;
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let (set_aside, ends): (Vec<Signal>, Vec<Signal>) =
        [Signal::SIGHUP, Signal::SIGINT].into_iter().partition(|signal| ignores(&status, *signal as i32));
    sys::reset_signals(&set_aside).host(doing)?;
    limits();
    // Who starts it politely, or urgently, does not measure more slowly, or faster. An ordinary user's process that is nice
    // stays so: the kernel takes that back for root alone.
    sys::schedule_as_usual();
    Ok([&[Signal::SIGTERM], &*ends].concat())
}

/// Also where the system refuses: then the limits are an administrator's.
fn limits() {
    let is_root = Uid::effective().is_root();
    for resource in UNLIMITED {
        if let Ok((_, hard)) = getrlimit(resource) {
            let lifted = is_root && setrlimit(resource, RLIM_INFINITY, RLIM_INFINITY).is_ok();
            if !lifted {
                let _ = setrlimit(resource, hard, hard);
            }
        }
    }
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < FILES_MIN
    {
        let lifted = is_root && setrlimit(Resource::RLIMIT_NOFILE, FILES_MIN, hard.max(FILES_MIN)).is_ok();
        if !lifted {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(FILES_MIN), hard);
        }
    }
    // A core of root's memory is nobody's to read, and would be written in the middle of a measurement.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
}

/// Whether `status`, the text of `/proc/self/status`, says that a signal is ignored. What was ignored when the program
/// started (SIGHUP by nohup, SIGINT by a shell for its background jobs) is to stay so.
pub fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores;

    #[test]
    fn only_what_the_mask_names_is_ignored() {
        let status = "Name:\tseptet\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        let ignored: Vec<i32> = (-1..70).filter(|signal| ignores(status, *signal)).collect();
        assert_eq!(ignored, [1, 13]);
        assert!(!ignores("", 1) && !ignores("SigIgn:\tzz", 1));
    }
}
