//! What a test means on a host: the scene that the agent builds, and the request that each generator gets.
//! Pure. It must not know how a scene is built, or what keys are made of it.

use host_setup::cores::CorePlan;
use host_setup::scene::{Container, Link, Runtime, Scene, Switch};
use results::axes::{Dimension, Io};
use results::tuple::Tuple;
use wire::{Endpoint, Port, Request, Role, Schedule, Wait};

use crate::experiment::Times;

/// Length of an accounting interval, ns.
pub const INTERVAL_NS: u64 = 10_000_000;
/// How long a receiver waits at most for what is in flight, ns.
pub const DRAIN_NS_MAX: u64 = 1_000_000_000;
/// Round trips kept one by one; later ones go into a histogram.
pub const RTT_SAMPLES_MAX: u64 = 1_000_000;
/// The application that generates socket traffic.
pub const GENERATOR: &str = "septet-gen";

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
}

impl Party {
    /// Whether it ends by itself when the schedule is over; the others are told to stop.
    pub fn initiates(&self) -> bool {
        matches!(self.request.role, Role::Send | Role::Client)
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

/// The generators of a test, pair by pair, the responder (receiver or server) of each pair first, so that
/// whoever starts them in order has every receiver up before the first packet.
pub fn parties(tuple: &Tuple, times: &Times, cores: &CorePlan) -> Vec<Party> {
    (0..tuple.pairs.get())
        .flat_map(|pair| {
            let wait = |place: usize| match cores.generators.get(2 * pair as usize + place) {
                Some(assignment) if assignment.dedicated => Wait::Spin,
                _ => Wait::Yield,
            };
            [party(tuple, times, pair, Side::Responder, wait(0)), party(tuple, times, pair, Side::Initiator, wait(1))]
        })
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Initiator,
    Responder,
}

fn endpoint(pair: u16, side: Side) -> Endpoint {
    let host = match side {
        Side::Initiator => 1,
        Side::Responder => 2,
    };
    Endpoint {
        mac: format!("02:73:70:00:{pair:02x}:{host:02x}"),
        ipv4: format!("10.0.{pair}.{host}"),
        udp_port: match side {
            Side::Initiator => INITIATOR_PORT,
            Side::Responder => RESPONDER_PORT,
        },
    }
}

fn party(tuple: &Tuple, times: &Times, pair: u16, side: Side, wait: Wait) -> Party {
    let role = match (tuple.dimension, side) {
        (Dimension::Throughput, Side::Initiator) => Role::Send,
        (Dimension::Throughput, Side::Responder) => Role::Receive,
        (Dimension::Latency, Side::Initiator) => Role::Client,
        (Dimension::Latency, Side::Responder) => Role::Server,
    };
    let name = match role {
        Role::Send => "send",
        Role::Receive => "receive",
        Role::Client => "client",
        Role::Server => "server",
    };
    let (local, remote) = match side {
        Side::Initiator => (endpoint(pair, Side::Initiator), endpoint(pair, Side::Responder)),
        Side::Responder => (endpoint(pair, Side::Responder), endpoint(pair, Side::Initiator)),
    };
    let request = Request {
        version: wire::VERSION,
        role,
        io: tuple.variant.io,
        port: Port::Interface { name: INTERFACE.to_string() },
        frame_bytes: tuple.frame_bytes(),
        burst: tuple.burst.get(),
        rate_pps: if side == Side::Initiator { tuple.rate.fixed_pps() } else { None },
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
    Party { container: format!("{name}-{pair}"), request }
}

/// The scene of a test.
pub fn scene(tuple: &Tuple, runtime: Runtime, cores: &CorePlan, configuration: String, parties: &[Party]) -> Scene {
    let containers = parties.iter().zip(0..).map(|(party, place)| container(party, cores, place)).collect();
    Scene {
        runtime,
        switch: Switch {
            kind: tuple.vswitch.name().to_string(),
            stack: tuple.variant.stack.to_string(),
            cpus: cores.switch.clone(),
            configuration,
        },
        containers,
        housekeeping: cores.housekeeping,
    }
}

fn container(party: &Party, cores: &CorePlan, place: usize) -> Container {
    let Request { local, remote, schedule, io, .. } = &party.request;
    let uses_ip = matches!(io, Io::Udp | Io::UdpMmsg);
    let intervals = schedule.intervals() * wire::INTERVAL_BYTES as u64;
    let round_trips = match party.request.role {
        Role::Client => RTT_SAMPLES_MAX * wire::RTT_BYTES as u64,
        _ => 0,
    };
    Container {
        name: party.container.clone(),
        application: GENERATOR.to_string(),
        cpus: cores.generators.get(place).map(|assignment| assignment.cpus.clone()).unwrap_or_default(),
        output_bytes_max: intervals + round_trips + OUTPUT_BYTES_SPARE,
        link: Link {
            interface: INTERFACE.to_string(),
            mac: local.mac.clone(),
            ipv4: uses_ip.then(|| format!("{}/{PREFIX_LENGTH}", local.ipv4)),
            neighbours: if uses_ip { vec![(remote.ipv4.clone(), remote.mac.clone())] } else { Vec::new() },
        },
    }
}
