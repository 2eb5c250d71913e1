//! How an agent is reached: which process is spawned, whose standard input and output are the agent's. The
//! conversation is the same over all of them. It must not know what is said.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{AgentError, Programs};

/// A way to an agent.
pub trait Transport: fmt::Debug + Send + Sync {
    /// The process to spawn. It is in a process group of its own, so that a Ctrl-C at the terminal reaches `septet`
    /// alone, which then ends it tidily.
    ///
    /// # Errors
    /// When what must be there is not.
    fn command(&self) -> Result<Command, AgentError>;

    /// Sees to it that there is something to spawn.
    ///
    /// # Errors
    /// When that cannot be.
    fn prepare(&self) -> Result<(), AgentError> {
        Ok(())
    }

    /// What holds of an agent on another host; absent on this one.
    fn afar(&self) -> Option<Afar<'_>> {
        None
    }
}

/// An agent on another host.
#[derive(Clone, Copy, Debug)]
pub struct Afar<'a> {
    /// What the site calls the host.
    pub host: &'a str,
    /// Silence after which either is gone to the other.
    pub silence_max: Duration,
    /// What it must be made of.
    pub programs: &'a Programs,
    /// The program that sudo starts there, if it does.
    pub sudo: Option<&'a Path>,
}

impl Afar<'_> {
    /// The error for an agent of another version: what to do about it.
    pub(super) fn other_program(&self, differences: Vec<String>) -> AgentError {
        let host = self.host.to_string();
        let remedy = match self.sudo {
            Some(program) => {
                let folder = program.parent().unwrap_or(Path::new("/"));
                let files: Vec<String> =
                    self.programs.list.iter().map(|program| program.path.display().to_string()).collect();
                format!(
                    "an administrator of {host} installs the programs of this build: copy {} there, then as root: \
                     install -m 755 {} {}; {}/host.toml has to name them (SECURITY.md)",
                    files.join(" "),
                    self.programs.list.iter().map(|program| program.name).collect::<Vec<_>>().join(" "),
                    folder.display(),
                    "/etc/septet"
                )
            }
            None => format!(
                "remove its copy, and it is copied again: ssh -- HOST rm -r .cache/septet/programs/{}",
                self.programs.digest
            ),
        };
        AgentError::OtherProgram { host, differences, remedy }
    }
}

/// The agent of this host, started by this user.
#[derive(Clone, Debug)]
pub struct Direct(PathBuf);

impl Direct {
    /// The program at this path.
    pub fn at(program: &Path) -> Direct {
        Direct(program.to_path_buf())
    }
}

impl Transport for Direct {
    fn command(&self) -> Result<Command, AgentError> {
        let mut command = agent(&self.0, Command::new(&self.0))?;
        // Root here is root there, also in a shell that sudo made.
        if nix::unistd::geteuid().is_root() {
            command.arg(host_setup::commander::AS_ROOT);
        }
        Ok(command)
    }
}

/// The agent of this host as root, where sudo lets this user start it without a password, and with nothing more said.
#[derive(Clone, Debug)]
pub struct Sudo(PathBuf);

impl Sudo {
    /// The program at this path, as the rule of sudo names it.
    pub fn at(program: &Path) -> Sudo {
        Sudo(program.to_path_buf())
    }
}

impl Transport for Sudo {
    fn command(&self) -> Result<Command, AgentError> {
        let mut command = Command::new("sudo");
        command.arg("-n").arg(&self.0);
        agent(&self.0, command)
    }
}

/// The command with what makes it an agent, if its program is there.
fn agent(program: &Path, mut command: Command) -> Result<Command, AgentError> {
    if !program.is_file() {
        return Err(AgentError::NotFound(program.to_path_buf()));
    }
    command.arg("agent").process_group(0);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_is_asked_for_exactly_what_its_rule_allows_and_never_for_a_password() {
        let program = std::env::current_exe().expect("a program");
        let shown = |command: Command| {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let own = program.display().to_string();
        let by_sudo = shown(Sudo::at(&program).command().expect("it is there"));
        assert_eq!(by_sudo, ["sudo", "-n", &own, "agent"]);
        let direct = shown(Direct::at(&program).command().expect("it is there"));
        assert_eq!(direct[..2], [own, "agent".to_string()]);
        for nowhere in [Sudo::at(Path::new("/nowhere")).command(), Direct::at(Path::new("/nowhere")).command()] {
            assert!(matches!(nowhere, Err(AgentError::NotFound(_))));
        }
    }
}
