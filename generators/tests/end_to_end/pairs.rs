//! Sender and receiver, client and server, over every technique: the two ends' counts must agree exactly.

use wire::{Io, Request, Role};

use crate::both_ends::{Ran, check_client, check_send};
use crate::generator::{Generator, request};
use crate::link::Link;

/// Runs both ends of a link to their ends.
pub fn run(link: &Link, roles: (Role, Role), io: Io, change: impl Fn(&mut Request)) -> Ran {
    let make = |role| {
        let change = &change;
        move |output: &std::path::Path| {
            let mut request = request(role, io, output);
            change(&mut request);
            request
        }
    };
    let right = Generator::ask(&link.right(), make(roles.1));
    let left = Generator::ask(&link.left(), make(roles.0));
    let request = make(roles.0)(left.output.path());
    Ran::to_the_end(left, right, &request)
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
