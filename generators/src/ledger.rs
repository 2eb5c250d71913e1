//! The accounts: every packet that was attempted, refused, missed, or came, in the totals of the run and in
//! the interval where it happened. It must not know ports or pacing; time comes in as a number.
//!
//! The two sides are counted apart. What was sent is counted as the port takes it; what was lost is counted
//! from the gaps between the sequence numbers that came, up to the number that the end marker names.

use wire::{IntervalRecord, Role, Totals};

use crate::failure::Failure;
use crate::intervals::Intervals;
use crate::payload::{Arrival, Header, Kind};
use crate::traffic::Traffic;
use crate::window::{Verdict, Window};

/// What an arrival means to a role, once it is in the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Traffic that was not seen before.
    First(Header),
    /// Traffic that was seen before.
    Again(Header),
    /// Traffic that is not answered or timed.
    Counted,
    /// No traffic.
    Other,
}

/// The accounts of one run.
#[derive(Debug)]
pub struct Ledger {
    totals: Totals,
    window: Window,
    intervals: Intervals,
    now_ns: u64,
    calls_before: u64,
    /// Whether the intervals' `packets` are those sent (a sender's) or those received (all others').
    packets_are_sent: bool,
    packets_promised: Option<u64>,
}

impl Ledger {
    /// Empty accounts, and the file of their intervals.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(traffic: &Traffic) -> Result<Self, Failure> {
        Ok(Self {
            totals: Totals::default(),
            window: Window::new(traffic.flows),
            intervals: Intervals::create(&traffic.output, &traffic.schedule)?,
            now_ns: 0,
            calls_before: 0,
            packets_are_sent: traffic.role == Role::Send,
            packets_promised: None,
        })
    }

    /// Begins at `epoch_ns`; the port has been called `calls` times before.
    pub fn start(&mut self, epoch_ns: u64, calls: u64) {
        self.intervals.start(epoch_ns);
        self.now_ns = epoch_ns;
        self.calls_before = calls;
    }

    /// What follows happened at `now_ns`, after `calls` calls into the port in all.
    #[inline]
    pub fn at(&mut self, now_ns: u64, calls: u64) {
        self.now_ns = now_ns;
        let made = calls - self.calls_before;
        self.calls_before = calls;
        self.totals.calls += made;
        let interval = self.interval();
        interval.calls = interval.calls.saturating_add(narrow(made));
    }

    #[inline]
    fn interval(&mut self) -> &mut IntervalRecord {
        self.intervals.at(self.now_ns)
    }

    /// A burst of `attempted` packets was handed over, `late_ns` after its deadline, and `taken` were taken.
    #[inline]
    pub fn handed_over(&mut self, attempted: u64, taken: u64, late_ns: u64) {
        let rejected = attempted.saturating_sub(taken);
        self.totals.attempted += attempted;
        self.totals.sent += taken;
        self.totals.rejected += rejected;
        let packets = if self.packets_are_sent { narrow(taken) } else { 0 };
        let interval = self.interval();
        interval.packets = interval.packets.saturating_add(packets);
        interval.rejected = interval.rejected.saturating_add(narrow(rejected));
        interval.late_ns_max = interval.late_ns_max.max(narrow(late_ns));
    }

    /// The deadlines of `packets` packets have passed too long ago.
    pub fn missed(&mut self, packets: u64) {
        self.totals.missed += packets;
        let interval = self.interval();
        interval.missed = interval.missed.saturating_add(narrow(packets));
    }

    /// There was nothing to do for `ns`.
    #[inline]
    pub fn idle(&mut self, ns: u64) {
        let interval = self.interval();
        interval.idle_ns = interval.idle_ns.saturating_add(narrow(ns));
    }

    /// A burst came; `tell` hears of each packet what it means.
    #[inline]
    pub fn arrived(&mut self, arrivals: &[Arrival], mut tell: impl FnMut(Noted)) {
        let (expected, others) = arrivals.split_at(self.expected(arrivals));
        for arrival in expected {
            if let Arrival::Ours(header) = arrival {
                tell(Noted::First(*header));
            }
        }
        for arrival in others {
            tell(self.arrival(arrival));
        }
    }

    /// Takes the first of `arrivals` into the accounts, as long as each is the traffic that is expected next, not seen
    /// before, and returns how many were: nearly always all. The others are for [`Self::arrival`].
    #[inline]
    pub fn expected(&mut self, arrivals: &[Arrival]) -> usize {
        let traffic = arrivals.iter().map_while(|arrival| match arrival {
            Arrival::Ours(header) if header.kind == Kind::Data => Some((header.flow, header.sequence)),
            _ => None,
        });
        let count = self.window.note_expected(traffic);
        self.received(count);
        count as usize
    }

    /// Something came.
    #[inline]
    pub fn arrival(&mut self, arrival: &Arrival) -> Noted {
        match arrival {
            Arrival::Ours(header) if header.kind == Kind::Data => self.data(header),
            Arrival::Ours(header) => {
                if header.kind == Kind::End {
                    self.packets_promised = Some(header.sequence);
                    self.totals.end_marker_seen = true;
                }
                Noted::Other
            }
            Arrival::Series { first, count } => self.series(*first, *count),
            Arrival::Corrupt => self.corrupt(),
            Arrival::Foreign => {
                self.totals.foreign += 1;
                self.interval().foreign += 1;
                Noted::Other
            }
        }
    }

    fn series(&mut self, first: u64, count: u64) -> Noted {
        if first == self.window.next() {
            self.window.note_series(count);
            self.received(count);
        } else {
            for sequence in first..first + count {
                self.data(&Header { kind: Kind::Data, flow: 0, sequence, stamp_ns: 0 });
            }
        }
        Noted::Counted
    }

    /// `count` packets came that had not come before.
    #[inline]
    fn received(&mut self, count: u64) {
        if !self.packets_are_sent {
            let interval = self.interval();
            interval.packets = interval.packets.saturating_add(narrow(count));
        }
    }

    fn data(&mut self, header: &Header) -> Noted {
        match self.window.note(header.flow, header.sequence) {
            Verdict::First { gap, fills, reordered } => {
                self.totals.reordered += u64::from(reordered);
                self.received(1);
                let interval = self.interval();
                interval.lost = interval.lost.saturating_add(signed(gap)).saturating_sub(i32::from(fills));
                interval.reordered += u32::from(reordered);
                Noted::First(*header)
            }
            Verdict::Again => {
                self.totals.duplicates += 1;
                self.interval().duplicates += 1;
                Noted::Again(*header)
            }
            Verdict::Absurd => self.corrupt(),
        }
    }

    /// A corrupt packet's number is not trusted, so it leaves a gap, and is taken out of the gaps by number.
    fn corrupt(&mut self) -> Noted {
        self.totals.corrupt += 1;
        let interval = self.interval();
        interval.corrupt += 1;
        interval.lost = interval.lost.saturating_sub(1);
        Noted::Other
    }

    /// Puts what was noted into the file.
    #[inline]
    pub fn commit(&mut self) {
        self.intervals.commit();
    }

    /// Packets that the port took so far.
    pub fn sent(&self) -> u64 {
        self.totals.sent
    }

    /// Whether every packet that the other side speaks of has come.
    pub fn is_complete(&self, packets: u64) -> bool {
        self.window.received() + self.totals.corrupt >= packets
    }

    /// Whether an end marker has come.
    pub fn end_marker_seen(&self) -> bool {
        self.totals.end_marker_seen
    }

    /// Closes the accounts. `packets_promised` is how many packets were to come, for a client, which knows;
    /// the others know from the end marker, or else go by the highest number that came. What is missing after
    /// the highest number goes to the present interval. `lost` is the gaps less the corrupt packets, and 0 if
    /// there were more of these (copies, then, of packets that also came intact).
    pub fn close(mut self, packets_promised: Option<u64>) -> Totals {
        let next = self.window.next();
        let promised = packets_promised.or(self.packets_promised).unwrap_or(next).max(next);
        let interval = self.interval();
        interval.lost = interval.lost.saturating_add(signed(promised - next));
        self.commit();
        self.totals.received = self.window.received();
        self.totals.lost = (promised - self.totals.received).saturating_sub(self.totals.corrupt);
        self.totals
    }
}

/// A count in a record's field; beyond its range, the largest.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn signed(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
