//! Frames put on the bridge by this test, in known numbers: each must be counted as what it is. The frames are
//! built here from the RFCs, not by the library that is tested; only the payload's codec is shared.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};

use generators::payload::{Header, Kind, Payload};
use generators::sys::socket;
use wire::{Io, Role};

use crate::generator::{Generator, check_books, request, soon};
use crate::link::Link;

const FRAME_BYTES: usize = 200;
const PACKETS: u64 = 1_000;

/// An Ethernet frame from the left end to the right one around `payload`.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let mut ip = vec![0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 63, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    ip[2..4].copy_from_slice(&(28 + payload.len() as u16).to_be_bytes());
    let sum = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&sum);
    frame.extend(ip);
    let length = (8 + payload.len() as u16).to_be_bytes();
    let mut udp = [&5_000u16.to_be_bytes()[..], &6_000u16.to_be_bytes(), &length, &[0, 0], payload].concat();
    let sum = checksum(&[&[10, 0, 0, 1, 10, 0, 0, 2, 0, 17], &length, &udp]);
    udp[6..8].copy_from_slice(&sum);
    frame.extend(udp);
    frame
}

fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut bytes = parts.concat();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    let mut sum: u32 = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn payload(kind: Kind, sequence: u64) -> Vec<u8> {
    let payload = Payload::new(FRAME_BYTES - 42, 1, true);
    let mut bytes = vec![0; payload.bytes()];
    payload.write(&mut bytes, &Header { kind, flow: 0, sequence, stamp_ns: 0 });
    bytes
}

fn data(sequence: u64) -> Vec<u8> {
    frame(&payload(Kind::Data, sequence))
}

/// A thousand packets of which 10 are dropped, 6 corrupt, 7 late, 5 doubled, with foreign ones among them;
/// what only a packet socket gets to see is left out for the others.
fn stream(raw: bool) -> (Vec<Vec<u8>>, u64) {
    let mut frames = Vec::new();
    let mut foreign = 0;
    let mut sequence = 0;
    while sequence < PACKETS {
        match sequence {
            100..110 => {}
            200 => {
                // The header, the pattern, the length; and for packet sockets the checksums of the frame.
                for (number, byte) in [(200, 4), (201, 17), (202, 30), (203, 157)] {
                    let mut damaged = payload(Kind::Data, number);
                    damaged[byte] ^= 0x10;
                    frames.push(frame(&damaged));
                }
                frames.push(frame(&payload(Kind::Data, 204)[..100]));
                let mut damaged = data(205);
                if raw {
                    damaged[100] ^= 1;
                } else {
                    damaged = frame(&[&payload(Kind::Data, 205)[..], b"x"].concat());
                }
                frames.push(damaged);
                sequence += 5;
            }
            300..314 if sequence % 2 == 0 => {
                frames.extend([data(sequence + 1), data(sequence)]);
                sequence += 1;
            }
            400..405 => frames.extend([data(sequence), data(sequence)]),
            _ => frames.push(data(sequence)),
        }
        if sequence % 100 == 50 {
            let mut strange = payload(Kind::Data, sequence);
            strange[0] ^= 0xff;
            frames.push(frame(&strange));
            frames.push(frame(b"hello"));
            foreign += 2;
            if raw {
                let mut arp = data(sequence);
                arp[13] = 6;
                let mut other_port = data(sequence);
                other_port[37] ^= 1;
                let mut other_host = data(sequence);
                other_host[5] = 9;
                // A header alone, of no known type, to everybody; a bridge passes no broadcast source address.
                let mut bare = vec![0xff; 14];
                bare[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
                frames.extend([arp, other_port, other_host, bare]);
                foreign += 4;
            }
        }
        sequence += 1;
    }
    // Told more than once, like everything; and announcements, which count nowhere.
    frames.push(frame(&payload(Kind::Announcement, 0)));
    frames.extend([frame(&payload(Kind::End, PACKETS)), frame(&payload(Kind::End, PACKETS))]);
    (frames, foreign)
}

/// Sends frames out of `left` in the namespace of `prefix`: this very program, run again there.
fn inject(prefix: &[String], frames: &[Vec<u8>]) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(&prefix[0])
        .args(&prefix[1..])
        .arg(program)
        .args(["--exact", "injections::injector", "--ignored"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the injector starts");
    let mut stdin = child.stdin.take().expect("piped");
    for frame in frames {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(stdin, "{hex}").expect("the injector listens");
    }
    drop(stdin);
    assert!(child.wait().expect("the injector ends").success());
}

#[test]
#[ignore = "the other half of the tests here, run by them"]
fn injector() {
    let opened = socket::packet("left", socket::NO_PROTOCOL).expect("a packet socket");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("two digits");
        let frame: Vec<u8> = (0..line.len()).step_by(2).map(byte).collect();
        assert_eq!(socket::send(&opened, &frame).expect("room"), frame.len());
    }
}

fn counted_as_what_it_is(io: Io) {
    let raw = matches!(io, Io::Raw | Io::RawMmsg);
    let Some(link) = Link::bridged(!raw) else { return };
    let mut receiver = Generator::ask(&link.right(), |output| {
        let mut request = request(Role::Receive, io, output);
        (request.frame_bytes, request.touch) = (FRAME_BYTES as u16, true);
        request
    });
    receiver.await_ready();
    let epoch_ns = soon();
    receiver.start(epoch_ns);
    while generators::sys::time::monotonic_ns() < epoch_ns {
        std::thread::yield_now();
    }
    let (frames, foreign) = stream(raw);
    inject(&link.left(), &frames);
    receiver.stop();
    let totals = receiver.await_done();
    assert_eq!(totals.received, PACKETS - 10 - 6, "{totals:?}");
    assert_eq!((totals.lost, totals.corrupt), (10, 6), "{totals:?}");
    assert_eq!((totals.duplicates, totals.reordered), (5, 7), "{totals:?}");
    assert_eq!(totals.foreign, foreign, "{totals:?}");
    assert_eq!((totals.socket_drops, totals.end_marker_seen), (0, true), "{totals:?}");
    check_books(&totals, &receiver.intervals(), totals.received);
}

#[test]
fn udp_counts_each_as_what_it_is() {
    counted_as_what_it_is(Io::Udp);
}

#[test]
fn udp_mmsg_counts_each_as_what_it_is() {
    counted_as_what_it_is(Io::UdpMmsg);
}

#[test]
fn raw_counts_each_as_what_it_is() {
    counted_as_what_it_is(Io::Raw);
}

#[test]
fn raw_mmsg_counts_each_as_what_it_is() {
    counted_as_what_it_is(Io::RawMmsg);
}
