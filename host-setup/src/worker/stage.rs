//! Builds a scene, and takes it down: containers first, so that they prepare themselves while the switch
//! starts; then links; then everything is ready, or nothing is left. It must not know the protocol's lines.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::container::{Around, Container, State};
use super::makings::Makings;
use super::mapped::{self, Digests};
use super::memory;
use super::rootfs::Rootfs;
use crate::affinity::{pin, unpin};
use crate::facts::Privilege;
use crate::failure::During;
use crate::functions::{Function, devices};
use crate::meanings::Meanings;
use crate::netlink::Netlink;
use crate::protocol::{Failure, FailureKind, Mapped, PortCounters, UplinkState};
use crate::scene::checked::{CheckedLink, CheckedScene};
use crate::scene::{PORT_SOCKET, Uplink};
use crate::switch::uplink::By;
use crate::switch::{self, Site, Switch};

/// The kernel's bridge is ready within milliseconds, the slowest switch within seconds; a loaded host takes its
/// time.
const READY: Duration = Duration::from_secs(30);

/// A scene that stands.
pub(super) struct Stage {
    switch: Option<Box<dyn Switch>>,
    /// The interface to another host.
    uplink: Option<Uplink>,
    /// Whether that was down when the scene was built, so that its link has to come first.
    awaits_link: bool,
    pub containers: Vec<Container>,
    /// What containers are made with again; absent where applications cannot be started a second time.
    renewal: Option<Renewal>,
    housekeeping: Option<u32>,
}

/// What containers of a scene that stands are made with again.
struct Renewal {
    makings: Makings,
    sysctls: &'static [(&'static str, &'static str)],
}

/// What scenes of a lease are built with.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// Roots of containers.
    pub rootfs: &'a Rootfs,
    /// What names mean.
    pub meanings: &'a Meanings,
    /// Virtual functions of the lease.
    pub functions: &'a [Function],
    /// What the agent may do.
    pub privilege: Privilege,
}

/// A process of a scene that has ended by itself.
pub(super) enum Ended {
    /// The one of the container in this place.
    Container(usize),
    /// One of the switch.
    Switch { name: String, status: i32, last_lines: Vec<String> },
}

/// Whether applications of a scene can be started a second time: a card's functions are given once, and of switches not
/// all take a second one.
fn renews(scene: &CheckedScene) -> bool {
    scene.switch.uplink.is_none()
        && switch::descriptor(&scene.switch.kind).is_some_and(|descriptor| descriptor.renews)
        && scene.containers.iter().all(|container| !matches!(container.link, CheckedLink::Function { .. }))
}

/// Whether a container's application has all memory that it starts with. What connects to its socket has to start, to
/// get memory of its own and to learn how fast its clock goes before it looks for that.
fn has_memory(container: &Container) -> bool {
    container.state == State::Running && memory::is_had(container.pid)
}

/// Removes the socket that an application made and left when it was killed: in all scenes that are renewed it is theirs
/// to make.
fn forget_socket(container: &Container) -> Result<(), Failure> {
    let Some(folder) = switch::vhost_folder(&container.checked.link) else { return Ok(()) };
    match fs::remove_file(folder.join(PORT_SOCKET)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).scene(|| "remove the socket of an application that has ended".into())
        }
        _ => Ok(()),
    }
}

impl Stage {
    /// Builds all of the scene; when a part fails, takes down what had been built.
    pub(super) fn build(scene: &CheckedScene, given: Given) -> Result<Stage, Failure> {
        let Given { rootfs, meanings, privilege, .. } = given;
        let makings = Makings::of(scene.runtime, &meanings.stacks, &scene.switch.stack, privilege)?;
        if let Some(container) = scene.containers.iter().find(|container| !rootfs.has(&container.application)) {
            // Names the reason: unknown, or known and not here.
            crate::applications::file_of(&container.application)?;
            let message = format!("build a scene: application {} appeared after the lease", container.application);
            return Err(Failure::new(FailureKind::Host, message).advise("release the host and lease it again"));
        }
        let uplink = scene.switch.uplink.clone();
        let housekeeping = scene.housekeeping;
        let mut stage =
            Stage { switch: None, uplink, awaits_link: false, containers: Vec::new(), renewal: None, housekeeping };
        match stage.fill(scene, given, &makings) {
            Ok(()) => {
                let sysctls = switch::container_sysctls(&scene.switch.kind);
                stage.renewal = renews(scene).then_some(Renewal { makings, sysctls });
                Ok(stage)
            }
            Err(failure) => {
                stage.take_down(rootfs)?;
                Err(failure)
            }
        }
    }

    fn fill(&mut self, scene: &CheckedScene, given: Given, makings: &Makings) -> Result<(), Failure> {
        let Given { rootfs, meanings, functions, privilege } = given;
        let sysctls = switch::container_sysctls(&scene.switch.kind);
        switch::make_folders(scene)?;
        for container in &scene.containers {
            let around = Around { makings, rootfs, sysctls, devices: devices(&container.link, functions)? };
            self.containers.push(Container::start(container, &around)?);
        }
        let site = Site {
            scene,
            programs: Path::new(super::rootfs::PROGRAMS),
            stacks: &meanings.stacks,
            customs: &meanings.switches,
            functions,
            privilege,
        };
        self.awaits_link = self.brings_up()?;
        let switch = self.switch.insert(switch::start(&site)?);
        for container in &self.containers {
            container.wait_prepared()?;
            switch.attach(&container.checked, container.pid)?;
            container.link_is_there();
        }
        for container in &self.containers {
            container.wait_linked()?;
        }
        switch.ready(Instant::now() + READY)?;
        self.keep_house()
    }

    /// Keeps this process to the CPU of those who do not measure.
    fn keep_house(&self) -> Result<(), Failure> {
        let Some(cpu) = self.housekeeping else { return Ok(()) };
        pin(&[cpu]).scene(|| format!("keep the agent to CPU {cpu}"))
    }

    /// Whether its applications can be ended and others started in their place.
    pub(super) fn can_renew(&self) -> bool {
        self.renewal.is_some() && self.containers.iter().all(|container| container.network.is_some())
    }

    /// Makes containers whose applications have ended ready for others; the switch is the same.
    pub(super) fn renew(&mut self, rootfs: &Rootfs) -> Result<(), Failure> {
        let Some(Renewal { makings, sysctls }) = &self.renewal else { return Ok(()) };
        self.switch.as_mut().map_or(Ok(()), |switch| switch.renew())?;
        // As when the scene was built: containers that are kept to no CPU would keep to this process's.
        unpin().scene(|| "give the agent its CPUs back".into())?;
        for container in &mut self.containers {
            forget_socket(container)?;
            container.renew(&Around { makings, rootfs, sysctls, devices: Vec::new() })?;
        }
        for container in &self.containers {
            container.wait_prepared()?;
            container.link_is_there();
        }
        self.containers.iter().try_for_each(Container::wait_linked)?;
        self.keep_house()
    }

    /// Goes on joining the switch's ports to applications; whether every port forwards.
    pub(super) fn join(&mut self) -> Result<bool, Failure> {
        self.check_applications()?;
        let Stage { switch, containers, .. } = self;
        let have_memory = || containers.iter().all(has_memory);
        let joined = switch.as_mut().map_or(Ok(true), |switch| switch.join(&have_memory))?;
        if joined && self.awaits_link {
            self.awaits_link = self.uplink()?.is_some_and(|uplink| !uplink.carrier);
        }
        Ok(joined && !self.awaits_link)
    }

    /// Brings the interface to another host up if it is down, as it is when the kernel has just got its card back.
    fn brings_up(&self) -> Result<bool, Failure> {
        let Some(Uplink { device, by, .. }) = self.uplink.as_ref().filter(|uplink| uplink.by != By::Pci) else {
            return Ok(false);
        };
        let doing = || format!("bring {device} up");
        let mut netlink = Netlink::open().scene(doing)?;
        let was_down = !netlink.is_up(device).scene(doing)?;
        if was_down {
            netlink.set_up(device, *by == By::Kernel).scene(doing)?;
        }
        Ok(was_down)
    }

    /// The container whose application runs, and neither has made the socket that the one of container `name` connects to
    /// nor will have when that looks for it, if it is started now.
    pub(super) fn missing_socket(&self, name: &str) -> Option<&str> {
        let folder = |container: &Container| switch::vhost_folder(&container.checked.link);
        let connecting = self.containers.iter().find(|container| container.checked.name == name)?;
        let shared = folder(connecting)?;
        let listening = self.containers.iter().find(|container| {
            container.checked.name != name
                && container.state == State::Running
                && folder(container).as_ref() == Some(&shared)
        })?;
        (!shared.join(PORT_SOCKET).exists() && !has_memory(listening)).then_some(&*listening.checked.name)
    }

    /// Fails if an application has ended.
    pub(super) fn check_applications(&self) -> Result<(), Failure> {
        let ended = self.containers.iter().find(|container| matches!(container.state, State::Ended(_)));
        if let Some(container) = ended {
            let message = format!("join container {}: its application has ended", container.checked.name);
            let last_lines = container.streams.last_lines();
            return Err(Failure { last_lines, ..Failure::new(FailureKind::Scene, message) });
        }
        Ok(())
    }

    /// The executable files that the scene's processes have mapped.
    pub(super) fn mapped(&mut self, digests: &mut Digests) -> Result<Vec<Mapped>, Failure> {
        let containers = self.containers.iter().filter(|container| container.state == State::Running);
        let containers = containers.map(|container| (container.checked.name.clone(), container.pid));
        let switch = self.switch.iter().flat_map(|switch| switch.processes());
        mapped::read(containers.chain(switch), digests)
    }

    /// The scene's processes that live, as this process sees them: containers by name, then programs of the switch.
    pub(super) fn processes(&self) -> Vec<(String, u32)> {
        let lives = |container: &&Container| !matches!(container.state, State::Ended(_));
        let containers = self.containers.iter().filter(lives);
        let containers = containers.map(|container| (container.checked.name.clone(), container.pid));
        let switch = self.switch.iter().flat_map(|switch| switch.processes());
        containers.chain(switch).map(|(name, pid)| (name, pid.as_raw().unsigned_abs())).collect()
    }

    /// What the switch says of its own version.
    pub(super) fn reported(&mut self) -> Result<Option<String>, Failure> {
        self.switch.as_mut().map_or(Ok(None), |switch| switch.reported())
    }

    /// Counts of the switch's ports.
    pub(super) fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.switch.as_mut().map_or(Ok(Vec::new()), |switch| switch.counters())
    }

    /// How the interface to another host stands.
    pub(super) fn uplink(&mut self) -> Result<Option<UplinkState>, Failure> {
        let Some(Uplink { device, by, .. }) = &self.uplink else { return Ok(None) };
        if *by == By::Pci {
            return self.switch.as_mut().map_or(Ok(None), |switch| switch.uplink());
        }
        let doing = || format!("look at {device}");
        let carrier = Netlink::open().and_then(|mut netlink| netlink.carrier(device)).scene(doing)?;
        Ok(Some(UplinkState { carrier: carrier.up, changes: carrier.changes }))
    }

    /// Takes everything down. Goes on after a failure and returns the first.
    pub(super) fn take_down(mut self, rootfs: &Rootfs) -> Result<(), Failure> {
        self.containers.iter().for_each(Container::kill);
        let mut result = self.switch.take().map_or(Ok(()), |mut switch| switch.stop());
        if let Some(Uplink { device, by: By::AfXdp, .. }) = &self.uplink {
            let detached = Netlink::open().and_then(|mut netlink| netlink.detach_xdp(device));
            result = result.and(detached.scene(|| format!("free {device} of its switch")));
        }
        for container in &mut self.containers {
            if !matches!(container.state, State::Ended(_)) {
                let reaped =
                    waitpid(container.pid, None).scene(|| format!("reap container {}", container.checked.name));
                result = result.and(reaped.map(drop));
            }
            result = result.and(rootfs.remove_output(&container.output));
        }
        result.and(switch::remove_folders())
    }

    /// Notes which processes have ended.
    pub(super) fn reap(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let (pid, code) = match status {
                WaitStatus::Exited(pid, code) => (pid, code),
                WaitStatus::Signaled(pid, signal, _) => (pid, 128 + signal as i32),
                WaitStatus::StillAlive => break,
                _ => continue,
            };
            if let Some(place) = self.containers.iter().position(|container| container.pid == pid) {
                self.containers[place].state = State::Ended(code);
                ended.push(Ended::Container(place));
            } else if let Some((name, last_lines)) = self.switch.as_mut().and_then(|switch| switch.ended(pid, code)) {
                ended.push(Ended::Switch { name, status: code, last_lines });
            }
        }
        ended
    }
}
