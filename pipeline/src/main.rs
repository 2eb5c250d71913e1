//! `septet`: reads the command line, does what it says, prints what went wrong, exits with a stable code.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use pipeline::cli::Cli;
use pipeline::exit::Trouble;
use pipeline::visible;

fn main() -> ExitCode {
    pipeline::signals::outlive_limits();
    // Also of a command line that is wrong, of which nothing else is known.
    let as_json = std::env::args_os().any(|argument| argument == "--json");
    if let Err(trouble) = pipeline::limits::enough() {
        return tell(&trouble, as_json);
    }
    if let Some(remark) = pipeline::threads::prepare() {
        drop(writeln!(std::io::stderr().lock(), "septet: {remark}"));
    }
    // clap prints help to standard output with 0, and errors to standard error with 2, as is our custom.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if as_json && error.use_stderr() => return tell(&Trouble::input(error.to_string()), true),
        Err(error) => return printed(&error),
    };
    match cli.run() {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(trouble) => tell(&trouble, as_json),
    }
}

/// Prints help, a version, or what is wrong with a command line.
fn printed(error: &clap::Error) -> ExitCode {
    match error.print() {
        // Help that did not arrive is none; nobody listening wants no more of it.
        Err(failed) if !error.use_stderr() && failed.kind() != ErrorKind::BrokenPipe => {
            tell(&Trouble::host(format!("failed to print: {failed}")), false)
        }
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
    }
}

/// Says what went wrong to people, and under `--json` to programs as well, each where it listens.
fn tell(trouble: &Trouble, as_json: bool) -> ExitCode {
    let head = if trouble.diagnostics.is_some() || trouble.text.starts_with("error: ") { "" } else { "septet: " };
    // If standard error is gone, nobody can be told.
    let text = visible::shown(&format!("{head}{}\n", trouble.text.trim_end()));
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
    if as_json {
        drop(writeln!(std::io::stdout().lock(), "{}", visible::json(&format!("{:#}", trouble.json()))));
    }
    ExitCode::from(trouble.exit as u8)
}
