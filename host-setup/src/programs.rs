//! The project's own programs that lie in one folder wherever Septet is: what they are called, and what they are by
//! content. It must not know what they do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::application::ADAPTER;
use crate::applications::{GENERATORS, beside};
use crate::switch;

/// The agent itself.
pub const AGENT: &str = "septet-host";
/// A static BusyBox for the containers; the host's own is used where there is one.
pub const BUSYBOX: &str = "busybox";

/// What lies in that folder for an agent, the agent first; all but the agent and `septet-gen` only where it is.
pub fn names() -> Vec<&'static str> {
    let applications = GENERATORS.iter().map(|(name, ..)| *name);
    [AGENT].into_iter().chain(applications).chain([ADAPTER]).chain(switch::programs_beside()).chain([BUSYBOX]).collect()
}

/// BLAKE3 of each program that this agent would run, by name; the agent's own is that of the file that it was started
/// from. What cannot be read is left out.
pub(crate) fn digests() -> BTreeMap<String, String> {
    let own: Option<PathBuf> = Some(Path::new("/proc/self/exe").to_path_buf());
    let files = names().into_iter().map(|name| (name, if name == AGENT { own.clone() } else { beside(name).ok() }));
    let digest = |path: PathBuf| Some(blake3::hash(&fs::read(path).ok()?).to_hex().to_string());
    files.filter_map(|(name, path)| Some((name.to_string(), digest(path?)?))).collect()
}
