//! Drivers that DPDK loads by itself: every library of one folder, whose path it was built with. A program is shown
//! those only that are in use, so that a fingerprint holds what is loaded and nothing else; where it has libraries of
//! a stack, also drivers of that. It must not know what they drive.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use super::Software;
use crate::component::{ComponentError, Linker};
use crate::failure::During;
use crate::protocol::Failure;

const NOTHING: Option<&str> = None;
/// The library that loads drivers.
const EAL: &str = "librte_eal.so.";

/// Where programs have their drivers.
struct Folders {
    /// The folder that they load from.
    loads: PathBuf,
    /// Folders that the drivers are taken from, best first; real paths.
    holds: Vec<PathBuf>,
    /// The end of the files' names: `23.0`.
    version: String,
}

impl Folders {
    /// None for programs that have their drivers inside.
    fn of(linker: &Linker, programs: &[PathBuf]) -> Result<Option<Folders>, ComponentError> {
        let programs: Vec<&Path> = programs.iter().map(PathBuf::as_path).collect();
        let loaded = linker.closure(&programs)?;
        let Some(eal) = loaded.iter().find(|file| file.name.starts_with(EAL)) else { return Ok(None) };
        let real = eal.path.canonicalize().unwrap_or_else(|_| eal.path.clone());
        let version = real.file_name().unwrap_or_default().to_string_lossy().replacen(EAL, "", 1);
        let name = format!("dpdk/pmds-{version}");
        let beside = real.parent().unwrap_or(linker.root()).join(&name);
        let loads = match built_with(&real, &name)? {
            Some(path) => linker.root().join(path.trim_start_matches('/')),
            None => beside.clone(),
        };
        let first = linker.first().iter().map(|folder| folder.join(&name));
        let holds: Vec<PathBuf> =
            first.chain([beside, loads.clone()]).filter_map(|path| path.canonicalize().ok()).collect();
        match (loads.is_dir(), holds.is_empty()) {
            (true, _) => Ok(Some(Folders { loads, holds, version })),
            (false, true) => Ok(None),
            (false, false) => Err(ComponentError::Drivers {
                folder: loads.display().to_string(),
                path: eal.path.display().to_string(),
            }),
        }
    }

    /// The file of a driver.
    fn driver(&self, name: &str) -> PathBuf {
        let file = format!("librte_{name}.so.{}", self.version);
        let found = self.holds.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
        found.unwrap_or_else(|| self.loads.join(&file))
    }
}

/// The path that ends in `name` among the texts of a library.
fn built_with(library: &Path, name: &str) -> Result<Option<String>, ComponentError> {
    let read = |source| ComponentError::Read { path: library.display().to_string(), source };
    let bytes = fs::read(library).map_err(read)?;
    let name = format!("/{name}\0");
    let Some(place) = bytes.windows(name.len()).position(|window| window == name.as_bytes()) else { return Ok(None) };
    let starts = |byte: &u8| !byte.is_ascii_graphic() || *byte == b'=';
    let start = bytes[..place].iter().rposition(starts).map_or(0, |before| before + 1);
    let path = String::from_utf8_lossy(&bytes[start..place + name.len() - 1]).into_owned();
    Ok(Some(path).filter(|path| path.starts_with('/')))
}

/// The files of `drivers` that programs are to load; none for programs that have them inside.
pub(crate) fn wanted(linker: &Linker, programs: &[PathBuf], drivers: &[&str]) -> Result<Vec<PathBuf>, ComponentError> {
    let Some(folders) = Folders::of(linker, programs)? else { return Ok(Vec::new()) };
    Ok(drivers.iter().map(|driver| folders.driver(driver)).collect())
}

/// A folder of drivers of which programs that are started now see some.
pub(super) struct Shown(Option<PathBuf>);

impl Shown {
    /// Hides all but a switch's drivers, and what its programs load of such folders anyway.
    pub(super) fn only(software: &Software) -> Result<Shown, Failure> {
        let doing = || "choose the drivers of DPDK".to_string();
        let linker = software.linker();
        let Some(folders) = Folders::of(&linker, &software.programs).host(doing)? else { return Ok(Shown(None)) };
        let wanted: Vec<PathBuf> = software.drivers.iter().map(|driver| folders.driver(driver)).collect();
        let all: Vec<&Path> = software.programs.iter().chain(&wanted).map(PathBuf::as_path).collect();
        let mut kept: BTreeMap<OsString, PathBuf> = BTreeMap::new();
        for loaded in linker.closure(&all).host(doing)? {
            if let Ok(real) = loaded.path.canonicalize()
                && let (Some(parent), Some(name)) = (real.parent(), real.file_name())
                && folders.holds.iter().any(|folder| folder == parent)
            {
                // Drivers come before what they ask for, so that one of a stack goes before the system's.
                kept.entry(name.to_owned()).or_insert_with(|| real.clone());
            }
        }
        // The names by which libraries are asked for lead to the files by links in these folders.
        let mut links: BTreeMap<OsString, OsString> = BTreeMap::new();
        for entry in folders.holds.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            if fs::read_link(entry.path()).is_ok()
                && let Ok(real) = entry.path().canonicalize()
                && let Some(name) = real.file_name().filter(|name| kept.contains_key(*name))
            {
                links.insert(entry.file_name(), name.to_owned());
            }
        }
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let opened =
            |(name, path): (&OsString, &PathBuf)| open(path, flags, Mode::empty()).map(|fd| (name.clone(), fd));
        let opened = kept.iter().map(opened).collect::<nix::Result<Vec<_>>>().host(doing)?;
        let folder = folders.loads;
        mount(Some("septet"), &folder, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))
            .host(doing)?;
        // From here on what was mounted is unmounted whatever happens.
        let shown = Shown(Some(folder.clone()));
        let fill = || -> Result<(), Failure> {
            for (name, fd) in &opened {
                let path = folder.join(name);
                File::create(&path).host(doing)?;
                let source = format!("/proc/self/fd/{}", fd.as_raw_fd());
                mount(Some(source.as_str()), &path, NOTHING, MsFlags::MS_BIND, NOTHING).host(doing)?;
            }
            links.iter().try_for_each(|(name, target)| symlink(target, folder.join(name))).host(doing)
        };
        match fill() {
            Ok(()) => Ok(shown),
            Err(failure) => {
                shown.all()?;
                Err(failure)
            }
        }
    }

    /// Shows all of them again.
    pub(super) fn all(mut self) -> Result<(), Failure> {
        match self.0.take() {
            Some(folder) => umount2(&folder, MntFlags::MNT_DETACH).host(|| "show all drivers of DPDK".into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_a_library_was_built_with_is_among_its_texts() {
        let folder = tempfile::tempdir().expect("a folder");
        let library = folder.path().join("librte_eal.so.23.0");
        let read = |bytes: &[u8]| {
            fs::write(&library, bytes).expect("a file");
            built_with(&library, "dpdk/pmds-23.0").expect("it can be read")
        };
        let expected = Some("/opt/lib/dpdk/pmds-23.0".to_owned());
        assert_eq!(read(b"x\0/opt/lib/dpdk/pmds-23.0\0y"), expected);
        assert_eq!(read(b"x\0DPDK_PLUGIN_PATH=/opt/lib/dpdk/pmds-23.0\0y"), expected);
        assert_eq!(read(b"/dpdk/pmds-23.1\0"), None);
        assert_eq!(read(b"lib/dpdk/pmds-23.0\0"), None);
    }
}
