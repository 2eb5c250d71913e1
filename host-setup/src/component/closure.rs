//! Every file that the dynamic linker would load for a program, found as it finds them: RPATH, the folders of
//! `LD_LIBRARY_PATH` that the agent starts the program with, RUNPATH with `$ORIGIN`, its cache, its default folders;
//! in each folder those made for better processors first. It must not know what the files are for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ComponentError;
use super::cache::{Cached, read_cache};
use super::elf::{Wants, wants_of_file};
use super::hwcaps;
use super::looks::is_file;
use super::remembered::Remembered;

/// Searched after everything else, the folders of multiarch systems included.
const DEFAULT_FOLDERS: [&str; 8] = [
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib64",
    "usr/lib64",
    "lib",
    "usr/lib",
];

/// A file of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// File name of the program, or the name by which a library is asked for.
    pub name: String,
    /// The path of the file.
    pub path: PathBuf,
}

/// A file whose wishes are to be looked up.
struct Open {
    path: PathBuf,
    wants: Wants,
    inherited_rpath: Vec<PathBuf>,
}

/// Libraries by the name that is asked for.
type Names = BTreeMap<String, Vec<Cached>>;

/// Where libraries are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Linker {
    root: PathBuf,
    /// Folders of `LD_LIBRARY_PATH`.
    first: Vec<PathBuf>,
    /// Subfolders for what this processor can, best first.
    levels: Vec<&'static str>,
    /// What the linker's cache knows.
    cache: Arc<Names>,
}

impl Linker {
    /// The linker of the system below a folder, on this processor.
    pub(crate) fn below(root: &Path) -> Linker {
        static KNOWN: Remembered<Arc<Names>> = Remembered::new();
        let read = |mut file: File| {
            let (mut bytes, mut cache) = (Vec::new(), Names::new());
            file.read_to_end(&mut bytes)?;
            for cached in read_cache(&bytes) {
                cache.entry(cached.soname.clone()).or_default().push(cached);
            }
            Ok(Arc::new(cache))
        };
        // A system without a cache is one whose linker knows nothing by it.
        let cache = KNOWN.of(&root.join("etc/ld.so.cache"), read).unwrap_or_default();
        Linker { root: root.to_path_buf(), first: Vec::new(), levels: hwcaps::levels(), cache }
    }

    /// The linker of this host.
    pub(crate) fn of_host() -> Linker {
        Linker::below(Path::new("/"))
    }

    /// This linker for programs that are started with an `LD_LIBRARY_PATH`.
    pub(crate) fn searching_first(self, first: &[PathBuf]) -> Linker {
        Linker { first: first.to_vec(), ..self }
    }

    /// Folders of that `LD_LIBRARY_PATH`.
    pub(crate) fn first(&self) -> &[PathBuf] {
        &self.first
    }

    /// The folder below which everything is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The closure of `programs`: those first, then what they load, nearest first, each name once.
    pub(crate) fn closure(&self, programs: &[&Path]) -> Result<Vec<Loaded>, ComponentError> {
        let mut loaded = Vec::new();
        let mut names = BTreeSet::new();
        let mut open = VecDeque::new();
        for program in programs {
            let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
            open.push_back(read(program, Vec::new())?);
            names.insert(name.clone());
            loaded.push(Loaded { name, path: program.to_path_buf() });
        }
        while let Some(file) = open.pop_front() {
            let wants = &file.wants;
            let (folders, rpath) = self.folders(&file, wants);
            // The interpreter is asked for by its path.
            for asked in wants.interpreter.iter().chain(&wants.needed) {
                let is_interpreter = wants.interpreter.as_ref() == Some(asked);
                let name = if is_interpreter { asked.rsplit('/').next().unwrap_or(asked) } else { asked }.to_owned();
                if !names.insert(name.clone()) {
                    continue;
                }
                let Some(path) = self.find(asked, &folders).into_iter().find(|path| is_file(path)) else {
                    return Err(ComponentError::Missing { soname: name, path: file.path.display().to_string() });
                };
                open.push_back(read(&path, rpath.clone())?);
                loaded.push(Loaded { name, path });
            }
        }
        Ok(loaded)
    }

    /// Folders to search for what a file needs before the cache is asked, and the RPATH that what it loads
    /// inherits.
    fn folders(&self, file: &Open, wants: &Wants) -> (Vec<PathBuf>, Vec<PathBuf>) {
        // The linker resolves $ORIGIN to the folder of the file itself, not of a link to it.
        let origin = || {
            let real = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
            real.parent().unwrap_or(&self.root).to_path_buf()
        };
        let expand = |folder: &String| match folder.strip_prefix("$ORIGIN").or(folder.strip_prefix("${ORIGIN}")) {
            Some(rest) => origin().join(rest.trim_start_matches('/')),
            None => self.root.join(folder.trim_start_matches('/')),
        };
        let first = self.first.iter().cloned();
        if !wants.runpath.is_empty() {
            return (first.chain(wants.runpath.iter().map(expand)).collect(), file.inherited_rpath.clone());
        }
        let mut rpath: Vec<PathBuf> = wants.rpath.iter().map(expand).collect();
        rpath.extend(file.inherited_rpath.iter().cloned());
        (rpath.iter().cloned().chain(first).collect(), rpath)
    }

    fn find(&self, name: &str, folders: &[PathBuf]) -> Vec<PathBuf> {
        if name.contains('/') {
            return vec![self.root.join(name.trim_start_matches('/'))];
        }
        let in_folder = |folder: PathBuf| {
            let better = self.levels.iter().map(|level| folder.join(hwcaps::FOLDER).join(level).join(name));
            better.chain([folder.join(name)]).collect::<Vec<_>>()
        };
        let better = self.levels.iter().map(|level| Some(*level)).chain([None]);
        let of_name = self.cache.get(name).map(Vec::as_slice).unwrap_or_default();
        let cached = better.flat_map(|level| of_name.iter().filter(move |cached| cached.level.as_deref() == level));
        let cached = cached.map(|cached| self.root.join(cached.path.trim_start_matches('/')));
        let defaults = DEFAULT_FOLDERS.iter().map(|folder| self.root.join(folder));
        folders.iter().cloned().flat_map(in_folder).chain(cached).chain(defaults.flat_map(in_folder)).collect()
    }
}

fn read(path: &Path, inherited_rpath: Vec<PathBuf>) -> Result<Open, ComponentError> {
    let named = || path.display().to_string();
    let wants = wants_of_file(path).map_err(|source| ComponentError::Read { path: named(), source })?;
    let wants = wants.map_err(|problem| ComponentError::Elf { path: named(), problem })?;
    Ok(Open { path: path.to_path_buf(), wants, inherited_rpath })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_script_is_its_own_closure() {
        let root = tempfile::tempdir().expect("a folder");
        let script = root.path().join("run.lua");
        fs::write(&script, "return 1").expect("a script");
        let files = Linker::below(root.path()).closure(&[&script]).expect("a closure");
        assert_eq!(files, [Loaded { name: "run.lua".into(), path: script }]);
    }

    #[test]
    fn a_missing_library_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let program = root.path().join("program");
        fs::copy(std::env::current_exe().expect("this test"), &program).expect("a copy");
        let error = Linker::below(root.path()).closure(&[&program]).expect_err("no libraries below this root");
        assert!(matches!(error, ComponentError::Missing { .. }), "{error}");
    }

    /// A copy of this test below a root, with its libraries in the folders given.
    fn root_with(libraries: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        let own = std::env::current_exe().expect("this test");
        fs::copy(&own, root.path().join("program")).expect("a copy");
        for file in Linker::of_host().closure(&[&own]).expect("its own closure").iter().skip(1) {
            let asked = file.path.strip_prefix("/").expect("an absolute path");
            let folders = libraries.iter().filter(|(name, _)| file.name.starts_with(name)).map(|(_, folder)| *folder);
            let places = folders.map(|folder| Path::new(folder).join(&file.name)).chain([asked.to_path_buf()]);
            for place in places {
                let place = root.path().join(place);
                fs::create_dir_all(place.parent().expect("a folder")).expect("its folder");
                fs::copy(&file.path, place).expect("a copy");
            }
        }
        root
    }

    fn where_is(linker: &Linker, root: &Path, name: &str) -> PathBuf {
        let loaded = linker.closure(&[&root.join("program")]).expect("a closure");
        let found = loaded.iter().find(|file| file.name.starts_with(name)).expect("it is loaded");
        found.path.strip_prefix(root).expect("it is below the root").to_path_buf()
    }

    #[test]
    fn folders_that_a_program_is_started_with_go_first() {
        let root = root_with(&[("libc.so", "opt/lib")]);
        let plain = Linker::below(root.path());
        assert!(!where_is(&plain, root.path(), "libc.so").starts_with("opt"));
        let with = plain.searching_first(&[root.path().join("opt/lib")]);
        assert!(where_is(&with, root.path(), "libc.so").starts_with("opt/lib"));
        assert!(!where_is(&with, root.path(), "libgcc_s.so").starts_with("opt"));
    }

    #[test]
    fn what_is_made_for_a_better_processor_goes_first_there_only() {
        let folder = "usr/lib/glibc-hwcaps/x86-64-v2";
        let root = root_with(&[("libgcc_s.so", folder)]);
        // Nothing else offers it in a folder that is searched before.
        for default in DEFAULT_FOLDERS.iter().filter(|default| **default != "usr/lib") {
            let _ = fs::remove_file(root.path().join(default).join("libgcc_s.so.1"));
        }
        fs::copy(root.path().join(folder).join("libgcc_s.so.1"), root.path().join("usr/lib/libgcc_s.so.1"))
            .expect("a copy");
        let with = |levels: Vec<&'static str>| Linker { levels, ..Linker::below(root.path()) };
        assert_eq!(
            where_is(&with(vec!["x86-64-v2"]), root.path(), "libgcc_s"),
            Path::new(folder).join("libgcc_s.so.1")
        );
        assert_eq!(where_is(&with(vec![]), root.path(), "libgcc_s"), Path::new("usr/lib/libgcc_s.so.1"));
    }
}
