//! The program itself, over real sockets: whole conversations on the loopback interface, pairs over a veth
//! pair between two network namespaces, at known rates, captured, and with frames injected in known numbers. What needs namespaces says why
//! it is skipped where there are none.
#![allow(clippy::print_stderr)]

mod capture;
mod conversations;
mod generator;
mod injections;
mod link;
mod pairs;
mod shaped;
