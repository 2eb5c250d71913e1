//! Hands over the files that an application left. What it left is not trusted: only regular files, by
//! bounded names, read through the folder that the worker made. It must not know what is in them.

use std::fs;
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::failure::During;
use crate::lines::{send_all, to_line};
use crate::protocol::{Bulk, Failure, Message};

/// Most files of one container.
const FILES_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 128;

/// Sends every regular file directly in `folder`, in order of name.
pub(super) fn collect(folder: &Path, to: impl AsFd) -> Result<(), Failure> {
    for name in names(folder)? {
        let doing = || format!("collect {name}");
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let fd: OwnedFd = open(&folder.join(&name), flags, Mode::empty()).scene(doing)?;
        let mut file = fs::File::from(fd);
        if file.metadata().scene(doing)?.is_file() {
            send_file(&name, &mut file, &to).scene(doing)?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let doing = || "list an output folder".to_string();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).scene(doing)? {
        let entry = entry.scene(doing)?;
        let usable = |name: &String| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.bytes().all(plain)
        };
        if entry.file_type().scene(doing)?.is_file() && names.len() < FILES_MAX {
            names.extend(entry.file_name().into_string().ok().filter(usable));
        }
    }
    names.sort();
    Ok(names)
}

/// The digest goes before the bytes, so the file is read twice; it is in memory. A file that grows in between
/// is sent as long as it was, one that shrinks is filled up with zeros: the digest tells the difference.
fn send_file(name: &str, file: &mut fs::File, to: impl AsFd) -> std::io::Result<()> {
    let mut chunk = vec![0; 256 << 10];
    let mut hasher = blake3::Hasher::new();
    let mut len = 0u64;
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hasher.update(&chunk[..length]);
        len += length as u64;
    }
    let bulk = Bulk { bulk: name.into(), len, blake3: hasher.finalize().to_hex().to_string() };
    send_all(&to, &to_line(&Message::Bulk(bulk))?)?;
    file.rewind()?;
    let mut left = len;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        let length = file.read(&mut chunk[..want])?;
        if length == 0 {
            chunk[..want].fill(0);
        }
        let sent = if length == 0 { want } else { length };
        send_all(&to, &chunk[..sent])?;
        left -= sent as u64;
    }
    Ok(())
}
