//! A DPDK program that forwards between pairs of vhost-user ports, connected to sockets of the applications: how
//! it is started, when it forwards, what it counted. It must not know which program it is.

use super::kept::{Kept, Single, Way};
use super::plugins::Shown;
use super::{Shape, Site, Software, Switch, telemetry, uplink, vhost};
use crate::eal::Memory;
use crate::protocol::{Failure, PortCounters};
use crate::scene::checked::CheckedScene;

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

/// One that forwards, or waits for the sockets that it connects to. DPDK's vhost library looks at a connection that it
/// makes at once, and at a socket that it listens on only up to a second later: so the program is started last.
pub(super) struct Forwarder {
    arguments: Vec<String>,
    shown: Option<Shown>,
}

impl Forwarder {
    /// Makes one ready to be started when every application has made its socket.
    pub(super) fn waiting(
        site: &Site,
        name: &'static str,
        software: Software,
        arguments: Vec<String>,
    ) -> Result<Box<dyn Switch>, Failure> {
        let kept = Kept::new(site, name, software, FOLDER, site.scene.housekeeping)?;
        Ok(Single::boxed(kept, Forwarder { arguments, shown: None }))
    }
}

impl Way for Forwarder {
    fn starts_slowly(&self) -> bool {
        true
    }

    fn begin(&mut self, kept: &mut Kept) -> Result<(), Failure> {
        telemetry::remove();
        self.shown = Some(Shown::only(&kept.software)?);
        kept.start(&self.arguments)
    }

    fn forwards(&mut self, kept: &mut Kept) -> Result<bool, Failure> {
        let sockets = kept.sockets.clone();
        let program = kept.running()?;
        vhost::forward(&program.said(), &sockets).map_err(|line| program.failure("join ports of", &line))
    }

    fn counters(&mut self, kept: &mut Kept) -> Result<Vec<PortCounters>, Failure> {
        telemetry::counters(&kept.containers)
    }

    fn reported(&mut self, _kept: &mut Kept) -> Result<Option<String>, Failure> {
        telemetry::version()
    }

    fn tidy(&mut self, _kept: &mut Kept) -> Result<(), Failure> {
        telemetry::remove();
        self.shown.take().map_or(Ok(()), Shown::all)
    }
}
