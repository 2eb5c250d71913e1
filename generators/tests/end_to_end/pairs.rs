//! Sender and receiver, client and server, over every technique: the two ends' counts must agree exactly.

use wire::{Io, Request, Role, Totals};

use crate::generator::{Generator, check_books, request, soon};
use crate::link::Link;

/// Both ends after their ends.
pub struct Ran {
    pub left: Generator,
    pub right: Generator,
    pub sent: Totals,
    pub received: Totals,
    pub intended: u64,
}

/// Runs both ends to their ends.
pub fn run(link: &Link, roles: (Role, Role), io: Io, change: impl Fn(&mut Request)) -> Ran {
    let make = |role| {
        let change = &change;
        move |output: &std::path::Path| {
            let mut request = request(role, io, output);
            change(&mut request);
            request
        }
    };
    let mut right = Generator::ask(&link.right(), make(roles.1));
    let mut left = Generator::ask(&link.left(), make(roles.0));
    right.await_ready();
    left.await_ready();
    let epoch_ns = soon();
    right.start(epoch_ns);
    left.start(epoch_ns);
    let sent = left.await_done();
    right.stop();
    let received = right.await_done();
    let intended = make(roles.0)(left.output.path()).packets_intended();
    Ran { left, right, sent, received, intended }
}

/// What holds between the two ends: every count, and the order.
fn check(ran: &Ran) {
    let (sent, received) = (&ran.sent, &ran.received);
    assert!(sent.sent > 0, "{sent:?}");
    assert_eq!(sent.intended(), ran.intended, "{sent:?}");
    assert!(received.end_marker_seen);
    assert_eq!(sent.sent, received.received + received.lost + received.corrupt, "{sent:?} {received:?}");
    assert_eq!((received.duplicates, received.reordered, received.corrupt), (0, 0, 0), "{received:?}");
    check_books(received, &ran.right.intervals(), received.received);
}

/// What holds between a sender and a receiver.
pub fn check_send(ran: &Ran) {
    check(ran);
    check_books(&ran.sent, &ran.left.intervals(), ran.sent.sent);
    assert_eq!(ran.received.attempted, 0);
}

fn check_client(ran: &Ran, burst: u16) {
    check(ran);
    let (client, server) = (&ran.sent, &ran.received);
    check_books(client, &ran.left.intervals(), client.received);
    assert_eq!(server.attempted, server.received + server.duplicates);
    assert_eq!(client.sent, client.received + client.lost + client.corrupt, "{client:?}");
    assert!(client.received <= server.sent);
    assert_eq!(client.rtt_samples + client.rtt_overflow, client.received);
    let round_trips = ran.left.round_trips();
    assert_eq!(round_trips.len() as u64, client.rtt_samples);
    let bursts = ran.intended / u64::from(burst);
    for sample in &round_trips {
        assert!(u64::from(sample.burst) < bursts && sample.place < u32::from(burst), "{sample:?}");
        assert!(sample.rtt_ns > 1_000 && sample.rtt_ns < 1_000_000_000, "{sample:?}");
    }
    let mut places: Vec<_> = round_trips.iter().map(|sample| (sample.burst, sample.place)).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), round_trips.len(), "a packet was timed twice");
}

fn every_size(io: Io) {
    let Some(link) = Link::new(matches!(io, Io::Udp | Io::UdpMmsg)) else { return };
    for (frame_bytes, touch) in [(60, true), (64, false), (64, true), (1500, true), (1514, false)] {
        let change = |request: &mut Request| (request.frame_bytes, request.touch) = (frame_bytes, touch);
        check_send(&run(&link, (Role::Send, Role::Receive), io, change));
        check_client(&run(&link, (Role::Client, Role::Server), io, change), 16);
    }
}

#[test]
fn udp_pairs_agree() {
    every_size(Io::Udp);
}

#[test]
fn udp_mmsg_pairs_agree() {
    every_size(Io::UdpMmsg);
}

#[test]
fn raw_pairs_agree() {
    every_size(Io::Raw);
}

#[test]
fn raw_mmsg_pairs_agree() {
    every_size(Io::RawMmsg);
}

#[test]
fn overload_is_missed_or_rejected_or_lost_but_accounted_for() {
    let Some(link) = Link::new(true) else { return };
    for io in [Io::Udp, Io::UdpMmsg, Io::RawMmsg] {
        let change = |request: &mut Request| {
            request.rate_pps = request.rate_pps.map(|_| 20_000_000);
            request.burst = 64;
        };
        let ran = run(&link, (Role::Send, Role::Receive), io, change);
        assert!(ran.sent.missed > 0, "{:?}", ran.sent);
        check_send(&ran);
    }
}

/// Tries to fill a queue on a machine that is busy with other things.
const ATTEMPTS: usize = 10;

#[test]
fn what_a_full_queue_refuses_is_rejected_not_lost() {
    for io in [Io::Udp, Io::UdpMmsg, Io::Raw, Io::RawMmsg] {
        let Some(link) = Link::new(matches!(io, Io::Udp | Io::UdpMmsg)) else { return };
        if let Err(why) = link.run_left("tc qdisc add dev left root tbf rate 2mbit burst 2000 limit 4000") {
            eprintln!("skipped: no token bucket here: {why}");
            return;
        }
        // A sender that is given too little time offers less than the bucket takes; then nothing is to be seen.
        let filled = (0..ATTEMPTS).any(|_| {
            let ran = run(&link, (Role::Send, Role::Receive), io, |_| {});
            check_send(&ran);
            assert_eq!(ran.received.lost, 0, "{:?} {:?}", ran.sent, ran.received);
            if ran.sent.rejected == 0 {
                eprintln!("again: the sender offered too little: {:?}", ran.sent);
            }
            ran.sent.rejected > 0
        });
        assert!(filled, "{io:?}: the queue was never full");
    }
}

#[test]
fn flows_have_ports_of_their_own_and_one_account() {
    for io in [Io::Udp, Io::UdpMmsg, Io::Raw, Io::RawMmsg] {
        let Some(link) = Link::new(matches!(io, Io::Udp | Io::UdpMmsg)) else { return };
        let change = |request: &mut Request| request.flows = 5;
        check_send(&run(&link, (Role::Send, Role::Receive), io, change));
        check_client(&run(&link, (Role::Client, Role::Server), io, change), 16);
    }
}

#[test]
fn round_trips_beyond_the_cap_go_to_the_histogram() {
    let Some(link) = Link::new(true) else { return };
    let ran = run(&link, (Role::Client, Role::Server), Io::UdpMmsg, |request| request.rtt_samples_max = 100);
    check_client(&ran, 16);
    assert_eq!(ran.sent.rtt_samples, 100);
    let overflow = ran.left.overflow();
    assert_eq!(overflow.iter().map(|bucket| bucket.count).sum::<u64>(), ran.sent.rtt_overflow);
    assert!(overflow.is_sorted_by_key(|bucket| bucket.rtt_ns) && overflow.iter().all(|bucket| bucket.rtt_ns > 1_000));
}

#[test]
fn spinning_works_too() {
    let Some(link) = Link::new(true) else { return };
    let change = |request: &mut Request| request.wait = wire::Wait::Spin;
    check_client(&run(&link, (Role::Client, Role::Server), Io::Udp, change), 16);
}
