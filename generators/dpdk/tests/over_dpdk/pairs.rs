//! Sender and receiver, client and server, joined by a vhost-user socket: all counts agree, and nothing is lost,
//! for there is nothing between them that may lose.

use wire::{Io, Port, Request, Role, Totals};

use crate::bench::Bench;
use crate::generator::{Generator, check_books, request, soon};

/// Which end makes the socket.
#[derive(Clone, Copy, Debug)]
pub enum Vhost {
    Left,
    Right,
}

struct Ran {
    left: Generator,
    right: Generator,
    sent: Totals,
    received: Totals,
    intended: u64,
}

fn run(bench: &Bench, roles: (Role, Role), vhost: Vhost, change: impl Fn(&mut Request)) -> Ran {
    let make = |role, end: &'static str, makes_socket: bool| {
        let change = &change;
        move |output: &std::path::Path| {
            let mut request = request(role, Io::Dpdk, output);
            change(&mut request);
            let mut eal_args = bench.eal(end, 1);
            let device = if makes_socket {
                bench.vhost(request.queues)
            } else {
                bench.virtio(request.queues, &request.local.mac)
            };
            eal_args.extend(device);
            request.port = Port::Dpdk { eal_args };
            request
        }
    };
    let ask_left = || Generator::ask(&bench.prefix(), make(roles.0, "left", matches!(vhost, Vhost::Left)));
    let ask_right = || Generator::ask(&bench.prefix(), make(roles.1, "right", matches!(vhost, Vhost::Right)));
    let (mut left, mut right) = match vhost {
        Vhost::Left => {
            let left = ask_left();
            bench.await_socket();
            (left, ask_right())
        }
        Vhost::Right => {
            let right = ask_right();
            bench.await_socket();
            (ask_left(), right)
        }
    };
    right.await_ready();
    left.await_ready();
    let epoch_ns = soon();
    right.start(epoch_ns);
    left.start(epoch_ns);
    let sent = left.await_done();
    right.stop();
    let received = right.await_done();
    let intended = make(roles.0, "left", false)(left.output.path()).packets_intended();
    assert!(!bench.socket().exists(), "the socket was left behind");
    Ran { left, right, sent, received, intended }
}

fn check(ran: &Ran) {
    let (sent, received) = (&ran.sent, &ran.received);
    assert!(sent.sent > 0, "{sent:?}");
    assert_eq!(sent.intended(), ran.intended, "{sent:?}");
    assert!(received.end_marker_seen);
    assert_eq!((received.received, received.lost), (sent.sent, 0), "{sent:?} {received:?}");
    assert_eq!((received.duplicates, received.corrupt, received.foreign), (0, 0, 0), "{received:?}");
    check_books(received, &ran.right.intervals(), received.received);
}

fn check_send(ran: &Ran) {
    check(ran);
    check_books(&ran.sent, &ran.left.intervals(), ran.sent.sent);
    assert_eq!(ran.received.attempted, 0);
}

fn check_client(ran: &Ran) {
    check(ran);
    let (client, server) = (&ran.sent, &ran.received);
    check_books(client, &ran.left.intervals(), client.received);
    assert_eq!(server.attempted, server.received);
    assert_eq!((client.received, client.corrupt, client.foreign), (server.sent, 0, 0), "{client:?} {server:?}");
    assert_eq!(client.sent, client.received + client.lost);
    assert_eq!(client.rtt_samples + client.rtt_overflow, client.received);
    assert!(ran.left.round_trips().iter().all(|sample| sample.rtt_ns > 500 && sample.rtt_ns < 1_000_000_000));
}

#[test]
fn pairs_agree_whoever_makes_the_socket() {
    let bench = Bench::new();
    for vhost in [Vhost::Left, Vhost::Right] {
        for (frame_bytes, touch) in [(60, true), (64, false), (1514, true)] {
            let change = |request: &mut Request| (request.frame_bytes, request.touch) = (frame_bytes, touch);
            let ran = run(&bench, (Role::Send, Role::Receive), vhost, change);
            check_send(&ran);
            assert_eq!(ran.received.reordered, 0, "{vhost:?} {frame_bytes}: {:?}", ran.received);
            check_client(&run(&bench, (Role::Client, Role::Server), vhost, change));
        }
    }
}

#[test]
fn flows_are_spread_over_queues_and_keep_one_account() {
    let bench = Bench::new();
    let change = |request: &mut Request| (request.flows, request.queues) = (5, 2);
    for vhost in [Vhost::Left, Vhost::Right] {
        check_send(&run(&bench, (Role::Send, Role::Receive), vhost, change));
        check_client(&run(&bench, (Role::Client, Role::Server), vhost, change));
    }
}

#[test]
fn overload_is_missed_or_rejected_and_all_that_was_taken_arrives() {
    let bench = Bench::new();
    for (vhost, queues) in [(Vhost::Left, 1), (Vhost::Right, 1), (Vhost::Right, 2)] {
        let ran = run(&bench, (Role::Send, Role::Receive), vhost, |request| {
            request.rate_pps = request.rate_pps.map(|_| 50_000_000);
            (request.burst, request.flows, request.queues) = (64, 2, queues);
        });
        assert!(ran.sent.missed + ran.sent.rejected > 0, "{:?}", ran.sent);
        check_send(&ran);
    }
}

#[test]
fn spinning_works_too() {
    let bench = Bench::new();
    let change = |request: &mut Request| request.wait = wire::Wait::Spin;
    check_client(&run(&bench, (Role::Client, Role::Server), Vhost::Right, change));
}
