//! What a test means on its hosts: the scene that each agent builds, and the request that each generator gets.
//! Pure. It must not know how a scene is built, or what keys are made of it.

use std::borrow::Cow;

use host_setup::application;
use host_setup::cores::{Assignment, CorePlan};
use host_setup::eal::Memory;
use host_setup::scene::{Container, Function, Interface, Link, Scene, Switch, VhostUser};
use host_setup::stack::SYSTEM;
use host_setup::switch::{End, Ends};
use results::axes::{Dimension, Io};
use results::tuple::Tuple;
use wire::{Endpoint, Port, Request, Role, Schedule, Wait};

use crate::eal;
use crate::experiment::Times;
use crate::ready::Side;

/// Length of an accounting interval, ns.
pub const INTERVAL_NS: u64 = 10_000_000;
/// How long a receiver waits at most for what is in flight, ns.
pub const DRAIN_NS_MAX: u64 = 1_000_000_000;
/// Round trips kept one by one; later ones go into a histogram.
pub const RTT_SAMPLES_MAX: u64 = 1_000_000;

/// The application that generates the traffic of a technique.
pub fn generator(io: Io) -> &'static str {
    match io {
        Io::Udp | Io::UdpMmsg | Io::Raw | Io::RawMmsg => "septet-gen",
        Io::Dpdk => "septet-gen-dpdk",
    }
}

/// The name of the application of a test that a site defines, if it has one.
pub fn of_site(tuple: &Tuple) -> Option<&str> {
    tuple.variant.stack.strip_prefix(application::PREFIX)
}

/// The application that runs in a test's containers.
pub fn application(tuple: &Tuple) -> Cow<'static, str> {
    match of_site(tuple) {
        Some(name) => Cow::Owned(application::id(name)),
        None => Cow::Borrowed(generator(tuple.variant.io)),
    }
}

const INTERFACE: &str = "eth0";
const OUTPUT: &str = "/out";
const INITIATOR_PORT: u16 = 50_000;
const RESPONDER_PORT: u16 = 49_200;
const PREFIX_LENGTH: u32 = 16;
/// Room for histograms and file system overhead in an output folder, bytes.
const OUTPUT_BYTES_SPARE: u64 = 8 << 20;

/// A generator of a test: its container and its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Name of its container.
    pub container: String,
    /// What it is asked.
    pub request: Request,
    /// What it finds at its end of the link.
    pub end: End,
    /// The side of the test that it is on: the place of its host.
    pub side: usize,
}

/// What generators find on a side of a test.
#[derive(Clone, Copy, Debug)]
pub struct Seating<'a> {
    /// What is at the ends of their links.
    pub ends: Ends,
    /// Who runs where.
    pub cores: &'a CorePlan,
    /// What the memory of DPDK programs is made of.
    pub memory: Option<Memory>,
    /// Libraries of DPDK that drive what is at the ends, besides those that it always loads.
    pub drivers: &'static [&'static str],
}

impl Party {
    /// Whether it ends by itself when the schedule is over; the others are told to stop.
    pub fn initiates(&self) -> bool {
        matches!(self.request.role, Role::Send | Role::Client)
    }

    /// Whether it makes the socket that another one connects to, and so must be started before that one.
    pub fn listens(&self) -> bool {
        self.end == End::ListeningDriver
    }
}

/// The times of a test as generators are told them.
pub fn schedule(times: &Times) -> Schedule {
    Schedule {
        warmup_ns: times.warmup_ns,
        duration_ns: times.duration_ns,
        cooldown_ns: times.cooldown_ns,
        interval_ns: INTERVAL_NS,
        drain_ns_max: DRAIN_NS_MAX,
    }
}

/// The memory that a test's DPDK programs have where `memory` is what this host can give; none for other tests.
pub fn memory(tuple: &Tuple, memory: Memory) -> Option<Memory> {
    (tuple.variant.io == Io::Dpdk).then_some(memory)
}

/// The generators of a test, pair by pair, the responder (receiver or server) of each pair first, so that
/// whoever starts them in order has every receiver up before the first packet. `seats` are those of its sides: where
/// there are two, those who begin are on the first one, and those who answer on the second.
pub fn parties(tuple: &Tuple, times: &Times, seats: &[Seating]) -> Vec<Party> {
    (0..tuple.pairs.get())
        .flat_map(|pair| {
            [(0, Half::Responder), (1, Half::Initiator)].into_iter().filter_map(move |(of_pair, half)| {
                let (side, place) = match seats.len() {
                    0 | 1 => (0, 2 * usize::from(pair) + of_pair),
                    _ => (usize::from(half == Half::Responder), usize::from(pair)),
                };
                let Seating { ends, cores, memory, drivers } = *seats.get(side)?;
                let assignment = cores.generators.get(place);
                let seat = Seat { end: ends.of(place), assignment, memory, drivers, side };
                Some(party(tuple, times, pair, half, &seat))
            })
        })
        .collect()
}

/// Where a generator runs.
struct Seat<'a> {
    /// What it finds at its end of the link.
    end: End,
    assignment: Option<&'a Assignment>,
    memory: Option<Memory>,
    drivers: &'static [&'static str],
    side: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Initiator,
    Responder,
}

/// Who somebody of a pair is. A virtual function is known by its address, and those that the kernel drives are others
/// than those that applications get whole.
fn endpoint(pair: u16, half: Half, seat: &Seat) -> Endpoint {
    let kind = u8::from(seat.end == End::Function && seat.memory.is_none());
    let host = match half {
        Half::Initiator => 1,
        Half::Responder => 2,
    };
    Endpoint {
        mac: format!("02:73:70:{kind:02x}:{pair:02x}:{host:02x}"),
        ipv4: format!("10.0.{pair}.{host}"),
        udp_port: match half {
            Half::Initiator => INITIATOR_PORT,
            Half::Responder => RESPONDER_PORT,
        },
    }
}

fn party(tuple: &Tuple, times: &Times, pair: u16, half: Half, seat: &Seat) -> Party {
    let role = match (tuple.dimension, half) {
        (Dimension::Throughput, Half::Initiator) => Role::Send,
        (Dimension::Throughput, Half::Responder) => Role::Receive,
        (Dimension::Latency, Half::Initiator) => Role::Client,
        (Dimension::Latency, Half::Responder) => Role::Server,
    };
    let name = match role {
        Role::Send => "send",
        Role::Receive => "receive",
        Role::Client => "client",
        Role::Server => "server",
    };
    let (local, remote) = match half {
        Half::Initiator => (endpoint(pair, Half::Initiator, seat), endpoint(pair, Half::Responder, seat)),
        Half::Responder => (endpoint(pair, Half::Responder, seat), endpoint(pair, Half::Initiator, seat)),
    };
    let wait = if seat.assignment.is_some_and(|assignment| assignment.dedicated) { Wait::Spin } else { Wait::Yield };
    let end = seat.end;
    let port = match seat.memory {
        None => Port::Interface { name: INTERFACE.to_string() },
        Some(memory) => {
            let port = eal::Port { end, mac: &local.mac, queues: tuple.variant.queues, drivers: seat.drivers };
            let cpus = seat.assignment.map_or(&[][..], |assignment| &assignment.cpus);
            Port::Dpdk { eal_args: eal::arguments(&port, memory, cpus) }
        }
    };
    let request = Request {
        version: wire::VERSION,
        role,
        io: tuple.variant.io,
        port,
        frame_bytes: tuple.frame_bytes(),
        burst: tuple.burst.get(),
        rate_pps: if half == Half::Initiator { tuple.rate.fixed_pps() } else { None },
        flows: tuple.variant.flows,
        queues: tuple.variant.queues,
        touch: tuple.variant.touch,
        wait,
        schedule: schedule(times),
        local,
        remote,
        rtt_samples_max: RTT_SAMPLES_MAX,
        output: OUTPUT.to_string(),
    };
    Party { container: format!("{name}-{pair}"), request, end, side: seat.side }
}

/// The scene of a test on the side in that place.
pub fn scene(tuple: &Tuple, place: usize, side: &Side, parties: &[Party]) -> Scene {
    let cores = &side.cores;
    let ends = side.switch.ends;
    let here = parties.iter().filter(|party| party.side == place);
    let containers = here.zip(0..).map(|(party, place)| Container {
        application: application(tuple).into_owned(),
        ..container(party, ends, cores, place)
    });
    let containers = containers.collect();
    Scene {
        runtime: side.runtime,
        switch: Switch {
            kind: tuple.vswitch.name().to_string(),
            stack: of_site(tuple).map_or_else(|| tuple.variant.stack.to_string(), |_| SYSTEM.to_string()),
            cpus: cores.switch.clone(),
            queues: tuple.variant.queues,
            memory: side.switch.shape.memory,
            uplink: side.uplink.clone(),
            configuration: side.configuration.to_string(),
        },
        containers,
        housekeeping: cores.housekeeping,
    }
}

fn container(party: &Party, ends: Ends, cores: &CorePlan, place: usize) -> Container {
    let Request { local, remote, schedule, io, .. } = &party.request;
    let uses_ip = matches!(io, Io::Udp | Io::UdpMmsg);
    let intervals = schedule.intervals() * wire::INTERVAL_BYTES as u64;
    let interface = || Interface {
        name: INTERFACE.to_string(),
        mac: local.mac.clone(),
        ipv4: uses_ip.then(|| format!("{}/{PREFIX_LENGTH}", local.ipv4)),
        neighbours: if uses_ip { vec![(remote.ipv4.clone(), remote.mac.clone())] } else { Vec::new() },
    };
    let link = match party.end {
        End::Interface => Link::Interface(interface()),
        End::Function => {
            let whole = matches!(party.request.port, Port::Dpdk { .. });
            Link::Function(Function { mac: local.mac.clone(), interface: (!whole).then(interface) })
        }
        End::Driver | End::ListeningDriver | End::Device => {
            let folder = format!("port-{}", ends.folder(place));
            Link::VhostUser(VhostUser { folder, mac: local.mac.clone() })
        }
    };
    let round_trips = match party.request.role {
        Role::Client => RTT_SAMPLES_MAX * wire::RTT_BYTES as u64,
        _ => 0,
    };
    Container {
        name: party.container.clone(),
        application: String::new(),
        cpus: cores.generators.get(place).map(|assignment| assignment.cpus.clone()).unwrap_or_default(),
        output_bytes_max: intervals + round_trips + OUTPUT_BYTES_SPARE,
        link,
    }
}
