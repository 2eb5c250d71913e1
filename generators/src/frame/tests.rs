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
        (flow, sequence, stamp_ns) in (0u16..5, 0u64..1 << 48, 0u64..1 << 48),
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
        if damage.is_empty() && flow < flows {
            let short = receives.read_expected(&frame);
            prop_assert_eq!(short.is_some(), frame_bytes >= OVERHEAD_BYTES + HEADER_BYTES);
        }
        let cut = &frame[..frame.len() - 1];
        let mut arrivals = Vec::new();
        receives.read_all([&frame[..], cut].into_iter(), &mut arrivals);
        prop_assert_eq!(&arrivals, &[judged, receives.judge(cut)]);
    }

    #[test]
    fn who_counts_hears_of_the_same_numbers(
        sent in prop::collection::vec(
            (
                prop_oneof![9 => Just(1u64), 1 => 0u64..5],
                prop::option::weighted(0.1, (0usize..64, any::<u8>())),
                any::<bool>(),
            ),
            0..40,
        ),
        first in 0u64..1 << 40, kind in prop_oneof![9 => Just(Kind::Data), 1 => Just(Kind::End)],
    ) {
        let payload = Payload::new(HEADER_BYTES, 1, false);
        let sends = Layout::new(payload, 1, end(2), end(1), true);
        let receives = Layout::new(payload, 1, end(1), end(2), false);
        let mut sequence = first;
        let frames: Vec<Vec<u8>> = sent.iter().map(|(ahead, damage, whole)| {
            sequence += ahead;
            let mut frame = sends.template().to_vec();
            sends.write(&mut frame, &Header { kind, flow: 0, sequence, stamp_ns: 0x0102_0304_0506 ^ sequence << 20 });
            if let Some((at, byte)) = damage {
                frame[*at] = *byte;
            }
            frame.truncate(if *whole || damage.is_none() { frame.len() } else { frame.len() - 1 });
            frame
        }).collect();
        let frames = || frames.iter().map(Vec::as_slice);
        let mut series = Vec::new();
        Layout { counts: true, ..receives.clone() }.read_all(frames(), &mut series);
        // What is not as it was sent may be ours still (nothing covers the source address), and is told of whole.
        let numbers = |arrival: &Arrival| match *arrival {
            Arrival::Series { first, count } => (first..first + count).map(Ok).collect(),
            Arrival::Ours(header) if header.kind == Kind::Data => vec![Ok(header.sequence)],
            other => vec![Err(other)],
        };
        let judged: Vec<_> = frames().map(|frame| receives.judge(frame)).collect();
        let told: Vec<_> = series.iter().flat_map(numbers).collect();
        prop_assert_eq!(told, judged.iter().flat_map(numbers).collect::<Vec<_>>());
        // Numbers in order are told of at once.
        let tells_less = |pair: &[Arrival]| match pair {
            [Arrival::Series { first, count }, Arrival::Series { first: next, .. }] => first + count != *next,
            _ => true,
        };
        prop_assert!(series.windows(2).all(tells_less));
    }
}
