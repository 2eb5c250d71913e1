//! Which site files of others were trusted, by content: a file that changes must be trusted again. It must not
//! know what they say.

use std::path::{Path, PathBuf};

use super::{FILE_BYTES_MAX, folder};
use crate::beneath;

/// Name of the list, one digest a line, each with the path that it had.
const TRUSTED: &str = "trusted-sites";
/// Most bytes of it.
const LIST_BYTES_MAX: u64 = 1 << 26;

/// Why a file could not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no home to keep it in.
    #[error("failed to remember what is trusted: neither $XDG_CONFIG_HOME nor $HOME names a folder")]
    Homeless,
    /// The file that was named cannot be read.
    #[error(transparent)]
    Unread(beneath::Error),
    /// The list cannot be written.
    #[error(transparent)]
    Unwritten(beneath::Error),
}

fn list() -> Option<PathBuf> {
    folder().map(|folder| folder.join(TRUSTED))
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Whether this very content was trusted.
pub(super) fn is_trusted(bytes: &[u8]) -> bool {
    let text = list().and_then(|path| beneath::plain_file(&path, LIST_BYTES_MAX).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let digest = digest(bytes);
    text.lines().any(|line| line.split(' ').next() == Some(&digest))
}

/// Trusts a file as it is now; false if it was trusted already.
pub fn trust(path: &Path) -> Result<bool, TrustError> {
    let bytes = beneath::plain_file(path, FILE_BYTES_MAX).map_err(TrustError::Unread)?;
    if is_trusted(&bytes) {
        return Ok(false);
    }
    let list = list().ok_or(TrustError::Homeless)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let line = format!("{} {}\n", digest(&bytes), absolute.display().to_string().replace('\n', "?"));
    beneath::append_line(&list, &line).map_err(TrustError::Unwritten)?;
    Ok(true)
}
