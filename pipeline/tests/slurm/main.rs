//! Tests that a real Slurm cluster measures, on emulated hosts: slurmctld, slurmd and munge as Debian has them.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

#[allow(dead_code, reason = "other tests use it as well; not all of it is used here")]
#[path = "../testbed/bed.rs"]
mod bed;
#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
#[path = "../e2e/bench.rs"]
mod bench;
mod client;
mod cluster;
mod experiments;
mod faults;
mod owned;
mod shared;
mod well;
