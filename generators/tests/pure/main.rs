//! The pure cores against straightforward models of them: pacing, sequence numbers, payloads and frames.
//! Nothing here opens a socket or reads a clock.

mod frames;
mod ledger;
mod looped;
mod pacing;
mod payloads;
mod requests;
mod window;
