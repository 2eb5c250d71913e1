//! A DPDK program that forwards between pairs of vhost-user ports, connected to sockets of the applications: how
//! it is started, when it forwards, what it counted. It must not know which program it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::unistd::Pid;

use super::plugins::Shown;
use super::program::{Program, Start};
use super::{Shape, Site, Software, Switch, telemetry, uplink, vhost};
use crate::eal::Memory;
use crate::failure::During;
use crate::protocol::{Failure, FailureKind, PortCounters};
use crate::scene::checked::{CheckedContainer, CheckedScene};

/// Below the worker's private /run.
const FOLDER: &str = "/run/septet/switch";

/// Names of what differs from run to run: CPUs and sockets.
pub(super) struct Names {
    /// The housekeeping CPU.
    pub main: String,
    /// CPUs that poll.
    pub cores: Vec<String>,
    /// Sockets of the ports.
    pub sockets: Vec<String>,
    /// The interface or device of the uplink, where there is one.
    pub uplink: String,
}

impl Names {
    /// For keys.
    pub(super) fn neutral(cores: u32, ports: u32) -> Names {
        Names {
            main: "HOUSEKEEPING".into(),
            cores: (0..cores).map(|core| format!("CORE{core}")).collect(),
            sockets: (0..ports).map(|port| format!("PORT{port}")).collect(),
            uplink: uplink::NEUTRAL.into(),
        }
    }

    /// For a run.
    pub(super) fn of(scene: &CheckedScene) -> Result<Names, Failure> {
        let sockets = vhost::sockets(scene)?;
        Ok(Names {
            main: scene.housekeeping.unwrap_or(0).to_string(),
            cores: scene.switch.cpus.iter().map(u32::to_string).collect(),
            sockets: sockets.iter().map(|socket| socket.display().to_string()).collect(),
            uplink: scene.switch.uplink.as_ref().map(|uplink| uplink.device.clone()).unwrap_or_default(),
        })
    }
}

/// What the memory of a shape that fits a DPDK program is made of.
pub(super) fn pages(shape: &Shape) -> Memory {
    // One without was refused.
    shape.memory.unwrap_or(Memory::NoHuge)
}

/// The ports, as arguments for the EAL.
pub(super) fn ports(sockets: &[String], queues: u16) -> impl Iterator<Item = String> {
    let port = move |(port, socket): (usize, &String)| {
        format!("--vdev=net_vhost{port},iface={socket},queues={queues},client=1")
    };
    sockets.iter().enumerate().map(port)
}

/// The text of a command line for keys.
pub(super) fn text(program: &str, arguments: &[String]) -> String {
    format!("{program} {}\n", arguments.join(" "))
}

/// One that stands, or waits for the sockets that it connects to.
pub(super) struct Forwarder {
    name: &'static str,
    arguments: Vec<String>,
    software: Software,
    cpu: Option<u32>,
    program: Option<Program>,
    shown: Option<Shown>,
    sockets: Vec<PathBuf>,
    containers: Vec<String>,
}

impl Forwarder {
    /// Makes one ready to be started, by [`Switch::join`], when every application has made its socket.
    pub(super) fn new(
        site: &Site,
        name: &'static str,
        software: Software,
        arguments: Vec<String>,
    ) -> Result<Forwarder, Failure> {
        let sockets = vhost::sockets(site.scene)?;
        let cpu = site.scene.housekeeping;
        let containers = Vec::new();
        Ok(Forwarder { name, arguments, software, cpu, program: None, shown: None, sockets, containers })
    }

    fn start(&mut self) -> Result<(), Failure> {
        telemetry::remove();
        self.shown = Some(Shown::only(&self.software)?);
        let environment = self.software.environment();
        let missing = || Failure::new(FailureKind::Host, format!("start {}: it has no program", self.name));
        let start = Start {
            name: self.name,
            program: self.software.programs.first().ok_or_else(missing)?,
            arguments: &self.arguments,
            environment: &environment,
            cpu: self.cpu,
            folder: Path::new(FOLDER),
        };
        self.program = Some(Program::start(&start)?);
        Ok(())
    }

    fn program(&mut self) -> Result<&mut Program, Failure> {
        let name = self.name;
        let missing = || Failure::new(FailureKind::Scene, format!("speak to {name}: it was not started"));
        self.program.as_mut().ok_or_else(missing)
    }
}

impl Switch for Forwarder {
    fn attach(&mut self, container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        self.containers.push(container.name.clone());
        Ok(())
    }

    fn ready(&mut self, _deadline: Instant) -> Result<(), Failure> {
        Ok(())
    }

    /// DPDK's vhost library looks at a connection that it makes at once, and at a socket that it listens on
    /// only up to a second later: so applications listen, and the switch comes last.
    fn join(&mut self) -> Result<bool, Failure> {
        if self.program.is_none() {
            if !self.sockets.iter().all(|socket| socket.exists()) {
                return Ok(false);
            }
            self.start()?;
        }
        let sockets = self.sockets.clone();
        let program = self.program()?;
        program.check()?;
        vhost::forward(&program.said(), &sockets).map_err(|line| program.failure("join ports of", &line))
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.program()?.check()?;
        telemetry::counters(&self.containers)
    }

    fn reported(&mut self) -> Result<Option<String>, Failure> {
        self.program()?.check()?;
        telemetry::version()
    }

    fn processes(&self) -> Vec<(String, Pid)> {
        self.program.iter().map(|program| (program.name.into(), program.pid)).collect()
    }

    fn ended(&mut self, process: Pid, status: i32) -> Option<(String, Vec<String>)> {
        let program = self.program.as_mut()?;
        program.ended(process, status).then(|| (program.name.into(), program.last_lines()))
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let mut result = self.program.as_mut().map_or(Ok(()), Program::kill);
        if let Some(shown) = self.shown.take() {
            result = result.and(shown.all());
        }
        telemetry::remove();
        match fs::remove_dir_all(FOLDER) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                result.and(Err(error).scene(|| format!("remove the folder of {}", self.name)))
            }
            _ => result,
        }
    }
}
