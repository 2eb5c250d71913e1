//! The short way of reading a frame against the long one.

use proptest::prelude::*;

use super::*;
use crate::traffic::Mac;

fn end(last: u8) -> End {
    let mac = Mac::from_octets([2, 0, 0, 0, 0, last]).unwrap_or_else(|| unreachable!("unicast"));
    End { mac, ipv4: [10, 0, 0, last].into(), udp_port: 5_000 }
}

proptest! {
    #[test]
    fn the_short_way_agrees_with_the_long_one(
        frame_bytes in prop_oneof![Just(64usize), 60usize..=70, 60usize..=1514], touch: bool, flows in 1u16..4, spreads: bool,
        (flow, sequence, stamp_ns) in (0u16..5, any::<u64>(), 0u64..1 << 48),
        damage in prop::collection::vec((0usize..80, any::<u8>()), 0..4), mended: bool,
    ) {
        let payload = Payload::new(frame_bytes - OVERHEAD_BYTES, flows, touch);
        let receives = Layout::new(payload, flows, end(1), end(2), spreads);
        let sends = Layout::new(payload, flows, end(2), end(1), !spreads);
        let mut frame = sends.template().to_vec();
        sends.write(&mut frame, &Header { kind: Kind::Data, flow, sequence, stamp_ns });
        for (at, byte) in &damage {
            if let Some(place) = frame.get_mut(*at) {
                *place = *byte;
            }
        }
        if mended {
            // As a switch would that has changed something on purpose.
            frame[UDP_CHECKSUM_AT..OVERHEAD_BYTES].fill(0);
            let total = receives.pseudo_header_sum + unfolded_sum(&frame[UDP_AT..]);
            if let Some(headers) = frame.first_chunk_mut() {
                write_checksum(headers, u64::from(u16::from_be(fold(total))));
            }
        }
        let judged = receives.judge(&frame);
        prop_assert_eq!(receives.read(&frame), judged);
        let mut arrivals = Vec::new();
        receives.read_all([&frame[..], &frame[..frame.len() - 1]].into_iter(), &mut arrivals);
        prop_assert_eq!(&arrivals, &[judged, receives.judge(&frame[..frame.len() - 1])]);
        if damage.is_empty() && flow < flows {
            let short = receives.read_expected::<false>(&frame);
            prop_assert_eq!(short.is_some(), frame_bytes >= OVERHEAD_BYTES + HEADER_BYTES);
            if receives.is_shortest() {
                prop_assert_eq!(receives.read_expected::<true>(&frame), short);
            }
        }
    }
}
