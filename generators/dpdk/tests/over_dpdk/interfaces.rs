//! Pairs over the drivers that use an interface of the kernel, each end in a network namespace of its own.

use std::os::unix::fs::MetadataExt;

use wire::{Io, Port, Request, Role};

use crate::bench::Bench;
use crate::both_ends::{Ran, check_client, check_send};
use crate::generator::{Generator, request};
use crate::link::Link;

fn run(bench: &Bench, link: &Link, driver: &str, roles: (Role, Role)) -> Ran {
    let make = |role, end: &'static str| {
        move |output: &std::path::Path| {
            let mut request = request(role, Io::Dpdk, output);
            let mut eal_args = bench.eal(end, 1);
            eal_args.extend(["--vdev".into(), format!("{driver}0,iface={end}")]);
            request.port = Port::Dpdk { eal_args };
            request
        }
    };
    let inside = |mut namespace: Vec<String>| {
        namespace.extend(bench.prefix());
        namespace
    };
    let right = Generator::ask(&inside(link.right()), make(roles.1, "right"));
    let left = Generator::ask(&inside(link.left()), make(roles.0, "left"));
    let request: Request = make(roles.0, "left")(left.output.path());
    Ran::to_the_end(left, right, &request)
}

fn check(link: &Link, driver: &str) {
    let bench = Bench::new();
    let ran = run(&bench, link, driver, (Role::Send, Role::Receive));
    check_send(&ran);
    assert_eq!(ran.received.foreign, 0, "{:?}", ran.received);
    check_client(&run(&bench, link, driver, (Role::Client, Role::Server)), 16);
}

#[test]
fn packet_sockets_of_dpdk_agree() {
    let Some(link) = Link::new(false) else { return };
    check(&link, "net_af_packet");
}

#[test]
fn xdp_sockets_agree() {
    // Anybody else's programs the kernel does not run for an interface.
    let users = std::fs::read_to_string("/proc/self/uid_map").expect("a map of users");
    let of_all = users.split_whitespace().eq(["0", "0", "4294967295"]);
    if !of_all || std::fs::metadata("/proc/self").expect("this process").uid() != 0 {
        eprintln!("skipped: AF_XDP wants the system's root");
        return;
    }
    let Some(link) = Link::of_root() else { return };
    check(&link, "net_af_xdp");
}
