//! What containers are made of besides applications: a static BusyBox and the programs of LXC, the system's or those of
//! a stack. It must not know scenes, or what runs in a container.

use std::path::{Path, PathBuf};

use crate::component::{ComponentError, Linker, elf};
use crate::facts::Privilege;
use crate::failure::During;
use crate::protocol::Failure;
use crate::scene::Runtime;
use crate::switch::{Source, Stacks, untrusted};

/// Starts a container.
const EXECUTE: &str = "/usr/bin/lxc-execute";
/// Runs inside as its first process; by this name the other one finds it, wherever it lies itself.
pub(super) const INIT: &str = "/usr/sbin/init.lxc.static";

/// The programs of LXC.
#[derive(Clone, Debug)]
pub(crate) struct Lxc {
    pub execute: PathBuf,
    pub init: PathBuf,
    /// Folders of libraries that go before the system's; none for the system's own.
    pub libraries: Vec<PathBuf>,
    /// Whether it is a stack's.
    pub of_stack: bool,
}

impl Lxc {
    /// Where its programs find libraries.
    pub(crate) fn linker(&self) -> Linker {
        Linker::of_host().searching_first(&self.libraries)
    }

    /// The program files of a container runtime.
    pub(crate) fn programs(&self) -> [&Path; 2] {
        [&self.execute, &self.init]
    }
}

/// LXC of a source, or else the system's; or why it cannot be had here.
pub(crate) fn lxc(privilege: Privilege, source: &Source) -> Result<Lxc, String> {
    if privilege != Privilege::Root {
        return Err("runtime lxc needs root".into());
    }
    let lxc = match source.own(&[&["bin/lxc-execute"], &["sbin/init.lxc.static", "bin/init.lxc.static"]])? {
        Some(programs) => match <[PathBuf; 2]>::try_from(programs) {
            Ok([execute, init]) => Lxc { execute, init, libraries: source.libraries.clone(), of_stack: true },
            Err(programs) => return Err(format!("LXC is two programs, and not {programs:?}")),
        },
        None => Lxc { execute: EXECUTE.into(), init: INIT.into(), libraries: Vec::new(), of_stack: false },
    };
    if let Some(program) = lxc.programs().into_iter().find(|program| !program.is_file()) {
        return Err(format!("LXC is not installed ({} is not there)", program.display()));
    }
    if lxc.of_stack {
        let loaded =
            lxc.linker().closure(&lxc.programs()).map_err(|error: ComponentError| format!("failed to {error}"))?;
        untrusted(loaded.iter().map(|file| &*file.path)).map_or(Ok(()), Err)?;
    }
    Ok(lxc)
}

/// A stack's own BusyBox; none for one that has none, whose containers have the system's.
pub(crate) fn busybox(source: &Source) -> Result<Option<PathBuf>, String> {
    let Some(busybox) = source.own(&[&["bin/busybox"]])?.and_then(|programs| programs.into_iter().next()) else {
        return Ok(None);
    };
    if !elf::is_static(&busybox) {
        return Err(format!("{} is no static program: nothing else could be used in containers", busybox.display()));
    }
    untrusted([&*busybox].into_iter()).map_or(Ok(Some(busybox.clone())), Err)
}

/// What the containers of a scene are made of.
pub(super) struct Makings {
    pub runtime: Runtime,
    /// A BusyBox in place of the one that is in the roots.
    pub busybox: Option<PathBuf>,
    /// Absent for runtimes that do without.
    pub lxc: Option<Lxc>,
}

impl Makings {
    /// What containers are made of in a stack.
    pub(super) fn of(runtime: Runtime, stacks: &Stacks, stack: &str, privilege: Privilege) -> Result<Makings, Failure> {
        let doing = || format!("build a scene with {}", runtime.name());
        let source = |component| stacks.source(stack, component).host(doing);
        let busybox = busybox(&source(crate::stack::BUSYBOX)?).host(doing)?;
        let lxc = match runtime {
            Runtime::Netns => None,
            Runtime::Lxc => Some(lxc(privilege, &source(crate::stack::LXC)?).host(doing)?),
        };
        Ok(Makings { runtime, busybox, lxc })
    }
}
