//! Plain files, read as such: a FIFO would wait for its writer, and a device need not end. It must not know what is in
//! them, nor whose they are.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// A plain file, or what a link to one leads to, to be read.
///
/// # Errors
/// The system's; of the kind `InvalidInput` for what is no plain file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let plain = |about: fs::Metadata| match about.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")),
    };
    // Asked first, since to open a device may do something; and again, since it may be another one by now.
    plain(fs::metadata(path)?)?;
    let file = File::options().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path)?;
    plain(file.metadata()?)?;
    Ok(file)
}

/// What is in a plain file, which may have so many bytes.
///
/// # Errors
/// As [`open`]; of the kind `FileTooLarge` for one that has more.
pub(crate) fn bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    match read as u64 <= bytes_max {
        true => Ok(bytes),
        false => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {bytes_max} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn only_plain_files_are_read_and_so_much_of_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, link, fifo, device] = ["file", "link", "fifo", "device"].map(|name| folder.path().join(name));
        fs::write(&file, "words").expect("a file");
        symlink(&file, &link).expect("a link");
        mkfifo(&fifo, Mode::S_IRWXU).expect("a FIFO");
        symlink("/dev/zero", &device).expect("a link");
        for file in [&file, &link] {
            assert_eq!(bytes(file, 5).expect("it is plain"), b"words");
            assert_eq!(bytes(file, 4).expect_err("it has five").kind(), io::ErrorKind::FileTooLarge);
        }
        for odd in [&*fifo, &device, folder.path()] {
            assert_eq!(bytes(odd, 5).expect_err("it is not plain").kind(), io::ErrorKind::InvalidInput, "{odd:?}");
        }
    }
}
