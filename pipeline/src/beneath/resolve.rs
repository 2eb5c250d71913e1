//! Opens what a name below an open folder stands for, following no link: by `openat2`, or where the kernel or a
//! filter does not have it, a part at a time. The only code that resolves names. It must not write.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use super::Below;

/// How often a resolution is tried again that something was renamed under.
const TRIES: usize = 64;

/// Whether the kernel has no `openat2`.
static STEPS_ONLY: AtomicBool = AtomicBool::new(false);

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

impl FileKind {
    pub(super) fn of(stat: &FileStat) -> FileKind {
        match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => FileKind::File,
            SFlag::S_IFDIR => FileKind::Folder,
            SFlag::S_IFLNK => FileKind::Link,
            SFlag::S_IFIFO => FileKind::Fifo,
            SFlag::S_IFSOCK => FileKind::Socket,
            _ => FileKind::Device,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::File => "a file",
            FileKind::Folder => "a folder",
            FileKind::Link => "a symbolic link",
            FileKind::Fifo => "a FIFO (named pipe)",
            FileKind::Socket => "a socket",
            FileKind::Device => "a device",
        })
    }
}

/// Something is of another kind than it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// The file itself is odd.
    #[error("it is {found}, not {wanted}{}", remedy(*found))]
    Itself {
        /// What lies there.
        found: FileKind,
        /// What must lie there.
        wanted: FileKind,
    },
    /// Something on the way to it is no folder.
    #[error("{part} on the way to it is {found}, not a folder{}", remedy(*found))]
    OnTheWay {
        /// The part of its name.
        part: String,
        /// What that is.
        found: FileKind,
    },
    /// Another file system begins there.
    #[error("another file system is mounted there")]
    Mount,
    /// The file holds more than it may.
    #[error("it has {bytes} bytes, and {most} are the most that it may have")]
    Large {
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        most: u64,
    },
    /// The folder holds folders in folders, deeper than anything sensible.
    #[error("its folders are nested too deeply")]
    Deep,
    /// The name leads elsewhere.
    #[error("{0}")]
    Name(super::NameError),
}

impl Odd {
    /// What is odd about a file, if that is why it could not be used.
    pub fn in_error(error: &io::Error) -> Option<&Odd> {
        error.get_ref()?.downcast_ref()
    }

    /// What is odd about a folder, as something that lies in it is told it.
    pub(super) fn above(folder: &Below, error: io::Error) -> io::Error {
        match Odd::in_error(&error) {
            Some(Odd::Itself { found, .. }) => Odd::OnTheWay { part: folder.last().to_string(), found: *found }.into(),
            _ => error,
        }
    }

    /// Whether it itself is a link.
    pub fn is_link(&self) -> bool {
        matches!(self, Odd::Itself { found: FileKind::Link, .. })
    }

    /// Whether it has too many bytes.
    pub fn is_large(&self) -> bool {
        matches!(self, Odd::Large { .. })
    }
}

/// What is to be added about links.
fn remedy(found: FileKind) -> &'static str {
    if found == FileKind::Link { "; links are not followed here" } else { "" }
}

impl From<Odd> for io::Error {
    fn from(odd: Odd) -> io::Error {
        io::Error::other(odd)
    }
}

/// Where a resolution may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Into other file systems, too.
    Mounts,
    /// Not beyond the file system of the folder.
    OneFileSystem,
}

/// Opens what a name stands for.
pub(super) fn open(at: impl AsFd, name: &Below, flags: OFlag, mode: Mode, reach: Reach) -> io::Result<OwnedFd> {
    open_text(at.as_fd(), name.as_str(), flags, mode, reach).map_err(|error| explained(at.as_fd(), name, error))
}

/// Opens one part as it came from a listing.
pub(super) fn open_text<N: nix::NixPath + ?Sized>(
    at: BorrowedFd,
    name: &N,
    flags: OFlag,
    mode: Mode,
    reach: Reach,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    if !STEPS_ONLY.load(Ordering::Relaxed) {
        match by_kernel(at, name, flags, mode, reach) {
            Err(Errno::ENOSYS) => STEPS_ONLY.store(true, Ordering::Relaxed),
            // Filters of system calls answer so to what they do not know; a real refusal comes again.
            Err(Errno::EPERM) => {}
            answer => return answer,
        }
    }
    name.with_nix_path(|name| by_steps(at, &name.to_string_lossy(), name, flags, mode, reach))?
}

fn by_kernel<N: nix::NixPath + ?Sized>(
    at: BorrowedFd,
    name: &N,
    flags: OFlag,
    mode: Mode,
    reach: Reach,
) -> Result<OwnedFd, Errno> {
    let mut resolve =
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    if reach == Reach::OneFileSystem {
        resolve |= ResolveFlag::RESOLVE_NO_XDEV;
    }
    // A mode for what is not made is an error to this call.
    let mode = if flags.contains(OFlag::O_CREAT) { mode } else { Mode::empty() };
    let how = OpenHow::new().flags(flags).mode(mode).resolve(resolve);
    for _ in 1..TRIES {
        match openat2(at, name, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            answer => return answer,
        }
    }
    openat2(at, name, how)
}

/// Resolves without `openat2`. A name that is not UTF-8 comes from a listing, and is one part.
fn by_steps(
    at: BorrowedFd,
    text: &str,
    raw: &std::ffi::CStr,
    flags: OFlag,
    mode: Mode,
    reach: Reach,
) -> Result<OwnedFd, Errno> {
    let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let device = fstat(at)?.st_dev;
    let check = |fd: OwnedFd| match reach == Reach::OneFileSystem && fstat(&fd)?.st_dev != device {
        true => Err(Errno::EXDEV),
        false => Ok(fd),
    };
    let Some((above, last)) = text.rsplit_once('/') else { return check(openat(at, raw, flags, mode)?) };
    let mut folder: Option<OwnedFd> = None;
    for part in above.split('/') {
        let from = folder.as_ref().map_or(at, AsFd::as_fd);
        folder = Some(check(openat(from, part, step, Mode::empty())?)?);
    }
    check(openat(folder.as_ref().map_or(at, AsFd::as_fd), last, flags, mode)?)
}

/// What lies under one part, itself: a link is a link.
pub(super) fn stat<N: nix::NixPath + ?Sized>(at: impl AsFd, part: &N) -> Result<FileStat, Errno> {
    fstatat(at, part, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// An error in words, where the kernel's would be a riddle: it says so of links, pipes and sockets.
fn explained(at: BorrowedFd, name: &Below, error: Errno) -> io::Error {
    match error {
        Errno::EXDEV => return Odd::Mount.into(),
        Errno::ELOOP | Errno::ENOTDIR | Errno::ENXIO | Errno::EISDIR => {}
        other => return other.into(),
    }
    let step = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let mut folder: Option<OwnedFd> = None;
    let mut parts = name.parts().peekable();
    while let Some(part) = parts.next() {
        let from = folder.as_ref().map_or(at, AsFd::as_fd);
        let Ok(found) = stat(from, part).map(|stat| FileKind::of(&stat)) else { break };
        match (parts.peek().is_some(), found) {
            (true, FileKind::Folder) => {}
            (true, found) => return Odd::OnTheWay { part: part.to_string(), found }.into(),
            (false, found) => {
                let wanted = if error == Errno::ENOTDIR { FileKind::Folder } else { FileKind::File };
                let odd = (found != wanted).then_some(Odd::Itself { found, wanted });
                return odd.map_or_else(|| error.into(), io::Error::from);
            }
        }
        folder = open_text(from, part, step, Mode::empty(), Reach::Mounts).ok();
        if folder.is_none() {
            break;
        }
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn both_ways_open_the_same_and_refuse_the_same() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("victim"), "precious").expect("it is ours");
        let inside = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(inside.path().join("a/b")).expect("it is ours");
        fs::write(inside.path().join("a/b/c"), "c").expect("it is ours");
        symlink(outside.path(), inside.path().join("a/out")).expect("it is ours");
        symlink(outside.path().join("victim"), inside.path().join("a/file")).expect("it is ours");
        symlink("b", inside.path().join("a/within")).expect("it is ours");
        symlink("nowhere", inside.path().join("dangling")).expect("it is ours");
        let at = fs::File::open(inside.path()).expect("it is there");
        let cases = [
            ("a/b/c", Ok(())),
            ("a/b", Ok(())),
            ("a/none", Err(Errno::ENOENT)),
            ("a/out/victim", Err(Errno::ELOOP)),
            ("a/file", Err(Errno::ELOOP)),
            ("a/within/c", Err(Errno::ELOOP)),
            ("dangling", Err(Errno::ELOOP)),
        ];
        for (name, expected) in cases {
            let raw = std::ffi::CString::new(name).expect("it has no zero byte");
            let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let kernel = by_kernel(at.as_fd(), name, flags, Mode::empty(), Reach::Mounts).map(drop);
            let steps = by_steps(at.as_fd(), name, &raw, flags, Mode::empty(), Reach::Mounts).map(drop);
            // A part at a time, a link on the way is no folder.
            let steps = steps.map_err(|error| if error == Errno::ENOTDIR { Errno::ELOOP } else { error });
            assert_eq!(steps, expected, "{name}");
            assert!(kernel == expected || kernel == Err(Errno::ENOSYS), "{name}: {kernel:?}");
            let made = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_NOFOLLOW;
            let steps = by_steps(at.as_fd(), "dangling", c"dangling", made, Mode::S_IRUSR, Reach::Mounts);
            assert_eq!(steps.map(drop), Err(Errno::ELOOP));
        }
        assert!(!inside.path().join("nowhere").exists() && outside.path().join("victim").exists());
    }
}
