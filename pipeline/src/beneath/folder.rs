//! An open folder and what can be seen beneath it: looking, listing, reading, making folders and new files. Nothing
//! that is there is changed. It must not know what is in files.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, fstat, mkdirat};
use nix::unistd::fsync;

use super::resolve::{self, FileKind, Odd, Reach};
use super::{Below, Error, if_there};

/// How a folder is held: enough to resolve names in it, whatever its permissions.
const HOLD: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// An open folder.
#[derive(Clone, Debug)]
pub struct Folder {
    fd: Arc<OwnedFd>,
    shown: PathBuf,
}

/// What can be seen of a file or folder without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it is a file, a folder, or something else.
    pub kind: FileKind,
    /// The file's size, bytes.
    pub len: u64,
    /// When it was changed last, ns since 1970.
    pub mtime_ns: i128,
    /// When its content, names, owner or mode were changed last, ns since 1970: nobody can set it.
    pub ctime_ns: i128,
    /// The device that it lies on.
    pub device: u64,
    /// The inode number on that device.
    pub inode: u64,
    /// Whose it is.
    pub uid: u32,
}

impl Look {
    fn of(stat: &FileStat) -> Look {
        Look {
            kind: FileKind::of(stat),
            len: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            ctime_ns: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
            device: stat.st_dev,
            inode: stat.st_ino,
            uid: stat.st_uid,
        }
    }
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entry's name, one part.
    pub name: OsString,
    /// Whether it is a file, a folder, or something else.
    pub kind: FileKind,
}

impl Listed {
    /// The entry's name as text; none for one that is no UTF-8, which nothing of ours is.
    pub fn text(&self) -> Option<&str> {
        self.name.to_str()
    }

    /// The entry's name, to be used in the folder that was listed.
    pub fn below(&self) -> Option<Below> {
        self.text()?.parse().ok()
    }
}

impl Folder {
    /// The folder that the user named: links on the way to it are followed, this once.
    pub fn open(path: &Path) -> Result<Folder, Error> {
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let fd = nix::fcntl::open(named, HOLD, Mode::empty()).map_err(io::Error::from);
        let fd = fd.map_err(Error::new("open the folder", named))?;
        Ok(Folder { fd: Arc::new(fd), shown: path.to_path_buf() })
    }

    /// Opens the folder that the user named; nothing where it is not there.
    pub fn open_if_there(path: &Path) -> Result<Option<Folder>, Error> {
        if_there(Folder::open(path))
    }

    /// Opens the folder that the user named, made with all folders above it where they are missing.
    pub fn make(path: &Path) -> Result<Folder, Error> {
        if let Some(folder) = Folder::open_if_there(path)? {
            return Ok(folder);
        }
        std::fs::create_dir_all(path).map_err(Error::new("make the folder", path))?;
        Folder::open(path)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The folder's path, as the user is told it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The path of what lies beneath it, as the user is told it.
    pub fn path_of(&self, name: &Below) -> PathBuf {
        self.shown.join(name.as_str())
    }

    /// A folder beneath it.
    pub fn folder(&self, name: &Below) -> Result<Folder, Error> {
        self.reach(name, Reach::Mounts)
    }

    /// A folder below, unless another file system is mounted there, or on the way.
    pub(super) fn folder_not_mounted(&self, name: &Below) -> Result<Folder, Error> {
        self.reach(name, Reach::OneFileSystem)
    }

    fn reach(&self, name: &Below, reach: Reach) -> Result<Folder, Error> {
        let shown = self.path_of(name);
        let fd = resolve::open(self.fd(), name, HOLD, Mode::empty(), reach);
        let fd = fd.map_err(Error::new("open the folder", &shown))?;
        Ok(Folder { fd: Arc::new(fd), shown })
    }

    /// A folder below; nothing where it is not there.
    pub fn folder_if_there(&self, name: &Below) -> Result<Option<Folder>, Error> {
        if_there(self.folder(name))
    }

    /// A folder beneath it, made with those above it where they are missing.
    pub fn make_folder(&self, name: &Below) -> Result<Folder, Error> {
        if let Some(folder) = self.folder_if_there(name)? {
            return Ok(folder);
        }
        let mut folder = self.clone();
        for part in name.parts() {
            let made = mkdirat(folder.fd(), part, Mode::from_bits_truncate(0o777));
            if let Err(error) = made
                && error != Errno::EEXIST
            {
                return Err(Error::new("make the folder", &folder.shown.join(part))(error.into()));
            }
            folder = folder.folder(&part.parse().map_err(folder.unnamed(part))?)?;
        }
        Ok(folder)
    }

    /// Makes a folder that must not be there yet.
    pub fn new_folder(&self, name: &Below, mode: u32) -> Result<Folder, Error> {
        let made = self.in_parent(name, |fd, last| Ok(mkdirat(fd, last, Mode::from_bits_truncate(mode))?));
        made.map_err(Error::new("make the folder", &self.path_of(name)))?;
        self.folder(name)
    }

    /// A name beneath it from its parts.
    ///
    /// # Errors
    /// Where they name nothing beneath it.
    pub fn name<const N: usize>(&self, parts: [&str; N]) -> Result<Below, Error> {
        Below::of(parts).map_err(self.unnamed(&parts.join("/")))
    }

    fn unnamed(&self, text: &str) -> impl FnOnce(super::NameError) -> Error {
        let path = self.shown.join(text);
        move |wrong| Error::new("use", &path)(Odd::Name(wrong).into())
    }

    /// Does something with the last part of a name, in the folder that it lies in.
    pub(super) fn in_parent<T>(
        &self,
        name: &Below,
        action: impl FnOnce(BorrowedFd, &str) -> io::Result<T>,
    ) -> io::Result<T> {
        match name.parent() {
            None => action(self.fd(), name.last()),
            Some(above) => {
                let fd = resolve::open(self.fd(), &above, HOLD, Mode::empty(), Reach::Mounts);
                let fd = fd.map_err(|error| Odd::above(&above, error))?;
                action(fd.as_fd(), name.last())
            }
        }
    }

    /// What lies under a name; nothing where there is nothing.
    pub fn look(&self, name: &Below) -> Result<Option<Look>, Error> {
        let stat = self.in_parent(name, |fd, last| Ok(Look::of(&resolve::stat(fd, last)?)));
        if_there(stat.map_err(Error::new("look at", &self.path_of(name))))
    }

    /// Whether anything lies under a name. What cannot be looked at is not there.
    pub fn has(&self, name: &Below) -> bool {
        matches!(self.look(name), Ok(Some(_)))
    }

    /// Refuses what is there and no plain file, for what is to be written later.
    pub fn refuse_odd(&self, name: &Below) -> Result<(), Error> {
        self.only(name, FileKind::File).map_err(Error::new("use", &self.path_of(name)))
    }

    /// Refuses what is there and of another kind.
    pub(super) fn only(&self, name: &Below, wanted: FileKind) -> io::Result<()> {
        let found = self.in_parent(name, |fd, last| Ok(FileKind::of(&resolve::stat(fd, last)?)));
        match found {
            Ok(found) if found != wanted => Err(Odd::Itself { found, wanted: FileKind::File }.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A plain file, to be read. What is none is not even opened, since that alone can wait for ever, or do something.
    pub fn file(&self, name: &Below) -> Result<File, Error> {
        self.file_and_len(name).map(|(file, _)| file)
    }

    fn file_and_len(&self, name: &Below) -> Result<(File, u64), Error> {
        let opened = self.in_parent(name, |fd, last| {
            let found = FileKind::of(&resolve::stat(fd, last)?);
            if found != FileKind::File {
                return Err(Odd::Itself { found, wanted: FileKind::File }.into());
            }
            let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
            plain(File::from(resolve::open_text(fd, last, flags, Mode::empty(), Reach::Mounts)?))
        });
        opened.map_err(Error::new("open", &self.path_of(name)))
    }

    /// The content of a plain file, which may have so many bytes.
    pub fn read(&self, name: &Below, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let (file, len) = self.file_and_len(name)?;
        read_all(file, len, bytes_max).map_err(Error::new("read", &self.path_of(name)))
    }

    /// A file's content; nothing where it is not there.
    pub fn read_if_there(&self, name: &Below, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
        if_there(self.read(name, bytes_max))
    }

    /// A new file; nothing may lie under its name.
    pub fn create(&self, name: &Below) -> Result<File, Error> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let made = self.in_parent(name, |fd, last| {
            Ok(resolve::open_text(fd, last, flags, Mode::from_bits_truncate(0o666), Reach::Mounts)?)
        });
        made.map(File::from).map_err(Error::new("create", &self.path_of(name)))
    }

    /// Writes a new file and syncs it.
    pub fn write_new(&self, name: &Below, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.create(name)?;
        file.write_all(bytes).map_err(Error::new("write", &self.path_of(name)))?;
        file.sync_all().map_err(Error::new("sync", &self.path_of(name)))
    }

    /// Syncs the folder, so that names in it survive a crash.
    pub fn sync(&self) -> Result<(), Error> {
        let synced = self.itself().and_then(fsync).map_err(io::Error::from);
        synced.map_err(Error::new("sync the folder", &self.shown))
    }

    /// What lies in it, in no order.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        self.listed().map_err(Error::new("list", &self.shown))
    }

    fn listed(&self) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for entry in Dir::from_fd(self.itself()?)? {
            let entry = entry?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let kind = match entry.file_type() {
                Some(nix::dir::Type::File) => FileKind::File,
                Some(nix::dir::Type::Directory) => FileKind::Folder,
                Some(nix::dir::Type::Symlink) => FileKind::Link,
                _ => match resolve::stat(self.fd(), name) {
                    Ok(stat) => FileKind::of(&stat),
                    // Gone since it was listed.
                    Err(_) => continue,
                },
            };
            listed.push(Listed { name: as_name(name), kind });
        }
        Ok(listed)
    }

    /// The folder itself, to be listed or synced.
    fn itself(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        nix::fcntl::openat(self.fd(), ".", flags, Mode::empty())
    }
}

fn as_name(name: &CStr) -> OsString {
    OsStr::from_bytes(name.to_bytes()).to_os_string()
}

/// An open file and its length, if it is a plain one.
pub(super) fn plain(file: File) -> io::Result<(File, u64)> {
    let stat = fstat(&file)?;
    match FileKind::of(&stat) {
        FileKind::File => Ok((file, u64::try_from(stat.st_size).unwrap_or(0))),
        found => Err(Odd::Itself { found, wanted: FileKind::File }.into()),
    }
}

/// All of a file that had so many bytes when it was opened, if it is not longer than it may be.
pub(super) fn read_all(file: File, len: u64, bytes_max: u64) -> io::Result<Vec<u8>> {
    let large = |bytes| Odd::Large { bytes, most: bytes_max };
    if len > bytes_max {
        return Err(large(len).into());
    }
    // A file that stays as it is is read at once: asked for one byte more, it has given what it had.
    let expected = usize::try_from(len).unwrap_or(usize::MAX - 1);
    let mut bytes = vec![0; expected + 1];
    let (mut file, mut filled) = (file.take(bytes_max.saturating_add(1)), 0);
    while filled < expected {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    if filled != expected || expected == 0 {
        file.read_to_end(&mut bytes)?;
    }
    match bytes.len() as u64 > bytes_max {
        true => Err(large(bytes.len() as u64).into()),
        false => Ok(bytes),
    }
}

/// A place for a new file.
#[derive(Clone, Debug)]
pub struct Spot {
    folder: Folder,
    name: Below,
}

impl Spot {
    /// In a folder, which must be there.
    pub fn new(folder: &Folder, name: Below) -> Spot {
        Spot { folder: folder.clone(), name }
    }

    /// The spot's path.
    pub fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name)
    }

    /// The new file.
    pub fn create(&self) -> Result<File, Error> {
        self.folder.create(&self.name)
    }
}

/// A folder that many files are looked at in: the folders among them are opened once.
#[derive(Debug)]
pub struct Nearby {
    root: Folder,
    open: HashMap<String, Option<Folder>>,
}

impl Nearby {
    /// Starts at a folder.
    pub fn new(root: &Folder) -> Nearby {
        Nearby { root: root.clone(), open: HashMap::new() }
    }

    /// What lies under a name, of what can be looked at.
    pub fn look(&mut self, name: &Below) -> Option<Look> {
        let Some(above) = name.parent() else { return self.root.look(name).ok()? };
        if !self.open.contains_key(above.as_str()) {
            let folder = self.root.folder(&above).ok();
            self.open.insert(above.as_str().to_string(), folder);
        }
        let folder = self.open.get(above.as_str())?.as_ref()?;
        Some(Look::of(&resolve::stat(folder.fd(), name.last()).ok()?))
    }
}
