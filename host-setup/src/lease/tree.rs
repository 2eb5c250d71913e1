//! The files through which a kernel is set, below a root: `/`, or one that a test invents. It refuses to write
//! what is not on the list of settings. It must not know why a setting is wanted.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use nix::poll::{PollTimeout, poll};

use super::list::{is_action, is_setting};
use crate::patience::Patience;

/// Where settings are read and written. Paths are relative to the root, without a slash in front.
pub trait Tree {
    /// The content of a file without white space around it.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, path: &str) -> io::Result<String>;

    /// Replaces the content of a file that exists. The kernel may make something else of it.
    ///
    /// # Errors
    /// The system's; `PermissionDenied` for what is not on the list of settings.
    fn write(&mut self, path: &str, value: &str) -> io::Result<()>;

    /// Names in a folder, sorted; none if there is no such folder.
    fn list(&self, folder: &str) -> Vec<String>;

    /// The last part of what a symbolic link points to; none if there is no such link.
    fn target(&self, path: &str) -> Option<String>;
}

/// How long a bound of a frequency may take to be in force.
const SETTLED: Duration = Duration::from_secs(2);

/// The files of this host below a folder, `/` outside of tests.
#[derive(Clone, Debug)]
pub struct HostTree(PathBuf);

impl HostTree {
    /// Below `root`.
    pub fn at(root: &Path) -> HostTree {
        HostTree(root.to_path_buf())
    }

    /// Below `/`.
    pub fn of_host() -> HostTree {
        HostTree::at(Path::new("/"))
    }
}

/// The kernel takes a bound of a frequency at once and has it in force a moment later; what is read until then is
/// the one before. One of which it makes something else is read as that.
fn settle(read: impl Fn() -> io::Result<String>, value: &str) {
    let mut patience = Patience::of(SETTLED);
    while read().is_ok_and(|now| now != value) && !patience.is_over() {
        let _ = poll(&mut [], PollTimeout::from(5u8));
    }
}

impl Tree for HostTree {
    fn read(&self, path: &str) -> io::Result<String> {
        // The kernel's files are small; what is not is none of them.
        const BYTES_MAX: u64 = 1 << 20;
        // Nearly all of them come in one read then.
        let mut bytes = Vec::with_capacity(4096);
        io::Read::read_to_end(&mut io::Read::take(fs::File::open(self.0.join(path))?, BYTES_MAX), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        if !is_setting(path) && !is_action(path) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not on the list of settings"));
        }
        let mut options = OpenOptions::new();
        options.write(true).truncate(true).custom_flags(libc::O_NOFOLLOW);
        // One call: a kernel file takes a value whole.
        options.open(self.0.join(path))?.write_all(value.as_bytes())?;
        if path.ends_with("/scaling_min_freq") || path.ends_with("/scaling_max_freq") {
            settle(|| self.read(path), value);
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    fn target(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.0.join(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }
}

/// Numbers at the end of a folder's entries that are called `prefix` and a number, in order.
pub(crate) fn numbered(tree: &dyn Tree, folder: &str, prefix: &str) -> Vec<u32> {
    let number = |name: String| name.strip_prefix(prefix)?.parse().ok();
    let mut numbers: Vec<u32> = tree.list(folder).into_iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// A file's number; none if there is no such file, or something else is in it.
pub(crate) fn number<T: std::str::FromStr>(tree: &dyn Tree, path: &str) -> Option<T> {
    tree.read(path).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Instant;

    #[test]
    fn a_bound_of_a_frequency_is_waited_for_until_it_is_in_force() {
        let reads = Cell::new(0);
        // In force at the fourth look.
        let kernel = || {
            reads.set(reads.get() + 1);
            Ok(if reads.get() < 4 { "2400000" } else { "1800000" }.to_string())
        };
        settle(kernel, "1800000");
        assert_eq!(reads.get(), 4);
        // What the kernel makes something else of is not waited for for ever, and what cannot be read not at all.
        let began = Instant::now();
        settle(|| Ok("2400000".into()), "1800000");
        assert!((SETTLED..SETTLED * 5).contains(&began.elapsed()), "{:?}", began.elapsed());
        settle(
            || {
                reads.set(reads.get() + 1);
                Err(io::Error::from(io::ErrorKind::NotFound))
            },
            "1800000",
        );
        assert_eq!(reads.get(), 5);
    }
}
