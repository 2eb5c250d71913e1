//! Nothing reaches outside: whatever lies in a store, a report's folder, an archive's or `$TMPDIR`, be it a link, a
//! FIFO, a socket or a name, no file elsewhere is written, emptied or removed, and no program waits for ever.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

#[path = "../e2e/bench.rs"]
#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
mod bench;
mod kinds;
mod layers;
mod leftovers;
mod links;
mod names;
#[path = "../e2e/room.rs"]
#[allow(dead_code, reason = "the whole room; not all of it is used here")]
mod room;
mod surroundings;
mod victim;
