//! A switch of one program with vhost-user ports: started, told of its ports when every application has made its
//! socket, asked, and ended. It must not know which program it is, or what its ports are called.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::unistd::Pid;

use super::program::{Program, Start};
use super::{Site, Software, Switch, vhost};
use crate::failure::During;
use crate::protocol::{Failure, FailureKind, PortCounters, UplinkState};
use crate::scene::checked::CheckedContainer;

/// The program, its ports, and who is at them.
pub(super) struct Kept {
    /// What it goes by.
    pub name: &'static str,
    /// What it is made of.
    pub software: Software,
    /// Sockets of its ports, in order of containers.
    pub sockets: Vec<PathBuf>,
    /// Containers that were attached.
    pub containers: Vec<String>,
    folder: &'static Path,
    cpu: Option<u32>,
    program: Option<Program>,
}

impl Kept {
    /// One that is not started yet. It says what it says into a folder of its own, which goes with it; those of its
    /// threads that choose no CPU keep to `cpu`.
    pub(super) fn new(
        site: &Site,
        name: &'static str,
        software: Software,
        folder: &'static str,
        cpu: Option<u32>,
    ) -> Result<Kept, Failure> {
        let sockets = vhost::sockets(site.scene)?;
        Ok(Kept { name, software, sockets, containers: Vec::new(), folder: Path::new(folder), cpu, program: None })
    }

    /// Writes a file of its folder that it reads; where it is.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        fs::create_dir_all(self.folder)
            .and_then(|()| fs::write(&path, text))
            .scene(|| format!("write {name} for {}", self.name))?;
        Ok(path)
    }

    /// Starts it.
    pub(super) fn start(&mut self, arguments: &[String]) -> Result<(), Failure> {
        let missing = || Failure::new(FailureKind::Host, format!("start {}: it has no program", self.name));
        let start = Start {
            name: self.name,
            program: self.software.programs.first().ok_or_else(missing)?,
            arguments,
            environment: &self.software.environment(),
            cpu: self.cpu,
            folder: self.folder,
        };
        self.program = Some(Program::start(&start)?);
        Ok(())
    }

    /// The program, which runs.
    pub(super) fn running(&mut self) -> Result<&mut Program, Failure> {
        let name = self.name;
        let missing = || Failure::new(FailureKind::Scene, format!("speak to {name}: it was not started"));
        let program = self.program.as_mut().ok_or_else(missing)?;
        program.check()?;
        Ok(program)
    }

    /// The process, if it was ever started.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.program.as_ref().map(|program| program.pid)
    }

    /// Whether every application has made its socket.
    fn all_listen(&self) -> bool {
        self.sockets.iter().all(|socket| socket.exists())
    }
}

/// What one such switch does otherwise than another.
pub(super) trait Way {
    /// Returns when it waits for nothing but applications.
    fn ready(&mut self, _kept: &mut Kept, _deadline: Instant) -> Result<(), Failure> {
        Ok(())
    }
    /// Whether it needs so long until it looks for sockets that it can begin when every application has its memory; if
    /// one is late all the same, the program looks again.
    fn starts_slowly(&self) -> bool {
        false
    }
    /// Every application has made its socket, or is about to: has them joined.
    fn begin(&mut self, kept: &mut Kept) -> Result<(), Failure>;
    /// Whether every port forwards.
    fn forwards(&mut self, kept: &mut Kept) -> Result<bool, Failure>;
    /// What the ports counted, in order of containers.
    fn counters(&mut self, kept: &mut Kept) -> Result<Vec<PortCounters>, Failure>;
    /// How its way to another host stands, where a driver of its own has the card.
    fn uplink(&mut self, _kept: &mut Kept) -> Result<Option<UplinkState>, Failure> {
        Ok(None)
    }
    /// What it says of its own version.
    fn reported(&mut self, _kept: &mut Kept) -> Result<Option<String>, Failure> {
        Ok(None)
    }
    /// Removes what its death left, but its folder.
    fn tidy(&mut self, kept: &mut Kept) -> Result<(), Failure>;
}

/// A switch of one program.
pub(super) struct Single<W> {
    kept: Kept,
    way: W,
    begun: bool,
}

impl<W: Way + 'static> Single<W> {
    /// A switch of a program that was started, or that [`Way::begin`] will start.
    pub(super) fn boxed(kept: Kept, way: W) -> Box<dyn Switch> {
        Box::new(Single { kept, way, begun: false })
    }
}

impl<W: Way> Switch for Single<W> {
    fn attach(&mut self, container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        self.kept.containers.push(container.name.clone());
        Ok(())
    }

    fn ready(&mut self, deadline: Instant) -> Result<(), Failure> {
        self.way.ready(&mut self.kept, deadline)
    }

    /// A program that looks for a socket which is not there yet looks again only after a while, so applications listen
    /// first, and the switch comes last.
    fn join(&mut self, have_memory: &dyn Fn() -> bool) -> Result<bool, Failure> {
        if !self.begun {
            let may_begin = self.kept.all_listen() || self.way.starts_slowly() && have_memory();
            if !may_begin {
                return Ok(false);
            }
            self.way.begin(&mut self.kept)?;
            self.begun = true;
        }
        self.way.forwards(&mut self.kept)
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.kept.running()?;
        self.way.counters(&mut self.kept)
    }

    fn uplink(&mut self) -> Result<Option<UplinkState>, Failure> {
        self.kept.running()?;
        self.way.uplink(&mut self.kept)
    }

    fn reported(&mut self) -> Result<Option<String>, Failure> {
        self.kept.running()?;
        self.way.reported(&mut self.kept)
    }

    fn processes(&self) -> Vec<(String, Pid)> {
        self.kept.program.iter().map(|program| (program.name.into(), program.pid)).collect()
    }

    fn ended(&mut self, process: Pid, status: i32) -> Option<(String, Vec<String>)> {
        let program = self.kept.program.as_mut()?;
        program.ended(process, status).then(|| (program.name.into(), program.last_lines()))
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let killed = self.kept.program.as_mut().map_or(Ok(()), Program::kill);
        let result = killed.and(self.way.tidy(&mut self.kept));
        match fs::remove_dir_all(self.kept.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                result.and(Err(error).scene(|| format!("remove the folder of {}", self.kept.name)))
            }
            _ => result,
        }
    }
}
