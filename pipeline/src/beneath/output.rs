//! Files that the user named on the command line, and files beside an experiment: written where they were named,
//! links included; read only where they are plain files. It must not know what is in them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::folder::{plain, read_all};
use super::{Error, FileKind, Folder, NameError, Odd, Replacement};

/// The content of a plain file by its path, which may have so many bytes; links on the way are followed.
pub fn plain_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let (file, len) = open_plain(path)?;
    read_all(file, len, bytes_max).map_err(Error::new("read", path))
}

/// A plain file by its path, to be read; links on the way are followed.
pub fn open_plain_file(path: &Path) -> Result<File, Error> {
    open_plain(path).map(|(file, _)| file)
}

fn open_plain(path: &Path) -> Result<(File, u64), Error> {
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    // Asked first, since to open a device may do something.
    let found = std::fs::metadata(path).map_err(Error::new("open", path))?.file_type();
    if !found.is_file() {
        let found = kind_of(found);
        return Err(Error::new("open", path)(Odd::Itself { found, wanted: FileKind::File }.into()));
    }
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    opened.and_then(plain).map_err(Error::new("open", path))
}

/// A file that the user named, to be read: a plain one, or a pipe that this process was handed (`<(...)`, `/dev/stdin`).
/// A FIFO would wait for its writer, a device need not end, and an experiment's folder may be somebody else's.
pub fn open_input(path: &Path) -> Result<File, Error> {
    // A pipe without a name has no canonical path.
    let named = std::fs::canonicalize(path).and_then(std::fs::symlink_metadata).map(|found| found.file_type());
    match named {
        Ok(found) if !found.is_file() => {
            let odd = Odd::Itself { found: kind_of(found), wanted: FileKind::File };
            Err(Error::new("open", path)(odd.into()))
        }
        _ => File::open(path).map_err(Error::new("open", path)),
    }
}

fn kind_of(kind: std::fs::FileType) -> FileKind {
    match kind {
        _ if kind.is_dir() => FileKind::Folder,
        _ if kind.is_fifo() => FileKind::Fifo,
        _ if kind.is_socket() => FileKind::Socket,
        _ => FileKind::Device,
    }
}

/// Writes the file that the user named, as a shell's `>` would.
pub fn write_output(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    File::create(path).and_then(|mut file| file.write_all(bytes)).map_err(Error::new("write", path))
}

/// What the user named, or what that is a link to: for names from the command line, and none that lie beside an
/// experiment because a program put them there by itself.
pub fn followed(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Begins to replace a file, or to make it. It itself may not be a link; its folder may be reached by one.
pub fn replacing_output(path: &Path) -> Result<Replacement, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::new("write", path)(Odd::Name(NameError::Empty).into()))?;
    let folder = Folder::open(path.parent().unwrap_or(Path::new("")))?;
    folder.replacing(&folder.name([name])?)
}

/// Writes a file into a folder that the user named, unless one is there. The folder is made.
///
/// # Errors
/// Of the kind [`io::ErrorKind::AlreadyExists`] where one is there.
pub fn create_beside(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let folder = Folder::make(folder)?;
    let name = folder.name([name])?;
    let mut file = folder.create(&name)?;
    file.write_all(bytes).map_err(Error::new("write", &folder.path_of(&name)))
}

/// Adds a line to one of the user's own settings, which is made if it is missing.
pub fn append_line(path: &Path, line: &str) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(Error::new("make the folder", parent))?;
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = OpenOptions::new().create(true).append(true).custom_flags(flags).open(path).and_then(plain);
    let added: io::Result<()> = file.and_then(|(mut file, _)| file.write_all(line.as_bytes()));
    added.map_err(Error::new("write", path))
}
