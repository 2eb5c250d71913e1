//! Drivers that DPDK loads by itself: every library of one folder, whose path it was built with; for a program with
//! libraries of a stack, also drivers of that. It must not know what they drive.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::remembered::Remembered;
use super::{ComponentError, Linker, is_file};
use crate::plain;

/// The library that loads drivers.
const EAL: &str = "librte_eal.so.";

/// Where programs have their drivers.
pub(crate) struct Folders {
    /// The folder that they load from, if it is there.
    pub(crate) loads: PathBuf,
    /// Folders that the drivers are taken from, best first; real paths.
    pub(crate) holds: Vec<PathBuf>,
    /// The end of the files' names: `23.0`.
    version: String,
}

impl Folders {
    /// The plugin folders of some programs; none if their drivers are linked in.
    pub(crate) fn of(linker: &Linker, programs: &[PathBuf]) -> Result<Option<Folders>, ComponentError> {
        let programs: Vec<&Path> = programs.iter().map(PathBuf::as_path).collect();
        let loaded = linker.closure(&programs)?;
        let Some(eal) = loaded.iter().find(|file| file.name.starts_with(EAL)) else { return Ok(None) };
        let real = eal.path.canonicalize().unwrap_or_else(|_| eal.path.clone());
        let version = real.file_name().unwrap_or_default().to_string_lossy().replacen(EAL, "", 1);
        let name = format!("dpdk/pmds-{version}");
        let beside = real.parent().unwrap_or(linker.root()).join(&name);
        let loads = match built_with(&real, &name)? {
            Some(path) => linker.root().join(path.trim_start_matches('/')),
            None => beside.clone(),
        };
        let first = linker.first().iter().map(|folder| folder.join(&name));
        let holds: Vec<PathBuf> =
            first.chain([beside, loads.clone()]).filter_map(|path| path.canonicalize().ok()).collect();
        Ok((loads.is_dir() || !holds.is_empty()).then_some(Folders { loads, holds, version }))
    }

    /// The file of a driver.
    pub(crate) fn driver(&self, name: &str) -> PathBuf {
        let file = format!("librte_{name}.so.{}", self.version);
        let found = self.holds.iter().map(|folder| folder.join(&file)).find(|path| is_file(path));
        found.unwrap_or_else(|| self.loads.join(&file))
    }
}

/// The path that ends in `name` among the texts of a library: each program of a host asks the same of the same one.
fn built_with(library: &Path, name: &str) -> Result<Option<String>, ComponentError> {
    static ASKED: Remembered<(String, Option<String>)> = Remembered::new();
    let read = |mut file: std::fs::File| -> io::Result<(String, Option<String>)> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((name.to_owned(), path_among(&bytes, name)))
    };
    let failed = |source| ComponentError::Read { path: library.display().to_string(), source };
    match ASKED.of_kept("drivers", library, read).map_err(failed)? {
        (asked, path) if asked == name => Ok(path),
        _ => Ok(path_among(&plain::bytes(library, u64::MAX).map_err(failed)?, name)),
    }
}

fn path_among(bytes: &[u8], name: &str) -> Option<String> {
    let name = format!("/{name}\0");
    // The first byte by itself: comparing everywhere would take a millisecond.
    let is_here = |window: &[u8]| window[0] == b'/' && window == name.as_bytes();
    let place = bytes.windows(name.len()).position(is_here)?;
    let starts = |byte: &u8| !byte.is_ascii_graphic() || *byte == b'=';
    let start = bytes[..place].iter().rposition(starts).map_or(0, |before| before + 1);
    let path = String::from_utf8_lossy(&bytes[start..place + name.len() - 1]).into_owned();
    Some(path).filter(|path| path.starts_with('/'))
}

/// The files of `drivers` that programs are to load; none for programs that have them inside.
pub(crate) fn wanted(linker: &Linker, programs: &[PathBuf], drivers: &[&str]) -> Result<Vec<PathBuf>, ComponentError> {
    let Some(folders) = Folders::of(linker, programs)? else { return Ok(Vec::new()) };
    Ok(drivers.iter().map(|driver| folders.driver(driver)).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_folder_that_a_library_was_built_with_is_among_its_texts() {
        let folder = tempfile::tempdir().expect("a folder");
        let library = folder.path().join("librte_eal.so.23.0");
        let read = |bytes: &[u8]| {
            fs::write(&library, bytes).expect("a file");
            built_with(&library, "dpdk/pmds-23.0").expect("it can be read")
        };
        let expected = Some("/opt/lib/dpdk/pmds-23.0".to_owned());
        assert_eq!(read(b"x\0/opt/lib/dpdk/pmds-23.0\0y"), expected);
        assert_eq!(read(b"x\0DPDK_PLUGIN_PATH=/opt/lib/dpdk/pmds-23.0\0y"), expected);
        assert_eq!(read(b"/dpdk/pmds-23.1\0"), None);
        assert_eq!(read(b"lib/dpdk/pmds-23.0\0"), None);
    }
}
