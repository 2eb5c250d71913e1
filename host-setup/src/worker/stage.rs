//! Builds a scene, and takes it down: containers first, so that they prepare themselves while the switch
//! starts; then links; then everything is ready, or nothing is left. It must not know the protocol's lines.

use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::container::{Container, State};
use super::rootfs::Rootfs;
use crate::affinity::pin;
use crate::facts::Privilege;
use crate::failure::During;
use crate::protocol::{Failure, FailureKind, PortCounters};
use crate::scene::Runtime;
use crate::scene::checked::CheckedScene;
use crate::switch::{self, Switch};

/// The kernel's bridge is ready within milliseconds; the slowest switch within seconds.
const READY: Duration = Duration::from_secs(10);

/// A scene that stands.
pub(super) struct Stage {
    switch: Option<Box<dyn Switch>>,
    pub containers: Vec<Container>,
}

impl Stage {
    /// Builds all of the scene; when a part fails, takes down what had been built.
    pub(super) fn build(scene: &CheckedScene, rootfs: &Rootfs, privilege: Privilege) -> Result<Stage, Failure> {
        if scene.runtime == Runtime::Lxc {
            let missing = |reason| Failure::new(FailureKind::Host, format!("build a scene with LXC: {reason}"));
            super::lxc::programs(privilege).map_err(missing)?;
        }
        if let Some(container) = scene.containers.iter().find(|container| !rootfs.has(&container.application)) {
            // Names the reason: unknown, or known and not here.
            crate::applications::file_of(&container.application)?;
            let message = format!("build a scene: application {} appeared after the lease", container.application);
            return Err(Failure::new(FailureKind::Host, message).advise("release the host and lease it again"));
        }
        let mut stage = Stage { switch: None, containers: Vec::new() };
        match stage.fill(scene, rootfs) {
            Ok(()) => Ok(stage),
            Err(failure) => {
                stage.take_down(rootfs)?;
                Err(failure)
            }
        }
    }

    fn fill(&mut self, scene: &CheckedScene, rootfs: &Rootfs) -> Result<(), Failure> {
        let sysctls = switch::container_sysctls(&scene.switch.kind);
        for container in &scene.containers {
            self.containers.push(Container::start(container, scene.runtime, rootfs, sysctls)?);
        }
        let switch = self.switch.insert(switch::start(&scene.switch.kind)?);
        for container in &self.containers {
            container.wait_prepared()?;
            switch.attach(&container.checked, container.pid)?;
            container.link_is_there();
        }
        for container in &self.containers {
            container.wait_linked()?;
        }
        switch.ready(Instant::now() + READY)?;
        if let Some(cpu) = scene.housekeeping {
            pin(&[cpu]).scene(|| format!("keep the agent to CPU {cpu}"))?;
        }
        Ok(())
    }

    /// Counts of the switch's ports.
    pub(super) fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.switch.as_mut().map_or(Ok(Vec::new()), |switch| switch.counters())
    }

    /// Takes everything down. Goes on after a failure and returns the first.
    pub(super) fn take_down(mut self, rootfs: &Rootfs) -> Result<(), Failure> {
        self.containers.iter().for_each(Container::kill);
        let mut result = self.switch.take().map_or(Ok(()), |mut switch| switch.stop());
        for container in &mut self.containers {
            if !matches!(container.state, State::Ended(_)) {
                let reaped =
                    waitpid(container.pid, None).scene(|| format!("reap container {}", container.checked.name));
                result = result.and(reaped.map(drop));
            }
            result = result.and(rootfs.remove_output(&container.output));
        }
        result
    }

    /// Notes which of the processes that have ended are containers; returns their places.
    pub(super) fn reap(&mut self) -> Vec<usize> {
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
                ended.push(place);
            }
        }
        ended
    }
}
