//! What a user sees, end to end, on the real programs: real namespaces, a real bridge, real packets.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

mod bench;
mod compare;
mod host;
mod input;
mod main_job;
mod pages;
mod search;
mod stacks;
mod switches;
mod trouble;
