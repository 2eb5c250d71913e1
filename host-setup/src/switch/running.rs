//! A switch that runs: what it is given to start, and what is asked of it until it is stopped. It must not know which
//! switch it is.

use std::path::Path;
use std::time::Instant;

use nix::unistd::Pid;

use super::custom::Customs;
use super::source::{Source, Stacks};
use crate::facts::Privilege;
use crate::failure::During;
use crate::functions::Function;
use crate::protocol::{Failure, PortCounters, UplinkState};
use crate::scene::checked::{CheckedContainer, CheckedScene};

/// What a switch that is being started needs to know.
pub(crate) struct Site<'a> {
    /// The scene that it is part of.
    pub scene: &'a CheckedScene,
    /// Where the agent keeps copies of programs that lie beside it.
    pub programs: &'a Path,
    /// What names of stacks mean.
    pub stacks: &'a Stacks,
    /// Switches that a site defines.
    pub customs: &'a Customs,
    /// What the agent may do.
    pub privilege: Privilege,
    /// Virtual functions of the lease.
    pub functions: &'a [Function],
}

impl Site<'_> {
    /// Where the scene's switch comes from.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        let crate::scene::Switch { kind, stack, .. } = &self.scene.switch;
        self.stacks.source(stack, kind).request(|| format!("find {kind}"))
    }
}

/// A switch that stands. Dropping it is not enough: [`Switch::stop`] takes it down.
pub(crate) trait Switch {
    /// One more port, for a container whose namespaces `_process` holds. A link's end there is left down:
    /// whoever is inside gives it its addresses.
    fn attach(&mut self, _container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        Ok(())
    }
    /// Returns when every port forwards, or waits for nothing but an application to open its end.
    fn ready(&mut self, _deadline: Instant) -> Result<(), Failure> {
        Ok(())
    }
    /// Goes on joining the ports to applications that run; whether every port forwards. It is asked again and
    /// again until then, so it does not wait. `have_memory` says whether every application has the memory that it starts
    /// with: of hosts with several NUMA nodes, none is left without what it needs near its core by what comes after it,
    /// and a program that is started now finds the sockets that they are about to make.
    fn join(&mut self, _have_memory: &dyn Fn() -> bool) -> Result<bool, Failure> {
        Ok(true)
    }
    /// Is told that all applications have ended, and that others will be started in the same containers.
    fn renew(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    /// What the ports counted, in order of attaching; nothing of those that count nothing.
    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        Ok(Vec::new())
    }
    /// How its way to another host stands, where a driver of its own has the card.
    fn uplink(&mut self) -> Result<Option<UplinkState>, Failure> {
        Ok(None)
    }
    /// What its program, which runs, says of its own version; none for one that is not asked.
    fn reported(&mut self) -> Result<Option<String>, Failure> {
        Ok(None)
    }
    /// Processes of the switch, with a name for people.
    fn processes(&self) -> Vec<(String, Pid)> {
        Vec::new()
    }
    /// Is told of a process that has ended; if it is one of its own, what the switch would say of that.
    fn ended(&mut self, _process: Pid, _status: i32) -> Option<(String, Vec<String>)> {
        None
    }
    /// Takes down everything that starting it and [`Switch::attach`] made.
    fn stop(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
