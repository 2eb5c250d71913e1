//! Programs that a user runs inside of a scene that stands: beside its switch, or in one of its containers. It must not
//! know what is measured there.

use std::process::{Command, ExitStatus};

use host_setup::protocol::{Answer, Failure, FailureKind, Op};

use super::{Agent, AgentError, unexpected};

/// What enters namespaces; every Linux has it (util-linux).
const ENTER: &str = "nsenter";
/// What is run if nothing is named.
const SHELL: &str = "/bin/sh";

impl Agent {
    /// The scene's processes: containers by name, then programs of the switch.
    pub fn processes(&mut self) -> Result<Vec<(String, u32)>, AgentError> {
        match self.ask("list the scene's processes", Op::Processes)? {
            Answer::Processes(processes) => Ok(processes),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a shell, or `words` instead, in the scene that stands, and returns when it has ended: in the container of
    /// process `of` of the scene, or beside the switch. It shares this program's terminal, and dies with the scene.
    ///
    /// # Errors
    /// When the agent does not say where that is, or nothing can be run there.
    pub fn run_inside(&mut self, of: Option<(&str, u32)>, words: &[String]) -> Result<ExitStatus, AgentError> {
        if self.wall_ahead_ns.is_some() {
            let message = "enter the scene: it is on another host";
            let failure =
                Failure::new(FailureKind::Host, message).advise("run septet there, or name a host that is here");
            return Err(AgentError::Refused { doing: "run a shell", failure });
        }
        let (pid, user_namespace) = match self.ask("find the scene", Op::Inside)? {
            Answer::Inside { pid, user_namespace } => (pid, user_namespace),
            other => return Err(unexpected(&other)),
        };
        let mut command = Command::new(ENTER);
        command.arg(format!("--target={pid}"));
        if user_namespace {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--mount", "--net", "--pid", "--ipc", "--uts", "--"]);
        if let Some((_, pid)) = of {
            // From in there it has the number that the worker knows.
            command.args([ENTER, &format!("--target={pid}")]);
            command.args(["--mount", "--net", "--pid", "--ipc", "--uts", "--root", "--wd=/", "--"]);
        }
        match words {
            [] => command.arg(SHELL),
            words => command.args(words),
        };
        let place = of.map_or("switch", |(name, _)| name);
        command.env("PS1", format!("septet {place} # "));
        command.status().map_err(|source| AgentError::Spawn { path: ENTER.into(), source })
    }

    /// What was captured at a container, as a pcap file.
    pub fn captured(&mut self, container: &str) -> Result<Vec<u8>, AgentError> {
        self.bulks.clear();
        self.done("hand over what was captured", Op::Captured { container: container.to_string() })?;
        match self.bulks.pop() {
            Some((bulk, bytes)) if blake3::hash(&bytes).to_hex().as_str() == bulk.blake3 => Ok(bytes),
            _ => Err(AgentError::Nonsense(format!("what was captured at {container} did not arrive whole"))),
        }
    }
}
