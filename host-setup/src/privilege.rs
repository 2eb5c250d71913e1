//! What the agent may do here, found out by trying it in a child process that ends at once. It must not know
//! what the rights are wanted for.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Uid, getegid, geteuid};

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

/// Tries as root, then as root of a user namespace.
pub(crate) fn probe() -> Rights {
    let of = |privilege, could: i32| Rights { privilege, bridges: could & BRIDGES != 0 };
    let as_root = if geteuid().is_root() { tried_in(worker_namespaces(), attempt) } else { 0 };
    if as_root & MOUNTS != 0 {
        return of(Privilege::Root, as_root);
    }
    let (user, group) = (geteuid(), getegid());
    let in_own = tried_in(worker_namespaces() | CloneFlags::CLONE_NEWUSER, || {
        let is_root = become_root(user.as_raw(), group.as_raw()).is_ok() && Uid::effective().is_root();
        if is_root { attempt() } else { 0 }
    });
    of(if in_own & MOUNTS != 0 { Privilege::UserNamespace } else { Privilege::None }, in_own)
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

/// The bits of what a process in new namespaces could do; none if it could not be made, or died.
fn tried_in(namespaces: CloneFlags, attempt: impl FnOnce() -> i32) -> i32 {
    match sys::fork_into(namespaces) {
        Ok(None) => sys::exit_now(attempt()),
        Ok(Some(child)) => match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, could)) => could,
            _ => 0,
        },
        Err(_) => 0,
    }
}
