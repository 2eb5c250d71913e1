//! What the agent may do here, found out by trying it in a child process that ends at once. It must not know
//! what the rights are wanted for.

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Uid, getegid, geteuid};

use crate::facts::Privilege;
use crate::netlink::Netlink;
use crate::sys;

/// Namespaces of a worker, a user namespace apart.
pub(crate) fn worker_namespaces() -> CloneFlags {
    CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
}

/// Tries as root, then as root of a user namespace.
pub(crate) fn probe() -> Privilege {
    if geteuid().is_root() && succeeds_in(worker_namespaces(), mount_something) {
        return Privilege::Root;
    }
    if succeeds_in_own(mount_something) { Privilege::UserNamespace } else { Privilege::None }
}

/// Whether the kernel makes bridges for who has the rights in its own namespaces.
pub(crate) fn can_bridge(privilege: Privilege) -> bool {
    match privilege {
        Privilege::Root => succeeds_in(CloneFlags::CLONE_NEWNET, make_bridge),
        Privilege::UserNamespace => succeeds_in_own(make_bridge),
        Privilege::None => false,
    }
}

fn succeeds_in_own(attempt: impl FnOnce() -> bool) -> bool {
    let (user, group) = (geteuid(), getegid());
    succeeds_in(worker_namespaces() | CloneFlags::CLONE_NEWUSER, move || {
        become_root(user.as_raw(), group.as_raw()).is_ok() && Uid::effective().is_root() && attempt()
    })
}

/// Makes a user root of the user namespace that this process is the first of.
pub(crate) fn become_root(user: u32, group: u32) -> std::io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

fn mount_something() -> bool {
    let private = mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
    private.is_ok() && mount(Some("septet"), "/tmp", Some("tmpfs"), MsFlags::empty(), None::<&str>).is_ok()
}

fn make_bridge() -> bool {
    Netlink::open().and_then(|mut netlink| netlink.probe_bridge()).is_ok()
}

fn succeeds_in(namespaces: CloneFlags, attempt: impl FnOnce() -> bool) -> bool {
    match sys::fork_into(namespaces) {
        Ok(None) => sys::exit_now(i32::from(!attempt())),
        Ok(Some(child)) => matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0))),
        Err(_) => false,
    }
}
