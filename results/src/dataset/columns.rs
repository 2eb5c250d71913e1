//! The columns of the sample table and the list of streams in its metadata: one definition for writing and
//! reading. It must not know polars.

use serde::{Deserialize, Serialize};
use wire::{IntervalRecord, Role, RttRecord};

/// Metadata key of the format version.
pub const VERSION_KEY: &str = "septet.samples.version";
/// Metadata key of the list of [`Head`]s, JSON.
pub const STREAMS_KEY: &str = "septet.samples.streams";

/// Metadata key of the test's name.
pub const TEST_KEY: &str = "septet.test";
/// Metadata key of the test's key.
pub const KEY_KEY: &str = "septet.key";
/// Metadata key of the times that tell the window, JSON.
pub const WINDOW_KEY: &str = "septet.window";
/// Metadata key of the columns' units, JSON.
pub const UNITS_KEY: &str = "septet.units";

/// The process that wrote a row.
pub const SOURCE: &str = "source";
/// The generator's role.
pub const ROLE: &str = "role";
/// The kind of row.
pub const KIND: &str = "kind";
/// Gaps: the one signed column.
pub const LOST: &str = "lost";
/// Round-trip times of round trips and of buckets.
pub const RTT_NS: &str = "rtt_ns";
/// Round trips in a bucket.
pub const COUNT: &str = "count";

/// A column of unsigned 32-bit numbers that records of one kind have.
pub struct Field<R> {
    /// Name of the column.
    pub name: &'static str,
    /// The unit of its values; none for what has none.
    pub unit: Option<&'static str>,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// The record's value.
    pub get: fn(&R) -> u32,
    /// Gives the record a value.
    pub set: fn(&mut R, u32),
}

macro_rules! field {
    ($record:ident . $name:ident, $unit:expr, $meaning:expr) => {
        Field {
            name: stringify!($name),
            unit: $unit,
            meaning: $meaning,
            get: |record: &$record| record.$name,
            set: |record, value| record.$name = value,
        }
    };
}

const PACKETS: Option<&str> = Some("packets");

/// Columns of interval rows, [`LOST`] aside. Records count intervals from 1, the table from 0, where a time
/// follows from the number.
pub const INTERVAL_FIELDS: [Field<IntervalRecord>; 11] = [
    Field {
        name: "interval",
        unit: None,
        meaning: "Number of the interval, from 0 at the common start; warm-up and cool-down are among them.",
        get: |record| record.index.saturating_sub(1),
        set: |record, value| record.index = value.saturating_add(1),
    },
    field!(IntervalRecord.packets, PACKETS, "Sent by a sender, received once by the others. Of interval rows."),
    field!(IntervalRecord.rejected, PACKETS, "Packets that the port refused. Of interval rows."),
    field!(IntervalRecord.missed, PACKETS, "Packets whose time had passed, never attempted. Of interval rows."),
    field!(IntervalRecord.duplicates, PACKETS, "Packets that came again. Of interval rows."),
    field!(IntervalRecord.reordered, PACKETS, "Packets that came after later ones. Of interval rows."),
    field!(IntervalRecord.corrupt, PACKETS, "Packets whose content was changed on the way. Of interval rows."),
    field!(IntervalRecord.foreign, PACKETS, "Packets of somebody else. Of interval rows."),
    field!(IntervalRecord.late_ns_max, Some("ns"), "Largest lateness of a burst. Of interval rows."),
    field!(IntervalRecord.calls, Some("calls"), "Calls into the port. Of interval rows."),
    field!(IntervalRecord.idle_ns, Some("ns"), "Time with nothing to do. Of interval rows."),
];

/// Columns of round-trip rows, [`RTT_NS`] aside.
pub const RTT_FIELDS: [Field<RttRecord>; 3] = [
    field!(RttRecord.burst, None, "Number of the burst, due burst * B / R after the common start. Of rtt rows."),
    field!(RttRecord.place, None, "Place in the burst. Of rtt rows."),
    field!(RttRecord.late_ns, Some("ns"), "Lateness of the burst against its time. Of rtt rows."),
];

/// One stream in the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Name of the process.
    pub source: String,
    /// What it did.
    pub role: Role,
    /// Interval rows.
    pub intervals: u64,
    /// Round-trip rows.
    pub rtts: u64,
    /// Overflow rows.
    pub overflow: u64,
}

/// What any file may become in memory, bytes.
const MEMORY_FLOOR: u64 = 128 << 20;
/// How many times its own size a larger one may. Times and numbers that count up take bytes: measured samples
/// become ten to thirty times as long.
const MEMORY_RATIO: u64 = 100;
/// Bytes of a row in memory, as a table and as a record.
const INTERVAL_ROW_BYTES: u64 = 96;
const RTT_ROW_BYTES: u64 = 40;
const OVERFLOW_ROW_BYTES: u64 = 32;

/// Whether streams in a file of `file_bytes` become no more in memory than measured ones do: a file of few bytes
/// that says that it holds many rows was made to exhaust memory.
pub fn fits(heads: &[Head], file_bytes: u64) -> bool {
    let each = |head: &Head| {
        let intervals = head.intervals.saturating_mul(INTERVAL_ROW_BYTES);
        let rtts = head.rtts.saturating_mul(RTT_ROW_BYTES);
        intervals.saturating_add(rtts).saturating_add(head.overflow.saturating_mul(OVERFLOW_ROW_BYTES))
    };
    let bytes = heads.iter().map(each).fold(0, u64::saturating_add);
    bytes <= file_bytes.saturating_mul(MEMORY_RATIO).saturating_add(MEMORY_FLOOR)
}

/// The role's name in the table.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Send => "send",
        Role::Receive => "receive",
        Role::Client => "client",
        Role::Server => "server",
    }
}
