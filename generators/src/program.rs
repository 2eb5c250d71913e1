//! What all generators' `main` is: arguments, the conversation, the exit code.
//! It must not know ports; `measure` does.

use std::io::Write;
use std::process::ExitCode;

use wire::Event;

use crate::caller::Caller;
use crate::failure::{Attempt, Failure};
use crate::sys::process::catch_stop_signals;
use crate::traffic::Traffic;

/// Runs the program `name`: reads a request and has `measure` do it.
pub fn run(name: &str, measure: impl FnOnce(&Traffic, &mut Caller) -> Result<(), Failure>) -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let answer = match (arguments.next(), arguments.next()) {
        (None, _) => return converse(measure),
        (Some(flag), None) if flag == "--version" => {
            writeln!(std::io::stdout(), "{name} {} (wire {})", env!("CARGO_PKG_VERSION"), wire::VERSION)
                .map(|()| ExitCode::SUCCESS)
        }
        _ => writeln!(
            std::io::stderr(),
            "{name}: takes no arguments but --version; it reads a request (JSON, one line) from standard input"
        )
        .map(|()| ExitCode::from(2)),
    };
    answer.unwrap_or(ExitCode::FAILURE)
}

fn converse(measure: impl FnOnce(&Traffic, &mut Caller) -> Result<(), Failure>) -> ExitCode {
    let Ok(mut caller) = Caller::open() else { return ExitCode::FAILURE };
    let answer = catch_stop_signals()
        .attempt(|| "catch signals".into())
        .and_then(|()| caller.request())
        .and_then(|traffic| measure(&traffic, &mut caller));
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody listens any more, the exit code has to say it all.
            let _ = caller.say(&Event::Failed { message: failure.to_string() });
            ExitCode::FAILURE
        }
    }
}
