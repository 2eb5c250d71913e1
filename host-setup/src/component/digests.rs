//! BLAKE3 of files, remembered by (device, inode, size, mtime, ctime), so that facts are quick. The cache may
//! be absent, damaged or unwritable: then files are read again. It must not know what the files are.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::looks::identity_of;
use crate::plain;

/// First line of the file; another version is thrown away.
const HEADER: &str = "septet-digests 1";
/// A file that changed so lately could change again without a new time stamp, and is not remembered.
const SETTLED: Duration = Duration::from_millis(100);
const ENTRIES_MAX: usize = 10_000;
/// Most bytes of what is kept in a file; more is nothing kept.
const KEPT_BYTES_MAX: u64 = 64 << 20;
/// End of the names of files that are being written; the process's number follows.
const UNFINISHED: &str = ".";
/// A name that somebody else made is not followed, nor waited for.
const AS_IT_IS: i32 = O_NOFOLLOW | O_NONBLOCK;

/// What tells one content of a file from another without reading it.
pub(super) type Identity = [i128; 5];

/// The cache.
pub(crate) struct DigestCache {
    entries: BTreeMap<Identity, String>,
    file: Option<PathBuf>,
    changed: bool,
}

impl DigestCache {
    /// One that remembers nothing beyond its own life.
    #[cfg(test)]
    pub(crate) fn empty() -> DigestCache {
        DigestCache { entries: BTreeMap::new(), file: None, changed: false }
    }

    /// The one in a folder; with `refresh` what it knew is forgotten.
    pub(crate) fn load(folder: Option<&Path>, refresh: bool) -> DigestCache {
        folder.into_iter().for_each(clear_abandoned);
        let file = folder.map(|folder| folder.join("digests"));
        let text = file.as_ref().filter(|_| !refresh).and_then(|file| text_of(file));
        let entries = text.and_then(|text| parse(&text)).unwrap_or_default();
        DigestCache { entries, file, changed: refresh }
    }

    /// The folder for who runs this: `/var/cache/septet` for root, whose environment is not asked.
    pub(crate) fn folder(is_root: bool) -> Option<PathBuf> {
        if is_root {
            return Some("/var/cache/septet".into());
        }
        // A relative one, and no name at all, would be a folder wherever somebody happens to be.
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache"))).map(|base| base.join("septet"))
    }

    /// BLAKE3 of a file's content, hex.
    pub(crate) fn digest(&mut self, path: &Path) -> io::Result<String> {
        if let Some(digest) = self.entries.get(&identity_of(path)?) {
            return Ok(digest.clone());
        }
        let mut file = plain::open(path)?;
        let before = file.metadata()?;
        let key = identity(&before);
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut file, &mut hasher)?;
        let digest = hasher.finalize().to_hex().to_string();
        if identity(&file.metadata()?) == key && is_settled(&before) {
            self.entries.insert(key, digest.clone());
            self.changed = true;
        }
        Ok(digest)
    }

    /// Writes it, by atomic rename, if something is new. A folder that cannot be written costs time only.
    pub(crate) fn save(&self) {
        if let Some(file) = self.file.as_ref().filter(|_| self.changed) {
            let _ = self.write(file);
        }
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        let mut text = format!("{HEADER}\n");
        let skip = self.entries.len().saturating_sub(ENTRIES_MAX);
        for (identity, digest) in self.entries.iter().skip(skip) {
            text.push_str(&format!("{} {digest}\n", shown(identity)));
        }
        replace(file, &text)
    }
}

/// What is kept in a file. The folder may be anybody's whose user this is, and so may be what is in it.
pub(super) fn text_of(file: &Path) -> Option<String> {
    String::from_utf8(plain::bytes(file, KEPT_BYTES_MAX).ok()?).ok()
}

/// Replaces a file by a whole one, synced before it is renamed into place.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!("{name}{UNFINISHED}{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(AS_IT_IS);
    let mut out = options.open(&new)?;
    // As long as it is locked nobody takes it for a dead process's.
    out.try_lock()?;
    let written = out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// An identity in words, with blanks between them.
pub(super) fn shown(identity: &Identity) -> String {
    identity.map(|number| number.to_string()).join(" ")
}

/// An identity from its words.
pub(super) fn parse_identity(words: &[&str]) -> Option<Identity> {
    let numbers: Vec<i128> = words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Removes what agents that were killed while they wrote have left. One that is being written is locked; if it
/// is taken just before it is, its writer's entries are not remembered, which costs time only.
fn clear_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_unfinished = |(name, process): (&str, &str)| {
            ["digests", "read"].contains(&name) && process.bytes().all(|byte| byte.is_ascii_digit())
        };
        if name.split_once(UNFINISHED).is_some_and(is_unfinished)
            && fs::OpenOptions::new()
                .write(true)
                .custom_flags(AS_IT_IS)
                .open(&path)
                .is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(&path);
        }
    }
}

pub(super) fn identity(metadata: &Metadata) -> Identity {
    let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    [
        i128::from(metadata.dev()),
        i128::from(metadata.ino()),
        i128::from(metadata.size()),
        ns(metadata.mtime(), metadata.mtime_nsec()),
        ns(metadata.ctime(), metadata.ctime_nsec()),
    ]
}

/// Whether a file has not changed lately.
pub(super) fn is_settled(metadata: &Metadata) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let changed = Duration::new(metadata.ctime().unsigned_abs(), metadata.ctime_nsec().unsigned_abs() as u32);
    now.checked_sub(changed).is_some_and(|age| age > SETTLED)
}

/// Nothing, if a single line is not as it was written.
fn parse(text: &str) -> Option<BTreeMap<Identity, String>> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return None;
    }
    let entry = |line: &str| -> Option<(Identity, String)> {
        let words: Vec<&str> = line.split(' ').collect();
        let (digest, numbers) = words.split_last()?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest.then_some((parse_identity(numbers)?, (*digest).to_owned()))
    };
    lines.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled_file(folder: &Path, content: &str) -> PathBuf {
        let path = folder.join("program");
        fs::write(&path, content).expect("a file");
        while !is_settled(&fs::metadata(&path).expect("its metadata")) {
            std::thread::yield_now();
        }
        path
    }

    #[test]
    fn remembers_until_the_file_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = settled_file(folder.path(), "one");
        let mut cache = DigestCache::load(Some(folder.path()), false);
        let one = cache.digest(&path).expect("a digest");
        cache.save();
        let mut again = DigestCache::load(Some(folder.path()), false);
        assert_eq!(again.entries.len(), 1);
        assert_eq!(again.digest(&path).expect("a digest"), one);
        assert!(!again.changed);
        settled_file(folder.path(), "two");
        assert_ne!(again.digest(&path).expect("a digest"), one);
    }

    /// The folder is a user's, and a root agent's cache may have been anybody's before.
    #[test]
    fn what_lies_there_in_place_of_files_is_neither_waited_for_nor_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, kept, gone, theirs] =
            ["digests", "read", "digests.1", "theirs"].map(|name| folder.path().join(name));
        let fifo = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        [&*file, &kept, &gone].into_iter().for_each(fifo);
        std::os::unix::fs::symlink("/dev/zero", &theirs).expect("a link");
        let mut cache = DigestCache::load(Some(folder.path()), false);
        assert!(cache.entries.is_empty());
        assert_eq!([&kept, &theirs].map(|path| text_of(path)), [None, None]);
        let program = settled_file(folder.path(), "one");
        assert_eq!(text_of(&program).as_deref(), Some("one"));
        assert!(cache.digest(&kept).is_err() && cache.digest(&theirs).is_err());
        cache.digest(&program).expect("a digest");
        // The name that this process would write to is taken by a link to somebody's file.
        let own = folder.path().join(format!("digests.{}", std::process::id()));
        std::os::unix::fs::symlink(&program, &own).expect("a link");
        cache.save();
        assert_eq!(text_of(&program).as_deref(), Some("one"));
        fs::remove_file(&own).expect("the link");
        cache.save();
        assert_eq!(DigestCache::load(Some(folder.path()), false).entries.len(), 1);
    }

    #[test]
    fn damage_costs_time_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = settled_file(folder.path(), "one");
        for damage in ["", "septet-digests 2\n", "septet-digests 1\n1 2 3 4 5 zz\n", "\u{0}"] {
            fs::write(folder.path().join("digests"), damage).expect("a damaged cache");
            let mut cache = DigestCache::load(Some(folder.path()), false);
            assert!(cache.entries.is_empty());
            assert_eq!(cache.digest(&path).expect("a digest"), blake3::hash(b"one").to_hex().as_str());
        }
        let mut nowhere = DigestCache::load(Some(Path::new("/proc/no/such")), false);
        nowhere.digest(&path).expect("a digest");
        nowhere.save();
    }
}
