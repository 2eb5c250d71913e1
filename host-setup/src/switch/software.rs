//! What a switch is made of: programs, the drivers that they load by themselves, and libraries that go before the
//! system's. It must not know what any of them does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::source::{self, ProgramFile, Source};
use super::uplink::By;
use crate::component::{self, ComponentError, Linker, Loaded};
use crate::facts::Privilege;
use crate::scene::Uplink;

/// Programs that are run, their packages, drivers that DPDK loads by itself, and folders of libraries that go before
/// the system's.
#[derive(Debug)]
pub(crate) struct Software {
    pub programs: Vec<PathBuf>,
    pub packages: &'static [&'static str],
    pub drivers: &'static [&'static str],
    /// Drivers of DPDK by which its uplink is got at, where it has one; in a fingerprint of their own.
    pub uplink: Vec<&'static str>,
    /// Files of another kind that programs load by themselves.
    pub loaded: Vec<PathBuf>,
    /// Plugins by kind of uplink, for a switch that does not drive uplinks through DPDK.
    pub plugged: Option<BTreeMap<By, Vec<PathBuf>>>,
    pub libraries: Vec<PathBuf>,
}

/// What a C library loads by itself when a thread ends, wherever it finds it.
const UNWINDER: &str = "libgcc_s.so.1";

impl Software {
    /// Programs of a source's own, or else the system's. Libraries of a stack are for the programs of that stack: others
    /// were not built with them.
    pub(super) fn of(
        own: Option<Vec<PathBuf>>,
        system: impl FnOnce() -> Vec<PathBuf>,
        source: &Source,
        packages: &'static [&'static str],
        drivers: &'static [&'static str],
    ) -> Software {
        let libraries = if own.is_some() { source.libraries.clone() } else { Vec::new() };
        let unwinder = libraries.iter().map(|folder| folder.join(UNWINDER)).find(|path| path.is_file());
        let (programs, loaded) = (own.unwrap_or_else(system), unwinder.into_iter().collect());
        Software { programs, packages, drivers, uplink: Vec::new(), loaded, plugged: None, libraries }
    }

    /// Adds what an uplink needs.
    pub(super) fn with_uplink(self, uplink: Option<&Uplink>) -> Software {
        let drivers = uplink.map(|uplink| uplink.by.drivers(uplink.card.as_deref()));
        Software { uplink: drivers.unwrap_or_default(), ..self }
    }

    /// What an uplink takes besides [`Software::files`]: drivers, and what those load that is no library. Programs that
    /// have their drivers inside take nothing else than themselves.
    pub(crate) fn files_of_uplink(&self, by: By, card: Option<&str>) -> Result<Vec<PathBuf>, ComponentError> {
        if let Some(plugged) = &self.plugged {
            let path = self.programs.first().map_or(String::new(), |program| program.display().to_string());
            let missing = || ComponentError::Missing { soname: format!("a plugin for {by}"), path };
            return plugged.get(&by).cloned().ok_or_else(missing);
        }
        let drivers = component::plugins::wanted(&self.linker(), &self.programs, &by.drivers(card))?;
        if drivers.is_empty() {
            return self.files();
        }
        let loaded = by.objects().iter().map(PathBuf::from).filter(|path| path.is_file());
        Ok(drivers.into_iter().chain(loaded).collect())
    }

    /// Where its programs find libraries.
    pub(crate) fn linker(&self) -> Linker {
        Linker::of_host().searching_first(&self.libraries)
    }

    /// What its programs are started with so that they do.
    pub(super) fn environment(&self) -> Vec<String> {
        library_path(&self.libraries)
    }

    /// All files that are in use, programs first, then what they load by themselves.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, ComponentError> {
        let drivers = component::plugins::wanted(&self.linker(), &self.programs, self.drivers)?;
        Ok(self.programs.iter().chain(&self.loaded).cloned().chain(drivers).collect())
    }
}

/// What a program is started with so that it finds libraries in folders that go before the system's.
pub(crate) fn library_path(folders: &[PathBuf]) -> Vec<String> {
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    if folders.is_empty() { Vec::new() } else { vec![format!("LD_LIBRARY_PATH={}", folders.join(":"))] }
}

/// The programs of a switch; nothing for one without, or the reason why it cannot be run here.
pub(crate) fn software(name: &str, privilege: Privilege, source: &Source) -> Result<Option<Software>, String> {
    let Some(entry) = super::entry(name) else { return Ok(None) };
    let Some(programs) = entry.driver.as_ref().and_then(|driver| driver.programs) else { return Ok(None) };
    let descriptor = (entry.descriptor)();
    if let (Some(why), true) = (&descriptor.needs_root, privilege != Privilege::Root) {
        return Err(format!("{name} needs root: {why}"));
    }
    let software = programs(source)?;
    if let Some(program) = software.programs.iter().find(|program| !program.is_file()) {
        let from = match software.packages {
            [] => "no package has it: build it, or name a stack that has it".to_string(),
            packages => format!("package {}", packages.join(", ")),
        };
        return Err(format!("{name} is not installed: {} is not there ({from})", program.display()));
    }
    if source.place.is_some() {
        let failed = |error: ComponentError| format!("failed to {error}");
        let files = software.files().map_err(failed)?;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let loaded = software.linker().closure(&files).map_err(failed)?;
        if let Some(problem) = mismatched(&loaded, &software.libraries) {
            return Err(problem);
        }
        if let Some(problem) = source::untrusted(loaded.iter().map(|file| &*file.path)) {
            return Err(problem);
        }
    }
    Ok(Some(software))
}

/// Why programs cannot run with the libraries of their stack: a C library works with the loader that it was built with,
/// and with no other one.
fn mismatched(loaded: &[Loaded], libraries: &[PathBuf]) -> Option<String> {
    let found = |start: &str| loaded.iter().find(|file| file.name.starts_with(start));
    let is_of_stack = |file: &&Loaded| {
        let real = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
        libraries.iter().any(|folder| file.path.starts_with(folder) || real.starts_with(folder))
    };
    let library = found("libc.so.").filter(is_of_stack)?;
    let loader = found("ld-linux").filter(|file| !is_of_stack(file))?;
    let program = loaded.first().map_or("", |file| &file.name);
    Some(format!(
        "{program} would load {} with {}, the system's: have it ask for the loader of its stack \
         (host-setup/prefix.sh does so)",
        library.path.display(),
        loader.path.display()
    ))
}

/// What is made of programs of a source, or else of the system's.
pub(super) fn made_of(
    source: &Source,
    wanted: &[ProgramFile],
    packages: &'static [&'static str],
    drivers: &'static [&'static str],
) -> Result<Software, String> {
    let inside: Vec<&[&str]> = wanted.iter().map(|wanted| wanted.inside).collect();
    let programs = source.own(&inside)?;
    let system = || wanted.iter().map(ProgramFile::of_system).collect();
    Ok(Software::of(programs, system, source, packages, drivers))
}
