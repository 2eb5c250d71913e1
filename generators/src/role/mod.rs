//! The loops of the four roles, generic over the port. They must not know what carries the packets.

pub mod client;
pub mod receive;
pub mod send;
pub mod server;

use crate::payload::{Header, Kind, STAMP_MASK};
use crate::traffic::Traffic;

/// The headers of the next burst of a sender's traffic.
struct Burst {
    headers: Vec<Header>,
    flows: u16,
}

impl Burst {
    fn new(traffic: &Traffic) -> Self {
        let header = Header { kind: Kind::Data, flow: 0, sequence: 0, stamp_ns: 0 };
        Self { headers: vec![header; traffic.burst.into()], flows: traffic.flows }
    }

    /// Numbers the packets from `first_sequence` on and gives each its flow in turn.
    #[inline]
    fn number(&mut self, first_sequence: u64, now_ns: u64) -> &[Header] {
        let flows = self.flows;
        let stamp_ns = now_ns & STAMP_MASK;
        if flows == 1 {
            for (sequence, header) in (first_sequence..).zip(&mut self.headers) {
                (header.sequence, header.stamp_ns) = (sequence, stamp_ns);
            }
            return &self.headers;
        }
        let mut flow = (first_sequence % u64::from(flows)) as u16;
        for (sequence, header) in (first_sequence..).zip(&mut self.headers) {
            *header = Header { kind: Kind::Data, flow, sequence, stamp_ns };
            flow = if flow + 1 < flows { flow + 1 } else { 0 };
        }
        &self.headers
    }
}
