//! The program itself, over real sockets: whole conversations on the loopback interface, and between network
//! namespaces pairs of generators, links of known rates, captures, and frames injected in known numbers. What
//! needs namespaces says why it is skipped where there are none.
#![allow(clippy::print_stderr)]

mod both_ends;
mod capture;
mod conversations;
mod generator;
mod injections;
mod link;
mod pairs;
mod shaped;

/// The generator that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_septet-gen");

/// No packet's way there and back is shorter than this.
const RTT_NS_MIN: u32 = 1_000;
