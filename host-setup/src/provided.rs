//! Lets a path be there that this host has not, for this mount namespace alone: over the part of it that is there lies,
//! for reading, the same with the rest of the path in it. It must not know what the path is for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::failure::During;
use crate::protocol::Failure;

/// Lets an empty folder be there. What is mounted on by that, which is to be unmounted in the end; `own` is a folder
/// that is not there yet, in memory, of which nothing may change until then.
pub(crate) fn folder(folder: &Path, own: &Path) -> Result<PathBuf, Failure> {
    over(folder, own, |path| fs::create_dir_all(path))
}

/// Provides an empty file in place of a folder.
pub(crate) fn file(file: &Path, own: &Path) -> Result<PathBuf, Failure> {
    over(file, own, |path| {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        File::create(path).map(drop)
    })
}

fn over(path: &Path, own: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<PathBuf, Failure> {
    let doing = || format!("let there be {}", path.display());
    let there = path.ancestors().skip(1).find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/"));
    let rest = path.strip_prefix(there).host(doing)?;
    make(&own.join(rest)).host(doing)?;
    let options = format!("lowerdir={}:{}", own.display(), there.display());
    let mounted = mount(Some("septet"), there, Some("overlay"), MsFlags::MS_RDONLY, Some(options.as_str()));
    let advice = || format!("make it, empty, if this kernel has no overlayfs: {}", path.display());
    mounted.host(doing).map_err(|failure| failure.advise(advice()))?;
    Ok(there.to_path_buf())
}
