//! The program `septet-host`. It must hold nothing but the way into the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    host_setup::program::main()
}
