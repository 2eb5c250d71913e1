//! The control lines of a measurement, and the totals that end it.

use serde::{Deserialize, Serialize};

/// A line from the caller after the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command", deny_unknown_fields)]
pub enum Command {
    /// Traffic flows, and intervals count, from this moment.
    Start {
        /// `CLOCK_MONOTONIC` of this host, in nanoseconds; a little in the future.
        epoch_mono_ns: u64,
    },
    /// Nothing more will be sent to you: drain, report, exit. Early, to a sender: stop now, report, exit.
    Stop,
}

/// A line from the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The port is open, memory is touched, the switch has heard of us.
    Ready {
        /// [`crate::VERSION`] of the generator.
        version: u32,
        /// What it tells time by.
        clock: Clock,
    },
    /// Everything is counted and on disk; the process exits with 0 next. One with a DPDK port keeps that open, and
    /// sends nothing, until it is told to stop once more or its input ends.
    Done {
        /// The counts.
        totals: Box<Totals>,
        /// The clock again: `hz` as measured over the whole run.
        clock: Clock,
    },
    /// The generator cannot go on; the process exits with 1 next.
    Failed {
        /// Completes the sentence "failed to ...".
        message: String,
    },
}

/// What a generator tells time by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The source.
    pub source: ClockSource,
    /// Ticks per second.
    pub hz: f64,
}

/// Where ticks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockSource {
    /// The time stamp counter; only where it is invariant.
    Tsc,
    /// `CLOCK_MONOTONIC`.
    Monotonic,
}

/// The counts of a whole run, from the start to the end of the drain, warm-up and cool-down included.
/// All in packets unless the name says otherwise. For a sender `intended = attempted + missed` and
/// `attempted = sent + rejected`; for a receiver `received` counts each sequence number once and
/// `lost` comes from its own gaps up to the sequence number that the end marker names.
/// End markers and announcements are counted in `words` only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Handed to the port, taken or not.
    pub attempted: u64,
    /// Taken by the port.
    pub sent: u64,
    /// Refused by the port; such a packet consumes no sequence number.
    pub rejected: u64,
    /// Whose deadline had passed by more than the catch-up bound; never attempted.
    pub missed: u64,
    /// Received with a sequence number not seen before.
    pub received: u64,
    /// Received again.
    pub duplicates: u64,
    /// Received once, after a higher sequence number of its flow's sender (RFC 4737's type-P-reordered).
    pub reordered: u64,
    /// Ours by its magic number, with a header or a payload that fails its check.
    pub corrupt: u64,
    /// Not ours.
    pub foreign: u64,
    /// Sequence numbers never seen, corrupt ones left out.
    pub lost: u64,
    /// Frames that the kernel says it dropped at this socket.
    pub socket_drops: u64,
    /// Frames of end markers and announcements that the port took: no traffic, but a switch counts them with it.
    #[serde(default)]
    pub words: u64,
    /// Whether an end marker arrived. Without one `lost` ends at the highest sequence number seen.
    pub end_marker_seen: bool,
    /// Round trips kept one by one.
    pub rtt_samples: u64,
    /// Round trips beyond the cap, in the histogram.
    pub rtt_overflow: u64,
    /// Calls into the port: system calls, or bursts.
    pub calls: u64,
    /// Processor time of the process during the run, in nanoseconds.
    pub cpu_ns: u64,
    /// Involuntary context switches during the run (`ru_nivcsw`).
    pub involuntary_switches: u64,
    /// Voluntary context switches during the run (`ru_nvcsw`).
    pub voluntary_switches: u64,
    /// The longest time in which the process did nothing that it should have done, in nanoseconds: it was stopped,
    /// or others had its core. Generators of before it said nothing of it.
    #[serde(default)]
    pub stalled_ns_max: u64,
}

impl Totals {
    /// What the schedule wanted sent.
    pub fn intended(&self) -> u64 {
        self.attempted + self.missed
    }
}
