//! Sudden death and refusing disks, end to end on the real programs: whatever dies at whatever instant, what was
//! finished is kept, the host has nothing left of it, and the next run goes on.
//!
//! `SEPTET_KILLS=200 cargo test --release -p septet-pipeline --test sudden_death kill -- --nocapture` kills 200
//! times instead of 10 over sockets, 6 over DPDK, 4 between windows and 24 among what looks after a store; `SEPTET_KILL_SEED` repeats the instants and victims of a run that
//! failed, which are told, and `SEPTET_KILL_SWITCHES=vpp,snabb` kills over DPDK through these switches alone. `SEPTET_VPP` and
//! `SEPTET_SNABB` say where these two are.
//! The host is compared with what it was, so others who mount or change settings meanwhile are taken for remains:
//! `unshare -m sh -c 'mount -t tmpfs none /dev/shm; BINARY ...'` keeps other people's out. Never `unshare -n`: the
//! host's lock lives in that.

// A skipped test prints its reason.
#![allow(clippy::print_stdout)]

#[allow(dead_code, reason = "the whole bench; not all of it is used here")]
#[path = "../e2e/bench.rs"]
mod bench;
#[allow(dead_code, reason = "all of it; not all is used here")]
#[path = "../upkeep/chores.rs"]
mod chores;
mod disks;
mod experiment;
mod kills;
mod leftovers;
mod maintenance;
#[allow(dead_code, reason = "the whole of it; not all is used here")]
#[path = "../e2e/prefix.rs"]
mod prefix;
mod processes;
mod remains;
#[path = "../e2e/room.rs"]
mod room;
mod signals;
mod switches;
mod windows;
