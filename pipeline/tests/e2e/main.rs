//! What a user sees, end to end, on the real programs: real namespaces, a real bridge, real packets.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

mod accept;
mod bench;
mod by_sudo;
mod compare;
mod cpus;
mod extending;
mod faults;
mod foreign;
mod host;
mod input;
mod main_job;
mod pages;
mod precision;
#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
mod prefix;
// What is below a process; not all of it is used here.
#[allow(dead_code)]
#[path = "../sudden_death/processes.rs"]
mod processes;
mod room;
mod scripts;
mod search;
mod settled;
mod shell;
mod stacks;
mod stops;
mod strangers;
mod surroundings;
mod switches;
mod trouble;
