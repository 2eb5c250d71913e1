//! What shells know of the command line, made of its definition.

use clap::CommandFactory;

use super::{Cli, say};
use crate::exit::{Exit, Trouble};

/// `septet completions`.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "septet", &mut script);
    say(&String::from_utf8_lossy(&script))
}
