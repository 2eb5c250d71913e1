//! DPDK as its headers declare it, by bindgen, and the shim for what they define (`shim/shim.h`). Raw: every
//! function is unsafe, every error a number. It must not know packets, traffic or what the numbers mean.
#![allow(non_camel_case_types, non_upper_case_globals, missing_docs, unsafe_op_in_unsafe_fn)]
#![allow(clippy::all, clippy::undocumented_unsafe_blocks, rustdoc::all)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
