//! The journal on its medium: JSON lines in a file below `/run`, synced line by line, and locked by its owner
//! as long as that lives: the lock of the host is one of a network namespace, the settings are the machine's.
//! It must not know what the settings mean.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::interface::{Interface, Links, Returned, give_back};
use super::{Entry, Record, Restored, restore};
use crate::failure::During;
use crate::lease::tree::Tree;
use crate::links::HostLinks;
use crate::protocol::{Failure, FailureKind};

/// First line of a journal; another version is not touched.
const HEADER: &str = r#"{"septet-journal":2}"#;
/// The first line of a journal from before interfaces were noted.
const HEADER_FILES_ONLY: &str = r#"{"septet-journal":1}"#;
/// How long an interface is awaited that the kernel gives back: that comes a moment after its namespace's end.
const RETURN_MAX: Duration = Duration::from_secs(5);
const RETURN_LOOK: Duration = Duration::from_millis(20);

/// The journal of a host. Only who holds the host may use it.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    open: Option<File>,
}

impl JournalFile {
    /// The one of this host; only root changes settings, so there is one place.
    pub fn of_host() -> JournalFile {
        JournalFile::at(Path::new("/run/septet"))
    }

    /// The one in a folder, which is made for the first entry.
    pub fn at(folder: &Path) -> JournalFile {
        JournalFile { path: folder.join("journal"), open: None }
    }

    /// Whether somebody has left settings to restore.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Restores what the journal says, and removes it if nothing is left to do. Returns words about what was
    /// changed by others in the meantime, or cannot come back.
    ///
    /// # Errors
    /// When a living agent holds the journal, when it cannot be read, or when a setting cannot be given its
    /// old value: then the journal stays, and no lease is given.
    pub fn restore(&mut self, tree: &mut dyn Tree) -> Result<Vec<String>, Failure> {
        self.restore_with(tree, &mut HostLinks)
    }

    fn restore_with(&mut self, tree: &mut dyn Tree, links: &mut dyn Links) -> Result<Vec<String>, Failure> {
        let doing = || format!("read {}", self.path.display());
        // Its lock is let go at the end of this function.
        let own = self.open.take();
        let mut file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let message = "give the host back: an agent of root's was killed and left settings changed, \
                               which only root can restore";
                return Err(Failure::new(FailureKind::Host, message).advise("run septet-host restore as root"));
            }
            other => other.host(doing)?,
        };
        if own.is_none() {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let message = "restore the host: an agent of another network namespace holds it";
                    return Err(Failure::new(FailureKind::Busy, message).advise("wait for it to end"));
                }
                Err(TryLockError::Error(error)) => Err(error).host(doing)?,
            }
        }
        let mut text = String::new();
        file.read_to_string(&mut text).host(doing)?;
        let entries = parse(&text).host(|| format!("read {}", self.path.display()))?;
        let mut words = Vec::new();
        let mut problems = Vec::new();
        let mut moved = |interface: &Interface| match returned(links, interface) {
            Returned::Back => {}
            Returned::Gone(said) => words.push(said),
            Returned::NotYet => problems.push(format!("the interface {}: it is not there", interface.name)),
            Returned::Failed(problem) => problems.push(format!("the interface {}: {problem}", interface.name)),
        };
        for outcome in restore(tree, &entries, &mut moved) {
            match outcome {
                Restored::Back => {}
                Restored::ChangedByOthers { path, value } => {
                    words.push(format!("/{path} was set to {value} by somebody else and is left so"));
                }
                Restored::Failed { path, old, problem } => problems.push(format!("/{path} to {old}: {problem}")),
            }
        }
        if problems.is_empty() {
            fs::remove_file(&self.path).host(|| format!("remove {}", self.path.display()))?;
            return Ok(words);
        }
        let message = format!("restore {}", problems.join(", "));
        let advice =
            format!("restore it by hand, then remove {}; until then the host is not leased", self.path.display());
        Err(Failure::new(FailureKind::Host, message).advise(advice))
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.open.is_none() {
            let folder = self.path.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder)?;
            // Whoever can write here would choose what root writes into /sys.
            let mut file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&self.path)?;
            file.try_lock()?;
            if file.metadata()?.nlink() == 0 {
                return Err(io::Error::other("another agent took the new journal for one that was left behind"));
            }
            writeln!(file, "{HEADER}")?;
            file.sync_all()?;
            File::open(folder)?.sync_all()?;
            self.open = Some(file);
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("the journal is not open"))
    }
}

impl Record for JournalFile {
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let file = self.file()?;
        writeln!(file, "{}", serde_json::to_string(entry)?)?;
        file.sync_all()
    }
}

/// What comes of an interface, which may be on its way.
pub(crate) fn returned(links: &mut dyn Links, interface: &Interface) -> Returned {
    let until = Instant::now() + RETURN_MAX;
    loop {
        match give_back(links, interface) {
            Returned::NotYet if Instant::now() < until => std::thread::sleep(RETURN_LOOK),
            other => return other,
        }
    }
}

/// A last line that was cut short is of a change that was never made.
fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::trim_end);
    match lines.next() {
        None => return Ok(Vec::new()),
        Some(HEADER | HEADER_FILES_ONLY) => {}
        Some(other) => return Err(format!("it is of another version: {other:?}")),
    }
    lines.map(|line| serde_json::from_str(line).map_err(|error| format!("{line:?}: {error}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tree::HostTree;

    const PATH: &str = "sys/devices/system/cpu/intel_pstate/no_turbo";

    fn root() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join(PATH);
        fs::create_dir_all(path.parent().expect("its folder")).expect("folders");
        fs::write(&path, "1\n").expect("a file");
        (root, path)
    }

    #[test]
    fn a_journal_left_behind_restores_a_tree_of_files() {
        let (root, setting) = root();
        let mut journal = JournalFile::at(&root.path().join("run"));
        super::super::change(&mut HostTree::at(root.path()), &mut journal, PATH, "5").expect("a change");
        assert_eq!(fs::read_to_string(&setting).expect("a file"), "5");
        // Others leave a living agent's settings alone.
        let others =
            JournalFile::at(&root.path().join("run")).restore(&mut HostTree::at(root.path())).expect_err("it is held");
        assert_eq!(others.kind, FailureKind::Busy, "{others}");
        assert_eq!(fs::read_to_string(&setting).expect("a file"), "5");
        // What a killed agent leaves: the file only, with a line cut short.
        drop(journal);
        let path = root.path().join("run/journal");
        let cut = fs::read_to_string(&path).expect("the journal") + r#"{"what":"chan"#;
        fs::write(&path, cut).expect("the journal");
        let mut found = JournalFile::at(&root.path().join("run"));
        assert!(found.exists());
        assert_eq!(found.restore(&mut HostTree::at(root.path())), Ok(Vec::new()));
        assert_eq!(fs::read_to_string(&setting).expect("a file"), "1");
        assert!(!found.exists());
    }

    /// Interfaces that are there when a file has a value.
    struct There(PathBuf, Interface);

    impl Links for There {
        fn all(&mut self) -> io::Result<Vec<Interface>> {
            let is_there = fs::read_to_string(&self.0)?.trim() == "1";
            Ok(if is_there { vec![self.1.clone()] } else { Vec::new() })
        }

        fn change(&mut self, _: &str, _: &super::super::interface::Change) -> io::Result<()> {
            Err(io::Error::other("it is what it was"))
        }
    }

    #[test]
    fn an_interface_comes_back_when_what_it_hangs_on_is_back() {
        let (root, setting) = root();
        let interface = Interface {
            name: "ens1".into(),
            mac: "02:00:00:00:00:01".into(),
            kind: None,
            mtu_bytes: 1500,
            up: true,
            addresses: Vec::new(),
        };
        let mut journal = JournalFile::at(&root.path().join("run"));
        journal.append(&Entry::Moved { interface: interface.clone() }).expect("a note");
        let mut tree = HostTree::at(root.path());
        super::super::change(&mut tree, &mut journal, PATH, "0").expect("its card is given away");
        let restored = journal.restore_with(&mut tree, &mut There(setting, interface));
        assert_eq!(restored, Ok(Vec::new()));
        assert!(!journal.exists());
    }

    #[test]
    fn what_cannot_be_restored_keeps_its_journal() {
        let (root, setting) = root();
        let mut journal = JournalFile::at(&root.path().join("run"));
        super::super::change(&mut HostTree::at(root.path()), &mut journal, PATH, "5").expect("a change");
        fs::remove_file(&setting).expect("removed");
        let failure = journal.restore(&mut HostTree::at(root.path())).expect_err("no file to restore");
        assert!(failure.message.contains("no_turbo to 1"), "{failure}");
        assert!(journal.exists());
    }

    #[test]
    fn another_version_is_not_touched() {
        assert!(parse("{\"septet-journal\":3}\n").is_err());
        assert_eq!(parse(""), Ok(Vec::new()));
    }
}
