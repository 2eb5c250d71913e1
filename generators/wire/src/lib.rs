//! What a traffic generator is asked and what it answers. Types only: a request, the control lines around
//! a measurement, and the fixed-size records it leaves behind. It must not know sockets, DPDK, hosts,
//! switches or experiments; whoever speaks to a generator depends on this crate and on nothing else of it.
//!
//! The conversation, JSON lines on the generator's standard input and output:
//!
//! ```text
//! caller                              generator
//!   {Request}                  ──▶
//!                              ◀──    {"event":"ready", ...}      port open, memory touched, learned by the switch
//!   {"command":"start", ...}   ──▶
//!                              ◀──    {"event":"done", ...}       senders: by themselves, at the schedule's end
//!   {"command":"stop"}         ──▶                                receivers and servers: drain, then
//!                              ◀──    {"event":"done", ...}
//! ```
//!
//! A generator that cannot go on says `{"event":"failed", ...}` and exits with 1.

pub mod bounds;
mod control;
mod record;
mod request;

pub use control::{Clock, ClockSource, Command, Event, Totals};
pub use record::{
    INTERVAL_BYTES, INTERVALS_FILE, IntervalRecord, OVERFLOW_BYTES, OVERFLOW_FILE, OverflowRecord, RTT_BYTES, RTT_FILE,
    RttRecord,
};
pub use request::{Endpoint, Io, Port, Request, Role, Schedule, Wait, bursts_intended};

/// Version of everything in this crate. A generator refuses a request of another version with its number.
pub const VERSION: u32 = 1;
