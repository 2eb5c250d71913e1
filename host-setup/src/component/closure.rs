//! Every file that the dynamic linker would load for a program, found as it finds them: RPATH, RUNPATH with
//! `$ORIGIN`, its cache, its default folders. `LD_LIBRARY_PATH` does not count: programs are started with an
//! environment of the agent's own. It must not know what the files are for.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::ComponentError;
use super::elf::{Wants, wants_of_file};

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
    /// Where it is.
    pub path: PathBuf,
}

/// A file whose wishes are to be looked up.
struct Open {
    path: PathBuf,
    wants: Wants,
    inherited_rpath: Vec<PathBuf>,
}

/// The closure of `programs`: those first, then what they load, nearest first, each name once.
pub(crate) fn closure(root: &Path, programs: &[&Path]) -> Result<Vec<Loaded>, ComponentError> {
    let cache = fs::read(root.join("etc/ld.so.cache")).map(|bytes| read_cache(&bytes)).unwrap_or_default();
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
        let (folders, rpath) = folders(root, &file, wants);
        let interpreter = wants.interpreter.iter().map(|path| {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            (name, vec![root.join(path.trim_start_matches('/'))])
        });
        let needed = wants.needed.iter().map(|name| (name.clone(), find(root, name, &folders, &cache)));
        for (name, candidates) in interpreter.chain(needed) {
            if names.contains(&name) {
                continue;
            }
            let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
                return Err(ComponentError::Missing { soname: name, path: file.path.display().to_string() });
            };
            names.insert(name.clone());
            open.push_back(read(&path, rpath.clone())?);
            loaded.push(Loaded { name, path });
        }
    }
    Ok(loaded)
}

fn read(path: &Path, inherited_rpath: Vec<PathBuf>) -> Result<Open, ComponentError> {
    let named = || path.display().to_string();
    let wants = wants_of_file(path).map_err(|source| ComponentError::Read { path: named(), source })?;
    let wants = wants.map_err(|problem| ComponentError::Elf { path: named(), problem })?;
    Ok(Open { path: path.to_path_buf(), wants, inherited_rpath })
}

/// Folders to search for what a file needs before the cache is asked, and the RPATH that what it loads inherits.
fn folders(root: &Path, file: &Open, wants: &Wants) -> (Vec<PathBuf>, Vec<PathBuf>) {
    // The linker resolves $ORIGIN to the folder of the file itself, not of a link to it.
    let real = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
    let origin = real.parent().unwrap_or(root).to_path_buf();
    let expand = |folder: &String| match folder.strip_prefix("$ORIGIN").or(folder.strip_prefix("${ORIGIN}")) {
        Some(rest) => origin.join(rest.trim_start_matches('/')),
        None => root.join(folder.trim_start_matches('/')),
    };
    if !wants.runpath.is_empty() {
        return (wants.runpath.iter().map(expand).collect(), file.inherited_rpath.clone());
    }
    let mut rpath: Vec<PathBuf> = wants.rpath.iter().map(expand).collect();
    rpath.extend(file.inherited_rpath.iter().cloned());
    (rpath.clone(), rpath)
}

fn find(root: &Path, name: &str, folders: &[PathBuf], cache: &[(String, String)]) -> Vec<PathBuf> {
    if name.contains('/') {
        return vec![root.join(name.trim_start_matches('/'))];
    }
    let cached = cache.iter().filter(|(soname, _)| soname == name);
    folders
        .iter()
        .map(|folder| folder.join(name))
        .chain(cached.map(|(_, path)| root.join(path.trim_start_matches('/'))))
        .chain(DEFAULT_FOLDERS.iter().map(|folder| root.join(folder).join(name)))
        .collect()
}

/// `(soname, path)` of the linker's cache, 64-bit libraries without special hardware wants only. Empty for a
/// cache that is not understood: the default folders remain.
fn read_cache(bytes: &[u8]) -> Vec<(String, String)> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER_BYTES: usize = 48;
    const ENTRY_BYTES: usize = 24;
    /// ELF of the C library 6, for x86-64 and AArch64.
    const KINDS: [u32; 2] = [0x0303, 0x0a03];
    let Some(start) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) else { return Vec::new() };
    let bytes = &bytes[start..];
    let number =
        |place: usize| -> Option<u32> { Some(u32::from_le_bytes(bytes.get(place..place + 4)?.try_into().ok()?)) };
    let text = |place: u32| -> Option<String> {
        let rest = bytes.get(place as usize..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let entry = |index: usize| -> Option<Option<(String, String)>> {
        let place = HEADER_BYTES + index * ENTRY_BYTES;
        let plain = number(place + 16)? == 0 && number(place + 20)? == 0;
        let name = (text(number(place + 4)?)?, text(number(place + 8)?)?);
        Some((plain && KINDS.contains(&number(place)?)).then_some(name))
    };
    let count = number(MAGIC.len()).unwrap_or(0) as usize;
    (0..count).map_while(entry).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::print_stdout, reason = "a skipped test prints its reason")]
    fn the_cache_of_this_machine_knows_the_c_library() {
        let Ok(bytes) = fs::read("/etc/ld.so.cache") else {
            println!("skipped: this machine has no /etc/ld.so.cache");
            return;
        };
        let cache = read_cache(&bytes);
        assert!(cache.iter().any(|(name, path)| name == "libc.so.6" && path.starts_with('/')), "{cache:?}");
        assert!(read_cache(&bytes[..bytes.len() / 2]).len() <= cache.len());
        assert!(read_cache(b"nonsense").is_empty());
    }

    #[test]
    fn a_script_is_its_own_closure() {
        let root = tempfile::tempdir().expect("a folder");
        let script = root.path().join("run.lua");
        fs::write(&script, "return 1").expect("a script");
        let files = closure(root.path(), &[&script]).expect("a closure");
        assert_eq!(files, [Loaded { name: "run.lua".into(), path: script }]);
    }

    #[test]
    fn a_missing_library_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let program = root.path().join("program");
        fs::copy(std::env::current_exe().expect("this test"), &program).expect("a copy");
        let error = closure(root.path(), &[&program]).expect_err("no libraries below this root");
        assert!(matches!(error, ComponentError::Missing { .. }), "{error}");
    }
}
