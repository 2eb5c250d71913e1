//! Frames against the plainest reading of RFC 791, 768 and 1071.

use generators::frame::Layout;
use generators::headers::OVERHEAD_BYTES;
use generators::payload::{Arrival, Header, Kind, Payload};
use generators::traffic::{End, Mac};
use proptest::prelude::*;

fn end() -> impl Strategy<Value = End> {
    (any::<[u8; 6]>(), any::<[u8; 4]>(), 1u16..60_000).prop_map(|(mut mac, ipv4, udp_port)| {
        mac[0] = mac[0] & 0xfe | 0x02;
        End { mac: Mac::from_octets(mac).expect("unicast"), ipv4: ipv4.into(), udp_port }
    })
}

fn header() -> impl Strategy<Value = Header> {
    (0u16..8, 0u64..1 << 48, 0u64..1 << 48).prop_map(|(flow, sequence, stamp_ns)| Header {
        kind: Kind::Data,
        flow,
        sequence,
        stamp_ns,
    })
}

fn layouts(frame_bytes: usize, touch: bool, client: End, server: End) -> (Layout, Layout) {
    let payload = Payload::new(frame_bytes - OVERHEAD_BYTES, 8, touch);
    (Layout::new(payload, 8, client, server, true), Layout::new(payload, 8, server, client, false))
}

fn written(layout: &Layout, header: &Header) -> Vec<u8> {
    let mut frame = layout.template().to_vec();
    layout.write(&mut frame, header);
    frame
}

/// The checksum of RFC 1071, word by word.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

proptest! {
    #[test]
    fn frames_are_right(
        client in end(), server in end(), header in header(), earlier in header(),
        frame_bytes in 60usize..=1514, touch: bool,
    ) {
        let (sends, answers) = layouts(frame_bytes, touch, client, server);
        for (layout, from, to, ports) in [
            (&sends, client, server, (client.udp_port + header.flow, server.udp_port)),
            (&answers, server, client, (server.udp_port, client.udp_port + header.flow)),
        ] {
            // A buffer that held another packet before.
            let mut frame = written(layout, &earlier);
            layout.write(&mut frame, &header);
            prop_assert_eq!(frame.len(), frame_bytes);
            prop_assert_eq!(&frame[0..6], to.mac.octets());
            prop_assert_eq!(&frame[6..12], from.mac.octets());
            prop_assert_eq!(&frame[12..16], [0x08, 0x00, 0x45, 0x00]);
            prop_assert_eq!(usize::from(u16::from_be_bytes([frame[16], frame[17]])), frame_bytes - 14);
            prop_assert_eq!(checksum(&frame[14..34]), 0);
            prop_assert_eq!((&frame[26..30], &frame[30..34]), (&from.ipv4.octets()[..], &to.ipv4.octets()[..]));
            prop_assert_eq!(u16::from_be_bytes([frame[34], frame[35]]), ports.0);
            prop_assert_eq!(u16::from_be_bytes([frame[36], frame[37]]), ports.1);
            prop_assert_eq!(usize::from(u16::from_be_bytes([frame[38], frame[39]])), frame_bytes - 34);
            prop_assert_ne!(&frame[40..42], [0, 0]);
            let mut covered = frame[26..34].to_vec();
            covered.extend([0, 17, frame[38], frame[39]]);
            covered.extend(&frame[34..]);
            prop_assert_eq!(checksum(&covered), 0);
        }
    }

    #[test]
    fn each_end_understands_the_other_and_not_itself(
        client in end(), server in end(), header in header(), frame_bytes in 60usize..=1514, touch: bool,
    ) {
        prop_assume!(client.mac != server.mac);
        let (sends, answers) = layouts(frame_bytes, touch, client, server);
        prop_assert_eq!(answers.read(&written(&sends, &header)), Arrival::Ours(header));
        prop_assert_eq!(sends.read(&written(&answers, &header)), Arrival::Ours(header));
        prop_assert_eq!(sends.read(&written(&sends, &header)), Arrival::Foreign);
    }

    #[test]
    fn a_flipped_bit_is_never_ours(
        client in end(), server in end(), header in header(), frame_bytes in prop_oneof![60usize..=298, 60usize..=1514],
        bit in any::<prop::sample::Index>(),
    ) {
        let touch = frame_bytes > 298;
        let (sends, answers) = layouts(frame_bytes, touch, client, server);
        let mut frame = written(&sends, &header);
        let bit = bit.index(frame.len() * 8);
        frame[bit / 8] ^= 1 << (bit % 8);
        // Nothing but the frame check sequence, which we do not see, covers the source address.
        let source_address = (6..12).contains(&(bit / 8));
        prop_assert_eq!(matches!(answers.read(&frame), Arrival::Ours(_)), source_address);
    }

    #[test]
    fn no_frame_is_too_strange(client in end(), server in end(), cut in 0usize..200, tail in prop::collection::vec(any::<u8>(), 0..100)) {
        let (sends, answers) = layouts(150, true, client, server);
        let header = Header { kind: Kind::Data, flow: 0, sequence: 1, stamp_ns: 2 };
        let mut frame = written(&sends, &header);
        frame.truncate(cut);
        frame.extend(&tail);
        prop_assume!(frame != written(&sends, &header));
        let source_address_only = frame.len() == 150 && frame[..6] == written(&sends, &header)[..6];
        prop_assert!(source_address_only || !matches!(answers.read(&frame), Arrival::Ours(_)));
    }
}
