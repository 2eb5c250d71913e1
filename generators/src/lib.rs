//! The traffic: validated requests, pacing, accounting and the loops of the four roles, all over one small
//! batch trait, and the kernel's sockets as its first backends. A generator over another kind of port adds
//! a [`port::Port`] and calls [`session::run`]. It must not know hosts, switches, experiments or results.

pub mod caller;
mod checksum;
pub mod clock;
pub mod failure;
pub mod frame;
pub mod headers;
pub mod intervals;
pub mod ledger;
pub mod pacing;
pub mod payload;
pub mod port;
pub mod program;
pub mod role;
pub mod round_trips;
pub mod run;
pub mod session;
pub mod sys;
pub mod traffic;
pub mod window;
