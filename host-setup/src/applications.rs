//! What the names of applications mean on this host. The only place that turns a name into a file: a client
//! names, the host decides. It must not know containers or requests.

use std::path::PathBuf;

use crate::protocol::{Failure, FailureKind};

/// An application that this agent can put into a container.
pub(crate) struct Application {
    pub name: &'static str,
    /// I/O techniques that it speaks, by name.
    pub io: &'static [&'static str],
}

/// All of them.
pub(crate) const APPLICATIONS: [Application; 1] =
    [Application { name: "septet-gen", io: &["udp", "udp-mmsg", "raw", "raw-mmsg"] }];

/// Places of a static BusyBox, best first.
const BUSYBOX: [&str; 4] = ["/usr/bin/busybox", "/bin/busybox", "/usr/bin/busybox.static", "/bin/busybox.static"];

/// The file of an application: the one of its name that lies beside the agent's own program.
pub(crate) fn file_of(name: &str) -> Result<PathBuf, Failure> {
    let Some(application) = APPLICATIONS.iter().find(|application| application.name == name) else {
        let known: Vec<&str> = APPLICATIONS.iter().map(|application| application.name).collect();
        let message = format!("find application {name}: this host knows {}", known.join(", "));
        return Err(Failure::new(FailureKind::Request, message));
    };
    let own = own_folder()?;
    let file = own.join(application.name);
    if !file.is_file() {
        let message = format!("find application {name}: it does not lie beside septet-host");
        let advice = format!("put {name} into the folder of septet-host ({})", own.display());
        return Err(Failure::new(FailureKind::Host, message).advise(advice));
    }
    Ok(file)
}

/// A BusyBox for the containers, if there is a static one: the host's, or one that lies beside the agent.
pub(crate) fn busybox() -> Option<PathBuf> {
    let beside = own_folder().ok().map(|folder| folder.join("busybox"));
    BUSYBOX.iter().map(PathBuf::from).chain(beside).find(|path| crate::component::elf::is_static(path))
}

fn own_folder() -> Result<PathBuf, Failure> {
    let found = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_path_buf()));
    found.ok_or_else(|| Failure::new(FailureKind::Host, "find the folder of septet-host"))
}
