//! `septet`: reads the command line, does what it says, prints what went wrong, exits with a stable code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use pipeline::cli::Cli;
use pipeline::exit::Trouble;

fn main() -> ExitCode {
    if let Some(remark) = pipeline::threads::prepare() {
        drop(writeln!(std::io::stderr().lock(), "septet: {remark}"));
    }
    // Also of a command line that is wrong, of which nothing else is known.
    let as_json = std::env::args_os().any(|argument| argument == "--json");
    // clap prints help to standard output with 0, and errors to standard error with 2, as is our custom.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if as_json && error.use_stderr() => return tell(&Trouble::input(error.to_string()), true),
        Err(error) => error.exit(),
    };
    match cli.run() {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(trouble) => tell(&trouble, as_json),
    }
}

/// Says what went wrong to people, and under `--json` to programs as well, each where it listens.
fn tell(trouble: &Trouble, as_json: bool) -> ExitCode {
    let head = if trouble.diagnostics.is_some() || trouble.text.starts_with("error: ") { "" } else { "septet: " };
    // If standard error is gone, nobody can be told.
    drop(writeln!(std::io::stderr().lock(), "{head}{}", trouble.text.trim_end()));
    if as_json {
        drop(writeln!(std::io::stdout().lock(), "{:#}", trouble.json()));
    }
    ExitCode::from(trouble.exit as u8)
}
