//! `septet-gen`: the traffic over kernel sockets. Reads a request and commands from standard input, answers
//! on standard output (see the crate `wire`). It must not know DPDK: that is another artifact.

use std::io::Write;
use std::process::ExitCode;

use generators::caller::Caller;
use generators::clock::Clock;
use generators::failure::{Attempt, Failure};
use generators::port::{raw::RawPort, raw_mmsg::RawMmsgPort, udp::UdpPort, udp_mmsg::UdpMmsgPort};
use generators::session;
use generators::sys::process::catch_stop_signals;
use generators::traffic::Traffic;
use wire::{Event, Io, Port};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let answer = match (arguments.next(), arguments.next()) {
        (None, _) => return converse(),
        (Some(flag), None) if flag == "--version" => {
            writeln!(std::io::stdout(), "septet-gen {} (wire {})", env!("CARGO_PKG_VERSION"), wire::VERSION)
                .map(|()| ExitCode::SUCCESS)
        }
        _ => writeln!(
            std::io::stderr(),
            "septet-gen: takes no arguments but --version; it reads a request (JSON, one line) from standard input"
        )
        .map(|()| ExitCode::from(2)),
    };
    answer.unwrap_or(ExitCode::FAILURE)
}

fn converse() -> ExitCode {
    let Ok(mut caller) = Caller::open() else { return ExitCode::FAILURE };
    match measure(&mut caller) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody listens any more, the exit code has to say it all.
            let _ = caller.say(&Event::Failed { message: failure.to_string() });
            ExitCode::FAILURE
        }
    }
}

fn measure(caller: &mut Caller) -> Result<(), Failure> {
    catch_stop_signals().attempt(|| "catch signals".into())?;
    let traffic = caller.request()?;
    refuse_what_sockets_cannot(&traffic)?;
    let mut clock = Clock::open();
    match traffic.io {
        Io::Udp => session::run(UdpPort::open(&traffic)?, &traffic, caller, &mut clock),
        Io::UdpMmsg => session::run(UdpMmsgPort::open(&traffic)?, &traffic, caller, &mut clock),
        Io::Raw => session::run(RawPort::open(&traffic)?, &traffic, caller, &mut clock),
        Io::RawMmsg => session::run(RawMmsgPort::open(&traffic)?, &traffic, caller, &mut clock),
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
