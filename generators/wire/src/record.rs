//! The fixed-size records that a generator leaves behind, little-endian, in files of nothing else.

/// File of [`IntervalRecord`]s in the output folder; every role writes one. Record `i` stands at offset
/// `i * INTERVAL_BYTES`; a record whose `index` is not its place plus one was never reached.
pub const INTERVALS_FILE: &str = "intervals.bin";
/// File of [`RttRecord`]s; clients only.
pub const RTT_FILE: &str = "rtt.bin";
/// File of [`OverflowRecord`]s; clients only.
pub const OVERFLOW_FILE: &str = "overflow.bin";

/// Bytes of an encoded [`IntervalRecord`].
pub const INTERVAL_BYTES: usize = 48;
/// Bytes of an encoded [`RttRecord`].
pub const RTT_BYTES: usize = 16;
/// Bytes of an encoded [`OverflowRecord`].
pub const OVERFLOW_BYTES: usize = 16;

/// The counts of one interval. A sender's `packets` are those the port took, a receiver's those received
/// once, a client's the answers. For a client `rejected` and `missed` are of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntervalRecord {
    /// Number of the interval from the common start, plus one: 0 means never reached.
    pub index: u32,
    /// Packets sent, or received once.
    pub packets: u32,
    /// Refused by the port.
    pub rejected: u32,
    /// Missed deadlines.
    pub missed: u32,
    /// Gaps noticed in this interval; a late or corrupt arrival takes one back, so the sum over the run is what
    /// counts.
    pub lost: i32,
    /// Received again.
    pub duplicates: u32,
    /// Received after a higher sequence number.
    pub reordered: u32,
    /// Failing their check.
    pub corrupt: u32,
    /// Not ours.
    pub foreign: u32,
    /// The largest lateness of a burst against its intended time, ns, saturating.
    pub late_ns_max: u32,
    /// Calls into the port.
    pub calls: u32,
    /// Time spent with nothing to do (before a deadline, in empty polls), ns, saturating.
    pub idle_ns: u32,
}

/// One round trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RttRecord {
    /// Number of the burst from the common start: its intended time is `burst * burst_size / rate`.
    pub burst: u32,
    /// Place in the burst.
    pub place: u32,
    /// Lateness of the burst against its intended time, ns, saturating.
    pub late_ns: u32,
    /// From the handing of the burst to the port to the return of this packet, ns, saturating.
    pub rtt_ns: u32,
}

/// One bucket of the histogram of round trips beyond the cap (HdrHistogram, three significant digits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverflowRecord {
    /// The bucket's highest equivalent value, ns.
    pub rtt_ns: u64,
    /// Round trips in it.
    pub count: u64,
}

macro_rules! codec {
    ($name:ident, $bytes:expr, $array:ty, { $($field:ident: $type:ty),* }) => {
        impl $name {
            /// Little-endian bytes, fields in order of declaration.
            pub fn encode(&self) -> $array {
                let mut out = [0u8; $bytes];
                let mut at = 0;
                $(
                    let size = size_of::<$type>();
                    out[at..at + size].copy_from_slice(&self.$field.to_le_bytes());
                    at += size;
                )*
                debug_assert_eq!(at, $bytes);
                out
            }

            /// The record that [`Self::encode`] wrote.
            pub fn decode(bytes: &$array) -> Self {
                let mut record = Self::default();
                let mut at = 0;
                $(
                    let size = size_of::<$type>();
                    let mut field = [0u8; size_of::<$type>()];
                    field.copy_from_slice(&bytes[at..at + size]);
                    record.$field = <$type>::from_le_bytes(field);
                    at += size;
                )*
                debug_assert_eq!(at, $bytes);
                record
            }
        }
    };
}

codec!(IntervalRecord, INTERVAL_BYTES, [u8; INTERVAL_BYTES], {
    index: u32, packets: u32, rejected: u32, missed: u32, lost: i32, duplicates: u32, reordered: u32,
    corrupt: u32, foreign: u32, late_ns_max: u32, calls: u32, idle_ns: u32
});
codec!(RttRecord, RTT_BYTES, [u8; RTT_BYTES], { burst: u32, place: u32, late_ns: u32, rtt_ns: u32 });
codec!(OverflowRecord, OVERFLOW_BYTES, [u8; OVERFLOW_BYTES], { rtt_ns: u64, count: u64 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_their_encoding() {
        let interval = IntervalRecord {
            index: 1,
            packets: 2,
            rejected: 3,
            missed: 4,
            lost: -5,
            duplicates: 6,
            reordered: 7,
            corrupt: 8,
            foreign: 9,
            late_ns_max: 10,
            calls: 11,
            idle_ns: 12,
        };
        assert_eq!(IntervalRecord::decode(&interval.encode()), interval);
        assert_eq!(&interval.encode()[16..20], &(-5i32).to_le_bytes());
        let rtt = RttRecord { burst: 1, place: 2, late_ns: 3, rtt_ns: u32::MAX };
        assert_eq!(RttRecord::decode(&rtt.encode()), rtt);
        let overflow = OverflowRecord { rtt_ns: 1 << 40, count: 7 };
        assert_eq!(OverflowRecord::decode(&overflow.encode()), overflow);
    }
}
