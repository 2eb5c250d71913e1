//! What the program answers to requests, commands, signals and silence, on the loopback interface.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use wire::{Io, Request, Role};

use crate::generator::{Generator, check_books, request, soon};

/// Two UDP ports of the loopback interface that are free at this moment.
fn free_ports() -> (u16, u16) {
    let bound = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    let [one, other] = bound.map(|socket| socket.local_addr().expect("bound").port());
    (one, other)
}

/// A request between two ports of the loopback interface.
fn on_loopback(mut request: Request, ports: (u16, u16)) -> Request {
    request.local.ipv4 = "127.0.0.1".into();
    request.remote.ipv4 = "127.0.0.1".into();
    let originates = request.rate_pps.is_some();
    (request.local.udp_port, request.remote.udp_port) = if originates { ports } else { (ports.1, ports.0) };
    request
}

fn sender_and_receiver(ports: (u16, u16), duration_ns: u64) -> (Generator, Generator) {
    let ask = |role| {
        Generator::ask(&[], |output| {
            let mut request = on_loopback(request(role, Io::Udp, output), ports);
            request.schedule.duration_ns = duration_ns;
            request
        })
    };
    let (receiver, sender) = (ask(Role::Receive), ask(Role::Send));
    receiver.await_ready();
    sender.await_ready();
    (sender, receiver)
}

#[test]
fn a_stop_to_a_sender_ends_its_traffic() {
    for by_signal in [false, true] {
        let (mut sender, mut receiver) = sender_and_receiver(free_ports(), 60_000_000_000);
        let epoch_ns = soon();
        receiver.start(epoch_ns);
        sender.start(epoch_ns);
        let deadline = Instant::now() + Duration::from_secs(10);
        while sender.intervals().iter().all(|record| record.packets == 0) {
            assert!(Instant::now() < deadline, "nothing is sent");
            std::thread::sleep(Duration::from_millis(2));
        }
        if by_signal {
            sender.terminate()
        } else {
            sender.stop()
        }
        let sent = sender.await_done();
        receiver.stop();
        let received = receiver.await_done();
        assert!(sent.sent > 0 && received.end_marker_seen);
        assert_eq!(sent.sent, received.received + received.lost, "{sent:?} {received:?}");
        check_books(&sent, &sender.intervals(), sent.sent);
    }
}

#[test]
fn a_receiver_that_hears_no_end_marker_waits_as_long_as_it_was_told() {
    let mut receiver = Generator::ask(&[], |output| {
        let mut request = on_loopback(request(Role::Receive, Io::UdpMmsg, output), free_ports());
        request.schedule.drain_ns_max = 300_000_000;
        request
    });
    receiver.await_ready();
    receiver.start(soon());
    receiver.stop();
    let told = Instant::now();
    let totals = receiver.await_done();
    assert!(told.elapsed() >= Duration::from_millis(280), "{:?}", told.elapsed());
    assert_eq!((totals.received, totals.lost, totals.end_marker_seen), (0, 0, false));
}

#[test]
fn a_stop_before_the_start_ends_with_nothing_counted() {
    let (mut sender, mut receiver) = sender_and_receiver(free_ports(), 1_000_000_000);
    sender.stop();
    receiver.terminate();
    assert_eq!(sender.await_done().attempted, 0);
    assert_eq!(receiver.await_done().received, 0);
}

#[test]
fn a_caller_that_is_gone_ends_everything() {
    let (mut sender, mut receiver) = sender_and_receiver(free_ports(), 60_000_000_000);
    sender.start(soon());
    sender.close_stdin();
    receiver.close_stdin();
    assert_eq!(sender.await_exit().code(), Some(1));
    assert_eq!(receiver.await_exit().code(), Some(1));
}

#[test]
fn a_sender_whose_receiver_is_gone_says_so() {
    let ports = free_ports();
    let (mut sender, mut receiver) = sender_and_receiver(ports, 60_000_000_000);
    receiver.close_stdin();
    receiver.await_exit();
    sender.start(soon());
    let message = sender.await_failed();
    assert!(message.starts_with("send: Connection refused"), "{message}");
}

#[test]
fn a_start_in_another_time_is_refused() {
    for epoch_ns in [0, u64::MAX] {
        let (mut sender, _receiver) = sender_and_receiver(free_ports(), 1_000_000_000);
        sender.start(epoch_ns);
        let message = sender.await_failed();
        assert!(message.starts_with("start: epoch_mono_ns is"), "{message}");
    }
}

#[test]
fn lines_that_make_no_sense_are_refused() {
    let (mut sender, _receiver) = sender_and_receiver(free_ports(), 1_000_000_000);
    sender.say(r#"{"command":"dance"}"#);
    assert!(sender.await_failed().starts_with("understand the command"));

    let mut generator = Generator::spawn(&[]);
    generator.say("\u{1b}[31mnot JSON");
    assert!(generator.await_failed().starts_with("understand the request: "));

    let mut generator = Generator::spawn(&[]);
    generator.say(r#"{"version":99,"anything":{}}"#);
    let message = generator.await_failed();
    assert!(message.contains("version 99") && message.contains("speaks version 1"), "{message}");

    let mut generator = Generator::spawn(&[]);
    let mut value = serde_json::to_value(request(Role::Send, Io::Udp, "/".as_ref())).expect("JSON");
    value["schedule"]["warmpu_ns"] = 1.into();
    generator.say(&value.to_string());
    let message = generator.await_failed();
    assert!(message.contains("unknown field `warmpu_ns`"), "{message}");
}

#[test]
fn what_sockets_cannot_do_is_refused() {
    type Change = fn(&mut Request);
    let cases: &[(Change, &str)] = &[
        (|r| r.io = Io::Dpdk, "septet-gen-dpdk is the one that speaks dpdk"),
        (|r| r.port = wire::Port::Dpdk { eal_args: Vec::new() }, "port.kind is dpdk"),
        (|r| r.queues = 2, "queues is 2, sockets have 1"),
        (|r| r.output = "/nowhere/at/all".into(), "make the record file /nowhere/at/all/intervals.bin"),
        (|r| r.local.ipv4 = "192.0.2.1".into(), "bind a UDP socket to 192.0.2.1"),
        (|r| (r.io, r.port) = (Io::Raw, wire::Port::Interface { name: "nosuch0".into() }), "on nosuch0"),
    ];
    for (change, words) in cases {
        let mut generator = Generator::ask(&[], |output| {
            let mut request = on_loopback(request(Role::Send, Io::Udp, output), free_ports());
            change(&mut request);
            request
        });
        let message = generator.await_failed();
        assert!(message.contains(words), "{message:?} lacks {words:?}");
    }
}
