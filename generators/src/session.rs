//! One conversation over one open port: ready, start, the role's loop, done. It must not know what carries the
//! packets.

use wire::{Command, Event, Role, Totals};

use crate::caller::Caller;
use crate::clock::Clock;
use crate::failure::{Attempt, Failure};
use crate::ledger::Ledger;
use crate::port::Port;
use crate::role;
use crate::round_trips::RoundTrips;
use crate::run::{ANNOUNCEMENT_NS, Run, announce};
use crate::sys::process::{Usage, usage};
use crate::traffic::Traffic;

/// A start may lie so far in the future, and so far in the past, in nanoseconds: whoever says it, or hears it, may have
/// been stopped for a while in between, and then has missed what was due.
const START_NS: (u64, u64) = (60_000_000_000, 600_000_000_000);

/// Measures what `traffic` says over `port`, and tells the caller.
///
/// # Errors
/// Whatever made it impossible; the caller has not been told.
pub fn run<P: Port>(mut port: P, traffic: &Traffic, caller: &mut Caller, clock: &mut Clock) -> Result<(), Failure> {
    let mut ledger = Ledger::create(traffic)?;
    let mut round_trips = match traffic.role {
        Role::Client => Some(RoundTrips::create(traffic)?),
        _ => None,
    };
    let mut words = if traffic.originates() { 0 } else { announce(&mut port)? };
    caller.say(&Event::Ready { version: wire::VERSION, clock: clock.report() })?;
    let epoch_ns = await_start(&mut port, traffic, caller, &mut words)?;
    clock.refine();
    let before = (usage(), port.drops().attempt(read_drops)?);
    let mut totals = Totals::default();
    if let Some(epoch_ns) = epoch_ns {
        check_start(epoch_ns, clock.now())?;
        ledger.start(epoch_ns, port.calls());
        let mut run = Run {
            traffic,
            port,
            clock,
            ledger,
            epoch_ns,
            caller,
            words,
            beat_ns: 0,
            announcement_ns: epoch_ns + ANNOUNCEMENT_NS,
            stalled_ns_max: 0,
        };
        let promised = match (traffic.role, &mut round_trips) {
            (Role::Send, _) => role::send::run(&mut run)?,
            (Role::Receive, _) => role::receive::run(&mut run)?,
            (Role::Server, _) => role::server::run(&mut run)?,
            (Role::Client, Some(round_trips)) => role::client::run(&mut run, round_trips)?,
            (Role::Client, None) => return Err(Failure::new("keep round trips: none were prepared")),
        };
        totals = finish(run.ledger.close(promised), &run.port, before)?;
        totals.stalled_ns_max = run.stalled_ns_max;
        words = run.words;
    }
    totals.words = words;
    if let Some(round_trips) = round_trips {
        (totals.rtt_samples, totals.rtt_overflow) = round_trips.close()?;
    }
    caller.say(&Event::Done { totals: Box::new(totals), clock: clock.report() })
}

fn read_drops() -> String {
    "read how many packets the kernel dropped".into()
}

fn finish(mut totals: Totals, port: &impl Port, before: (Usage, u64)) -> Result<Totals, Failure> {
    let (usage_before, drops_before) = before;
    let usage = usage();
    totals.socket_drops = port.drops().attempt(read_drops)?.saturating_sub(drops_before);
    totals.cpu_ns = usage.cpu_ns - usage_before.cpu_ns;
    totals.involuntary_switches = usage.involuntary_switches - usage_before.involuntary_switches;
    totals.voluntary_switches = usage.voluntary_switches - usage_before.voluntary_switches;
    Ok(totals)
}

/// When to start; `None` if the caller says stop instead.
fn await_start(
    port: &mut impl Port,
    traffic: &Traffic,
    caller: &mut Caller,
    words: &mut u64,
) -> Result<Option<u64>, Failure> {
    loop {
        match caller.command((ANNOUNCEMENT_NS / 1_000_000) as u16)? {
            Some(Command::Start { epoch_mono_ns }) => {
                // What was said when only this end was ready a switch may have dropped, and would flood then.
                if !traffic.originates() {
                    *words += announce(port)?;
                }
                return Ok(Some(epoch_mono_ns));
            }
            Some(Command::Stop) => return Ok(None),
            None if !traffic.originates() => *words += announce(port)?,
            None => {}
        }
    }
}

fn check_start(epoch_ns: u64, now_ns: u64) -> Result<(), Failure> {
    let (future_ns, past_ns) = START_NS;
    if epoch_ns > now_ns.saturating_add(future_ns) || epoch_ns < now_ns.saturating_sub(past_ns) {
        let away_s = epoch_ns as f64 / 1e9 - now_ns as f64 / 1e9;
        return Err(Failure::new(format!(
            "start: epoch_mono_ns is {away_s:+.1} s from now by CLOCK_MONOTONIC, it must be a little in the future"
        )));
    }
    Ok(())
}
