//! Files that are there whole or not at all. It must not know what is in them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreError;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name that no other living process or earlier call uses.
pub(super) fn unique_name() -> String {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|at| at.as_nanos()).unwrap_or(0);
    format!("{}-{now:x}-{count}", process::id())
}

/// Writes bytes to a file and syncs it; the file must not exist.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create_new(path).map_err(StoreError::io("create", path))?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.sync_all().map_err(StoreError::io("sync", path))
}

/// Syncs a folder, so that names in it survive a crash.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(StoreError::io("sync the folder", path))
}

/// Writes a file so that readers see the old content or the new one: to `tmp`, synced, then renamed.
/// `tmp` must be on the same file system. The target's folder is made if it is missing.
pub fn write_atomically(tmp: &Path, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::create_dir_all(tmp).map_err(StoreError::io("make the folder", tmp))?;
    let staged = tmp.join(unique_name());
    let parent = target.parent().unwrap_or(Path::new("."));
    let result = write_synced(&staged, bytes)
        .and_then(|()| fs::create_dir_all(parent).map_err(StoreError::io("make the folder", parent)))
        .and_then(|()| fs::rename(&staged, target).map_err(StoreError::io("rename to", target)))
        .and_then(|()| sync_folder(parent));
    if result.is_err() {
        // Best effort: the original error is what matters, and the next start clears tmp.
        let _ = fs::remove_file(&staged);
    }
    result
}

/// Writes a file unless it has these bytes already, and says whether it did. Not synced: for what can be
/// made again, such as pages.
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
    let staged = parent.join(format!(".{}", unique_name()));
    let written = fs::write(&staged, bytes)
        .map_err(StoreError::io("write", &staged))
        .and_then(|()| fs::rename(&staged, target).map_err(StoreError::io("rename to", target)));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written.map(|()| true)
}
