//! One conversation over one open port: ready, start, the role's loop, done. And what all roles share while
//! they run: the clock, the accounts, the caller, waiting. It must not know what carries the packets.

use std::io;
use std::time::Duration;

use wire::{Command, Event, Role, Totals, Wait};

use crate::caller::Caller;
use crate::clock::Clock;
use crate::failure::{Attempt, Failure};
use crate::ledger::Ledger;
use crate::payload::{Arrival, Header, Kind};
use crate::port::Port;
use crate::role;
use crate::round_trips::RoundTrips;
use crate::sys::process::{Usage, usage};
use crate::traffic::Traffic;

/// How often a loop does what is not about packets; one system call.
const BEAT_NS: u64 = 10_000_000;
/// How often a receiver announces itself: well within the time a switch remembers an address.
const ANNOUNCEMENT_NS: u64 = 2_000_000_000;
/// How many end markers are sent, and how far apart: a full queue on the way that loses the first has room
/// for a later one as soon as traffic ends.
const END_MARKERS: u32 = 64;
const END_MARKER_DISTANCE: Duration = Duration::from_millis(1);
/// How many more are sent at most while earlier packets wait to be fetched, so that closing the port does not
/// take them along.
const END_MARKERS_MORE: u32 = 1_000;
/// Packets in flight that the end markers themselves may be.
const IN_FLIGHT_AT_END: usize = 4;
/// How near the start may be that a process sleeps towards it.
const WAKE_NS: u64 = 3_000_000;
/// A start may lie so far in the future, and so far in the past, in nanoseconds.
const START_NS: (u64, u64) = (60_000_000_000, 1_000_000_000);

/// What a role's loop works with.
pub struct Run<'a, P> {
    /// What is to be done.
    pub traffic: &'a Traffic,
    /// Where packets go and come.
    pub port: P,
    /// The time.
    pub clock: &'a Clock,
    /// The accounts.
    pub ledger: Ledger,
    /// When traffic starts.
    pub epoch_ns: u64,
    caller: &'a mut Caller,
    /// Frames of announcements and end markers that the port took.
    words: u64,
    beat_ns: u64,
    announcement_ns: u64,
}

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
        };
        let promised = match (traffic.role, &mut round_trips) {
            (Role::Send, _) => role::send::run(&mut run)?,
            (Role::Receive, _) => role::receive::run(&mut run)?,
            (Role::Server, _) => role::server::run(&mut run)?,
            (Role::Client, Some(round_trips)) => role::client::run(&mut run, round_trips)?,
            (Role::Client, None) => return Err(Failure::new("keep round trips: none were prepared")),
        };
        totals = finish(run.ledger.close(promised), &run.port, before)?;
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

/// Lets the switches on the way learn where this end is.
fn announce(port: &mut impl Port) -> Result<u64, Failure> {
    send_word(port, Kind::Announcement, 0).attempt(|| "announce this end".into())
}

/// Sends one word, which is no traffic, and returns how many frames of it were taken. That it may be refused, or
/// that nobody listens yet or any more, is no failure: it is said more than once.
fn send_word(port: &mut impl Port, kind: Kind, sequence: u64) -> io::Result<u64> {
    match port.send(&[Header { kind, flow: 0, sequence, stamp_ns: 0 }]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(0),
        taken => taken.map(|taken| taken as u64),
    }
}

impl<P: Port> Run<'_, P> {
    /// Hands a burst over and enters it in the accounts; returns how many packets were taken.
    #[inline]
    pub fn hand_over(&mut self, burst: &[Header], now_ns: u64, late_ns: u64) -> Result<u64, Failure> {
        let taken = self.port.send(burst).attempt(|| "send".into())? as u64;
        let attempted = burst.len() as u64;
        self.ledger.at(now_ns, self.port.calls());
        self.ledger.handed_over(attempted, taken, late_ns);
        if taken < attempted {
            self.pause();
        }
        Ok(taken)
    }

    /// Polls the port.
    #[inline]
    pub fn take(&mut self, arrivals: &mut Vec<Arrival>) -> Result<(), Failure> {
        self.port.receive(arrivals).attempt(|| "receive".into())
    }

    /// What an empty poll, a refusal or a wait costs: nothing, or the rest of the time slice.
    #[inline]
    pub fn pause(&self) {
        match self.traffic.wait {
            Wait::Spin => std::hint::spin_loop(),
            Wait::Yield => std::thread::yield_now(),
        }
    }

    /// Whether it is time for [`Self::beat`].
    #[inline]
    pub fn beat_is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.beat_ns
    }

    /// What is done every 10 ms: puts the counts where others see them, lets a receiver announce itself, and asks
    /// whether the caller wants to stop.
    #[cold]
    pub fn beat(&mut self, now_ns: u64) -> Result<bool, Failure> {
        self.beat_ns = now_ns + BEAT_NS;
        self.ledger.commit();
        if now_ns >= self.announcement_ns && !self.traffic.originates() {
            self.announcement_ns = now_ns + ANNOUNCEMENT_NS;
            self.words += announce(&mut self.port)?;
        }
        match self.caller.command(0)? {
            Some(Command::Stop) => Ok(true),
            Some(Command::Start { .. }) => Err(Failure::new("start: it has started already")),
            None => Ok(false),
        }
    }

    /// Sleeps until shortly before the start. Returns whether the caller wants to stop instead.
    pub fn await_epoch(&mut self) -> Result<bool, Failure> {
        loop {
            let now_ns = self.clock.now();
            if now_ns + WAKE_NS >= self.epoch_ns {
                return Ok(false);
            }
            if self.beat(now_ns)? {
                return Ok(true);
            }
            let left_ns = self.epoch_ns - WAKE_NS - now_ns;
            std::thread::sleep(Duration::from_nanos(left_ns.min(BEAT_NS)));
        }
    }

    /// Tells the other end how many packets were sent, many times.
    pub fn send_end_markers(&mut self) -> Result<(), Failure> {
        for number in 0..END_MARKERS + END_MARKERS_MORE {
            if number >= END_MARKERS && self.port.in_flight() <= IN_FLIGHT_AT_END {
                break;
            }
            let sent = self.ledger.sent();
            self.words += send_word(&mut self.port, Kind::End, sent).attempt(|| "send an end marker".into())?;
            std::thread::sleep(END_MARKER_DISTANCE);
            self.beat(self.clock.now())?;
        }
        Ok(())
    }
}
