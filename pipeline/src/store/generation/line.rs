//! The generations of an experiment that a store has, in order, and keeping one more. What cannot be read is named,
//! and never silently passed over where it could be the latest. It must not know what a generation is good for.
//!
//! ```text
//! generations/EXPERIMENT/NAME.json.zst    a generation
//! generations/EXPERIMENT+lock             held while one is added
//! forgotten/EXPERIMENT/NAME.json          the head of one that was deleted: what it followed stays before the others
//! ```

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use super::file::{self, Wrong};
use super::head::{FOLLOWS_MAX, Head};
use super::order::{self, Node};
use super::{FOLDER, Generation, GenerationName};
use crate::beneath::Below;
use crate::store::{Fault, Store, StoreError, bounded};

/// Folder of the heads of deleted generations, in a store.
const FORGOTTEN: &str = "forgotten";

const SUFFIX: &str = ".json.zst";
const GONE: &str = ".json";
/// Most bytes of the head of a deleted generation.
const GONE_BYTES_MAX: u64 = 1 << 20;

/// The generations of an experiment.
#[derive(Debug, Default)]
pub struct Line {
    /// The oldest first; the last is the latest.
    names: Vec<GenerationName>,
    /// The generations that nothing follows, in the same order.
    heads: Vec<GenerationName>,
    /// Files whose heads cannot be used, each with why, and whether nothing follows it.
    unusable: Vec<Unusable>,
    /// The most that stand one after the other.
    line: u64,
}

/// A generation whose head cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// The generation's name.
    pub name: GenerationName,
    /// The generation's file.
    pub path: PathBuf,
    /// Why, in words.
    pub reason: String,
    /// Whether it may be the latest: nothing that can be read follows it.
    pub unfollowed: bool,
}

impl Line {
    /// Names, the oldest first, without those that cannot be used.
    pub fn names(&self) -> &[GenerationName] {
        &self.names
    }

    /// The generations that nothing follows; the last is taken for the latest.
    pub fn heads(&self) -> &[GenerationName] {
        &self.heads
    }

    /// What cannot be used.
    pub fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }

    /// The name of the latest.
    ///
    /// # Errors
    /// Where one that cannot be used may be it.
    pub fn latest(&self) -> Result<Option<&GenerationName>, StoreError> {
        match self.unusable.iter().find(|unusable| unusable.unfollowed) {
            Some(unusable) => Err(StoreError::damaged(&unusable.path, &unusable.reason)),
            None => Ok(self.names.last()),
        }
    }

    /// What one more generation follows, and its place in the line.
    fn next(&self) -> (Vec<GenerationName>, u64) {
        let doubtful = self.unusable.iter().filter(|unusable| unusable.unfollowed).map(|unusable| &unusable.name);
        let mut follows: Vec<GenerationName> =
            self.heads.iter().rev().chain(doubtful).take(FOLLOWS_MAX).cloned().collect();
        follows.sort();
        // How long the lines of those are that cannot be read, nobody knows, but no longer than all of them.
        (follows, self.line + self.unusable.len() as u64 + 1)
    }
}

/// Sound generations with their files, and damaged files with what is wrong.
pub(in crate::store) type Read = (Vec<(Below, Generation)>, Vec<(Below, Fault)>);

/// What a folder of generations holds, by the names of its files.
#[derive(Default)]
struct Listed {
    there: Vec<GenerationName>,
    gone: Vec<GenerationName>,
}

impl Store {
    /// File of a generation.
    fn generation_file(&self, experiment: &str, name: &GenerationName) -> Result<Below, StoreError> {
        self.name([FOLDER, experiment, &format!("{name}{SUFFIX}")])
    }

    fn gone_file(&self, experiment: &str, name: &GenerationName) -> Result<Below, StoreError> {
        self.name([FORGOTTEN, experiment, &format!("{name}{GONE}")])
    }

    fn listed(&self, experiment: &str) -> Result<Listed, StoreError> {
        let named = |folder: &str, suffix: &str| -> Result<Vec<GenerationName>, StoreError> {
            let listed = self.list(&self.name([folder, experiment])?)?;
            let names = listed.iter().filter_map(|entry| entry.text()?.strip_suffix(suffix)?.parse().ok());
            Ok(names.collect())
        };
        Ok(Listed { there: named(FOLDER, SUFFIX)?, gone: named(FORGOTTEN, GONE)? })
    }

    fn head_of(&self, experiment: &str, name: &GenerationName) -> Result<Head, Wrong> {
        let absent = || Wrong::Io(io::ErrorKind::NotFound.into());
        let file = self.generation_file(experiment, name).map_err(Wrong::damaged)?;
        let root = self.folder().map_err(Wrong::damaged)?.ok_or_else(absent)?;
        file::head(&root, &file, experiment, name)
    }

    /// The generations of an experiment, in order. Reads the heads of those that have one.
    pub fn line(&self, experiment: &str) -> Result<Line, StoreError> {
        let Listed { there, gone } = self.listed(experiment)?;
        let (older, there): (Vec<_>, Vec<_>) = there.into_iter().partition(GenerationName::is_older);
        let mut line = Line { line: older.len() as u64, ..Line::default() };
        let mut nodes = Vec::with_capacity(there.len() + gone.len());
        for name in there {
            match self.head_of(experiment, &name) {
                Ok(head) => nodes.push(node(name, head, &mut line.line)),
                // Deleted since the folder was listed.
                Err(Wrong::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(wrong) => {
                    let path = self.path_of(&self.generation_file(experiment, &name)?);
                    let reason = wrong.to_string();
                    line.unusable.push(Unusable { name, path, reason, unfollowed: true });
                }
            }
        }
        let is_there: HashSet<GenerationName> = nodes.iter().map(|node: &Node| node.name.clone()).collect();
        for name in gone.into_iter().filter(|name| !is_there.contains(name)) {
            // One that is damaged leaves more to the rank of heads, and `verify` names it.
            match self.head_of_gone(experiment, &name) {
                Ok(head) => nodes.push(node(name, head, &mut line.line)),
                Err(error) if error.is_unread() => return Err(error),
                Err(_) => {}
            }
        }
        let followed: HashSet<&GenerationName> = nodes.iter().flat_map(|node| &node.follows).collect();
        line.unusable.iter_mut().for_each(|unusable| unusable.unfollowed = !followed.contains(&unusable.name));
        let heads: HashSet<GenerationName> = order::heads(&nodes).into_iter().collect();
        let newer = order::order(nodes).into_iter().map(|node| node.name).filter(|name| is_there.contains(name));
        // Those that know no predecessors are in the order of their names, and before all others.
        line.names = older.into_iter().chain(newer).collect();
        line.heads = line.names.iter().filter(|name| heads.contains(name)).cloned().collect();
        if line.heads.is_empty() && line.unusable.is_empty() {
            line.heads = line.names.last().cloned().into_iter().collect();
        }
        Ok(line)
    }

    /// Whether a generation follows another one, with any number of others between them.
    pub(crate) fn follows(&self, experiment: &str, later: &GenerationName, earlier: &GenerationName) -> bool {
        let (mut open, mut seen) = (vec![later.clone()], HashSet::new());
        while let Some(name) = open.pop() {
            if name == *earlier {
                return true;
            }
            if name.is_older() || !seen.insert(name.clone()) {
                continue;
            }
            let head = self.head_of(experiment, &name).ok().or_else(|| self.head_of_gone(experiment, &name).ok());
            open.extend(head.into_iter().flat_map(|head| head.follows));
        }
        false
    }

    /// The head of a generation that was deleted.
    fn head_of_gone(&self, experiment: &str, name: &GenerationName) -> Result<Head, StoreError> {
        let file = self.gone_file(experiment, name)?;
        let path = self.path_of(&file);
        let bytes = self.read_there(&file, GONE_BYTES_MAX)?;
        let head: Head = bounded::json(&bytes).map_err(|error| StoreError::damaged(&path, error))?;
        head.check(experiment, name).map_err(|reason| StoreError::damaged(&path, reason))?;
        Ok(head)
    }

    /// Every generation of an experiment that is what its name says, with its file; and the files that are not, each with
    /// why. Those of a newer format are neither.
    pub(in crate::store) fn read_generations(&self, experiment: &str) -> Result<Read, StoreError> {
        let Listed { there, gone } = self.listed(experiment)?;
        let (mut sound, mut damaged) = (Vec::new(), Vec::new());
        let Some(root) = self.folder()? else { return Ok((sound, damaged)) };
        for name in there {
            let file = self.generation_file(experiment, &name)?;
            match file::whole(&root, &file, experiment, &name) {
                Ok(generation) => sound.push((file, generation)),
                Err(Wrong::Newer(_)) => {}
                Err(Wrong::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(wrong) => damaged.push((file.clone(), wrong.of(&self.path_of(&file)).into())),
            }
        }
        for name in gone {
            if let Err(error) = self.head_of_gone(experiment, &name) {
                damaged.push((self.gone_file(experiment, &name)?, error.into()));
            }
        }
        Ok((sound, damaged))
    }

    /// A generation by its name.
    pub fn generation(&self, experiment: &str, name: &GenerationName) -> Result<Generation, StoreError> {
        let file = self.generation_file(experiment, name)?;
        match self.folder()? {
            Some(root) => Generation::read(&root, &file, experiment, name),
            None => Err(StoreError::io("open", &self.path_of(&file))(io::ErrorKind::NotFound.into())),
        }
    }

    /// The latest complete generation, or the latest at all; its name and itself.
    pub fn latest_generation(&self, experiment: &str) -> Result<Option<(GenerationName, Generation)>, StoreError> {
        let line = self.line(experiment)?;
        line.latest()?;
        let mut latest = None;
        for name in line.names.into_iter().rev() {
            let generation = self.generation(experiment, &name)?;
            if generation.complete {
                return Ok(Some((name, generation)));
            }
            latest.get_or_insert((name, generation));
        }
        Ok(latest)
    }

    /// Removes a generation; its results stay, and so does what it followed.
    pub(in crate::store) fn remove_generation(
        &self,
        experiment: &str,
        name: &GenerationName,
    ) -> Result<(), StoreError> {
        let file = self.generation_file(experiment, name)?;
        if !name.is_older() {
            let head = self.head_of(experiment, name).map_err(|wrong| wrong.of(&self.path_of(&file)))?;
            let gone = self.gone_file(experiment, name)?;
            let json = serde_json::to_vec(&head);
            let json = json.map_err(|error| StoreError::io("encode", &self.path_of(&gone))(error.into()))?;
            self.put(&gone, &json)?;
        }
        self.remove(&file).map(drop)
    }

    /// Keeps what a run stood on as the generation that follows all that nothing followed, unless the latest one
    /// stands on the same; its name. The last thing that a run does to the store, so what killed runs have left
    /// unfinished is cleared here too: this one may have measured nothing.
    pub fn keep_generation(&self, generation: &Generation) -> Result<GenerationName, StoreError> {
        self.clear_unfinished(None)?;
        let digest = generation.digest();
        let experiment = &generation.experiment;
        if let Some(same) = self.line(experiment)?.same(&digest) {
            return Ok(same);
        }
        self.prepare()?;
        let _adding = self.adding()?;
        let _alone = self.keeping(experiment)?;
        // Another run may have kept one since.
        let line = self.line(experiment)?;
        if let Some(same) = line.same(&digest) {
            return Ok(same);
        }
        let (follows, place) = line.next();
        self.put_generation(&Generation { follows, line: place, ..generation.clone() })
    }

    /// Keeps a generation that was made elsewhere as it is.
    pub(crate) fn adopt_generation(&self, generation: &Generation) -> Result<GenerationName, StoreError> {
        self.prepare()?;
        let _adding = self.adding()?;
        self.put_generation(generation)
    }

    fn put_generation(&self, generation: &Generation) -> Result<GenerationName, StoreError> {
        let (name, bytes) = generation.file()?;
        self.put(&self.generation_file(&generation.experiment, &name)?, &bytes)?;
        Ok(name)
    }
}

impl Line {
    /// The latest, if it stands on what has that digest, and no other one can be it.
    fn same(&self, digest: &str) -> Option<GenerationName> {
        let latest = self.latest().ok().flatten()?;
        (latest.stands_on() == digest).then(|| latest.clone())
    }
}

fn node(name: GenerationName, head: Head, longest: &mut u64) -> Node {
    *longest = (*longest).max(head.line);
    Node { name, rank: head.rank(), follows: head.follows }
}
