//! The payload's header: its bytes, its check, its pattern.

use generators::payload::{Arrival, HEADER_BYTES, Header, Kind, Payload, SEQUENCE_MASK, STAMP_MASK};
use proptest::prelude::*;

fn header() -> impl Strategy<Value = Header> {
    let kind = prop_oneof![Just(Kind::Data), Just(Kind::End), Just(Kind::Announcement)];
    (kind, 0u16..8, 0..=SEQUENCE_MASK, 0..=STAMP_MASK).prop_map(|(kind, flow, sequence, stamp_ns)| Header {
        kind,
        flow,
        sequence,
        stamp_ns,
    })
}

fn written(payload: Payload, header: &Header) -> Vec<u8> {
    let mut bytes = vec![0; payload.bytes()];
    payload.write(&mut bytes, header);
    bytes
}

proptest! {
    #[test]
    fn a_header_survives(header in header(), bytes in 18usize..1473, touch: bool) {
        let payload = Payload::new(bytes, 8, touch);
        prop_assert_eq!(payload.read(&written(payload, &header)), Arrival::Ours(header));
    }

    #[test]
    fn a_flipped_bit_is_noticed(header in header(), bytes in 22usize..200, bit in any::<prop::sample::Index>()) {
        let payload = Payload::new(bytes, 8, true);
        let mut damaged = written(payload, &header);
        let bit = bit.index(damaged.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        // Without its magic number it is nobody's; a damaged word of control is nobody's either.
        let expected = if bit < 16 || header.kind != Kind::Data { Arrival::Foreign } else { Arrival::Corrupt };
        prop_assert_eq!(payload.read(&damaged), expected);
    }

    #[test]
    fn without_touch_only_the_header_is_looked_at(header in header(), bit in 0usize..1000) {
        let payload = Payload::new(HEADER_BYTES + 125, 8, false);
        let mut changed = written(payload, &header);
        changed[HEADER_BYTES + bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(payload.read(&changed), Arrival::Ours(header));
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..100), length in 0usize..100) {
        let arrival = Payload::new(length, 1, true).read(&bytes);
        prop_assert!(!matches!(arrival, Arrival::Ours(_)));
    }
}

#[test]
fn the_bytes_are_these() {
    let header = Header { kind: Kind::Data, flow: 0x0102, sequence: 0x1122_3344_5566, stamp_ns: 0xa1a2_a3a4_a5a6 };
    let bytes = written(Payload::new(33, u16::MAX, true), &header);
    let expected = "53d7 0102 112233445566 a1a2a3a4a5a6 266c d72e5ce8 ec2426f25bc4b499ef11b9";
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let ends = [0, 4, 8, 20, 32, 36, 44, hex.len()];
    let fields: Vec<&str> = ends.windows(2).map(|ends| &hex[ends[0]..ends[1]]).collect();
    assert_eq!(fields.join(" "), expected);
}

#[test]
fn a_length_or_flow_that_is_not_ours_is_damage() {
    let header = Header { kind: Kind::Data, flow: 3, sequence: 7, stamp_ns: 9 };
    let bytes = written(Payload::new(64, 4, false), &header);
    assert_eq!(Payload::new(65, 4, false).read(&bytes), Arrival::Corrupt);
    assert_eq!(Payload::new(64, 4, false).read(&bytes[..63]), Arrival::Corrupt);
    assert_eq!(Payload::new(64, 3, false).read(&bytes), Arrival::Corrupt);
    assert_eq!(Payload::new(64, 4, false).read(&bytes), Arrival::Ours(header));
}
