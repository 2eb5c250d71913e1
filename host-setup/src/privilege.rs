//! What the agent may do here, found out by trying it in a child process that ends at once. It must not know
//! what the rights are wanted for.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, Uid, getegid, geteuid};

use crate::facts::Privilege;
use crate::netlink::Netlink;
use crate::root::change_root;
use crate::sys;

/// Namespaces of a worker, a user namespace apart.
pub(crate) fn worker_namespaces() -> CloneFlags {
    CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
}

/// What the agent may do here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    pub privilege: Privilege,
    /// Whether the kernel makes bridges and veth pairs in its own namespaces.
    pub bridges: bool,
}

/// Where memory is mounted for a try.
const MOUNTED: &str = "/tmp";
/// Bits of the exit status of a process that tries: whether mounts, of a root too, can be made, and bridges.
const MOUNTS: i32 = 1;
const BRIDGES: i32 = 2;
/// Processes that try, where the one before was killed.
const TRIES: usize = 3;

/// Tries as root, then as root of a user namespace.
pub(crate) fn probe() -> Rights {
    begin().end()
}

/// What is being found out.
pub(crate) struct Probing {
    /// The first process that tries, if it could be made.
    first: Option<Pid>,
}

/// Begins to try: the first process is on its way while its maker does something else. Whoever begins must end it.
#[must_use]
pub(crate) fn begin() -> Probing {
    Probing { first: if geteuid().is_root() { begun(worker_namespaces(), &attempt) } else { begun_in_own() } }
}

impl Probing {
    /// Waits for what was found out.
    pub(crate) fn end(self) -> Rights {
        let of = |privilege, could: i32| Rights { privilege, bridges: could & BRIDGES != 0 };
        let mut first = self.first;
        if geteuid().is_root() {
            let as_root = ended(first.take(), || begun(worker_namespaces(), &attempt));
            if as_root & MOUNTS != 0 {
                return of(Privilege::Root, as_root);
            }
            first = begun_in_own();
        }
        let in_own = ended(first, begun_in_own);
        of(if in_own & MOUNTS != 0 { Privilege::UserNamespace } else { Privilege::None }, in_own)
    }
}

/// A process that tries as root of a user namespace of its own.
fn begun_in_own() -> Option<Pid> {
    let (user, group) = (geteuid(), getegid());
    begun(worker_namespaces() | CloneFlags::CLONE_NEWUSER, &|| {
        let is_root = become_root(user.as_raw(), group.as_raw()).is_ok() && Uid::effective().is_root();
        if is_root { attempt() } else { 0 }
    })
}

/// One process tries all, since making its namespaces takes longest.
fn attempt() -> i32 {
    if !mount_something() {
        return 0;
    }
    let bridges = if make_bridge() { BRIDGES } else { 0 };
    // Last, since there is nothing in it.
    if change_root(Path::new(MOUNTED)).is_ok() { MOUNTS | bridges } else { 0 }
}

/// Makes a user root of the user namespace that this process is the first of.
pub(crate) fn become_root(user: u32, group: u32) -> std::io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

fn mount_something() -> bool {
    let private = mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
    private.is_ok() && mount(Some("septet"), MOUNTED, Some("tmpfs"), MsFlags::empty(), None::<&str>).is_ok()
}

fn make_bridge() -> bool {
    Netlink::open().and_then(|mut netlink| netlink.probe_bridge()).is_ok()
}

/// A process in new namespaces that tries and ends.
fn begun(namespaces: CloneFlags, attempt: &dyn Fn() -> i32) -> Option<Pid> {
    match sys::fork_into(namespaces) {
        Ok(None) => sys::exit_now(attempt()),
        Ok(Some(child)) => Some(child),
        Err(_) => None,
    }
}

/// The bits of what such a process could do; none if it could not be made, or died each time, as those after it.
fn ended(mut begun: Option<Pid>, again: impl Fn() -> Option<Pid>) -> i32 {
    for tries_left in (0..TRIES).rev() {
        match begun.map(|child| waitpid(child, None)) {
            Some(Ok(WaitStatus::Exited(_, could))) => return could,
            // Killed by whoever killed it, which says nothing of what it could have done.
            Some(Ok(WaitStatus::Signaled(..))) if tries_left > 0 => begun = again(),
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that is killed while it tries tells nothing: another one tries.
    #[test]
    fn a_try_that_is_killed_is_made_again() {
        let (read, write) = nix::unistd::pipe().expect("a pipe");
        let attempt = || {
            let _ = nix::unistd::write(&write, &[1]);
            let mut tries = [0; 8];
            // What those before have written is still in the pipe.
            let made = nix::unistd::read(&read, &mut tries).unwrap_or(0);
            let _ = nix::unistd::write(&write, &tries[..made]);
            if made < 2 {
                let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL);
            }
            MOUNTS
        };
        let tried_in = |attempt: &dyn Fn() -> i32| {
            let begin = || begun(CloneFlags::empty(), attempt);
            ended(begin(), begin)
        };
        assert_eq!(tried_in(&attempt), MOUNTS);
        let always = || {
            let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL);
            MOUNTS
        };
        assert_eq!(tried_in(&always), 0);
    }
}
