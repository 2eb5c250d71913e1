//! DPDK loads every driver of a folder. A program is shown those only that are in use, so that a fingerprint holds
//! what is loaded and nothing else. It must not know what they drive.

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
use crate::component::plugins::Folders;
use crate::failure::During;
use crate::protocol::Failure;
use crate::provided;

const NOTHING: Option<&str> = None;

/// Below the worker's private /run: a folder of drivers that this host has not.
const PROVIDED: &str = "/run/septet/drivers";

/// A folder of drivers of which programs that are started now see some; what is mounted for it, last first.
pub(super) struct Shown(Vec<PathBuf>);

impl Shown {
    /// Hides all but a switch's drivers, and what its programs load of such folders anyway.
    pub(super) fn only(software: &Software) -> Result<Shown, Failure> {
        let doing = || "choose the drivers of DPDK".to_string();
        let linker = software.linker();
        let Some(folders) = Folders::of(&linker, &software.programs).host(doing)? else { return Ok(Shown(Vec::new())) };
        let drivers = software.drivers.iter().chain(&software.uplink);
        let wanted: Vec<PathBuf> = drivers.map(|driver| folders.driver(driver)).collect();
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
        // From here on what was mounted is unmounted whatever happens.
        let mut shown = Shown(Vec::new());
        let mut fill = || -> Result<(), Failure> {
            if !folder.is_dir() {
                shown.0.push(provided::folder(&folder, Path::new(PROVIDED))?);
            }
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("septet"), &folder, Some("tmpfs"), flags, Some("mode=755")).host(doing)?;
            shown.0.insert(0, folder.clone());
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
    pub(super) fn all(self) -> Result<(), Failure> {
        let doing = || "show all drivers of DPDK".to_string();
        self.0.iter().try_for_each(|mounted| umount2(mounted, MntFlags::MNT_DETACH)).host(doing)?;
        match fs::remove_dir_all(PROVIDED) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).host(doing),
            _ => Ok(()),
        }
    }
}
