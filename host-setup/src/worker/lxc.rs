//! A container of runtime `lxc`: LXC 5 runs the application in the namespaces that the container's process
//! already holds, with the same root, the same link and the same privileges as runtime `netns`.
//! It must not know switches, or what the application does.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::rootfs::Rootfs;
use crate::containers::lxc_configuration;
use crate::facts::Privilege;
use crate::failure::During;
use crate::protocol::Failure;
use crate::scene::checked::CheckedContainer;
use crate::switch::vhost_folder;

/// Private to the worker, like all of /run.
const FOLDER: &str = "/run/septet/lxc";

fn configuration_file(container: &str) -> PathBuf {
    Path::new(FOLDER).join(container).join("config")
}

/// Starts a container, and runs inside as its first process.
const EXECUTE: &str = "/usr/bin/lxc-execute";
const CGROUPS: &str = "/sys/fs/cgroup";
const INIT: &str = "/usr/sbin/init.lxc.static";

/// The programs of LXC, or why it cannot be had here.
pub(crate) fn programs(privilege: Privilege) -> Result<Vec<PathBuf>, String> {
    if privilege != Privilege::Root {
        return Err("runtime lxc needs root".into());
    }
    let programs = [EXECUTE, INIT].map(PathBuf::from);
    match programs.iter().find(|program| !program.is_file()) {
        Some(program) => Err(format!("LXC is not installed ({} is not there)", program.display())),
        None => Ok(programs.to_vec()),
    }
}

/// Prepares the process that will become `lxc-execute`.
pub(super) fn prepare(checked: &CheckedContainer, rootfs: &Rootfs, output: &Path) -> Result<(), Failure> {
    let doing = || format!("prepare LXC for container {}", checked.name);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>).scene(doing)?;
    // Without control groups to be seen LXC makes none, and so leaves none behind.
    if Path::new(CGROUPS).is_dir() {
        mount(Some("septet"), CGROUPS, Some("tmpfs"), flags | MsFlags::MS_RDONLY, None::<&str>).scene(doing)?;
    }
    let file = configuration_file(&checked.name);
    fs::create_dir_all(Path::new(FOLDER).join(&checked.name)).scene(doing)?;
    let root = rootfs.path(&checked.application);
    let port = vhost_folder(&checked.link).map(|port| port.display().to_string());
    let text = lxc_configuration(&checked.name, &root.to_string_lossy(), &output.to_string_lossy(), port.as_deref());
    fs::write(file, text).scene(doing)
}

/// Program and arguments that run the application.
pub(super) fn command(checked: &CheckedContainer) -> (String, Vec<String>) {
    let file = configuration_file(&checked.name);
    let arguments = ["lxc-execute", "-n", &checked.name, "-P", FOLDER, "-f", &file.to_string_lossy(), "--"];
    let arguments = arguments.into_iter().map(str::to_owned).chain([format!("/bin/{}", checked.application)]);
    (EXECUTE.into(), arguments.collect())
}
