//! Files that are there whole or not at all. Unfinished ones are locked by who writes them, so that those of
//! the dead can be told and cleared. It must not know what is in files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::StoreError;

/// End of the name of a file that is being written beside the one that it will replace.
pub const UNFINISHED: &str = ".unfinished";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name that no other living process or earlier call uses.
pub(super) fn unique_name() -> String {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|at| at.as_nanos()).unwrap_or(0);
    format!("{}-{now:x}-{count}", process::id())
}

/// Writes bytes to a file and syncs it; the file must not exist.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create_new(path).map_err(StoreError::io("create", path))?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.sync_all().map_err(StoreError::io("sync", path))
}

/// Syncs a folder, so that names in it survive a crash.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(StoreError::io("sync the folder", path))
}

/// A folder for unfinished work, cleared when it is dropped, and by any later process if this one is killed.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Stage {
    /// A new one in `tmp`.
    pub(crate) fn make(tmp: &Path) -> Result<Stage, StoreError> {
        loop {
            let folder = tmp.join(unique_name());
            fs::create_dir(&folder).map_err(StoreError::io("make the folder", &folder))?;
            let path = folder.join("lock");
            let file = match File::create_new(&path) {
                // Taken for a dead one's and cleared before it was locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(StoreError::io("create", &path))?,
            };
            if let Some(lock) = lock_new(file, &path)? {
                return Ok(Stage { folder, _lock: lock });
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays is cleared by the next process that writes.
        let _ = clear_stage(&self.folder);
    }
}

/// Removes a stage whose lock is held, the lock last: without one only an empty folder is known to be dead.
fn clear_stage(folder: &Path) -> io::Result<()> {
    let lock = folder.join("lock");
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path != lock {
            fs::remove_file(&path)?;
        }
    }
    fs::remove_file(&lock)?;
    fs::remove_dir(folder)
}

/// Locks a file that was just made; none if another process took it for a dead one's in between.
fn lock_new(file: File, path: &Path) -> Result<Option<Flock<File>>, StoreError> {
    let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
        Err((_, error)) => return Err(StoreError::io("lock", path)(error.into())),
    };
    let meta = lock.metadata().map_err(StoreError::io("look at", path))?;
    Ok((meta.nlink() > 0).then_some(lock))
}

/// Removes unfinished work of processes that are dead: its lock can be had. What cannot be removed is in
/// nobody's way.
pub(super) fn clear_abandoned(tmp: &Path) -> Result<(), StoreError> {
    let entries = match fs::read_dir(tmp) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(StoreError::io("list", tmp))?,
    };
    for entry in entries {
        let path = entry.map_err(StoreError::io("list", tmp))?.path();
        let is_folder = path.is_dir();
        let lock = if is_folder { path.join("lock") } else { path.clone() };
        // For writing, because that is what a network file system wants of who locks.
        match OpenOptions::new().write(true).open(lock) {
            Ok(file) => {
                if let Ok(_held) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                    let _ = if is_folder { clear_stage(&path) } else { fs::remove_file(&path) };
                }
            }
            // Its maker died before it made the lock, or is about to: then it makes another folder.
            Err(error) if is_folder && error.kind() == io::ErrorKind::NotFound => drop(fs::remove_dir(&path)),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Writes a file so that readers see the old content or the new one: to `tmp`, synced, then renamed.
/// `tmp` must be on the same file system. The target's folder is made if it is missing.
pub fn write_atomically(tmp: &Path, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::create_dir_all(tmp).map_err(StoreError::io("make the folder", tmp))?;
    let stage = Stage::make(tmp)?;
    let staged = stage.path().join("file");
    let parent = target.parent().unwrap_or(Path::new("."));
    write_synced(&staged, bytes)?;
    fs::create_dir_all(parent).map_err(StoreError::io("make the folder", parent))?;
    fs::rename(&staged, target).map_err(StoreError::io("rename to", target))?;
    sync_folder(parent)
}

/// Writes a file unless it has these bytes already, and says whether it did. Not synced: for what can be
/// made again, such as pages. A process that is killed in the middle leaves `.NAME.unfinished`, which the next
/// writing of the same file takes over.
pub fn replace_if_different(target: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    match fs::metadata(target) {
        Ok(meta) if meta.is_file() && meta.len() == bytes.len() as u64 => {
            if fs::read(target).map_err(StoreError::io("read", target))? == bytes {
                return Ok(false);
            }
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::io("look at", target)(error)),
    }
    let parent = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(StoreError::io("make the folder", parent))?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let staged = parent.join(format!(".{name}{UNFINISHED}"));
    let mut file = take_over(&staged)?;
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(bytes))
        .map_err(StoreError::io("write", target))
        .and_then(|()| fs::rename(&staged, target).map_err(StoreError::io("rename to", target)));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written.map(|()| true)
}

/// Opens or makes a file under this very name and locks it, after whoever else writes it.
fn take_over(path: &Path) -> Result<Flock<File>, StoreError> {
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(StoreError::io("create", path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| StoreError::io("lock", path)(error.into()))?;
        let held = lock.metadata().map_err(StoreError::io("look at", path))?;
        // Who had the lock before has renamed it away.
        if fs::metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino())) {
            return Ok(lock);
        }
    }
}
