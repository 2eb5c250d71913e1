//! Why a conversation with an agent failed, in words. It must not know how it is reached.

use std::io;
use std::path::PathBuf;

use host_setup::protocol::Failure;

/// Why a conversation failed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The agent's program is not where it must be.
    #[error(
        "failed to find septet-host at {0}: it must lie beside the septet program; `make build` puts both into target/release"
    )]
    NotFound(PathBuf),
    /// The agent could not be started.
    #[error("failed to start {path}: {source}")]
    Spawn {
        /// The program.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The agent is gone, or says nothing.
    #[error("failed to hear from {whom}: {reason}{}", last(.last_lines))]
    Gone {
        /// The agent, with its host if that is another one.
        whom: String,
        /// In words.
        reason: String,
        /// Last lines of its standard error.
        last_lines: Vec<String>,
    },
    /// Another host cannot be reached, or does not do what is asked of it over ssh.
    #[error("failed to {doing} on {host}: {reason}\nto try it by hand: ssh -o BatchMode=yes -- {destination} true")]
    Unreached {
        /// What the site calls it.
        host: String,
        /// What was to be done.
        doing: String,
        /// In words, with what ssh said.
        reason: String,
        /// What ssh calls it.
        destination: String,
    },
    /// The agent of another host is not the one that goes with this program.
    #[error("failed to use septet-host on {host}: {}\n{remedy}", .differences.join(", "))]
    OtherProgram {
        /// What the site calls it.
        host: String,
        /// What differs.
        differences: Vec<String>,
        /// What to do.
        remedy: String,
    },
    /// The agent answered that it could not.
    #[error("failed to {doing}: {}", shown(.failure))]
    Refused {
        /// What was asked.
        doing: &'static str,
        /// The agent's answer.
        failure: Failure,
    },
    /// The agent holds the host no longer.
    #[error("failed to {}\nwhat is stored is kept, the next run goes on from there", shown(.0))]
    Lost(Failure),
    /// The agent said something that this program does not understand.
    #[error("failed to understand septet-host: {0}; both programs must be of one build")]
    Nonsense(String),
    /// The user pressed Ctrl-C, or a time limit was reached.
    #[error("interrupted")]
    Interrupted,
    /// Any of the others, of one host among several.
    #[error("{}", on_host(.host, .error))]
    On {
        /// What people call the host.
        host: String,
        /// What went wrong there.
        error: Box<AgentError>,
    },
}

impl AgentError {
    /// Adds the name of the host that the error comes from.
    #[must_use]
    pub fn on(self, host: String) -> AgentError {
        match self {
            // These say it already.
            AgentError::Interrupted
            | AgentError::On { .. }
            | AgentError::Unreached { .. }
            | AgentError::OtherProgram { .. } => self,
            AgentError::Gone { ref whom, .. } if whom.ends_with(&format!(" on {host}")) => self,
            error => AgentError::On { host, error: Box::new(error) },
        }
    }
}

fn on_host(host: &str, error: &AgentError) -> String {
    let text = error.to_string();
    format!("failed on host {host} to {}", text.strip_prefix("failed to ").unwrap_or(&text))
}

pub(super) fn last(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  | {line}")).collect()
}

fn shown(failure: &Failure) -> String {
    let advice = failure.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("{}{advice}{}", failure.message, last(&failure.last_lines))
}
