//! What containers see: private mounts for the worker, and one read-only root in memory for all containers
//! of a lease, with nothing in it but the applications, a BusyBox if there is a static one, and devices.
//! It must not know scenes.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use crate::applications::{APPLICATIONS, busybox, file_of};
use crate::containers::{DEVICES, FOLDERS};
use crate::failure::During;
use crate::protocol::Failure;
use crate::scene::OUTPUT_FOLDER;

const NOTHING: Option<&str> = None;
/// Below the worker's private /run.
const ROOT: &str = "/run/septet/root";
const OUTPUTS: &str = "/run/septet/out";

/// Programs to put into the root, opened before the mounts below hide where they lie.
pub(crate) struct Sources(Vec<(String, File)>);

impl Sources {
    /// Every application that is here, and BusyBox.
    pub(crate) fn open() -> Result<Sources, Failure> {
        let mut files = Vec::new();
        for application in &APPLICATIONS {
            if let Ok(path) = file_of(application.name) {
                files.push((application.name.to_owned(), path));
            }
        }
        files.extend(busybox().map(|path| ("busybox".to_owned(), path)));
        let open = |(name, path): (String, PathBuf)| {
            let file = File::open(&path).host(|| format!("open {}", path.display()))?;
            Ok((name, file))
        };
        files.into_iter().map(open).collect::<Result<_, Failure>>().map(Sources)
    }

    /// What the worker must not close.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|(_, file)| file.as_fd())
    }
}

/// The root of containers.
pub(super) struct Rootfs {
    /// Digests of what was copied into it, by name.
    pub staged: Vec<(String, String)>,
}

impl Rootfs {
    /// Mounts what only this worker sees, and builds the root.
    pub(super) fn build(sources: Sources) -> Result<Rootfs, Failure> {
        mount_private()?;
        fs::create_dir_all(ROOT).host(|| "create the folder of the containers' root".into())?;
        fs::create_dir_all(OUTPUTS).host(|| "create the folder of the containers' output".into())?;
        tmpfs(Path::new(ROOT), "size=256m,mode=755", MsFlags::empty())?;
        for folder in FOLDERS {
            let path = Path::new(ROOT).join(folder);
            fs::create_dir(&path).host(|| format!("create /{folder} of the containers' root"))?;
        }
        for device in DEVICES {
            bind_device(device)?;
        }
        let mut staged = Vec::new();
        for (name, source) in sources.0 {
            let digest = stage(&name, source)?;
            if name == "busybox" {
                let link = Path::new(ROOT).join("bin/sh");
                symlink("busybox", link).host(|| "link /bin/sh of the containers' root".into())?;
            }
            staged.push((name, digest));
        }
        Ok(Rootfs { staged })
    }

    /// Whether an application is in the root.
    pub(super) fn has(&self, application: &str) -> bool {
        self.staged.iter().any(|(name, _)| name == application)
    }

    /// Where it is, seen from outside.
    pub(super) fn path(&self) -> &'static Path {
        Path::new(ROOT)
    }

    /// Makes the output folder of a container: memory of a bounded size, so that nothing touches a disk.
    pub(super) fn make_output(&self, container: &str, bytes_max: u64) -> Result<PathBuf, Failure> {
        let path = Path::new(OUTPUTS).join(container);
        fs::create_dir(&path).scene(|| format!("create the output folder of container {container}"))?;
        let options = format!("size={bytes_max},mode=755");
        match tmpfs(&path, &options, MsFlags::MS_NODEV | MsFlags::MS_NOEXEC) {
            Ok(()) => Ok(path),
            Err(failure) => {
                // Already failing; the folder is empty, in memory, and dies with the worker at the latest.
                let _ = fs::remove_dir(&path);
                Err(failure)
            }
        }
    }

    /// Gives the memory of an output folder back.
    pub(super) fn remove_output(&self, path: &Path) -> Result<(), Failure> {
        umount2(path, MntFlags::MNT_DETACH).scene(|| "unmount an output folder".into())?;
        fs::remove_dir(path).scene(|| "remove an output folder".into())
    }

    /// Makes the root this process's own, read-only, with `output` as its output folder, and forgets all else.
    /// The process must be in a mount namespace of its own.
    pub(super) fn enter(&self, output: &Path) -> Result<(), Failure> {
        let inside = Path::new(ROOT).join(OUTPUT_FOLDER.trim_start_matches('/'));
        mount(Some(output), &inside, NOTHING, MsFlags::MS_BIND, NOTHING).scene(|| "mount the output folder".into())?;
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
        mount(NOTHING, ROOT, NOTHING, read_only, NOTHING).scene(|| "make the root read-only".into())?;
        chdir(ROOT).scene(|| "enter the root".into())?;
        // The old root is put over the new one and taken away from there: no folder is needed for it.
        pivot_root(".", ".").scene(|| "change the root".into())?;
        umount2(".", MntFlags::MNT_DETACH).scene(|| "leave the old root".into())?;
        chdir("/").scene(|| "enter the new root".into())
    }
}

/// Nothing that is mounted from here on is seen outside, and what others keep in memory is not seen here.
fn mount_private() -> Result<(), Failure> {
    chdir("/").host(|| "change to /".into())?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)
        .host(|| "make mounts private".into())?;
    // Where another container technology has hidden parts of /proc, a new one is refused; the old one shows
    // more processes, which nothing here minds.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let _ = mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING);
    for (path, options) in [("/run", "mode=755"), ("/tmp", "mode=1777"), ("/dev/shm", "mode=1777")] {
        if Path::new(path).is_dir() {
            tmpfs(Path::new(path), options, MsFlags::MS_NODEV)?;
        }
    }
    Ok(())
}

fn tmpfs(path: &Path, options: &str, flags: MsFlags) -> Result<(), Failure> {
    mount(Some("septet"), path, Some("tmpfs"), flags | MsFlags::MS_NOSUID, Some(options))
        .host(|| format!("mount memory on {}", path.display()))
}

fn bind_device(device: &str) -> Result<(), Failure> {
    let inside = Path::new(ROOT).join("dev").join(device);
    let outside = Path::new("/dev").join(device);
    File::create(&inside).host(|| format!("create /dev/{device} of the containers' root"))?;
    mount(Some(&outside), &inside, NOTHING, MsFlags::MS_BIND, NOTHING)
        .host(|| format!("show /dev/{device} to containers"))
}

/// Copies a program into the root and returns its BLAKE3, hex.
fn stage(name: &str, mut source: File) -> Result<String, Failure> {
    let doing = || format!("copy {name} for the containers");
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).host(doing)?;
    let path = Path::new(ROOT).join("bin").join(name);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path).host(doing)?;
    file.write_all(&bytes).host(doing)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
