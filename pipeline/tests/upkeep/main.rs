//! Looking after a store: what may be deleted, what is damaged, what is shared.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

mod addresses;
#[path = "../e2e/bench.rs"]
#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
mod bench;
mod beside;
mod chores;
mod credentials;
mod damage;
mod faults;
mod flips;
mod gc;
mod generations;
mod pulled;
mod read_through;
mod remote;
mod server;
mod shims;
