//! What the names of applications mean on this host. The only place that turns a name into a file: a client
//! names, the host decides. It must not know containers or requests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::application::{self, Definition};
use crate::commander::{Commander, commander};
use crate::component::{Linker, plugins};
use crate::failure::During;
use crate::protocol::{Failure, FailureKind};
use crate::site;
use crate::switch::custom;

/// An application that this agent can put into a container.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    /// The application's name in scenes and facts.
    pub name: String,
    /// I/O techniques that it speaks, by name.
    pub io: &'static [&'static str],
    /// Drivers that its DPDK loads by itself.
    pub drivers: &'static [&'static str],
    /// What an adapter starts, for one that a site defines.
    pub definition: Option<Definition>,
}

/// The generators, by name, each with its I/O techniques and the drivers that its DPDK loads by itself.
pub(crate) const GENERATORS: [(&str, &[&str], &[&str]); 2] = [
    ("septet-gen", &["udp", "udp-mmsg", "raw", "raw-mmsg"], &[]),
    ("septet-gen-dpdk", &["dpdk"], &["bus_vdev", "mempool_ring", "net_vhost", "net_virtio"]),
];

/// Those that Septet itself brings.
pub(crate) fn generators() -> impl Iterator<Item = Application> {
    GENERATORS.into_iter().map(|(name, io, drivers)| Application { name: name.into(), io, drivers, definition: None })
}

impl Application {
    /// One that a site defines. What is wrong with a definition that a client sends is told there before; here it is a
    /// request that makes no sense.
    pub(crate) fn of_site(name: &str, definition: Definition) -> Result<Application, Failure> {
        let problem = match application::is_application_name(name) {
            false => Some("that is no name".to_string()),
            true => definition.problem().map(|(key, _, problem)| format!("{key}: {problem}")),
        };
        match problem {
            Some(problem) => {
                let name: String = name.chars().take(64).collect();
                Err(Failure::new(FailureKind::Request, format!("define application {name:?}: {problem}")))
            }
            None => Ok(Application {
                name: application::id(name),
                io: &["udp"],
                drivers: &[],
                definition: Some(definition),
            }),
        }
    }
}

/// Places of a static BusyBox, best first.
const BUSYBOX: [&str; 4] = ["/usr/bin/busybox", "/bin/busybox", "/usr/bin/busybox.static", "/bin/busybox.static"];

/// The file of an application.
pub(crate) fn file_of(name: &str) -> Result<PathBuf, Failure> {
    if name.starts_with(&application::id("")) {
        return beside(application::ADAPTER);
    }
    let known = GENERATORS.map(|(name, ..)| name);
    if !known.contains(&name) {
        let message = format!("find application {name}: this host knows {}", known.join(", "));
        return Err(Failure::new(FailureKind::Request, message));
    }
    beside(name)
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
    let file = file_of(&application.name)?;
    if let Some(definition) = &application.definition {
        return of_definition(file, definition).map_err(|problem| {
            let message = format!("find what {} runs: {problem}", application.name);
            Failure::new(FailureKind::Host, message)
        });
    }
    let programs = [file.clone()];
    let drivers = plugins::wanted(&Linker::of_host(), &programs, application.drivers)
        .host(|| format!("find what {} loads", application.name))?;
    Ok([file].into_iter().chain(drivers).collect())
}

/// The adapter, and all that it is to start.
fn of_definition(adapter: PathBuf, definition: &Definition) -> Result<Vec<PathBuf>, String> {
    let mut files = vec![adapter];
    for path in definition.paths() {
        match fs::metadata(&path) {
            Ok(about) if about.is_dir() => {
                custom::below(&path, &mut files).map_err(|error| format!("{}: {error}", path.display()))?;
            }
            Ok(about) if about.is_file() => files.push(path),
            Ok(_) => return Err(format!("{} is no file", path.display())),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
    files.dedup();
    let problem = match commander() {
        Commander::Own => None,
        Commander::Other => {
            let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            let loaded = Linker::of_host().closure(&files).map_err(|error| format!("failed to {error}"))?;
            loaded.iter().find_map(|file| site::untrusted(&file.path))
        }
    };
    problem.map_or(Ok(files), Err)
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
