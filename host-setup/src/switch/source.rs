//! Where the programs of switches lie: the system's own places, or over them those of a stack. It must not know what
//! the programs do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::commander::{Commander, commander};
use crate::plain;
use crate::site;
use crate::stack::{SYSTEM, Stack, components};

/// What the worker has of its own: nothing that lies there can be seen by what it runs.
pub(super) const HIDDEN: [&str; 3] = ["/tmp", "/run", "/dev/shm"];
const NIX_STORE: &str = "/nix/store";
/// Version of the flake's manifest of a stack.
const MANIFEST_FORMAT: u32 = 1;
/// Most bytes of one: a line a component.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// A program of a switch, or a file that it cannot do without.
pub(super) struct ProgramFile {
    /// Where the system's packages put it, or whoever installs it by hand; best first.
    pub system: &'static [&'static str],
    /// Where it can be in a place of a stack, best first.
    pub inside: &'static [&'static str],
}

impl ProgramFile {
    /// Where the system has it; if it has not, where it would be.
    pub(super) fn of_system(&self) -> PathBuf {
        let paths = || self.system.iter().map(PathBuf::from);
        paths().find(|path| path.is_file()).or_else(|| paths().next()).unwrap_or_default()
    }
}

/// A place, looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// The place as it was named; absent for the system.
    pub place: Option<String>,
    /// Folders with `bin`, `sbin` and `lib` in them.
    folders: Vec<PathBuf>,
    /// Folders of libraries that go before the system's.
    pub libraries: Vec<PathBuf>,
}

/// A manifest of a stack, as the flake makes it; other keys are for people.
#[derive(Deserialize)]
struct Manifest {
    format: u32,
    components: Vec<ManifestComponent>,
}

#[derive(Deserialize)]
struct ManifestComponent {
    path: PathBuf,
}

impl Source {
    /// The system's own places.
    pub(crate) fn system() -> Source {
        Source::default()
    }

    /// The source that a stack's place is.
    fn at(place: &str) -> Result<Source, String> {
        if place == SYSTEM {
            return Ok(Source::system());
        }
        let real = fs::canonicalize(place).map_err(|error| format!("{place}: {error}"))?;
        if let Some(hidden) = HIDDEN.iter().find(|hidden| real.starts_with(hidden)) {
            return Err(format!("{place} lies below {hidden}, where nothing is seen by what is measured"));
        }
        let folders = match real.is_dir() {
            true => vec![real.clone()],
            false => folders_of_manifest(&real)?,
        };
        // Programs of Nix know where their libraries are, and other programs must not find those.
        let overlaid: &[PathBuf] = if folders.iter().any(|folder| is_of_nix(folder)) { &[] } else { &folders };
        let multiarch = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
        let libraries = overlaid.iter().flat_map(|folder| [&*multiarch, "lib64", "lib"].map(|name| folder.join(name)));
        let libraries = libraries.filter(|folder| folder.is_dir()).collect();
        Ok(Source { place: Some(place.to_string()), folders, libraries })
    }

    /// The files of a switch, each by the names that it can have inside, best first. They are of one source: a stack
    /// that has the first has all of them, or it cannot be used. None for one that has not, or for the system.
    pub(crate) fn own(&self, wanted: &[&[&str]]) -> Result<Option<Vec<PathBuf>>, String> {
        let Some(first) = wanted.first().and_then(|first| self.find(first)) else { return Ok(None) };
        let mut files = vec![first];
        for inside in &wanted[1..] {
            let missing = || format!("{} has no {}", self.place.as_deref().unwrap_or(SYSTEM), inside.join(" or "));
            files.push(self.find(inside).ok_or_else(missing)?);
        }
        Ok(Some(files))
    }

    fn find(&self, inside: &[&str]) -> Option<PathBuf> {
        let of_folder = |folder: &PathBuf| inside.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        self.folders.iter().find_map(of_folder)
    }
}

fn is_of_nix(folder: &Path) -> bool {
    folder.starts_with(NIX_STORE)
}

fn folders_of_manifest(file: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{} is no manifest of a stack: {error}", file.display());
    let bytes = plain::bytes(file, MANIFEST_BYTES_MAX).map_err(|error| wrong(&error))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?;
    if manifest.format != MANIFEST_FORMAT {
        return Err(wrong(&format!("it is of format {}, known is {MANIFEST_FORMAT}", manifest.format)));
    }
    let folder = |component: ManifestComponent| {
        let path = component.path;
        fs::canonicalize(&path).map_err(|error| wrong(&format!("{}: {error}", path.display())))
    };
    manifest.components.into_iter().map(folder).collect()
}

/// Stacks by name, each component's place looked at.
#[derive(Debug, Default)]
pub(crate) struct Stacks(BTreeMap<String, BTreeMap<&'static str, Result<Source, String>>>);

impl Stacks {
    /// Looks at the places of stacks, before the worker hides any.
    pub(crate) fn look(definitions: &BTreeMap<String, Stack>) -> Stacks {
        let source = |stack: &Stack, component| (component, Source::at(stack.place(component)));
        let looked = |stack: &Stack| components().iter().map(|component| source(stack, *component)).collect();
        Stacks(definitions.iter().map(|(name, stack)| (name.clone(), looked(stack))).collect())
    }

    /// Names of the stacks.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Where a component's programs are in a stack; the system's for one that has none.
    pub(crate) fn source(&self, stack: &str, kind: &str) -> Result<Source, String> {
        if stack == SYSTEM || !components().contains(&kind) {
            return Ok(Source::system());
        }
        let components = self.0.get(stack).ok_or_else(|| format!("no stack {stack:?} is defined"))?;
        components.get(kind).cloned().unwrap_or_else(|| Ok(Source::system()))
    }
}

/// Why files must not be run by an agent of root's that a user commands; in words.
pub(crate) fn untrusted<'f>(files: impl Iterator<Item = &'f Path>) -> Option<String> {
    match commander() {
        Commander::Own => None,
        Commander::Other => files.into_iter().find_map(site::untrusted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: [&[&str]; 2] = [&["sbin/one", "bin/one"], &["share/two"]];

    /// Not below /tmp, which no place may be.
    fn folder() -> tempfile::TempDir {
        tempfile::tempdir_in("/var/tmp").expect("a folder")
    }

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).and_then(|()| fs::write(&path, text)).expect("a file");
        path
    }

    fn at(path: &Path) -> Result<Source, String> {
        Source::at(path.to_str().expect("a path of text"))
    }

    #[test]
    fn a_place_has_all_of_a_switch_or_nothing_of_it() {
        let folder = folder();
        let source = at(folder.path()).expect("a place");
        assert_eq!(source.own(&WANTED), Ok(None));
        let one = write(folder.path(), "bin/one", "");
        let words = source.own(&WANTED).expect_err("a part is missing");
        assert!(words.ends_with("has no share/two"), "{words}");
        let two = write(folder.path(), "share/two", "");
        assert_eq!(source.own(&WANTED), Ok(Some(vec![one, two])));
        assert_eq!(Source::system().own(&WANTED), Ok(None));
    }

    #[test]
    fn libraries_of_a_prefix_go_first() {
        let folder = folder();
        write(folder.path(), "lib/liba.so", "");
        let source = at(folder.path()).expect("a place");
        assert_eq!(source.libraries, [folder.path().canonicalize().expect("its path").join("lib")]);
    }

    #[test]
    fn a_manifest_names_folders() {
        let folder = folder();
        let one = write(folder.path(), "ovs/bin/one", "");
        write(folder.path(), "ovs/share/two", "");
        let text = format!(
            r#"{{"format": 1, "components": [{{"name": "ovs", "version": "3", "path": "{}"}}]}}"#,
            folder.path().join("ovs").display()
        );
        let source = at(&write(folder.path(), "stack.json", &text)).expect("a place");
        assert_eq!(source.own(&WANTED).expect("all of it").expect("all of it")[0], one);
        let refused = |file: &Path| {
            let problem = at(file).expect_err("no manifest");
            assert!(problem.contains("is no manifest of a stack"), "{problem}");
        };
        for wrong in [text.replace("\"format\": 1", "\"format\": 2"), text.replace("/ovs", "/no"), "{".into()] {
            refused(&write(folder.path(), "wrong.json", &wrong));
        }
        // What never ends, and what never begins.
        refused(Path::new("/dev/zero"));
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        refused(&fifo);
    }

    #[test]
    fn places_that_cannot_be_seen_are_refused() {
        let hidden = tempfile::tempdir_in("/tmp").expect("a folder");
        assert!(at(hidden.path()).is_err_and(|words| words.contains("below /tmp")));
        assert!(at(Path::new("/no/such/place")).is_err());
        let stacks = Stacks::look(&BTreeMap::new());
        assert!(stacks.source("new", "ovs").is_err());
        assert!(stacks.source("new", "linux-bridge").is_ok() && stacks.source(SYSTEM, "ovs").is_ok());
    }
}
