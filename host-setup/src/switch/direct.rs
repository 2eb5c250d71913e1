//! No switch: the virtio device that one container drives is served by the other, so nothing forwards and
//! nothing is counted in between. The upper bound that every switch is read against.

use std::time::Instant;

use nix::unistd::Pid;

use super::{RenderError, Shape, Switch};
use crate::protocol::{Failure, PortCounters};
use crate::scene::checked::CheckedContainer;

pub(super) const KIND: &str = "direct";

pub(super) fn render(shape: &Shape) -> Result<String, RenderError> {
    if shape.cores != 0 {
        let reason = "there is no switch that could run on them";
        return Err(RenderError::Cpus { kind: KIND, cpus: shape.cores, reason });
    }
    if let memory @ Some(_) = shape.memory {
        return Err(RenderError::Memory { kind: KIND, memory, reason: "there is no switch that could use it" });
    }
    if shape.ports == 0 || shape.ports > 64 || !shape.ports.is_multiple_of(2) {
        return Err(RenderError::Ports { kind: KIND, ports: shape.ports, reason: "they are joined in pairs" });
    }
    Ok("pairs of virtio-user and vhost, without a switch\n".into())
}

pub(super) struct Direct;

impl Switch for Direct {
    fn attach(&mut self, _container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        Ok(())
    }

    fn ready(&mut self, _deadline: Instant) -> Result<(), Failure> {
        Ok(())
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        Ok(Vec::new())
    }

    fn stop(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
