//! What containers see: private mounts for the worker, and for each application one read-only root in memory,
//! which all containers of a lease share, with nothing in it but the application and what it loads, a BusyBox if
//! there is a static one, and devices. It must not know scenes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::chdir;

use crate::application::DEFINITION_FILE;
use crate::applications::{Application, beside, busybox, file_of, files_of, generators};
use crate::component::{Linker, plugins};
use crate::containers::{DEVICES, FOLDERS, KERNEL_FOLDERS, PORT_FOLDERS};
use crate::failure::During;
use crate::functions::VFIO;
use crate::protocol::Failure;
use crate::root::change_root;
use crate::scene::{OUTPUT_FOLDER, PORT_FOLDER, driver_file};
use crate::switch;

const NOTHING: Option<&str> = None;
/// Below the worker's private /run.
const ROOTS: &str = "/run/septet/root";
const OUTPUTS: &str = "/run/septet/out";
/// Programs that the agent itself runs and that lie beside it.
pub(super) const PROGRAMS: &str = "/run/septet/bin";

/// Files to copy, opened before the mounts below hide where they lie.
pub(crate) struct Sources {
    roots: Vec<RootSources>,
    busybox: Option<File>,
    programs: Vec<(&'static str, File)>,
}

/// What goes into the root of an application.
struct RootSources {
    application: Application,
    files: Vec<Source>,
    /// Whether it drives virtual functions.
    drives: bool,
}

/// A file that an application loads, the application first.
struct Source {
    /// The file's name in the application's component.
    name: String,
    /// Where it goes, below the root.
    inside: PathBuf,
    /// Another path by which it is asked for.
    link: Option<PathBuf>,
    file: File,
}

impl Sources {
    /// Every application that is here with what it loads, BusyBox, and programs for switches.
    /// `drivers` are libraries of DPDK for virtual functions.
    pub(crate) fn open(of_site: &[Application], drivers: &[&str]) -> Result<Sources, Failure> {
        let of_site = of_site.iter().filter(|application| files_of(application).is_ok()).cloned();
        let here = generators().filter(|application| file_of(&application.name).is_ok()).chain(of_site);
        let roots = here.map(|here| RootSources::open(here, drivers)).collect::<Result<Vec<_>, Failure>>()?;
        let busybox = busybox().map(|path| open(&path)).transpose()?;
        let there = switch::programs_beside().filter_map(|name| Some((name, beside(name).ok()?)));
        let programs = there.map(|(name, path)| Ok((name, open(&path)?))).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Sources { roots, busybox, programs })
    }

    /// What the worker must not close.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let files = self.roots.iter().flat_map(|root| &root.files).map(|source| &source.file);
        files.chain(&self.busybox).chain(self.programs.iter().map(|(_, file)| file)).map(AsFd::as_fd)
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).host(|| format!("open {}", path.display()))
}

impl RootSources {
    fn open(application: Application, drivers: &[&str]) -> Result<RootSources, Failure> {
        let doing = || format!("find what {} loads", application.name);
        let programs = files_of(&application)?;
        let programs: Vec<&Path> = programs.iter().map(PathBuf::as_path).collect();
        let first =
            programs.first().map_or_else(|| Ok(PathBuf::new()), |program| program.canonicalize()).host(doing)?;
        let mut sources: Vec<Source> = Vec::new();
        for loaded in Linker::of_host().closure(&programs).host(doing)? {
            let file = open(&loaded.path)?;
            let source = match sources.is_empty() {
                true => {
                    Source { inside: Path::new("bin").join(&application.name), name: loaded.name, link: None, file }
                }
                false => {
                    let below = |path: &Path| path.strip_prefix("/").map(Path::to_path_buf).host(doing);
                    let inside = below(&loaded.path.canonicalize().host(doing)?)?;
                    let asked = below(&loaded.path)?;
                    let link = (asked != inside).then_some(asked);
                    Source { name: loaded.name, inside, link, file }
                }
            };
            sources.push(source);
        }
        let drives = application.io.contains(&"dpdk") && !drivers.is_empty();
        if drives {
            let own: Vec<PathBuf> = programs.iter().map(|path| path.to_path_buf()).collect();
            let drivers = plugins::wanted(&Linker::of_host(), &own, drivers).host(doing)?;
            let all: Vec<&Path> = programs.iter().copied().chain(drivers.iter().map(PathBuf::as_path)).collect();
            let below = |path: &Path| path.strip_prefix("/").map(Path::to_path_buf).host(doing);
            for loaded in Linker::of_host().closure(&all).host(doing)? {
                let real = loaded.path.canonicalize().host(doing)?;
                if real == first || sources.iter().any(|source| Path::new("/").join(&source.inside) == real) {
                    continue;
                }
                // Where DPDK loads everything by itself a driver must not lie: generators of other tests would load it.
                let (inside, link) = match drivers.contains(&loaded.path) {
                    true => (below(Path::new(&driver_file(&loaded.name)))?, None),
                    false => (below(&real)?, Some(below(&loaded.path)?).filter(|_| loaded.path != real)),
                };
                sources.push(Source { name: loaded.name, inside, link, file: open(&loaded.path)? });
            }
        }
        Ok(RootSources { application, files: sources, drives })
    }
}

/// The roots of containers.
pub(super) struct Rootfs {
    /// Digests of what was copied, by name.
    pub staged: Vec<(String, String)>,
    applications: Vec<String>,
}

impl Rootfs {
    /// Mounts what only this worker sees, and builds the roots.
    pub(super) fn build(sources: Sources) -> Result<Rootfs, Failure> {
        mount_private()?;
        for folder in [ROOTS, OUTPUTS, PROGRAMS] {
            fs::create_dir_all(folder).host(|| format!("create {folder}"))?;
        }
        let mut rootfs = Rootfs { staged: Vec::new(), applications: Vec::new() };
        for (name, file) in sources.programs {
            let digest = stage(&Path::new(PROGRAMS).join(name), &contents(name, file)?)?;
            rootfs.staged.push((name.into(), digest));
        }
        let busybox = sources.busybox.map(|file| contents("busybox", file)).transpose()?;
        for root in sources.roots {
            rootfs.build_one(root, busybox.as_deref())?;
        }
        Ok(rootfs)
    }

    fn build_one(&mut self, sources: RootSources, busybox: Option<&[u8]>) -> Result<(), Failure> {
        let name = sources.application.name.clone();
        let root = Path::new(ROOTS).join(&name);
        fs::create_dir(&root).host(|| "create the folder of a root".into())?;
        tmpfs(&root, "size=256m,mode=755", MsFlags::empty())?;
        let vhost_user = sources.application.io.contains(&"dpdk");
        let more: &[&str] = if vhost_user { &PORT_FOLDERS } else { &[] };
        for folder in FOLDERS.iter().chain(more) {
            fs::create_dir(root.join(folder)).host(|| format!("create /{folder} of the containers' root"))?;
        }
        if sources.drives {
            fs::create_dir(root.join("dev/vfio")).host(|| "create /dev/vfio of the containers' root".into())?;
        }
        for device in DEVICES {
            bind_device(&root, device)?;
        }
        if vhost_user {
            KERNEL_FOLDERS.iter().try_for_each(|folder| bind_kernel_folder(&root, folder))?;
        }
        let mut present = BTreeSet::new();
        for source in sources.files {
            let doing = || format!("copy {} for the containers", source.name);
            if present.insert(source.inside.clone()) {
                let path = root.join(&source.inside);
                fs::create_dir_all(path.parent().unwrap_or(&root)).host(doing)?;
                self.staged.push((source.name.clone(), stage(&path, &contents(&source.name, source.file)?)?));
            }
            if let Some(link) = &source.link {
                let path = root.join(link);
                fs::create_dir_all(path.parent().unwrap_or(&root)).host(doing)?;
                symlink(Path::new("/").join(&source.inside), path).host(doing)?;
            }
        }
        if let Some(definition) = &sources.application.definition {
            let path = root.join(DEFINITION_FILE.trim_start_matches('/'));
            self.staged.push((DEFINITION_FILE.into(), stage(&path, &definition.bytes())?));
        }
        if let Some(bytes) = busybox {
            let digest = stage(&root.join("bin/busybox"), bytes)?;
            self.staged.push(("busybox".into(), digest));
            let shell = root.join("bin/sh");
            // An application of the site's may have brought one.
            if fs::symlink_metadata(&shell).is_err() {
                symlink("busybox", shell).host(|| "link /bin/sh of the containers' root".into())?;
            }
        }
        self.applications.push(name);
        Ok(())
    }

    /// Whether an application has a root.
    pub(super) fn has(&self, application: &str) -> bool {
        self.applications.iter().any(|known| known == application)
    }

    /// Where it is, seen from outside.
    pub(super) fn path(&self, application: &str) -> PathBuf {
        Path::new(ROOTS).join(application)
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

    /// Removes what an application left in its output folder.
    pub(super) fn empty_output(&self, path: &Path) -> Result<(), Failure> {
        let doing = || "empty an output folder".to_string();
        for entry in fs::read_dir(path).scene(doing)? {
            let entry = entry.scene(doing)?;
            let is_folder = entry.file_type().scene(doing)?.is_dir();
            let removed = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            removed.scene(doing)?;
        }
        Ok(())
    }

    /// Gives the memory of an output folder back.
    pub(super) fn remove_output(&self, path: &Path) -> Result<(), Failure> {
        umount2(path, MntFlags::MNT_DETACH).scene(|| "unmount an output folder".into())?;
        fs::remove_dir(path).scene(|| "remove an output folder".into())
    }

    /// Shows a stack's BusyBox in an application's root in place of the system's. The process must be in a mount
    /// namespace of its own.
    pub(super) fn show_busybox(&self, application: &str, busybox: &Path) -> Result<(), Failure> {
        let place = self.path(application).join("bin/busybox");
        let doing = || format!("show {} to the containers", busybox.display());
        mount(Some(busybox), &place, NOTHING, MsFlags::MS_BIND, NOTHING).scene(doing)?;
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
        mount(NOTHING, &place, NOTHING, read_only, NOTHING).scene(doing)
    }

    /// Shows devices to a container, and what the kernel says of all devices. The process must be in a mount namespace
    /// of its own.
    pub(super) fn show_devices(&self, application: &str, devices: &[PathBuf]) -> Result<(), Failure> {
        let root = self.path(application);
        let folder = root.join(VFIO.trim_start_matches('/'));
        tmpfs(&folder, "size=64k,mode=755", MsFlags::MS_NOEXEC)?;
        for device in devices {
            let doing = || format!("show {} to a container", device.display());
            let inside = folder.join(device.file_name().unwrap_or_default());
            File::create(&inside).scene(doing)?;
            mount(Some(device), &inside, NOTHING, MsFlags::MS_BIND, NOTHING).scene(doing)?;
        }
        bind_kernel_folder(&root, "sys")
    }

    /// Makes an application's root this process's own, read-only, with `output` as its output folder, `port` as the
    /// folder of its socket and maybe a `/proc`, and forgets all else. The process must be in a mount namespace of its own.
    pub(super) fn enter(
        &self,
        application: &str,
        output: &Path,
        port: Option<&Path>,
        own_proc: bool,
        busybox: Option<&Path>,
    ) -> Result<(), Failure> {
        if let Some(busybox) = busybox {
            self.show_busybox(application, busybox)?;
        }
        let root = self.path(application);
        let inside = |folder: &str| root.join(folder.trim_start_matches('/'));
        mount(Some(output), &inside(OUTPUT_FOLDER), NOTHING, MsFlags::MS_BIND, NOTHING)
            .scene(|| "mount the output folder".into())?;
        if let Some(port) = port {
            mount(Some(port), &inside(PORT_FOLDER), NOTHING, MsFlags::MS_BIND, NOTHING)
                .scene(|| "mount the folder of the socket".into())?;
        }
        if own_proc {
            // DPDK reads of itself what it may use. Where another container technology has hidden parts of
            // /proc, a new one is refused, and the old one does.
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            if mount(Some("proc"), &inside("proc"), Some("proc"), flags, NOTHING).is_err() {
                mount(Some("/proc"), &inside("proc"), NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)
                    .scene(|| "show /proc to a container".into())?;
            }
        }
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
        mount(NOTHING, &root, NOTHING, read_only, NOTHING).scene(|| "make the root read-only".into())?;
        change_root(&root).scene(|| "change the root".into())
    }
}

/// Nothing that is mounted from here on is seen outside, and what others keep in memory is not seen here.
/// DPDK locks the folder of every hugetlbfs that it finds mounted, and fails where other mounts hide that. It needs
/// none for memory without files.
fn unmount_hugetlbfs() -> Result<(), Failure> {
    let mounts = fs::read_to_string("/proc/self/mounts").host(|| "list mounts".into())?;
    for place in mounts.lines().filter_map(hugetlbfs) {
        match umount2(Path::new(&place), MntFlags::MNT_DETACH) {
            // In a user namespace mounts of others cannot be undone; nobody there has hugepages.
            Ok(()) | Err(Errno::EINVAL | Errno::EPERM) => {}
            Err(error) => return Err(error).host(|| format!("unmount {place}")),
        }
    }
    Ok(())
}

/// Where a line of `mounts` has a hugetlbfs.
fn hugetlbfs(line: &str) -> Option<String> {
    let mut words = line.split(' ').skip(1);
    let (place, kind) = (words.next()?, words.next()?);
    // The kernel writes these two characters as numbers, among others that nobody uses for folders.
    (kind == "hugetlbfs").then(|| place.replace("\\040", " ").replace("\\134", "\\"))
}

fn mount_private() -> Result<(), Failure> {
    chdir("/").host(|| "change to /".into())?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)
        .host(|| "make mounts private".into())?;
    // Where another container technology has hidden parts of /proc, a new one is refused; the old one shows
    // more processes, which nothing here minds.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let _ = mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING);
    unmount_hugetlbfs()?;
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

fn bind_device(root: &Path, device: &str) -> Result<(), Failure> {
    let inside = root.join("dev").join(device);
    let outside = Path::new("/dev").join(device);
    File::create(&inside).host(|| format!("create /dev/{device} of the containers' root"))?;
    mount(Some(&outside), &inside, NOTHING, MsFlags::MS_BIND, NOTHING)
        .host(|| format!("show /dev/{device} to containers"))
}

/// Shows a folder of the kernel's to containers, read-only; one that this kernel does not have is left out.
fn bind_kernel_folder(root: &Path, folder: &str) -> Result<(), Failure> {
    let doing = || format!("show /{folder} to containers");
    let outside = Path::new("/").join(folder);
    if !outside.is_dir() {
        return Ok(());
    }
    let inside = root.join(folder);
    fs::create_dir_all(&inside).host(doing)?;
    mount(Some(&outside), &inside, NOTHING, MsFlags::MS_BIND, NOTHING).host(doing)?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(NOTHING, &inside, NOTHING, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, NOTHING).host(doing)
}

fn contents(name: &str, mut source: File) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).host(|| format!("read {name}"))?;
    Ok(bytes)
}

/// Writes a file that can be executed and returns its BLAKE3, hex.
fn stage(path: &Path, bytes: &[u8]) -> Result<String, Failure> {
    let doing = || format!("write {}", path.display());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path).host(doing)?;
    file.write_all(bytes).host(doing)?;
    Ok(blake3::hash(bytes).to_hex().to_string())
}
