//! Takes an archive of unknown origin apart, entry by entry: plain files with plain names, each once, and no more
//! bytes than an honest archive has. Everything else is refused before anything of it is written. It must not
//! know what the files mean.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::ArchiveError;
use super::bag::{PAYLOAD, TAGS};
use super::digest::{Found, Intake, Reader, take_in};
use crate::beneath::{Folder, Spot};
use crate::experiment::diagnostic::is_hidden;
use crate::store::bounded;

/// An honest archive is mostly of what is compressed already.
const RATIO_MAX: u64 = 100;
/// What a small one may have in any case.
const BYTES_FLOOR: u64 = 64 << 20;
/// Most files of one archive: 100,000 results with 10 repetitions each.
const FILES_MAX: usize = 4_000_000;
/// Longest name, and longest part of one, bytes.
const NAME_BYTES_MAX: usize = 1024;
const PART_BYTES_MAX: usize = 255;
/// Largest window of zstd that is given memory, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;
/// What may follow the end of a tar: it is padded to whole records.
const PADDING_BYTES_MAX: usize = 1 << 20;

/// How much an archive may become.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Most bytes unpacked; without it a hundred times those of the archive, and 64 MiB.
    pub bytes_max: Option<u64>,
}

/// What an archive holds.
#[derive(Debug)]
pub struct Unpacked {
    /// Name of the bag's folder.
    pub bag: String,
    /// Its files, by name below that.
    pub files: Found,
}

/// Looks at every file, shows it to `reader`, and unpacks those into an empty folder whose name below the bag
/// `is_kept`.
pub fn unpack(
    archive: &Path,
    folder: &Folder,
    limits: Limits,
    is_kept: &dyn Fn(&str) -> bool,
    reader: Reader,
) -> Result<Unpacked, ArchiveError> {
    let (bag, files) = take_in(reader, |intake| feed(archive, folder, limits, is_kept, intake))?;
    Ok(Unpacked { bag, files })
}

/// Hands the files on, one after the other; the name of the bag's folder.
fn feed(
    archive: &Path,
    folder: &Folder,
    limits: Limits,
    is_kept: &dyn Fn(&str) -> bool,
    intake: &Intake,
) -> Result<String, ArchiveError> {
    let file = File::open(archive).map_err(ArchiveError::io("open", archive))?;
    let packed = file.metadata().map_err(ArchiveError::io("look at", archive))?;
    if !packed.is_file() {
        return Err(refused(archive, "it is no plain file"));
    }
    let bytes_max = limits.bytes_max.unwrap_or(packed.len().saturating_mul(RATIO_MAX).saturating_add(BYTES_FLOOR));
    let unreadable = |error: io::Error| refused(archive, format!("it is no sound zstd: {error}"));
    let decoder = bounded::decoder(file, WINDOW_LOG_MAX).map_err(unreadable)?;
    // Headers and padding count too: nothing in the stream is free.
    let stream = BufReader::with_capacity(1 << 17, decoder.take(bytes_max.saturating_mul(2)));
    let mut tar = tar::Archive::new(stream);
    let mut taker = Taker {
        archive,
        folder,
        is_kept,
        intake,
        left: bytes_max,
        bytes_max,
        bag: None,
        files: BTreeSet::new(),
        made: HashSet::new(),
    };
    // Raw: long names of other tar formats come as entries of their own, and are refused like any other kind.
    let entries = tar.entries().map_err(|error| refused(archive, format!("it is no tar: {error}")))?.raw(true);
    for entry in entries {
        taker.take(&mut entry.map_err(|error| refused(archive, format!("it is no sound tar: {error}")))?)?;
    }
    let bag = taker.bag.ok_or_else(|| refused(archive, "it is empty"))?;
    let mut rest = tar.into_inner();
    let mut padding = Vec::new();
    rest.by_ref().take(PADDING_BYTES_MAX as u64 + 1).read_to_end(&mut padding).map_err(unreadable)?;
    if padding.len() > PADDING_BYTES_MAX || padding.iter().any(|byte| *byte != 0) {
        return Err(refused(archive, "something follows its end"));
    }
    Ok(bag)
}

pub(super) fn refused(archive: &Path, reason: impl ToString) -> ArchiveError {
    ArchiveError::Refused { path: archive.display().to_string(), reason: reason.to_string() }
}

struct Taker<'a> {
    archive: &'a Path,
    folder: &'a Folder,
    is_kept: &'a dyn Fn(&str) -> bool,
    intake: &'a Intake<'a>,
    left: u64,
    bytes_max: u64,
    bag: Option<String>,
    /// Names of the files so far.
    files: BTreeSet<String>,
    /// Folders that were made.
    made: HashSet<String>,
}

impl Taker<'_> {
    fn refused(&self, reason: impl ToString) -> ArchiveError {
        refused(self.archive, reason)
    }

    fn take(&mut self, entry: &mut tar::Entry<impl Read>) -> Result<(), ArchiveError> {
        let shown: String =
            String::from_utf8_lossy(&entry.path_bytes()).chars().filter(|c| !is_hidden(*c)).take(200).collect();
        if let Some(kind) = unwanted(entry.header()) {
            return Err(self.refused(format!("'{shown}' is {kind}; archives hold plain files only")));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| self.refused(format!("the name '{shown}' is not UTF-8")))?;
        if let Some(reason) = bad_name(&name) {
            return Err(self.refused(format!("'{shown}' {reason}")));
        }
        let (bag, below) = name.split_once('/').ok_or_else(|| self.refused(format!("'{shown}' lies in no folder")))?;
        let first = self.bag.get_or_insert_with(|| bag.to_string());
        if first != bag {
            let first = first.clone();
            return Err(self.refused(format!("'{shown}' lies outside its folder '{first}'")));
        }
        let is_payload = below.strip_prefix(PAYLOAD).is_some_and(|rest| rest.starts_with('/'));
        if !is_payload && !TAGS.contains(&below) {
            return Err(self.refused(format!("'{shown}' has no place in an archive of septet")));
        }
        if !self.files.insert(name.clone()) {
            return Err(self.refused(format!("it holds '{shown}' twice")));
        }
        if self.files.len() > FILES_MAX {
            return Err(self.refused(format!("it holds more than {FILES_MAX} files")));
        }
        let below_it = format!("{name}/");
        let is_folder = self.files.range(below_it.clone()..).next().is_some_and(|other| other.starts_with(&below_it));
        if is_folder || above(&name).any(|folder| self.files.contains(folder)) {
            return Err(self.refused(format!("it holds '{name}' both as a file and as a folder")));
        }
        let len = entry.size();
        if len > self.left {
            return Err(self.refused(format!(
                "it would unpack to more than {} MiB, which its own size makes unlikely; if you trust it, allow more by \
                 --bytes-max",
                self.bytes_max >> 20
            )));
        }
        self.left -= len;
        self.hand_on(&name, below, len, entry)
    }

    /// Every part of the name is known to be plain, and every folder above the file was made here.
    fn hand_on(&mut self, name: &str, below: &str, len: u64, content: &mut impl Read) -> Result<(), ArchiveError> {
        let spot = (self.is_kept)(below).then(|| self.folder.name([name])).transpose()?;
        if spot.is_some()
            && let Some(folder) = above(name).next().filter(|folder| !self.made.contains(*folder))
        {
            self.folder.make_folder(&self.folder.name([folder])?)?;
            self.made.insert(folder.to_string());
        }
        let spot = spot.map(|name| Spot::new(self.folder, name));
        match self.intake.take(below, spot, len, content) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.refused(format!("it ends in the middle of '{name}'"))),
            Err(error) => Err(self.refused(format!("'{name}' cannot be read from it: {error}"))),
        }
    }
}

/// Names of the folders above a name, the nearest first.
fn above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/'), |(above, _)| above.rsplit_once('/')).map(|(above, _)| above)
}

/// What an entry is, if it is no plain file.
fn unwanted(header: &tar::Header) -> Option<&'static str> {
    use tar::EntryType;
    match header.entry_type() {
        EntryType::Regular => None,
        EntryType::Link => Some("a hard link"),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Char => Some("a character device"),
        EntryType::Block => Some("a block device"),
        EntryType::Fifo => Some("a pipe"),
        EntryType::Directory => Some("a folder by itself"),
        EntryType::GNUSparse => Some("a sparse file"),
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {
            Some("an extension of the tar format")
        }
        _ => Some("of an unknown kind"),
    }
}

/// Why a name is not one of ours.
fn bad_name(name: &str) -> Option<&'static str> {
    if name.starts_with('/') {
        return Some("is an absolute name");
    }
    if name.len() > NAME_BYTES_MAX || name.split('/').any(|part| part.len() > PART_BYTES_MAX) {
        return Some("is too long a name");
    }
    if name.split('/').any(|part| part == "..") {
        return Some("leads out of its folder");
    }
    if name.split('/').any(|part| part.is_empty() || part == ".") {
        return Some("is no plain name");
    }
    if name.chars().any(|c| is_hidden(c) || c == '\\' || c == '%') {
        return Some("has a character that no name of an archive has");
    }
    None
}
