//! `dpdk`: the port of the measurement over a DPDK port, a call into the driver a burst, frames built whole in
//! buffers that were filled beforehand. It must not know counts, time or drivers by name.

use std::io;
use std::time::{Duration, Instant};

use generators::caller::Caller;
use generators::failure::Failure;
use generators::frame::Layout;
use generators::payload::{Arrival, Header, Kind};
use generators::port::{Found, Port};
use generators::traffic::Traffic;

use crate::device::Device;
use crate::drivers::UNNOTICED;
use crate::eal::Eal;
use crate::log;
use crate::pool::{Incoming, Outgoing, Pool};

/// How long the other side may take to connect.
const LINK_PATIENCE: Duration = Duration::from_secs(20);
/// Room for one received frame; of longer ones, which are none of ours, this much is read.
const RECEIVE_BYTES: usize = 2048;

/// A DPDK port with the buffers it needs.
#[derive(Debug)]
pub struct DpdkPort<'eal> {
    // Dropped in this order: a device before the pools that it uses.
    device: Device<'eal>,
    incoming_pool: Pool,
    outgoing_pool: Pool,
    incoming: Incoming,
    outgoing: Outgoing,
    layout: Layout,
    /// Packets are numbered here where queues may refuse each for itself; see [`Self::send_spread`].
    numbers: bool,
    /// Headers of one queue.
    spread: Vec<Header>,
    /// The queue that is polled next.
    next_queue: u16,
    calls: u64,
}

impl<'eal> DpdkPort<'eal> {
    /// Opens the only port that the EAL has, and starts it.
    ///
    /// # Errors
    /// As [`Device::configure`] and [`Device::start`], and too little memory.
    pub fn open(traffic: &Traffic, eal: &'eal Eal) -> Result<Self, Failure> {
        let mut device = Device::configure(eal, traffic.queues)?;
        let layout = Layout::of(traffic);
        let (receive, send) = device.buffers();
        let burst = usize::from(traffic.burst);
        let pool = |name, size, bytes| {
            Pool::new(eal, name, size, bytes, device.socket())
                .map_err(|error| Failure::because(format!("get memory for {size} packets of {bytes} bytes"), error))
        };
        let sent_from_there = if device.manners().sends_from_incoming { send + burst } else { 0 };
        let incoming_pool = pool(c"incoming", receive + burst + sent_from_there, RECEIVE_BYTES)?;
        let mut outgoing_pool = pool(c"outgoing", send + burst, layout.frame_bytes())?;
        outgoing_pool.fill(layout.template());
        device.start(&incoming_pool)?;
        Ok(Self {
            device,
            incoming_pool,
            outgoing_pool,
            incoming: Incoming::new(traffic.burst),
            outgoing: Outgoing::new(traffic.burst, layout.frame_bytes()),
            layout,
            numbers: traffic.originates(),
            spread: Vec::with_capacity(burst),
            next_queue: 0,
            calls: 0,
        })
    }

    /// Waits until the other side has connected.
    ///
    /// # Errors
    /// It does not come in time, or the caller does not want to wait any longer.
    pub fn await_link(&self, caller: &mut Caller) -> Result<(), Failure> {
        let attempt = || format!("wait for the other side of the DPDK port {}", self.device.name());
        let deadline = Instant::now() + LINK_PATIENCE;
        while !self.device.link().map_err(|error| Failure::because(attempt(), error))? {
            if caller.command(1)?.is_some() {
                return Err(Failure::because(attempt(), "the caller has not waited until this end was ready"));
            }
            if Instant::now() > deadline {
                let said = log::complaint().map(|complaint| format!(" ({complaint})")).unwrap_or_default();
                let why = format!("its link is not up after {} s{said}", LINK_PATIENCE.as_secs());
                return Err(Failure::because(attempt(), why));
            }
        }
        Ok(())
    }

    /// Hands packets to one queue.
    #[inline]
    fn send_by(&mut self, queue: u16, burst: &[Header]) -> usize {
        self.calls += 1;
        if !self.outgoing.acquire(&self.outgoing_pool, burst.len()) {
            // All buffers wait to be fetched: the queue is as full as it gets.
            return 0;
        }
        if !self.device.manners().keeps_data {
            self.outgoing.frames_mut().for_each(|frame| frame.copy_from_slice(self.layout.template()));
        }
        self.layout.write_all(self.outgoing.frames_mut(), burst);
        self.outgoing.send(self.device.port(), queue, burst.len())
    }

    /// Hands packets over by the queues of their flows. Each queue refuses for itself, so a packet's number is
    /// known only once the queues before have taken theirs: the numbers of all that are taken remain consecutive,
    /// and rise within each flow. Answers keep the numbers that they have.
    fn send_spread(&mut self, burst: &[Header]) -> usize {
        let mut taken = 0;
        let mut of_queue = std::mem::take(&mut self.spread);
        for queue in 0..self.device.queues() {
            let flows = burst.iter().filter(|header| header.flow % self.device.queues() == queue);
            of_queue.clear();
            of_queue.extend(flows);
            if of_queue.is_empty() {
                continue;
            }
            if self.numbers {
                for (header, sequence) in of_queue.iter_mut().zip(burst[0].sequence + taken as u64..) {
                    header.sequence = sequence;
                }
            }
            taken += self.send_by(queue, &of_queue);
        }
        self.spread = of_queue;
        taken
    }
}

impl DpdkPort<'_> {
    /// Sends what is no traffic by every queue: an end marker ends what came before it there.
    fn send_everywhere(&mut self, word: Header) -> usize {
        (0..self.device.queues()).map(|queue| self.send_by(queue, &[word])).sum()
    }
}

impl Port for DpdkPort<'_> {
    #[inline]
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        Ok(match burst {
            _ if self.device.queues() == 1 => self.send_by(0, burst),
            [word] if word.kind != Kind::Data => self.send_everywhere(*word),
            _ => self.send_spread(burst),
        })
    }

    #[inline]
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        arrivals.clear();
        for _ in 0..self.device.queues() {
            self.calls += 1;
            let received = self.incoming.receive(self.device.port(), self.next_queue);
            self.next_queue = if self.next_queue + 1 < self.device.queues() { self.next_queue + 1 } else { 0 };
            if received > 0 {
                self.layout.read_all(self.incoming.frames(), arrivals);
                self.incoming.release(&self.incoming_pool);
                return Ok(Found::of(received, self.incoming.room()));
            }
        }
        Ok(Found::Nothing)
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn drops(&self) -> io::Result<u64> {
        self.device.drops().map_err(io::Error::other)
    }

    fn in_flight(&self) -> usize {
        if !self.device.manners().returns_when_fetched {
            return 0;
        }
        let unnoticed = usize::from(self.device.queues()) * usize::from(UNNOTICED);
        self.outgoing_pool.absent().saturating_sub(self.outgoing.held() + unnoticed)
    }
}

/// So that a conversation may end while its port stays open.
impl Port for &mut DpdkPort<'_> {
    #[inline]
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        (**self).send(burst)
    }

    #[inline]
    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        (**self).receive(arrivals)
    }

    fn calls(&self) -> u64 {
        (**self).calls()
    }

    fn drops(&self) -> io::Result<u64> {
        (**self).drops()
    }

    fn in_flight(&self) -> usize {
        (**self).in_flight()
    }
}
