//! What all roles share while they run: the clock, the accounts, the caller, waiting, and the words that are no
//! traffic. It must not know what carries the packets, nor what any role does.

use std::io;
use std::time::Duration;

use wire::{Command, Wait};

use crate::caller::Caller;
use crate::clock::Clock;
use crate::failure::{Attempt, Failure};
use crate::ledger::Ledger;
use crate::payload::{Arrival, Header, Kind};
use crate::port::{Found, Port};
use crate::traffic::Traffic;

/// How often a loop does what is not about packets; one system call.
const BEAT_NS: u64 = 10_000_000;
/// How often a receiver announces itself: well within the time a switch remembers an address.
pub const ANNOUNCEMENT_NS: u64 = 2_000_000_000;
/// How many end markers are sent, and how far apart: a full queue on the way that loses the first has room
/// for a later one as soon as traffic ends.
const END_MARKERS: u32 = 64;
const END_MARKER_DISTANCE: Duration = Duration::from_millis(1);
/// How many more are sent at most while earlier packets wait to be fetched, so that closing the port does not
/// take them along.
const END_MARKERS_MORE: u32 = 1_000;
/// Packets in flight that the end markers themselves may be.
const IN_FLIGHT_AT_END: usize = 4;
/// Processors stay in a hint to a spinning thread for 10 to 140 cycles: this is less than a microsecond, in which
/// less comes than the shortest of queues holds.
const FILL_SPINS: u32 = 10;
/// How near the start may be that a process sleeps towards it.
const WAKE_NS: u64 = 3_000_000;

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
    /// Who asked for it.
    pub caller: &'a mut Caller,
    /// Frames of announcements and end markers that the port took.
    pub words: u64,
    /// When the next beat is due.
    pub beat_ns: u64,
    /// When the next announcement is.
    pub announcement_ns: u64,
    /// How late a beat was at most, the start counted as one.
    pub stalled_ns_max: u64,
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
    pub fn take(&mut self, arrivals: &mut Vec<Arrival>) -> Result<Found, Failure> {
        self.port.receive(arrivals).attempt(|| "receive".into())
    }

    /// What a poll has found came at `now_ns`. What came before the start and is no traffic belongs to the setting up
    /// of the network, and is forgotten.
    #[inline]
    pub fn arrived(&mut self, arrivals: &mut Vec<Arrival>, now_ns: u64) {
        self.ledger.at(now_ns, self.port.calls());
        if now_ns < self.epoch_ns {
            arrivals.retain(|arrival| !matches!(arrival, Arrival::Corrupt | Arrival::Foreign));
        }
    }

    /// There was nothing to do from `from_ns` to `until_ns`; before the start that does not count.
    #[inline]
    pub fn idle(&mut self, from_ns: u64, until_ns: u64) {
        self.ledger.idle(until_ns.saturating_sub(from_ns.max(self.epoch_ns)));
    }

    /// What an empty poll, a refusal or a wait costs: nothing, or the rest of the time slice.
    #[inline]
    pub fn pause(&self) {
        match self.traffic.wait {
            Wait::Spin => std::hint::spin_loop(),
            Wait::Yield => std::thread::yield_now(),
        }
    }

    /// Lets a queue fill in which a poll found less than it could have: a poll takes the queue's memory away from the
    /// core that fills it, and if it finds little, does so for little. Whoever shares its core leaves it if it found
    /// nothing.
    #[inline]
    pub fn let_fill(&self, found: Found) {
        match (self.traffic.wait, found) {
            (_, Found::Burst) | (Wait::Yield, Found::Less) => {}
            (Wait::Yield, Found::Nothing) => std::thread::yield_now(),
            (Wait::Spin, _) => (0..FILL_SPINS).for_each(|_| std::hint::spin_loop()),
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
        let due_ns = self.beat_ns.max(self.epoch_ns);
        self.stalled_ns_max = self.stalled_ns_max.max(now_ns.saturating_sub(due_ns));
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

/// Lets the switches on the way learn where this end is.
pub(crate) fn announce(port: &mut impl Port) -> Result<u64, Failure> {
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
