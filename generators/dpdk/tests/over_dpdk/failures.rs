//! Starts that must fail: with a reason that says what DPDK said, with exit code 1, and in time.

use std::time::{Duration, Instant};

use wire::{Io, Port, Request, Role};

use crate::bench::Bench;
use crate::generator::{Generator, request, soon};

fn fails(bench: &Bench, change: impl FnOnce(&mut Request, &mut Vec<String>)) -> String {
    let mut generator = Generator::ask(&bench.prefix(), |output| {
        let mut request = request(Role::Send, Io::Dpdk, output);
        let mut eal_args = bench.eal("left", 1);
        change(&mut request, &mut eal_args);
        request.port = Port::Dpdk { eal_args };
        request
    });
    generator.await_failed()
}

fn vdev(device: &str) -> [String; 2] {
    ["--vdev".into(), device.into()]
}

#[test]
fn what_the_eal_refuses_is_told_in_its_own_words() {
    let bench = Bench::new();
    type Change = fn(&mut Vec<String>);
    let cases: &[(Change, &str)] = &[
        (|_| {}, "the arguments make 0 ports, they must make 1"),
        (|args| args.extend([vdev("net_null0"), vdev("net_null1")].concat()), "make 2 ports"),
        (|args| args.push("--frobnicate".into()), "Invalid 'command line' arguments"),
        (|args| args.extend(vdev("net_frob0")), "net_frob0"),
        (|args| args.extend(vdev("net_virtio_user0,path=/nowhere/at/all")), "No such file or directory"),
        (|args| args.extend(["--in-memory".into()]), "not compatible with --in-memory"),
        (|args| args.push("a\0b".into()), "nul byte"),
        (
            |args| {
                args.retain(|word| word != "--no-pci");
                // No bus has so many devices.
                args.extend(["-a", "0000:ff:1f.7"].map(String::from));
            },
            "make 0 ports",
        ),
        (
            |args| {
                let at = args.iter().position(|word| word == "-m").expect("-m");
                args[at + 1] = "2".into();
                args.extend(vdev("net_null0"));
            },
            "get memory for",
        ),
    ];
    for (change, wanted) in cases {
        let message = fails(&bench, |_, args| change(args));
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn what_this_generator_cannot_do_is_refused() {
    let bench = Bench::new();
    let message = fails(&bench, |request, args| {
        args.extend(vdev("net_null0"));
        request.queues = 2_000;
    });
    assert!(message.contains("queues is 2000, the port net_null0 has"), "{message}");
    let message = fails(&bench, |request, _| request.io = Io::Raw);
    assert!(message.contains("septet-gen is the one"), "{message}");
    let mut generator = Generator::ask(&bench.prefix(), |output| request(Role::Send, Io::Dpdk, output));
    let message = generator.await_failed();
    assert!(message.contains("port.kind is not dpdk"), "{message}");
}

#[test]
fn a_caller_that_does_not_wait_for_the_link_ends_the_wait() {
    let bench = Bench::new();
    let mut generator = Generator::ask(&bench.prefix(), |output| {
        let mut request = request(Role::Receive, Io::Dpdk, output);
        let mut eal_args = bench.eal("left", 1);
        eal_args.extend(bench.vhost(1));
        request.port = Port::Dpdk { eal_args };
        request
    });
    bench.await_socket();
    generator.stop();
    let message = generator.await_failed();
    assert!(message.contains("wait for the other side of the DPDK port net_vhost0"), "{message}");
}

#[test]
fn a_stop_signal_ends_it_at_any_time() {
    let bench = Bench::new();
    let ask = || {
        let generator = Generator::ask(&bench.prefix(), |output| {
            let mut request = request(Role::Send, Io::Dpdk, output);
            request.schedule.duration_ns = 60_000_000_000;
            let mut eal_args = bench.eal("left", 1);
            eal_args.extend(vdev("net_null0"));
            request.port = Port::Dpdk { eal_args };
            request
        });
        generator.await_ready();
        generator
    };
    let mut before_the_start = ask();
    before_the_start.terminate();
    let done = before_the_start.await_done();
    assert_eq!((done.attempted, done.words), (0, 0), "{done:?}");

    let mut in_the_middle = ask();
    let intended = request(Role::Send, Io::Dpdk, bench.folder());
    let intended = intended.rate_pps.expect("a sender has one") * 60;
    in_the_middle.start(soon());
    let deadline = Instant::now() + Duration::from_secs(20);
    while in_the_middle.intervals().iter().all(|interval| interval.packets == 0) {
        assert!(Instant::now() < deadline, "nothing is sent");
        std::thread::sleep(Duration::from_millis(2));
    }
    in_the_middle.terminate();
    let done = in_the_middle.await_done();
    assert!(done.words > 0 && done.sent > 0 && done.intended() < intended, "{done:?}");
}
