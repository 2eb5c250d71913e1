//! Another root for this process, which must be in a mount namespace of its own. It must not know what is in it.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

/// Makes a mount the root, and forgets all else.
pub(crate) fn change_root(root: &Path) -> nix::Result<()> {
    chdir(root)?;
    // The old root is put over the new one and taken away from there: no folder is needed for it.
    match pivot_root(".", ".") {
        Ok(()) => umount2(".", MntFlags::MNT_DETACH)?,
        // The first root of a kernel, an initramfs, cannot be taken away; it can be covered.
        Err(Errno::EINVAL) => cover_root()?,
        Err(error) => return Err(error),
    }
    chdir("/")
}

/// Puts the mount that is the folder of this process over the root. No name leads below it from then on, and what runs
/// there may not change its root again.
fn cover_root() -> nix::Result<()> {
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    chroot(".")
}
