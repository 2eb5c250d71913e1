//! Folders for unfinished work. Each holds a lock as long as whoever made it lives, so that those of the dead can be
//! told and cleared. On a file system that hosts share a lock may tell nothing of another host (NFS without locks):
//! names say on which host they were made, and another one's work is dead once nothing of it was touched for a day, by
//! the clock of the file system alone. It must not know what the work is.

use std::path::Path;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;

use super::lock::{Held, Lock};
use super::resolve::FileKind;
use super::{Below, Error, Folder, resolve};

/// Name of the lock in each.
const LOCK: &str = "lock";
/// How the names of those in a folder begin that others use as well.
const SCRATCH: &str = "septet-work.";

/// How often in a row a new one may be cleared by others before it is locked; more often, its parent is not there.
const CLEARED_MAX: u32 = 100;

/// Work of another host that was not touched for so long is a dead one's, ns: a living one touches it each hour.
const UNTOUCHED_NS_MAX: i128 = 24 * 3600 * 1_000_000_000;
/// Digits of a host in names.
const HOST_DIGITS: usize = 8;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The host in names: where locks tell the living from the dead, which is one boot of one kernel.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        blake3::hash(boot.trim().as_bytes()).to_hex()[..HOST_DIGITS].to_string()
    })
}

/// A name that no other living process or earlier call uses, on any host.
pub(crate) fn unique_name() -> String {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |at| at.as_nanos());
    format!("{}-{now:x}-{count}-{}", process::id(), host())
}

/// The host in a name of the form of those above; none in one of an older septet.
fn host_in(text: &str) -> Option<Option<&str>> {
    let parts: Vec<&str> = text.split('-').collect();
    let is =
        |part: &str, digit: fn(&u8) -> bool| !part.is_empty() && part.len() <= 32 && part.as_bytes().iter().all(digit);
    let is_older = |pid: &str, now: &str, count: &str| {
        is(pid, u8::is_ascii_digit) && is(now, u8::is_ascii_hexdigit) && is(count, u8::is_ascii_digit)
    };
    match parts[..] {
        [pid, now, count] => is_older(pid, now, count).then_some(None),
        [pid, now, count, host] => {
            let fits = is_older(pid, now, count) && host.len() == HOST_DIGITS && is(host, u8::is_ascii_hexdigit);
            fits.then_some(Some(host))
        }
        _ => None,
    }
}

/// Whether a name has the form of those above.
fn is_unique_name(text: &str) -> bool {
    host_in(text).is_some()
}

/// Whether a lock under this name says nothing: it was made on another host. What stands before the first point or
/// behind the last one is not looked at.
pub(crate) fn is_of_another_host(name: &str) -> bool {
    name.split('.').filter_map(host_in).flatten().any(|of| of != host())
}

/// Whether this process made it: what is its own is no dead one's, also where every lock can be had.
fn is_own(name: &str) -> bool {
    let pid = process::id().to_string();
    name.split('.').any(|part| host_in(part) == Some(Some(host())) && part.split('-').next() == Some(pid.as_str()))
}

/// Whether what was touched then is a dead one's, now; both by the clock of one file system.
pub(crate) fn is_untouched(touched_ns: i128, now_ns: i128) -> bool {
    now_ns - touched_ns > UNTOUCHED_NS_MAX
}

/// A folder for unfinished work, cleared when it is dropped, and by any later process if this one is killed.
#[derive(Debug)]
pub struct Stage {
    parent: Folder,
    name: Below,
    folder: Folder,
    held: Held,
}

impl Stage {
    /// A new one in a folder that is for nothing else.
    pub fn make(parent: &Folder) -> Result<Stage, Error> {
        Stage::called("", parent, 0o777)
    }

    /// Makes a stage whose name begins with what it is for.
    pub(crate) fn make_for(purpose: &str, parent: &Folder) -> Result<Stage, Error> {
        Stage::called(&format!("{purpose}."), parent, 0o777)
    }

    /// A new one among others' files, such as in `$TMPDIR`: for this user alone. What the dead left there is cleared.
    pub fn make_temporary() -> Result<Stage, Error> {
        let parent = Folder::open(&std::env::temp_dir())?;
        clear_temporary(&parent);
        Stage::called(SCRATCH, &parent, 0o700)
    }

    fn called(prefix: &str, parent: &Folder, mode: u32) -> Result<Stage, Error> {
        let mut cleared = 0;
        loop {
            let name = parent.name([&format!("{prefix}{}", unique_name())])?;
            let made = parent.new_folder(&name, mode);
            let made = made.and_then(|folder| Ok((folder.create(&folder.name([LOCK])?)?, folder)));
            if made.is_err() {
                // Without a lock it is nothing but an empty folder, and may go.
                let _ = parent.remove_folder(&name);
            }
            let (file, folder) = match made {
                // Taken for a dead one's and cleared before it was locked.
                Err(error) if error.is_absent() && cleared < CLEARED_MAX => {
                    cleared += 1;
                    continue;
                }
                other => other?,
            };
            match Held::now(file, Lock::Alone) {
                Ok(held) if held.is_still(&folder, LOCK) => {
                    return Ok(Stage { parent: parent.clone(), name, folder, held });
                }
                Ok(_) | Err((_, Errno::EWOULDBLOCK)) => {}
                Err((_, error)) => return Err(Error::new("lock", &folder.shown().join(LOCK))(error.into())),
            }
        }
    }

    /// Shows hosts that cannot ask the lock that whoever has it lives.
    pub(crate) fn touch(&self) {
        // One that cannot be touched for a day is as good as dead to others.
        let _ = touch(self.held.file());
    }

    /// When it was touched last, by the clock of the file system, ns since 1970.
    pub(crate) fn touched_ns(&self) -> Result<i128, Error> {
        let lock = self.folder.name([LOCK])?;
        Ok(self.folder.look(&lock)?.map_or(0, |look| look.mtime_ns))
    }

    /// Stages beside it that another host has, for the same purpose or any, and that are not a dead one's.
    pub(crate) fn others(&self, purpose: Option<&str>) -> Result<Vec<Below>, Error> {
        let now = self.touched_ns()?;
        let mut others = Vec::new();
        for entry in self.parent.list()? {
            let Some((text, name)) = entry.text().and_then(|text| Some((text, entry.below()?))) else { continue };
            let is_asked =
                purpose.is_none_or(|purpose| text.strip_prefix(purpose).is_some_and(|rest| rest.starts_with('.')));
            if is_asked && entry.kind == FileKind::Folder && is_of_another_host(text) {
                let touched = self.parent.look(&Below::of([text, LOCK]).unwrap_or_else(|_| name.clone()))?;
                if touched.is_some_and(|look| !is_untouched(look.mtime_ns, now)) {
                    others.push(name);
                }
            }
        }
        Ok(others)
    }

    /// The folder itself, open.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The stage's path.
    pub fn path(&self) -> &Path {
        self.folder.shown()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays is cleared by the next process that writes.
        let _ = clear_stage(&self.parent, &self.name);
    }
}

/// Removes a stage whose lock is held, the lock last: without one only an empty folder is known to be dead.
fn clear_stage(parent: &Folder, name: &Below) -> Result<(), Error> {
    let folder = parent.folder_not_mounted(name)?;
    folder.clear_but(&[LOCK])?;
    folder.remove_file(&folder.name([LOCK])?)?;
    parent.remove_folder(name).map(drop)
}

/// Sets a file's time to now, as its file system has it.
pub(crate) fn touch(file: &std::fs::File) -> nix::Result<()> {
    use nix::sys::stat::futimens;
    use nix::sys::time::TimeSpec;
    futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)
}

/// Removes unfinished work of processes that are dead: its lock can be had, or, of another host, it was not touched for
/// a day. The time is that of something that was just made there; without it no other host's work is looked at. What
/// cannot be removed is in nobody's way, and neither is what is no folder or file.
pub fn clear_abandoned(parent: &Folder, now_ns: Option<i128>) -> Result<(), Error> {
    for entry in parent.list()? {
        let Some(name) = entry.below() else { continue };
        if entry.text().is_some_and(is_own) {
            continue;
        }
        if entry.text().is_some_and(is_of_another_host) {
            let lock = parent.look(&Below::of([name.as_str(), LOCK]).unwrap_or_else(|_| name.clone()));
            let (Ok(Some(lock)), Some(now_ns)) = (lock, now_ns) else { continue };
            if entry.kind == FileKind::Folder && is_untouched(lock.mtime_ns, now_ns) {
                let _ = clear_stage(parent, &name);
            }
            continue;
        }
        match entry.kind {
            FileKind::Folder => clear_if_dead(parent, &name),
            // Of an earlier kind of stage, which was a file that locked itself.
            FileKind::File => {
                if let Ok(Some(_held)) = parent.lock_if_free(&name, Lock::Alone) {
                    let _ = parent.remove_file(&name);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Clears a shared temporary folder: only this user's folders of the agreed name.
fn clear_temporary(parent: &Folder) {
    let own = nix::unistd::geteuid().as_raw();
    for entry in parent.list().unwrap_or_default() {
        let agreed = entry.text().and_then(|text| text.strip_prefix(SCRATCH)).is_some_and(is_unique_name);
        let Some(name) = entry.below().filter(|_| agreed && entry.kind == FileKind::Folder) else { continue };
        if matches!(parent.look(&name), Ok(Some(look)) if look.uid == own && look.kind == FileKind::Folder) {
            clear_if_dead(parent, &name);
        }
    }
}

fn clear_if_dead(parent: &Folder, name: &Below) {
    let Ok(folder) = parent.folder_not_mounted(name) else { return };
    let Ok(lock) = folder.name([LOCK]) else { return };
    match resolve::stat(folder.fd(), LOCK) {
        Ok(_) => {
            if let Ok(Some(_held)) = folder.lock_if_free(&lock, Lock::Alone) {
                let _ = clear_stage(parent, name);
            }
        }
        // Its maker died before it made the lock, or is about to: then it makes another folder.
        Err(Errno::ENOENT) => drop(parent.remove_folder(name)),
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_who_begin_and_clear_at_once_all_get_a_folder_of_their_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let parent = Folder::open(folder.path()).expect("it is there");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        clear_abandoned(&parent, None).expect("it can be listed");
                        let stage = Stage::make(&parent).expect("others only clear what is nobody's");
                        assert!(stage.path().is_dir());
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn a_parent_that_is_gone_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let parent = Folder::open(folder.path()).expect("it is there");
        folder.close().expect("it is ours");
        assert!(Stage::make(&parent).expect_err("there is nowhere").is_absent());
    }

    #[test]
    fn names_have_the_form_that_is_cleared() {
        assert!(is_unique_name(&unique_name()));
        for wrong in ["", "1-2", "x-1-1", "1-2-3-4", "1--2", "../1-2-3"] {
            assert!(!is_unique_name(wrong), "{wrong}");
        }
        assert!(is_unique_name("1-2-3") && !is_of_another_host("1-2-3"), "as an older one wrote it");
        let own = unique_name();
        assert!(
            [own.clone(), format!("{own}.log"), format!("taking.{own}")].iter().all(|name| !is_of_another_host(name))
        );
        assert!(["1-2-3-0badc0de", "1-2-3-0badc0de.log", "taking.1-2-3-0badc0de"].into_iter().all(is_of_another_host));
    }

    /// Where locks tell nothing of other hosts, what they are at work on is left alone until nobody can be.
    #[test]
    fn the_work_of_another_host_is_cleared_once_nobody_has_touched_it_for_a_day() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let parent = Folder::open(folder.path()).expect("it is there");
        let theirs = folder.path().join("7-1f-0-0badc0de");
        std::fs::create_dir(&theirs).expect("it is ours");
        std::fs::write(theirs.join(LOCK), "").expect("it is ours");
        std::fs::write(theirs.join("half"), "x").expect("it is ours");
        let stage = Stage::make(&parent).expect("it can be made");
        let now = stage.touched_ns().expect("it is there");
        for clock in [None, Some(now), Some(now + UNTOUCHED_NS_MAX - 3_600_000_000_000)] {
            clear_abandoned(&parent, clock).expect("it can be listed");
            assert!(theirs.join("half").exists(), "{clock:?}");
        }
        assert_eq!(stage.others(None).expect("it can be listed").len(), 1);
        assert_eq!(stage.others(Some("taking")).expect("it can be listed").len(), 0);
        clear_abandoned(&parent, Some(now + UNTOUCHED_NS_MAX + 3_600_000_000_000)).expect("it can be listed");
        assert!(!theirs.exists() && stage.path().exists());
    }
}
