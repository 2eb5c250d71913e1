//! `septet`: reads the command line, does what it says, prints what went wrong, exits with a stable code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use pipeline::cli::Cli;

fn main() -> ExitCode {
    if let Some(remark) = pipeline::threads::prepare() {
        drop(writeln!(std::io::stderr().lock(), "septet: {remark}"));
    }
    // clap prints help to standard output with 0, and errors to standard error with 2, as is our custom.
    let exit = Cli::parse().run().unwrap_or_else(|trouble| {
        let head = if trouble.placed { "" } else { "septet: " };
        // If standard error is gone, nobody can be told.
        drop(writeln!(std::io::stderr().lock(), "{head}{}", trouble.text.trim_end()));
        trouble.exit
    });
    ExitCode::from(exit as u8)
}
