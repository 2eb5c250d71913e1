//! Frames taken off a bridge by a packet socket of this test's own and read by tshark, which knows nothing of
//! Septet: they must be what they are meant to be, and as many as were counted.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use generators::sys::{process, socket};
use wire::{Io, Role};

use crate::both_ends::check_send;
use crate::link::Link;
use crate::pairs::run;

/// Where the capturing half of the tests writes to.
const FILE_VARIABLE: &str = "SEPTET_TEST_CAPTURE";
/// libpcap's file header: magic for microseconds, version 2.4, no time zone, longest packet, Ethernet.
const PCAP_HEADER: [u32; 6] = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, 1];
/// What all our payloads begin with, by kind (`payload`'s magic numbers).
const MAGIC: [(&str, &str); 3] = [("data", "53d7"), ("end", "53e7"), ("announcement", "53a7")];

/// This very program, run again where the bridge is: writes what passes its port to the right end, both ways,
/// until told to end.
struct Capture(Child);

impl Capture {
    fn start(prefix: &[String], file: &Path) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let child = Command::new(&prefix[0])
            .args(&prefix[1..])
            .arg(program)
            .args(["--exact", "capture::capturer", "--ignored"])
            .env(FILE_VARIABLE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the capture starts");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !fs::metadata(file).is_ok_and(|file| file.len() as usize >= size_of_val(&PCAP_HEADER)) {
            assert!(Instant::now() < deadline, "the capture does not come up");
            std::thread::sleep(Duration::from_millis(2));
        }
        Self(child)
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("the capture ends").success());
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Mostly it has ended; a test that failed before that must not leave it behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the other half of the tests here, run by them"]
fn capturer() {
    let opened = socket::packet("to_right", socket::EVERY_PROTOCOL).expect("a packet socket");
    socket::enlarge_buffers(&opened, 8 << 20);
    let path = std::env::var_os(FILE_VARIABLE).expect("told where to");
    let mut file = File::create(path).expect("a file");
    file.write_all(PCAP_HEADER.map(u32::to_ne_bytes).as_flattened()).expect("room");
    let mut out = BufWriter::new(file);
    let mut frame = [0; 2048];
    let mut stdin = std::io::stdin();
    let mut told_to_end = false;
    loop {
        while let Ok(bytes) = socket::receive(&opened, &mut frame) {
            let header = [0, 0, bytes as u32, bytes as u32];
            out.write_all(header.map(u32::to_ne_bytes).as_flattened()).expect("room");
            out.write_all(&frame[..bytes]).expect("room");
        }
        if told_to_end {
            break;
        }
        // The end of the input comes after the generators' reports, so what is there then is all there is.
        told_to_end = process::readable(stdin.as_fd(), 1).expect("poll") && stdin.read(&mut [0]).expect("read") == 0;
    }
    out.flush().expect("room");
    assert_eq!(socket::drops(&opened).expect("drops"), 0, "the capture is not complete");
}

/// One frame, as tshark reads it.
struct Seen {
    frame_bytes: usize,
    source: String,
    destination: String,
    ip_checksum_good: bool,
    udp_checksum_good: bool,
    udp_checksum: u16,
    udp_bytes: u16,
    payload: String,
    malformed: String,
}

/// What tshark says of `file`; `None`, with the reason printed, where there is no tshark.
fn dissect(file: &Path) -> Option<Vec<Seen>> {
    let fields = [
        "frame.len",
        "ip.src",
        "ip.dst",
        "ip.checksum.status",
        "udp.checksum.status",
        "udp.checksum",
        "udp.length",
        "data.data",
        "_ws.malformed",
    ];
    let output = Command::new("tshark")
        .args(["-n", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
        // Our ports are not those of whatever else is registered with them.
        .args(["-d", "udp.port==5000,data", "-d", "udp.port==6000,data", "-T", "fields"])
        // Not what the bridge says for itself (IGMP), nor the kernel's answer to an announcement that came before
        // the other end had opened its socket.
        .args(["-Y", "(eth.src == 02:00:00:00:00:01 or eth.src == 02:00:00:00:00:02) and not icmp"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(file)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: tshark cannot be run: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let read = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [frame_bytes, source, destination, ip_status, udp_status, udp_checksum, udp_bytes, payload, malformed] =
            columns[..]
        else {
            panic!("{line:?} has not {} columns", fields.len())
        };
        Seen {
            frame_bytes: frame_bytes.parse().expect("a length"),
            source: source.into(),
            destination: destination.into(),
            // 1 is "good" in tshark's list of states.
            ip_checksum_good: ip_status == "1",
            udp_checksum_good: udp_status == "1",
            udp_checksum: u16::from_str_radix(udp_checksum.trim_start_matches("0x"), 16).expect("a checksum"),
            udp_bytes: udp_bytes.parse().expect("a length"),
            payload: payload.into(),
            malformed: malformed.into(),
        }
    };
    Some(text.lines().map(read).collect())
}

/// What the kernel leaves in the field when the device is to finish the sum (Linux's `CHECKSUM_PARTIAL`): the
/// sum over the pseudo-header of 10.0.0.1 and 10.0.0.2, not complemented.
fn partial_checksum(udp_bytes: u16) -> u16 {
    let sum = 2 * 0x0a00 + 1 + 2 + 17 + u32::from(udp_bytes);
    (sum % 0x1_0000 + sum / 0x1_0000) as u16
}

fn is_clean_on_the_wire(io: Io) {
    let raw = matches!(io, Io::Raw | Io::RawMmsg);
    let folder = tempfile::tempdir().expect("a temporary folder");
    // 101 bytes: an odd payload has its last byte padded under the sum.
    for (frame_bytes, touch) in [(60, true), (64, false), (101, true), (1514, true)] {
        let Some(link) = Link::bridged(!raw) else { return };
        let file = folder.path().join(format!("{frame_bytes}.pcap"));
        let capture = Capture::start(&link.middle(), &file);
        let ran = run(&link, (Role::Send, Role::Receive), io, |request| {
            (request.frame_bytes, request.touch) = (frame_bytes, touch);
            request.rate_pps = request.rate_pps.map(|_| 5_000);
        });
        capture.end();
        check_send(&ran);
        let Some(frames) = dissect(&file) else { return };
        let count = |kind: &str| {
            let (_, magic) = MAGIC.iter().find(|(name, _)| *name == kind).expect("a kind");
            frames.iter().filter(|seen| seen.payload.starts_with(magic)).count() as u64
        };
        assert_eq!(count("data"), ran.sent.sent, "{io:?} {frame_bytes}");
        assert_eq!(count("data") + count("end") + count("announcement"), frames.len() as u64);
        assert!(count("end") > 0 && count("announcement") > 0);
        for seen in &frames {
            let to_the_right = !seen.payload.starts_with("53a7");
            let ends = if to_the_right { ("10.0.0.1", "10.0.0.2") } else { ("10.0.0.2", "10.0.0.1") };
            assert_eq!((seen.source.as_str(), seen.destination.as_str()), ends);
            assert_eq!(seen.frame_bytes, usize::from(frame_bytes));
            assert_eq!(usize::from(seen.udp_bytes) + 34, seen.frame_bytes);
            assert_eq!(seen.payload.len() / 2 + 42, seen.frame_bytes);
            assert!(seen.malformed.is_empty() && seen.ip_checksum_good, "{io:?} {frame_bytes}: {}", seen.malformed);
            let left_to_the_device = !raw && seen.udp_checksum == partial_checksum(seen.udp_bytes);
            assert!(seen.udp_checksum_good || left_to_the_device, "{io:?} {frame_bytes}: {:#06x}", seen.udp_checksum);
        }
    }
}

#[test]
fn udp_is_clean_on_the_wire() {
    is_clean_on_the_wire(Io::Udp);
}

#[test]
fn udp_mmsg_is_clean_on_the_wire() {
    is_clean_on_the_wire(Io::UdpMmsg);
}

#[test]
fn raw_is_clean_on_the_wire() {
    is_clean_on_the_wire(Io::Raw);
}

#[test]
fn raw_mmsg_is_clean_on_the_wire() {
    is_clean_on_the_wire(Io::RawMmsg);
}
