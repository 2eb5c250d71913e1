//! What the names of applications mean on this host. The only place that turns a name into a file: a client
//! names, the host decides. It must not know containers or requests.

use std::path::PathBuf;

use crate::commander::{Commander, commander};
use crate::component::{Linker, plugins};
use crate::failure::During;
use crate::protocol::{Failure, FailureKind};
use crate::site;

/// An application that this agent can put into a container.
pub(crate) struct Application {
    pub name: &'static str,
    /// I/O techniques that it speaks, by name.
    pub io: &'static [&'static str],
    /// Drivers that its DPDK loads by itself.
    pub drivers: &'static [&'static str],
}

/// All of them.
pub(crate) const APPLICATIONS: [Application; 2] = [
    Application { name: "septet-gen", io: &["udp", "udp-mmsg", "raw", "raw-mmsg"], drivers: &[] },
    Application {
        name: "septet-gen-dpdk",
        io: &["dpdk"],
        drivers: &["bus_vdev", "mempool_ring", "net_vhost", "net_virtio"],
    },
];

/// Places of a static BusyBox, best first.
const BUSYBOX: [&str; 4] = ["/usr/bin/busybox", "/bin/busybox", "/usr/bin/busybox.static", "/bin/busybox.static"];

/// The file of an application.
pub(crate) fn file_of(name: &str) -> Result<PathBuf, Failure> {
    let Some(application) = APPLICATIONS.iter().find(|application| application.name == name) else {
        let known: Vec<&str> = APPLICATIONS.iter().map(|application| application.name).collect();
        let message = format!("find application {name}: this host knows {}", known.join(", "));
        return Err(Failure::new(FailureKind::Request, message));
    };
    beside(application.name)
}

/// A program of that name: the one that lies beside the agent's own; for a user who commands an agent of
/// root's, the one that root has named.
pub(crate) fn beside(name: &str) -> Result<PathBuf, Failure> {
    if let Commander::Other = commander() {
        let named = site::programs()?.remove(name);
        let message = format!("find {name}: {} does not name it", site::SITE_FILE);
        return named.ok_or_else(|| Failure::new(FailureKind::Host, message));
    }
    let own = own_folder()?;
    let file = own.join(name);
    if !file.is_file() {
        let message = format!("find application {name}: it does not lie beside septet-host");
        let advice = format!("put {name} into the folder of septet-host ({})", own.display());
        return Err(Failure::new(FailureKind::Host, message).advise(advice));
    }
    Ok(file)
}

/// All that an application's process loads: its file, its libraries and the drivers of its DPDK.
pub(crate) fn files_of(application: &Application) -> Result<Vec<PathBuf>, Failure> {
    let file = file_of(application.name)?;
    let programs = [file.clone()];
    let drivers = plugins::wanted(&Linker::of_host(), &programs, application.drivers)
        .host(|| format!("find what {} loads", application.name))?;
    Ok([file].into_iter().chain(drivers).collect())
}

/// A BusyBox for the containers, if there is a static one: the host's, or one that lies beside the agent.
pub(crate) fn busybox() -> Option<PathBuf> {
    let beside = match commander() {
        Commander::Own => own_folder().ok().map(|folder| folder.join("busybox")),
        Commander::Other => site::programs().ok().and_then(|mut programs| programs.remove("busybox")),
    };
    BUSYBOX.iter().map(PathBuf::from).chain(beside).find(|path| crate::component::elf::is_static(path))
}

fn own_folder() -> Result<PathBuf, Failure> {
    let found = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_path_buf()));
    found.ok_or_else(|| Failure::new(FailureKind::Host, "find the folder of septet-host"))
}
