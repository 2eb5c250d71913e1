//! What a switch is made of: programs, the drivers that they load by themselves, and libraries that go before the
//! system's. It must not know what any of them does.

use std::path::{Path, PathBuf};

use super::source::{self, ProgramFile, Source};
use super::uplink::By;
use crate::component::{self, ComponentError, Linker};
use crate::facts::Privilege;

/// Programs that are run, their packages, drivers that DPDK loads by itself, and folders of libraries that go before
/// the system's.
#[derive(Debug)]
pub(crate) struct Software {
    pub programs: Vec<PathBuf>,
    pub packages: &'static [&'static str],
    pub drivers: &'static [&'static str],
    /// Drivers by which its uplink is got at, where it has one; in a fingerprint of their own.
    pub uplink: &'static [&'static str],
    pub libraries: Vec<PathBuf>,
}

impl Software {
    /// The same with what an uplink takes besides.
    pub(super) fn with_uplink(self, by: Option<By>) -> Software {
        Software { uplink: by.map_or(&[], By::drivers), ..self }
    }

    /// What an uplink takes besides [`Software::files`]: drivers, and what those load that is no library. Programs that
    /// have their drivers inside take nothing else than themselves.
    pub(crate) fn files_of_uplink(&self, by: By) -> Result<Vec<PathBuf>, ComponentError> {
        let drivers = component::plugins::wanted(&self.linker(), &self.programs, by.drivers())?;
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
        let folders: Vec<String> = self.libraries.iter().map(|folder| folder.display().to_string()).collect();
        if folders.is_empty() { Vec::new() } else { vec![format!("LD_LIBRARY_PATH={}", folders.join(":"))] }
    }

    /// All files that are in use, programs first, then drivers.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, ComponentError> {
        let drivers = component::plugins::wanted(&self.linker(), &self.programs, self.drivers)?;
        Ok(self.programs.iter().cloned().chain(drivers).collect())
    }
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
        if let Some(problem) = source::untrusted(loaded.iter().map(|file| &*file.path)) {
            return Err(problem);
        }
    }
    Ok(Some(software))
}

/// What is made of programs of a source, or else of the system's.
pub(super) fn made_of(
    source: &Source,
    wanted: &[ProgramFile],
    packages: &'static [&'static str],
    drivers: &'static [&'static str],
) -> Result<Software, String> {
    let inside: Vec<&[&str]> = wanted.iter().map(|wanted| wanted.inside).collect();
    let system = || wanted.iter().map(|wanted| wanted.system.into()).collect();
    let programs = source.own(&inside)?.unwrap_or_else(system);
    Ok(Software { programs, packages, drivers, uplink: &[], libraries: source.libraries.clone() })
}
