//! Settings and interfaces of the host that change for the time of a lease and are given back. The core of it (change,
//! restore) is pure over a [`Tree`] and a [`Record`]. It must not know scenes, or why a setting is wanted.
//!
//! The order that makes it safe: read the old value, note old and new in the journal, sync the journal, only
//! then write. Whoever finds a journal without a living owner restores from it, last change first. A value
//! that is neither what was written nor what the kernel made of it was changed by somebody else since: it is
//! reported and left alone.

pub mod interface;
mod journal;
pub mod list;
pub mod tree;
pub mod value;

use self::interface::Interface;
pub use self::journal::JournalFile;
pub(crate) use self::journal::returned;
use self::tree::Tree;
use self::value::{get, is_means, may_vanish, set};

/// Where changes are noted before they are made.
pub trait Record {
    /// Returns when the entry is on the medium.
    ///
    /// # Errors
    /// The system's: nothing may be changed then.
    fn append(&mut self, entry: &Entry) -> std::io::Result<()>;
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// A value is about to be changed.
    Change {
        /// The setting's path.
        path: String,
        /// The setting's value before the change.
        old: String,
        /// What is about to be written.
        new: String,
    },
    /// An interface is about to be moved into another network namespace.
    Moved {
        /// What it is before.
        interface: Interface,
    },
    /// What the kernel made of the last change of that path.
    Became {
        /// The setting's path.
        path: String,
        /// The setting's value after the change.
        value: String,
    },
}

/// What came of one restored setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// The setting has its old value, now or still.
    Back,
    /// Somebody else changed it since; left alone.
    ChangedByOthers {
        /// The setting's path.
        path: String,
        /// What they made of it.
        value: String,
    },
    /// The setting could not be given its old value.
    Failed {
        /// The setting's path.
        path: String,
        /// What it should be.
        old: String,
        /// Why it is not.
        problem: String,
    },
}

/// Changes one setting and returns what the kernel made of it. Nothing is written, and nothing is noted, if
/// it has the value already.
///
/// # Errors
/// The system's. What was changed by then is in the record.
pub fn change(tree: &mut dyn Tree, record: &mut dyn Record, path: &str, new: &str) -> std::io::Result<String> {
    let old = get(tree, path)?;
    if old == new {
        return Ok(old);
    }
    record.append(&Entry::Change { path: path.into(), old, new: new.into() })?;
    set(tree, path, new)?;
    let value = get(tree, path)?;
    record.append(&Entry::Became { path: path.into(), value: value.clone() })?;
    Ok(value)
}

/// Gives every changed setting its old value back, last change first; one that fails does not keep the
/// others from it. Where that was cut short, or done already, it can be done again. Interfaces come back by `moved`, in
/// the same order: one that the kernel was to have no more is there when its card has its driver again, and settings of
/// one that was away can be reached when it is back.
pub fn restore(tree: &mut dyn Tree, entries: &[Entry], moved: &mut dyn FnMut(&Interface)) -> Vec<Restored> {
    let mut outcomes = Vec::new();
    let mut became: Vec<(&str, &str)> = Vec::new();
    for (at, entry) in entries.iter().enumerate().rev() {
        match entry {
            Entry::Became { path, value } => became.push((path, value)),
            Entry::Moved { interface } => moved(interface),
            Entry::Change { path, old, new } => {
                // The note that belongs to this change is the last one seen of its path; without one the
                // change was cut short, and what is there now is what it left.
                let note = became.iter().rposition(|(noted, _)| noted == path).map(|place| became.remove(place).1);
                // Of several changes of one path: what it was before an earlier one is what a restore has given back.
                let earlier = entries[..at].iter().filter_map(|entry| match entry {
                    Entry::Change { path: other, old, .. } if other == path => Some(old.as_str()),
                    _ => None,
                });
                outcomes.push(match get(tree, path) {
                    Ok(now) if earlier.into_iter().any(|old| old == now) => Restored::Back,
                    _ => restore_one(tree, path, old, new, note),
                });
            }
        }
    }
    outcomes
}

fn restore_one(tree: &mut dyn Tree, path: &str, old: &str, new: &str, became: Option<&str>) -> Restored {
    let failed = |problem: String| Restored::Failed { path: path.into(), old: old.into(), problem };
    let now = match get(tree, path) {
        Ok(now) if now == old => return Restored::Back,
        Ok(now) => now,
        Err(error) if may_vanish(path) && error.kind() == std::io::ErrorKind::NotFound => return Restored::Back,
        Err(error) => return failed(error.to_string()),
    };
    // Nothing at all is what a write that was cut leaves: a device between two drivers.
    let foreign = |became: &str| now != became && now != new && !now.is_empty();
    if became.is_some_and(foreign) && !is_means(path) {
        return Restored::ChangedByOthers { path: path.into(), value: now };
    }
    match set(tree, path, old).and_then(|()| get(tree, path)) {
        Ok(now) if now == old => Restored::Back,
        Ok(now) => failed(format!("it became {now}")),
        Err(error) => failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
