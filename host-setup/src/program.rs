//! The program `septet-host`: its arguments, and its one way of speaking to people. It must not do anything
//! itself.

use std::ffi::OsString;
use std::io::{IsTerminal, Write as _, stderr, stdin, stdout};
use std::process::ExitCode;

use crate::commander::{self, AS_ROOT};
use crate::failure::warn;
use crate::inherited;
use crate::protocol::{Failure, FailureKind};
use crate::supervisor;
use crate::supervisor::lock::Attempt;

const USAGE: &str = "\
septet-host: prepares this host for measurements and runs them, as its client says

Usage: septet-host [agent]    speak the protocol on standard input and output; what septet starts
       septet-host agent --as-root
                              the same for a root whom sudo, pkexec or doas call somebody else: what it is asked is
                              root's own word. No rule of theirs may allow this (SECURITY.md)
       septet-host restore    give back settings that an agent that was killed could not
       septet-host --version
";

/// The whole program. Exit codes: 0 all well, 2 wrong arguments, 3 the host is not in order.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap_or("?")).collect();
    let result = match arguments[..] {
        [] | ["agent"] => agent(false),
        ["agent", AS_ROOT] => agent(true),
        ["restore"] => restore(),
        ["--version" | "-V"] => print(&format!("septet-host {}\n", env!("CARGO_PKG_VERSION"))),
        ["--help" | "-h" | "help"] => print(USAGE),
        _ => {
            // Nothing can be done about a closed standard error.
            let _ = stderr().write_all(USAGE.as_bytes());
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            warn(&failure.to_string());
            ExitCode::from(3)
        }
    }
}

fn agent(says_root: bool) -> Result<(), Failure> {
    let ends = inherited::put_in_order()?;
    commander::decide(crate::site::settle(commander::look(says_root))?);
    if !stdin().is_terminal() {
        // Ctrl-C reaches every process of the terminal's foreground group. The client is one of them and
        // tidies up through this agent, which must outlive that: the end of its input is what ends it.
        // Refused to a leader of a process group, which is out of the client's group already.
        let _ = nix::unistd::setsid();
    }
    supervisor::serve(&ends)
}

fn restore() -> Result<(), Failure> {
    inherited::put_in_order()?;
    match supervisor::lock::attempt()? {
        Attempt::Held(_lock) => {
            let mut journal = crate::lease::JournalFile::of_host();
            if !journal.exists() {
                return print("nothing to give back: no agent has left settings changed\n");
            }
            supervisor::held::recover(&mut journal)?;
            print("the host has been given back\n")
        }
        Attempt::Busy { holder, .. } => {
            let message = format!("restore the host: {holder} holds it, and restores it at its end");
            Err(Failure::new(FailureKind::Busy, message))
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    use crate::failure::During;
    stdout().write_all(text.as_bytes()).host(|| "write to standard output".into())
}
