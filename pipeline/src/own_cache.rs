//! Where this user's caches lie, outside of any store: what is in a store may be somebody else's word. All of them can be
//! deleted at any time. It must not know what is kept there.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/septet/NAME`, or `~/.cache/septet/NAME`; none without a home.
pub fn folder(name: &str) -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?.join("septet").join(name))
}
