//! Sender and receiver, client and server, joined by memory that they share: all counts agree, and nothing is lost,
//! for there is nothing between them that may lose.

use wire::{Io, Port, Request, Role};

use crate::bench::Bench;
use crate::both_ends::{Ran, check_client, check_send};
use crate::generator::{Generator, request};

/// What joins them.
#[derive(Clone, Copy, Debug)]
enum Joint {
    /// A vhost-user socket that the left end makes.
    VhostLeft,
    /// One that the right end makes.
    VhostRight,
    /// A memif socket that the right end makes.
    MemifRight,
}

impl Joint {
    /// The devices of the left and of the right end.
    fn devices(self, bench: &Bench, request: &Request) -> [[String; 2]; 2] {
        let (vhost, virtio) = (bench.vhost(request.queues), bench.virtio(request.queues, &request.local.mac));
        match self {
            Self::VhostLeft => [vhost, virtio],
            Self::VhostRight => [virtio, vhost],
            Self::MemifRight => [bench.memif("client"), bench.memif("server")],
        }
    }
}

fn run(bench: &Bench, roles: (Role, Role), joint: Joint, change: impl Fn(&mut Request)) -> Ran {
    let make = |role, end: &'static str| {
        let change = &change;
        move |output: &std::path::Path| {
            let mut request = request(role, Io::Dpdk, output);
            change(&mut request);
            let [left, right] = joint.devices(bench, &request);
            let mut eal_args = bench.eal(end, 1);
            eal_args.extend(if end == "left" { left } else { right });
            request.port = Port::Dpdk { eal_args };
            request
        }
    };
    let ask_left = || Generator::ask(&bench.prefix(), make(roles.0, "left"));
    let ask_right = || Generator::ask(&bench.prefix(), make(roles.1, "right"));
    let (left, right) = match joint {
        Joint::VhostLeft => {
            let left = ask_left();
            bench.await_socket();
            (left, ask_right())
        }
        Joint::VhostRight | Joint::MemifRight => {
            let right = ask_right();
            bench.await_socket();
            (ask_left(), right)
        }
    };
    let request = make(roles.0, "left")(left.output.path());
    let ran = Ran::to_the_end(left, right, &request);
    assert!(!bench.socket().exists(), "the socket was left behind");
    assert_eq!((ran.received.lost, ran.received.foreign), (0, 0), "{:?} {:?}", ran.sent, ran.received);
    ran
}

/// As between any client and server, and no answer is lost either.
fn check_answers(ran: &Ran) {
    check_client(ran, 16);
    let (client, server) = (&ran.sent, &ran.received);
    assert_eq!((client.received, client.corrupt, client.foreign), (server.sent, 0, 0), "{client:?} {server:?}");
}

#[test]
fn pairs_agree_whoever_makes_the_socket() {
    let bench = Bench::new();
    for joint in [Joint::VhostLeft, Joint::VhostRight, Joint::MemifRight] {
        for (frame_bytes, touch) in [(60, true), (64, false), (1514, true)] {
            let change = |request: &mut Request| (request.frame_bytes, request.touch) = (frame_bytes, touch);
            check_send(&run(&bench, (Role::Send, Role::Receive), joint, change));
            check_answers(&run(&bench, (Role::Client, Role::Server), joint, change));
        }
    }
}

#[test]
fn flows_are_spread_over_queues_and_keep_one_account() {
    let bench = Bench::new();
    let change = |request: &mut Request| (request.flows, request.queues) = (5, 2);
    for joint in [Joint::VhostLeft, Joint::VhostRight] {
        check_send(&run(&bench, (Role::Send, Role::Receive), joint, change));
        check_answers(&run(&bench, (Role::Client, Role::Server), joint, change));
    }
}

#[test]
fn overload_is_missed_or_rejected_and_all_that_was_taken_arrives() {
    let bench = Bench::new();
    for (joint, queues) in [(Joint::VhostLeft, 1), (Joint::VhostRight, 1), (Joint::VhostRight, 2)] {
        let ran = run(&bench, (Role::Send, Role::Receive), joint, |request| {
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
    check_answers(&run(&bench, (Role::Client, Role::Server), Joint::VhostRight, change));
}
