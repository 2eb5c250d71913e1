//! What one command has asked this host already, so that it is not asked twice. It must not know what the answer is for.

use std::thread::{self, JoinHandle};

use host_setup::facts::Facts;
use host_setup::protocol::Names;

use super::{About, Chosen, THIS_HOST, Where, start};
use crate::exit::Trouble;
use crate::stand::{Ground, Site};
use crate::workspace::Workspace;

/// What this host is, as an agent says that was told these names.
#[derive(Debug)]
pub(in crate::cli) struct Seen {
    names: Names,
    pub(in crate::cli) facts: Facts,
}

/// What a command has asked this host already.
#[derive(Debug)]
pub(in crate::cli) enum Known {
    /// The agent may still be looking around.
    Asked(JoinHandle<Option<Seen>>),
    /// It has answered.
    Told(Box<Seen>),
}

impl Known {
    /// Asks this host; none where no thread can be made.
    pub(in crate::cli) fn ask(names: Names) -> Option<Known> {
        let seen = move || {
            let mut agent = start(names.clone()).ok()?;
            let facts = agent.facts(false).ok()?;
            agent.bye().ok()?;
            Some(Seen { names, facts })
        };
        thread::Builder::new().spawn(seen).ok().map(Known::Asked)
    }

    /// The answer; none where the host cannot be asked: whoever asks it again is told why.
    pub(in crate::cli) fn wait(self) -> Option<Seen> {
        match self {
            Known::Asked(asked) => asked.join().ok().flatten(),
            Known::Told(seen) => Some(*seen),
        }
    }

    /// The stand of an experiment, where it is this host and no other names are used.
    pub(super) fn ground(self, workspace: &Workspace, on: &Where) -> Result<Option<Ground>, Trouble> {
        let Chosen { plans, names, cluster, .. } = Chosen::of(workspace, on, std::iter::empty())?;
        if on.refresh || !plans.is_empty() || cluster.is_some() {
            return Ok(None);
        }
        let Some(Seen { facts, .. }) = self.wait().filter(|seen| seen.names == names) else { return Ok(None) };
        let facts = About::default().facts(workspace, THIS_HOST, facts)?;
        Ok(Some(Ground { hosts: vec![Site { name: THIS_HOST.to_string(), facts }], cable: None }))
    }
}
