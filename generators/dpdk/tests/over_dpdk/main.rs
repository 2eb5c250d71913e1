//! The program itself over DPDK ports without hugepages: pairs of it over vhost-user and over interfaces of the
//! kernel, testpmd as the other side, and starts that must fail. What needs testpmd says so where there is none.
#![allow(clippy::print_stderr)]

#[path = "../../../tests/end_to_end/generator.rs"]
#[allow(dead_code, reason = "the other generator's tests ask more of it")]
mod generator;

#[path = "../../../tests/end_to_end/both_ends.rs"]
mod both_ends;

#[path = "../../../tests/end_to_end/link.rs"]
#[allow(dead_code, reason = "the other generator's tests ask more of it")]
mod link;

mod bench;
mod failures;
mod interfaces;
mod pairs;
mod testpmd;

/// The generator that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_septet-gen-dpdk");

/// No packet's way there and back is shorter than this.
const RTT_NS_MIN: u32 = 500;
