//! Folders for unfinished work. Each holds a lock as long as whoever made it lives, so that those of the dead can be
//! told and cleared. It must not know what the work is.

use std::path::Path;
use std::process;
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

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name that no other living process or earlier call uses.
pub(crate) fn unique_name() -> String {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |at| at.as_nanos());
    format!("{}-{now:x}-{count}", process::id())
}

/// Whether a name has the form of those above.
fn is_unique_name(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is =
        |part: &str, digit: fn(&u8) -> bool| !part.is_empty() && part.len() <= 32 && part.as_bytes().iter().all(digit);
    match parts[..] {
        [pid, now, count] => {
            is(pid, u8::is_ascii_digit) && is(now, u8::is_ascii_hexdigit) && is(count, u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// A folder for unfinished work, cleared when it is dropped, and by any later process if this one is killed.
#[derive(Debug)]
pub struct Stage {
    parent: Folder,
    name: Below,
    folder: Folder,
    _held: Held,
}

impl Stage {
    /// A new one in a folder that is for nothing else.
    pub fn make(parent: &Folder) -> Result<Stage, Error> {
        Stage::called("", parent, 0o777)
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
                    return Ok(Stage { parent: parent.clone(), name, folder, _held: held });
                }
                Ok(_) | Err((_, Errno::EWOULDBLOCK)) => {}
                Err((_, error)) => return Err(Error::new("lock", &folder.shown().join(LOCK))(error.into())),
            }
        }
    }

    /// Where it is.
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

/// Removes unfinished work of processes that are dead: its lock can be had. What cannot be removed is in nobody's way,
/// and neither is what is no folder or file.
pub fn clear_abandoned(parent: &Folder) -> Result<(), Error> {
    for entry in parent.list()? {
        let Some(name) = entry.below() else { continue };
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

/// The same among others' files: folders of this user, of the agreed name.
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
                        clear_abandoned(&parent).expect("it can be listed");
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
    }
}
