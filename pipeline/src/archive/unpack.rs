//! Takes an archive of unknown origin apart, entry by entry: plain files with plain names, each once, and no more
//! bytes than an honest archive has. Everything else is refused before anything of it is written. It must not
//! know what the files mean.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::ArchiveError;
use super::bag::{PAYLOAD, TAGS};
use super::digest::{DigestedFiles, Intake, Reader, take_in};
use super::entries::{Extensions, Meaning};
use super::folder::{self, Members};
use super::foreign;
use super::packed::{self, Packing};
use crate::beneath::{Folder, Spot};
use crate::experiment::diagnostic::is_hidden;

/// An honest archive is mostly of what is compressed already.
const RATIO_MAX: u64 = 100;
/// What a small one may have in any case.
const BYTES_FLOOR: u64 = 64 << 20;
/// Most files of one archive: 100,000 results with 10 repetitions each.
pub(super) const FILES_MAX: usize = 4_000_000;
/// Longest name, and longest part of one, bytes.
const NAME_BYTES_MAX: usize = 1024;
const PART_BYTES_MAX: usize = 255;
/// What may follow the end of a tar: it is padded to whole records.
const PADDING_BYTES_MAX: usize = 1 << 20;

/// How much an archive may become.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Most bytes unpacked; without it a hundred times those of the archive, and 64 MiB.
    pub bytes_max: Option<u64>,
}

impl Limits {
    /// The limit for an archive of `packed_bytes`.
    pub(super) fn of(self, packed_bytes: u64) -> u64 {
        self.bytes_max.unwrap_or(packed_bytes.saturating_mul(RATIO_MAX).saturating_add(BYTES_FLOOR))
    }
}

/// What an archive holds.
#[derive(Debug)]
pub struct Unpacked {
    /// Name of the bag's folder; none of one that lies in no folder of its own.
    pub bag: Option<String>,
    /// The archive's files, by name below that.
    pub files: DigestedFiles,
    /// How it is packed otherwise than Septet packs; absent where it is not.
    pub repacked: Option<String>,
}

/// Looks at every file, shows it to `reader`, and unpacks those into an empty folder, without the bag's name, whose
/// name below the bag `is_kept`.
///
/// # Errors
/// What is hostile or no archive of Septet: refused. What is damaged.
pub fn unpack(
    archive: &Path,
    into: &Folder,
    limits: Limits,
    is_kept: &dyn Fn(&str) -> bool,
    reader: Reader,
) -> Result<Unpacked, ArchiveError> {
    let taken = take_in(reader, |intake| {
        let taker = Taker {
            archive,
            folder: into,
            is_kept,
            intake,
            left: 0,
            bytes_max: 0,
            bag: None,
            files: BTreeSet::new(),
            made: HashSet::new(),
            folders: 0,
            is_dotted: false,
        };
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        let meta = fs::metadata(archive).map_err(|error| match absent.contains(&error.kind()) {
            true => refused(archive, "there is no such file or folder"),
            false => ArchiveError::io("open", archive)(error),
        });
        match meta?.is_dir() {
            true => feed_folder(taker, limits),
            false => feed_tar(taker, limits),
        }
    });
    match taken {
        Ok(((bag, repacked), files)) => Ok(Unpacked { bag, files, repacked }),
        // Whose archive it is says more than what is odd about it.
        Err(error @ ArchiveError::Refused { .. }) => Err(foreign::named(archive, limits).unwrap_or(error)),
        Err(error) => Err(error),
    }
}

/// The bag's name, and how it is packed otherwise than Septet packs.
type Fed = (Option<String>, Option<String>);

fn feed_folder(mut taker: Taker, limits: Limits) -> Result<Fed, ArchiveError> {
    let archive = taker.archive;
    let bag = folder::bag(archive)?;
    let Members { names, bytes } = bag.members(archive, FILES_MAX)?;
    taker.allow(limits.of(bytes));
    taker.bag = Some(None);
    for (name, at) in &names {
        let (mut file, _) = bag.file(archive, name, at)?;
        let len = file.metadata().map_err(ArchiveError::io("look at", archive))?.len();
        taker.take_file(name.as_bytes(), len, &mut file)?;
    }
    Ok((None, Some("it lies unpacked in a folder".to_string())))
}

/// Hands the files on, one after the other.
fn feed_tar(mut taker: Taker, limits: Limits) -> Result<Fed, ArchiveError> {
    let archive = taker.archive;
    let file = packed::open(archive)?;
    let packed_bytes = file.metadata().map_err(ArchiveError::io("look at", archive))?.len();
    let bytes_max = limits.of(packed_bytes);
    taker.allow(bytes_max);
    let (stream, packing) = packed::tar_of(archive, file)?;
    // Headers and padding count too: nothing in the stream is free.
    let stream = BufReader::with_capacity(1 << 17, stream.take(bytes_max.saturating_mul(2)));
    let mut tar = tar::Archive::new(stream);
    let unreadable = |error: io::Error| ArchiveError::damaged(archive, format!("it is no sound tar: {error}"));
    // Raw: extended headers come as entries of their own, and are read within bounds.
    let mut extensions = Extensions::default();
    for entry in tar.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        let len = entry.size();
        match extensions.meaning(&mut entry) {
            Ok(Meaning::File(name)) => taker.take_file(&name, len, &mut entry)?,
            Ok(Meaning::Folder(name)) => taker.take_folder(&name, len)?,
            Ok(Meaning::Extension) => {}
            Err(what) => {
                let shown = shown(&entry.path_bytes());
                return Err(refused(archive, format!("'{shown}' is {what}; archives hold plain files only")));
            }
        }
    }
    if extensions.is_pending() {
        return Err(ArchiveError::damaged(archive, "it ends after an extended header".to_string()));
    }
    if taker.files.is_empty() {
        return Err(refused(archive, "it is empty"));
    }
    let mut rest = tar.into_inner();
    let mut padding = Vec::new();
    rest.by_ref().take(PADDING_BYTES_MAX as u64 + 1).read_to_end(&mut padding).map_err(unreadable)?;
    if padding.len() > PADDING_BYTES_MAX || padding.iter().any(|byte| *byte != 0) {
        return Err(refused(archive, "something follows its end"));
    }
    let bag = taker.bag.clone().flatten();
    let odd = [
        (packing == Packing::Gzip).then(|| "gzip".to_string()),
        (packing == Packing::Plain).then(|| "not compressed".to_string()),
        (taker.folders > 0).then(|| "entries for folders".to_string()),
        taker.is_dotted.then(|| "names that begin with ./".to_string()),
        extensions.any.then(|| "extended headers".to_string()),
        bag.is_none().then(|| "no folder around it".to_string()),
    ];
    let odd: Vec<String> = odd.into_iter().flatten().collect();
    let repacked = (!odd.is_empty()).then(|| format!("it was packed again by another program ({})", odd.join(", ")));
    Ok((bag, repacked))
}

pub(super) fn refused(archive: &Path, reason: impl ToString) -> ArchiveError {
    ArchiveError::Refused { path: archive.display().to_string(), reason: reason.to_string() }
}

/// A name as it can be printed.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().filter(|c| !is_hidden(*c)).take(200).collect()
}

struct Taker<'a> {
    archive: &'a Path,
    folder: &'a Folder,
    is_kept: &'a dyn Fn(&str) -> bool,
    intake: &'a Intake<'a>,
    left: u64,
    bytes_max: u64,
    /// Name of the bag's folder, once the first file has told it; none if there is no such folder.
    bag: Option<Option<String>>,
    /// Names of the files so far, below the bag.
    files: BTreeSet<String>,
    /// Folders that were made.
    made: HashSet<String>,
    /// Entries for folders.
    folders: usize,
    /// Whether names begin with `./`.
    is_dotted: bool,
}

impl Taker<'_> {
    fn refused(&self, reason: impl ToString) -> ArchiveError {
        refused(self.archive, reason)
    }

    fn allow(&mut self, bytes_max: u64) {
        (self.bytes_max, self.left) = (bytes_max, bytes_max);
    }

    /// A name without what other programs put around it, if it is plain.
    fn plain(&mut self, name: &[u8]) -> Result<String, ArchiveError> {
        let shown = shown(name);
        let name = std::str::from_utf8(name).map_err(|_| self.refused(format!("the name '{shown}' is not UTF-8")))?;
        let plain = match name.strip_prefix("./") {
            Some(rest) => {
                self.is_dotted = true;
                rest
            }
            None => name,
        };
        match bad_name(plain) {
            Some(reason) => Err(self.refused(format!("'{shown}' {reason}"))),
            None => Ok(plain.to_string()),
        }
    }

    /// An entry for a folder says nothing: folders are made for the files in them.
    fn take_folder(&mut self, name: &[u8], len: u64) -> Result<(), ArchiveError> {
        self.folders += 1;
        if self.folders > FILES_MAX || len > 0 {
            return Err(self.refused(format!("'{}' is a folder with a content, or one of too many", shown(name))));
        }
        let trimmed = name.strip_suffix(b"/").unwrap_or(name);
        if trimmed != b"." {
            self.plain(trimmed)?;
        }
        Ok(())
    }

    fn take_file(&mut self, name: &[u8], len: u64, content: &mut impl Read) -> Result<(), ArchiveError> {
        let shown = shown(name);
        let name = self.plain(name)?;
        let below = self.below(&name, &shown)?;
        let is_payload = below.strip_prefix(PAYLOAD).is_some_and(|rest| rest.starts_with('/'));
        if !is_payload && !TAGS.contains(&&*below) {
            return Err(self.refused(format!("'{shown}' has no place in an archive of septet")));
        }
        if !self.files.insert(below.clone()) {
            return Err(self.refused(format!("it holds '{shown}' twice")));
        }
        if self.files.len() > FILES_MAX {
            return Err(self.refused(format!("it holds more than {FILES_MAX} files")));
        }
        let below_it = format!("{below}/");
        let is_folder = self.files.range(below_it.clone()..).next().is_some_and(|other| other.starts_with(&below_it));
        if is_folder || above(&below).any(|folder| self.files.contains(folder)) {
            return Err(self.refused(format!("it holds '{shown}' both as a file and as a folder")));
        }
        if len > self.left {
            return Err(self.refused(format!(
                "it would unpack to more than {} MiB, which its own size makes unlikely; if you trust it, allow more by \
                 --bytes-max",
                self.bytes_max >> 20
            )));
        }
        self.left -= len;
        self.hand_on(&below, len, content)
    }

    /// The name below the bag's folder, which is that of the first file.
    fn below(&mut self, name: &str, shown: &str) -> Result<String, ArchiveError> {
        let known = self.bag.get_or_insert_with(|| {
            let (first, below) = name.split_once('/').unwrap_or(("", name));
            // A bag without a folder around it begins with a tag file, or with the payload's folder.
            let is_bare = first.is_empty() || first == PAYLOAD && !below.starts_with("data/") && !TAGS.contains(&below);
            (!is_bare).then(|| first.to_string())
        });
        let Some(bag) = known else { return Ok(name.to_string()) };
        match name.split_once('/') {
            Some((first, below)) if first == bag => Ok(below.to_string()),
            Some(_) => {
                let reason = format!("'{shown}' lies outside its folder '{bag}'");
                Err(self.refused(reason))
            }
            None => Err(self.refused(format!("'{shown}' lies in no folder"))),
        }
    }

    /// Every part of the name is known to be plain, and every folder above the file was made here.
    fn hand_on(&mut self, below: &str, len: u64, content: &mut impl Read) -> Result<(), ArchiveError> {
        let spot = (self.is_kept)(below).then(|| self.folder.name([below])).transpose()?;
        if spot.is_some()
            && let Some(folder) = above(below).next().filter(|folder| !self.made.contains(*folder))
        {
            self.folder.make_folder(&self.folder.name([folder])?)?;
            self.made.insert(folder.to_string());
        }
        let spot = spot.map(|name| Spot::new(self.folder, name));
        let damaged = |reason: String| Err(ArchiveError::damaged(self.archive, reason));
        match self.intake.take(below, spot, len, content) {
            Ok(true) => Ok(()),
            Ok(false) => damaged(format!("it ends in the middle of '{below}'")),
            Err(error) => damaged(format!("'{below}' cannot be read from it: {error}")),
        }
    }
}

/// Names of the folders above a name, the nearest first.
fn above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/'), |(above, _)| above.rsplit_once('/')).map(|(above, _)| above)
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
