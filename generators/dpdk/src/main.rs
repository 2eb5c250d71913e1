//! `septet-gen-dpdk`: the traffic over a DPDK port. Reads a request and commands from standard input, answers on
//! standard output (see the crate `wire`). It must not know switches, nor what the EAL's arguments say.

mod device;
mod drivers;
mod eal;
mod log;
mod pool;
mod port;
mod watchdog;

use std::process::ExitCode;

use generators::caller::Caller;
use generators::clock::Clock;
use generators::failure::{Attempt, Failure};
use generators::traffic::Traffic;
use generators::{program, session};
use wire::{Io, Port};

use crate::eal::Eal;
use crate::port::DpdkPort;
use crate::watchdog::Watchdog;

fn main() -> ExitCode {
    program::run("septet-gen-dpdk", measure)
}

fn measure(traffic: &Traffic, caller: &mut Caller) -> Result<(), Failure> {
    let Port::Dpdk { eal_args } = &traffic.port else {
        return Err(Failure::new("accept the request: port.kind is not dpdk, and this generator has no other"));
    };
    if traffic.io != Io::Dpdk {
        return Err(Failure::new("accept the request: io is not dpdk, septet-gen is the one that speaks to sockets"));
    }
    log::take_over().attempt(|| "send the log of DPDK to the standard error".into())?;
    let watchdog = Watchdog::watch(caller.listener().attempt(|| "watch over the start of DPDK".into())?);
    let eal = Eal::start(eal_args)?;
    let mut port = DpdkPort::open(traffic, &eal)?;
    watchdog.dismiss();
    port.await_link(caller)?;
    // After the EAL has moved this thread to its core.
    session::run(&mut port, traffic, caller, &mut Clock::open())?;
    // Some switches forget what they counted of a port when its other end closes, and what is still on its way to a
    // switch would be lost.
    caller.await_leave();
    Ok(())
}
