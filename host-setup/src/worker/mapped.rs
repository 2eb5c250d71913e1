//! What really runs: the executable files that processes have mapped, by content. It must not know what is
//! expected there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::Pid;

use crate::failure::During;
use crate::plain;
use crate::protocol::{Failure, Mapped};

/// Digests of files that have been read, by device, inode, size and time of change.
pub(super) type Digests = BTreeMap<(u64, u64, u64, i64, i64), String>;

/// The files that each process, and all that it has forked, has mapped, under the process's name.
pub(super) fn read(
    processes: impl Iterator<Item = (String, Pid)>,
    digests: &mut Digests,
) -> Result<Vec<Mapped>, Failure> {
    let parents = parents().scene(|| "list the processes of the scene".into())?;
    let mut found = BTreeSet::new();
    for (name, pid) in processes {
        for pid in family(pid.as_raw(), &parents) {
            match files(pid, digests) {
                Ok(files) => {
                    found.extend(files.into_iter().map(|(path, blake3)| Mapped {
                        process: name.clone(),
                        path,
                        blake3,
                    }));
                }
                // It ended meanwhile, and who waits for it is told by that.
                Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) => {}
                Err(error) => Err(error).scene(|| format!("read what {name} has mapped"))?,
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Each process of this namespace with its parent.
fn parents() -> io::Result<Vec<(i32, i32)>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name before it may have any character in it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    Ok(parents)
}

fn family(first: i32, parents: &[(i32, i32)]) -> Vec<i32> {
    let mut family = vec![first];
    let mut place = 0;
    while place < family.len() {
        let parent = family[place];
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        place += 1;
    }
    family
}

/// What a process has mapped executable, with digests. A file without one cannot be opened, though it is still mapped:
/// a process that executes another program or ends while it is read is read again.
fn files(pid: i32, digests: &mut Digests) -> io::Result<Vec<(String, Option<String>)>> {
    /// Nothing honest executes so many programs while it is looked at.
    const READINGS_MAX: u32 = 16;
    let read = || fs::read_to_string(format!("/proc/{pid}/maps"));
    let mut maps = read()?;
    let mut found = digested(pid, &maps, digests);
    for _ in 1..READINGS_MAX {
        let now = read()?;
        let is_known = found.iter().all(|(_, digest)| digest.is_some());
        if is_known || now.lines().filter_map(executable).eq(maps.lines().filter_map(executable)) {
            break;
        }
        found = digested(pid, &now, digests);
        maps = now;
    }
    Ok(found)
}

fn digested(pid: i32, maps: &str, digests: &mut Digests) -> Vec<(String, Option<String>)> {
    let ranges: BTreeMap<&str, &str> = maps.lines().filter_map(executable).map(|(range, path)| (path, range)).collect();
    let found = ranges.into_iter().map(|(path, range)| {
        // The very file that is mapped, which root alone may open so; else what is at its path now.
        let mapped = format!("/proc/{pid}/map_files/{range}");
        let seen = format!("/proc/{pid}/root{path}");
        let digest = [mapped, seen].into_iter().find_map(|path| digest(Path::new(&path), digests));
        (path.to_owned(), digest)
    });
    found.collect()
}

/// Addresses and file of a line of `maps`, if it is mapped executable: what is anonymous, or the kernel's, has no
/// file.
fn executable(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    let (range, permissions) = (words.next()?, words.next()?);
    let path = &line[line.find('/')?..];
    permissions.contains('x').then_some((range, path))
}

/// The digest of a mapped file; none if it cannot be opened.
fn digest(path: &Path, digests: &mut Digests) -> Option<String> {
    // Who was mapped chose the name, and may have put something else there.
    let mut file = plain::open(path).ok()?;
    let about = file.metadata().ok()?;
    let identity = (about.dev(), about.ino(), about.size(), about.ctime(), about.ctime_nsec());
    if let Some(digest) = digests.get(&identity) {
        return Some(digest.clone());
    }
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file, &mut hasher).ok()?;
    let digest = hasher.finalize().to_hex().to_string();
    digests.insert(identity, digest.clone());
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_files_only() {
        let line = "7f00-7f01 r-xp 00001000 fe:00 123                        /usr/lib/libc.so.6";
        assert_eq!(executable(line), Some(("7f00-7f01", "/usr/lib/libc.so.6")));
        assert_eq!(executable(&line.replace("r-xp", "rw-p")), None);
        assert_eq!(executable("7ffe-7fff r-xp 00000000 00:00 0                          [vdso]"), None);
        assert_eq!(executable("7ffe-7fff r-xp 00000000 00:00 0"), None);
    }

    #[test]
    fn this_test_runs_its_own_file_and_the_c_library() {
        let mut digests = Digests::new();
        let own = std::process::id() as i32;
        let mapped = read([("test".to_owned(), Pid::from_raw(own))].into_iter(), &mut digests).expect("our own");
        let program = std::env::current_exe().expect("this test").canonicalize().expect("its path");
        let bytes = fs::read(&program).expect("its bytes");
        let expected = blake3::hash(&bytes).to_hex().to_string();
        assert!(mapped.iter().any(|file| file.blake3.as_deref() == Some(&expected)), "{mapped:?}");
        assert!(mapped.iter().any(|file| file.path.contains("libc.so")), "{mapped:?}");
    }
}
