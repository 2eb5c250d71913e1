//! Which site files of others were trusted, by content: a file that changes must be trusted again. It must not
//! know what they say.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::folder;

/// Name of the list, one digest a line, each with the path that it had.
const TRUSTED: &str = "trusted-sites";

/// Why a file could not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no home to keep it in.
    #[error("failed to remember what is trusted: neither $XDG_CONFIG_HOME nor $HOME names a folder")]
    Homeless,
    /// The system refused.
    #[error("failed to {doing} {path}: {source}")]
    Io {
        /// What was done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

fn list() -> Option<PathBuf> {
    folder().map(|folder| folder.join(TRUSTED))
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Whether this very content was trusted.
pub(super) fn is_trusted(bytes: &[u8]) -> bool {
    let text = list().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let digest = digest(bytes);
    text.lines().any(|line| line.split(' ').next() == Some(&digest))
}

/// Trusts a file as it is now; false if it was trusted already.
pub fn trust(path: &Path) -> Result<bool, TrustError> {
    let io = |doing: &'static str, path: &Path| {
        let path = path.display().to_string();
        move |source| TrustError::Io { doing, path, source }
    };
    let bytes = fs::read(path).map_err(io("read", path))?;
    if is_trusted(&bytes) {
        return Ok(false);
    }
    let list = list().ok_or(TrustError::Homeless)?;
    let parent = list.parent().unwrap_or(&list);
    fs::create_dir_all(parent).map_err(io("make the folder", parent))?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let line = format!("{} {}\n", digest(&bytes), absolute.display().to_string().replace('\n', "?"));
    let file = fs::OpenOptions::new().create(true).append(true).open(&list);
    file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(io("write", &list))?;
    Ok(true)
}
