//! `septet-gen`: the traffic over kernel sockets. Reads a request and commands from standard input, answers
//! on standard output (see the crate `wire`). It must not know DPDK: that is another artifact.

use std::process::ExitCode;

use generators::caller::Caller;
use generators::clock::Clock;
use generators::failure::Failure;
use generators::port::{raw::RawPort, raw_mmsg::RawMmsgPort, udp::UdpPort, udp_mmsg::UdpMmsgPort};
use generators::traffic::Traffic;
use generators::{program, session};
use wire::{Io, Port};

fn main() -> ExitCode {
    program::run("septet-gen", measure)
}

fn measure(traffic: &Traffic, caller: &mut Caller) -> Result<(), Failure> {
    refuse_what_sockets_cannot(traffic)?;
    let mut clock = Clock::open();
    match traffic.io {
        Io::Udp => session::run(UdpPort::open(traffic)?, traffic, caller, &mut clock),
        Io::UdpMmsg => session::run(UdpMmsgPort::open(traffic)?, traffic, caller, &mut clock),
        Io::Raw => session::run(RawPort::open(traffic)?, traffic, caller, &mut clock),
        Io::RawMmsg => session::run(RawMmsgPort::open(traffic)?, traffic, caller, &mut clock),
        Io::Dpdk => Err(Failure::new("open a DPDK port: septet-gen-dpdk is the one that speaks dpdk")),
    }
}

fn refuse_what_sockets_cannot(traffic: &Traffic) -> Result<(), Failure> {
    if traffic.io == Io::Dpdk {
        return Err(Failure::new("accept the request: septet-gen-dpdk is the one that speaks dpdk"));
    }
    if matches!(traffic.port, Port::Dpdk { .. }) {
        return Err(Failure::new("accept the request: port.kind is dpdk, sockets need an interface"));
    }
    if traffic.queues != 1 {
        return Err(Failure::new(format!("accept the request: queues is {}, sockets have 1", traffic.queues)));
    }
    Ok(())
}
