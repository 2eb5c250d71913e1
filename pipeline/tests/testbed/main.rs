//! Hosts reached over ssh: emulated ones on this machine, with real sshd, real links and the real programs.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

mod afar;
#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
mod bed;
#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
#[path = "../e2e/bench.rs"]
mod bench;
mod brought_up;
mod cabled;
mod demo;
mod faults;
mod kills;
mod over_ssh;
#[allow(dead_code, reason = "the whole of it; not all is used here")]
#[path = "../e2e/prefix.rs"]
mod prefix;
mod remote;
mod stands;
mod users;
