//! Drivers that DPDK loads by itself: every library of one folder. A program is shown those only that are in use,
//! so that a fingerprint holds what is loaded and nothing else. It must not know what they drive.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use crate::component::{ComponentError, files};
use crate::failure::During;
use crate::protocol::Failure;

const NOTHING: Option<&str> = None;
/// The library whose folder has the one of the drivers in it.
const EAL: &str = "librte_eal.so.";

/// The folder of drivers that programs would load from, and the end of its files' names: `23.0`.
fn folder(root: &Path, programs: &[PathBuf]) -> Result<Option<(PathBuf, String)>, ComponentError> {
    let programs: Vec<&Path> = programs.iter().map(PathBuf::as_path).collect();
    let loaded = files(root, &programs)?;
    let Some(eal) = loaded.iter().find(|file| file.name.starts_with(EAL)) else { return Ok(None) };
    let real = eal.path.canonicalize().unwrap_or_else(|_| eal.path.clone());
    let version = real.file_name().unwrap_or_default().to_string_lossy().replacen(EAL, "", 1);
    let folder = real.parent().unwrap_or(root).join("dpdk").join(format!("pmds-{version}"));
    Ok(folder.is_dir().then_some((folder, version)))
}

/// The files of `drivers` that programs are to load; none for programs that have them inside.
pub(crate) fn wanted(root: &Path, programs: &[PathBuf], drivers: &[&str]) -> Result<Vec<PathBuf>, ComponentError> {
    let Some((folder, version)) = folder(root, programs)? else { return Ok(Vec::new()) };
    Ok(drivers.iter().map(|driver| folder.join(format!("librte_{driver}.so.{version}"))).collect())
}

/// A folder of drivers of which programs that are started now see some.
pub(super) struct Shown(Option<PathBuf>);

impl Shown {
    /// Hides all but `drivers`, and what the programs load of the folder anyway.
    pub(super) fn only(programs: &[PathBuf], drivers: &[&str]) -> Result<Shown, Failure> {
        let doing = || "choose the drivers of DPDK".to_string();
        let Some((folder, version)) = folder(Path::new("/"), programs).host(doing)? else { return Ok(Shown(None)) };
        let wanted: Vec<PathBuf> =
            drivers.iter().map(|driver| folder.join(format!("librte_{driver}.so.{version}"))).collect();
        let all: Vec<&Path> = programs.iter().chain(&wanted).map(PathBuf::as_path).collect();
        let loaded = files(Path::new("/"), &all).host(doing)?;
        let real = loaded.iter().filter_map(|file| file.path.canonicalize().ok());
        let kept: BTreeSet<PathBuf> = real.filter(|path| path.parent() == Some(&folder)).collect();
        // The names by which libraries are asked for lead to the files by links in this folder.
        let mut links = Vec::new();
        for entry in fs::read_dir(&folder).host(doing)?.flatten() {
            if let (Ok(target), Ok(real)) = (fs::read_link(entry.path()), entry.path().canonicalize())
                && kept.contains(&real)
            {
                links.push((entry.path(), target));
            }
        }
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let opened = |path: &PathBuf| open(path, flags, Mode::empty()).map(|fd| (path.clone(), fd));
        let opened = kept.iter().map(opened).collect::<nix::Result<Vec<_>>>().host(doing)?;
        mount(Some("septet"), &folder, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))
            .host(doing)?;
        // From here on what was mounted is unmounted whatever happens.
        let shown = Shown(Some(folder));
        let fill = || -> Result<(), Failure> {
            for (path, fd) in &opened {
                File::create(path).host(doing)?;
                let source = format!("/proc/self/fd/{}", fd.as_raw_fd());
                mount(Some(source.as_str()), path, NOTHING, MsFlags::MS_BIND, NOTHING).host(doing)?;
            }
            links.iter().try_for_each(|(path, target)| symlink(target, path)).host(doing)
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
