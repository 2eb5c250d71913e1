//! An agent on a node of a cluster, as a step of a job that has the node, started by the system's own srun. The programs
//! lie where both nodes see them, on the file system that the cluster shares. It must not know what is said to the agent.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::ssh::SILENCE_MAX;
use super::{Afar, AgentError, Programs, Transport};
use crate::slurm::commands;

/// A way to the agent of a node.
#[derive(Clone, Debug)]
pub struct Srun {
    /// The node, which is what the site calls the host; checked to be no option and one word.
    pub host: String,
    /// The job that has the node.
    pub job: u32,
    /// The program that lies beside this one.
    pub program: PathBuf,
    /// The agent that sudo starts there, if it does.
    pub sudo: Option<PathBuf>,
    /// What the agent and its generators must be.
    pub programs: Programs,
}

impl Transport for Srun {
    fn command(&self) -> Result<Command, AgentError> {
        let mut command = commands::command("srun");
        // The step takes the whole node, beside the job's script, and all of its CPUs.
        command.arg(format!("--jobid={}", self.job)).arg(format!("--nodelist={}", self.host));
        command.args([
            "--overlap",
            "--nodes=1",
            "--ntasks=1",
            "--cpu-bind=none",
            "--mpi=none",
            "--chdir=/",
            "--quiet",
            "--",
        ]);
        match &self.sudo {
            Some(program) => drop(command.args(["sudo", "-n"]).arg(program).arg("agent")),
            None if !self.program.is_file() => return Err(AgentError::NotFound(self.program.clone())),
            None => {
                command.arg(&self.program).arg("agent");
                if nix::unistd::geteuid().is_root() {
                    command.arg(host_setup::commander::AS_ROOT);
                }
            }
        }
        command.process_group(0);
        Ok(command)
    }

    fn afar(&self) -> Option<Afar<'_>> {
        let sudo = self.sudo.as_deref();
        Some(Afar { host: &self.host, silence_max: SILENCE_MAX, programs: &self.programs, sudo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_asked_for_on_one_node_beside_the_script() {
        let programs = Programs { list: Vec::new(), digest: String::new() };
        let sudo = Some(PathBuf::from("/opt/septet/septet-host"));
        let srun = Srun { host: "n2".into(), job: 7, program: PathBuf::new(), sudo, programs };
        let command = srun.command().expect("it is there");
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(
            words.join(" "),
            "--jobid=7 --nodelist=n2 --overlap --nodes=1 --ntasks=1 --cpu-bind=none --mpi=none --chdir=/ --quiet -- sudo -n \
             /opt/septet/septet-host agent"
        );
        assert!(matches!(Srun { sudo: None, ..srun }.command(), Err(AgentError::NotFound(_))));
    }
}
