//! Hosts reached over ssh: emulated ones on this machine, with real sshd, real links and the real programs.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
mod bed;
mod brought_up;
