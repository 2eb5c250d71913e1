//! Settings of the host that change for the time of a lease and are given back. The core of it (change,
//! restore) is pure over a [`Tree`] and a [`Record`]. It must not know scenes, or why a setting is wanted.
//!
//! The order that makes it safe: read the old value, note old and new in the journal, sync the journal, only
//! then write. Whoever finds a journal without a living owner restores from it, last change first. A value
//! that is neither what was written nor what the kernel made of it was changed by somebody else since: it is
//! reported and left alone.

mod journal;

use std::path::Path;

pub(crate) use self::journal::JournalFile;
use crate::failure::During;
use crate::protocol::{Achieved, Failure, FailureKind, Setup};

/// Where settings are read and written.
pub(crate) trait Tree {
    /// The trimmed content of a file.
    fn read(&self, path: &str) -> std::io::Result<String>;
    /// Replaces it.
    fn write(&mut self, path: &str, value: &str) -> std::io::Result<()>;
}

/// Where changes are noted before they are made.
pub(crate) trait Record {
    /// Returns when the entry is on the medium.
    fn append(&mut self, entry: &Entry) -> std::io::Result<()>;
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Entry {
    /// A value is about to be changed.
    Change { path: String, old: String, new: String },
    /// What the kernel made of the last change of that path.
    Became { path: String, value: String },
}

/// What came of one restored setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Restored {
    /// It has its old value, now or still.
    Back,
    /// Somebody else changed it since; left alone.
    ChangedByOthers { path: String, value: String },
    /// It could not be given its old value.
    Failed { path: String, old: String, problem: String },
}

/// The files of this host below a folder, `/` outside of tests.
pub(crate) struct HostTree<'a>(pub &'a Path);

impl Tree for HostTree<'_> {
    fn read(&self, path: &str) -> std::io::Result<String> {
        Ok(std::fs::read_to_string(self.0.join(path))?.trim().to_owned())
    }

    fn write(&mut self, path: &str, value: &str) -> std::io::Result<()> {
        std::fs::write(self.0.join(path), value)
    }
}

/// Changes one setting and returns what the kernel made of it. Nothing is written, and nothing is noted, if
/// it has the value already.
pub(crate) fn change(tree: &mut impl Tree, record: &mut impl Record, path: &str, new: &str) -> std::io::Result<String> {
    let old = tree.read(path)?;
    if old == new {
        return Ok(old);
    }
    record.append(&Entry::Change { path: path.into(), old, new: new.into() })?;
    tree.write(path, new)?;
    let value = tree.read(path)?;
    record.append(&Entry::Became { path: path.into(), value: value.clone() })?;
    Ok(value)
}

/// Gives every changed setting its old value back, last change first; one that fails does not keep the
/// others from it.
pub(crate) fn restore(tree: &mut impl Tree, entries: &[Entry]) -> Vec<Restored> {
    let mut outcomes = Vec::new();
    let mut became: Vec<(&str, &str)> = Vec::new();
    for entry in entries.iter().rev() {
        match entry {
            Entry::Became { path, value } => became.push((path, value)),
            Entry::Change { path, old, new } => {
                // The note that belongs to this change is the last one seen of its path; without one the
                // change was cut short, and what is there now is what it left.
                let note = became.iter().rposition(|(noted, _)| noted == path).map(|place| became.remove(place).1);
                outcomes.push(restore_one(tree, path, old, new, note));
            }
        }
    }
    outcomes
}

fn restore_one(tree: &mut impl Tree, path: &str, old: &str, new: &str, became: Option<&str>) -> Restored {
    let failed = |problem: String| Restored::Failed { path: path.into(), old: old.into(), problem };
    let now = match tree.read(path) {
        Ok(now) if now == old => return Restored::Back,
        Ok(now) => now,
        Err(error) => return failed(error.to_string()),
    };
    if became.is_some_and(|became| now != became && now != new) {
        return Restored::ChangedByOthers { path: path.into(), value: now };
    }
    match tree.write(path, old).and_then(|()| tree.read(path)) {
        Ok(now) if now == old => Restored::Back,
        Ok(now) => failed(format!("it became {now}")),
        Err(error) => failed(error.to_string()),
    }
}

/// Makes the host what `setup` says and returns what it became. What was changed is in the journal, also on
/// failure: the caller restores.
pub(crate) fn apply(tree: &mut impl Tree, record: &mut impl Record, setup: &Setup) -> Result<Achieved, Failure> {
    let mut achieved = Achieved::default();
    for (node, pages) in &setup.hugepages_2m {
        let path = format!("sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages");
        let doing = || format!("set {pages} hugepages on node {node}");
        let value = change(tree, record, &path, &pages.to_string()).host(doing)?;
        let value: u64 = value.parse().host(doing)?;
        if value < *pages {
            let message = format!("{}: the kernel found memory for {value}", doing());
            return Err(Failure::new(FailureKind::Host, message).advise("free memory on that node, or ask for fewer"));
        }
        achieved.hugepages_2m.push((*node, value));
    }
    Ok(achieved)
}

#[cfg(test)]
mod tests;
