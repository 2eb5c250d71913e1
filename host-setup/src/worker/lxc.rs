//! A container of runtime `lxc`: LXC 5 runs the application in the namespaces that the container's process
//! already holds, with the same root, the same link and the same privileges as runtime `netns`.
//! It must not know switches, or what the application does.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::makings::{INIT, Lxc, Makings};
use super::rootfs::Rootfs;
use crate::containers::lxc_configuration;
use crate::failure::During;
use crate::protocol::Failure;
use crate::provided;
use crate::scene::checked::CheckedContainer;
use crate::switch::vhost_folder;

const NOTHING: Option<&str> = None;
/// Private to the worker, like all of /run.
const FOLDER: &str = "/run/septet/lxc";
/// Below a container's folder there: where an LXC of a stack mounts the root.
const MOUNT: &str = "mount";

fn configuration_file(container: &str) -> PathBuf {
    Path::new(FOLDER).join(container).join("config")
}

const CGROUPS: &str = "/sys/fs/cgroup";

/// Prepares the process that will become `lxc-execute`.
pub(super) fn prepare(
    checked: &CheckedContainer,
    rootfs: &Rootfs,
    output: &Path,
    makings: &Makings,
) -> Result<(), Failure> {
    let doing = || format!("prepare LXC for container {}", checked.name);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>).scene(doing)?;
    // Without control groups to be seen LXC makes none, and so leaves none behind.
    if Path::new(CGROUPS).is_dir() {
        mount(Some("septet"), CGROUPS, Some("tmpfs"), flags | MsFlags::MS_RDONLY, None::<&str>).scene(doing)?;
    }
    let file = configuration_file(&checked.name);
    fs::create_dir_all(Path::new(FOLDER).join(&checked.name)).scene(doing)?;
    if let Some(lxc) = makings.lxc.as_ref().filter(|lxc| lxc.of_stack) {
        let own = Path::new(FOLDER).join(&checked.name);
        fs::create_dir_all(own.join(MOUNT)).scene(doing)?;
        if !Path::new(INIT).is_file() {
            provided::file(Path::new(INIT), &own.join("provided"))?;
        }
        mount(Some(&lxc.init), INIT, NOTHING, MsFlags::MS_BIND, NOTHING).scene(doing)?;
    }
    if let Some(busybox) = &makings.busybox {
        rootfs.show_busybox(&checked.application, busybox)?;
    }
    let root = rootfs.path(&checked.application);
    let port = vhost_folder(&checked.link).map(|port| port.display().to_string());
    let text = lxc_configuration(
        &checked.name,
        &root.to_string_lossy(),
        &output.to_string_lossy(),
        port.as_deref(),
        checked.link.is_for_dpdk(),
    );
    fs::write(file, text).scene(doing)
}

/// Program, arguments and environment that run the application.
pub(super) fn command(checked: &CheckedContainer, lxc: &Lxc) -> (String, Vec<String>, Vec<String>) {
    let file = configuration_file(&checked.name);
    let mut arguments: Vec<String> =
        ["lxc-execute", "-n", &checked.name, "-P", FOLDER, "-f", &file.to_string_lossy()].map(str::to_owned).into();
    if lxc.of_stack {
        // Where it was built to mount roots is the system's matter.
        let place = Path::new(FOLDER).join(&checked.name).join(MOUNT);
        arguments.extend(["-s".to_owned(), format!("lxc.rootfs.mount={}", place.display())]);
    }
    arguments.extend(["--".to_owned(), format!("/bin/{}", checked.application)]);
    (lxc.execute.display().to_string(), arguments, crate::switch::library_path(&lxc.libraries))
}
