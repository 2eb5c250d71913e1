//! A DPDK program that forwards between pairs of vhost-user ports which it makes itself: how it is started, when
//! it is ready, what it counted. It must not know which program it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::unistd::Pid;

use super::plugins::Shown;
use super::program::{Program, Start, pause};
use super::{Site, Software, Switch, telemetry, vhost};
use crate::failure::During;
use crate::protocol::{Failure, PortCounters};
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
}

impl Names {
    /// For keys.
    pub(super) fn neutral(cores: u32, ports: u32) -> Names {
        Names {
            main: "HOUSEKEEPING".into(),
            cores: (0..cores).map(|core| format!("CORE{core}")).collect(),
            sockets: (0..ports).map(|port| format!("PORT{port}")).collect(),
        }
    }

    /// For a run.
    pub(super) fn of(scene: &CheckedScene) -> Result<Names, Failure> {
        let sockets = vhost::sockets(scene)?;
        Ok(Names {
            main: scene.housekeeping.unwrap_or(0).to_string(),
            cores: scene.switch.cpus.iter().map(u32::to_string).collect(),
            sockets: sockets.iter().map(|socket| socket.display().to_string()).collect(),
        })
    }
}

/// The ports, as arguments for the EAL.
pub(super) fn ports(sockets: &[String], queues: u16) -> impl Iterator<Item = String> {
    let port = move |(port, socket): (usize, &String)| {
        format!("--vdev=net_vhost{port},iface={socket},queues={queues},client=0")
    };
    sockets.iter().enumerate().map(port)
}

/// The text of a command line for keys.
pub(super) fn text(program: &str, arguments: &[String]) -> String {
    format!("{program} {}\n", arguments.join(" "))
}

/// One that stands.
pub(super) struct Forwarder {
    program: Program,
    shown: Option<Shown>,
    sockets: Vec<PathBuf>,
    containers: Vec<String>,
}

impl Forwarder {
    pub(super) fn start(
        site: &Site,
        name: &'static str,
        program: &Path,
        software: &Software,
        arguments: &[String],
    ) -> Result<Forwarder, Failure> {
        let sockets = vhost::sockets(site.scene)?;
        telemetry::remove();
        let shown = Shown::only(&software.programs, software.drivers)?;
        let start = Start {
            name,
            program,
            arguments,
            environment: &[],
            cpu: site.scene.housekeeping,
            folder: Path::new(FOLDER),
        };
        match Program::start(&start) {
            Ok(program) => Ok(Forwarder { program, shown: Some(shown), sockets, containers: Vec::new() }),
            Err(failure) => {
                shown.all()?;
                Err(failure)
            }
        }
    }
}

impl Switch for Forwarder {
    fn attach(&mut self, container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        self.containers.push(container.name.clone());
        Ok(())
    }

    fn ready(&mut self, deadline: Instant) -> Result<(), Failure> {
        // The last thing that it does before it forwards is to make the sockets and, before them, this one.
        while !(telemetry::is_there() && self.sockets.iter().all(|socket| socket.exists())) {
            self.program.check()?;
            if Instant::now() >= deadline {
                return Err(self.program.failure("wait for", "it did not open its ports in time"));
            }
            pause()?;
        }
        Ok(())
    }

    fn join(&mut self) -> Result<bool, Failure> {
        self.program.check()?;
        vhost::forward(&self.program.said(), &self.sockets).map_err(|line| self.program.failure("join ports of", &line))
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.program.check()?;
        telemetry::counters(&self.containers)
    }

    fn processes(&self) -> Vec<(String, Pid)> {
        vec![(self.program.name.into(), self.program.pid)]
    }

    fn ended(&mut self, process: Pid, status: i32) -> Option<(String, Vec<String>)> {
        self.program.ended(process, status).then(|| (self.program.name.into(), self.program.last_lines()))
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let mut result = self.program.kill();
        if let Some(shown) = self.shown.take() {
            result = result.and(shown.all());
        }
        telemetry::remove();
        let removed = fs::remove_dir_all(FOLDER).scene(|| format!("remove the folder of {}", self.program.name));
        result.and(removed)
    }
}
