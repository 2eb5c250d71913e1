//! Limits on memory that whoever starts this program has set. With too little of it libraries end the program in the
//! middle of what it does; here it is told, before anything is begun. It must not know what memory is for.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::exit::Trouble;

/// Address space and data below which something gives up: threads' stacks, libraries, files that are mapped.
const MEMORY_MIN: u64 = 768 << 20;
/// Stack that the first thread of this program and of the agent needs.
const STACK_MIN: u64 = 1 << 20;

/// Takes as much as it may have, and says why that is not enough.
///
/// # Errors
/// The limit that is too low.
pub fn enough() -> Result<(), Trouble> {
    let wanted = [
        (Resource::RLIMIT_AS, MEMORY_MIN, "address space, ulimit -v"),
        (Resource::RLIMIT_DATA, MEMORY_MIN, "data, ulimit -d"),
        (Resource::RLIMIT_STACK, STACK_MIN, "stack, ulimit -s"),
    ];
    for (resource, least, what) in wanted {
        let Ok((soft, hard)) = getrlimit(resource) else { continue };
        // The agent that is started has it as well.
        if soft >= least || hard >= least && setrlimit(resource, least, hard).is_ok() {
            continue;
        }
        let (there, least) = (hard >> 10, least >> 10);
        return Err(Trouble::host(format!(
            "failed to begin: a limit leaves it {there} KiB of {what}; allow at least {least}"
        )));
    }
    Ok(())
}
