//! Folders for vhost-user sockets, and what DPDK's vhost library says of them. It must not know which program
//! uses it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Cores, Descriptor, Drawn, Ends, Forwards, MemoryUse, Ports, Queues};
use crate::failure::During;
use crate::protocol::{Failure, FailureKind};
use crate::scene::PORT_SOCKET;
use crate::scene::checked::{CheckedContainer, CheckedLink, CheckedScene};

/// Below the worker's private /run.
const FOLDERS: &str = "/run/septet/ports";
/// What the library says, after the socket's name, of a port that forwards from now on.
const FORWARDS: &str = "virtio is now ready for processing";
/// What it says, on a line of its own or after a name, of a port that never will, while its program runs on.
const REFUSALS: [&str; 3] = ["too many memory regions", "Too many memory regions", "failed to bind"];

/// What most switches are that are made of programs and connect to vhost-user sockets of applications: each says what
/// it is otherwise.
pub(super) fn descriptor(name: &str, memory: MemoryUse) -> Descriptor {
    Descriptor {
        name: name.into(),
        io: vec!["dpdk".into()],
        ends: Ends::Listening,
        forwards: Forwards::Pairs,
        uplink: false,
        ports: Ports { most: 64, even: true, why: "it is built with 1 to 32 pairs of them".into() },
        cores: Cores::Many,
        queues: Queues::Many,
        memory,
        drawn: Drawn::Virtio,
        programs: true,
        packages: Vec::new(),
        needs_root: None,
        renews: false,
        configuration: None,
    }
}

/// The folder that a container shares with the other end of its link, seen from outside.
pub(crate) fn folder(link: &CheckedLink) -> Option<PathBuf> {
    match link {
        CheckedLink::Interface(_) | CheckedLink::Function { .. } => None,
        CheckedLink::VhostUser { folder, .. } => Some(Path::new(FOLDERS).join(folder)),
    }
}

/// The socket in it.
pub(super) fn socket(container: &CheckedContainer) -> Result<PathBuf, Failure> {
    let missing = || {
        let message = format!("attach container {}: its link is no vhost-user socket", container.name);
        Failure::new(FailureKind::Request, message)
    };
    Ok(folder(&container.link).ok_or_else(missing)?.join(PORT_SOCKET))
}

/// Every socket of a scene, in order of containers.
pub(super) fn sockets(scene: &CheckedScene) -> Result<Vec<PathBuf>, Failure> {
    scene.containers.iter().map(socket).collect()
}

/// Makes the folders of a scene.
pub(crate) fn make_folders(scene: &CheckedScene) -> Result<(), Failure> {
    for folder in scene.containers.iter().filter_map(|container| folder(&container.link)) {
        fs::create_dir_all(&folder).scene(|| "create a folder for sockets".into())?;
    }
    Ok(())
}

/// Removes them with all that is in them.
pub(crate) fn remove_folders() -> Result<(), Failure> {
    match fs::remove_dir_all(FOLDERS) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).scene(|| "remove the folders of sockets".into())
        }
        _ => Ok(()),
    }
}

/// Whether every socket forwards, by what a program said; the line of one that never will.
pub(super) fn forward(said: &str, sockets: &[PathBuf]) -> Result<bool, String> {
    if let Some(line) = said.lines().find(|line| REFUSALS.iter().any(|words| line.contains(words))) {
        return Err(line.to_owned());
    }
    let forwards = |socket: &PathBuf| said.contains(&format!("({}) {FORWARDS}", socket.display()));
    Ok(sockets.iter().all(forwards))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_forwards_when_the_library_says_so_of_its_socket() {
        let sockets = [PathBuf::from("/a/vhost.sock"), PathBuf::from("/b/vhost.sock")];
        let one = "VHOST_CONFIG: (/a/vhost.sock) virtio is now ready for processing.\n";
        assert_eq!(forward(one, &sockets), Ok(false));
        let both = format!("{one}x|VHOST_CONFIG: (/b/vhost.sock) virtio is now ready for processing.\n");
        assert_eq!(forward(&both, &sockets), Ok(true));
        let refused = format!("{both}VHOST_CONFIG: (/b/vhost.sock) too many memory regions (9)\n");
        assert!(forward(&refused, &sockets).is_err_and(|line| line.ends_with("(9)")));
    }
}
