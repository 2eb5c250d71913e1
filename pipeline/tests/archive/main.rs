//! Archives, as their makers, their readers and their forgers see them: the real programs on real results.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

mod accepted;
#[path = "../e2e/bench.rs"]
#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
mod bench;
mod data;
mod forged;
mod honest;
mod judged;
mod nameless;
mod parcel;
mod published;
mod repacked;
mod reproduced;
mod signed;
