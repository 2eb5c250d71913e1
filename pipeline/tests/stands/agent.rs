//! The stand-in: an agent of an invented host on which every generator counts what it was asked to send, and no
//! packet is.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

use host_setup::facts::{Component, Facts, Offer, Privilege};
use host_setup::protocol::{
    Achieved, Answer, Bulk, CableSeen, Event, Failure, FailureKind, Load, Message, Op, Outcome, PROTOCOL, Reply,
    Request, Snapshot, Watched,
};
use host_setup::survey::{Around, of_tree};
use wire::{Clock, ClockSource, Command, IntervalRecord, Role, Totals};

use crate::FAILS_ONE_OF;

/// Plays an agent until its input ends.
pub fn play() {
    let mut agent = StandIn { out: io::stdout().lock(), generators: BTreeMap::new(), scenes: 0 };
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line.expect("lines come")).expect("a request");
        let ends = request.op == Op::Bye;
        agent.answer(request);
        if ends {
            return;
        }
    }
}

struct StandIn {
    out: io::StdoutLock<'static>,
    /// What the generators of the scene were asked.
    generators: BTreeMap<String, wire::Request>,
    scenes: usize,
}

impl StandIn {
    fn answer(&mut self, Request { id, op }: Request) {
        let done = Outcome::Ok(Answer::Done {});
        let outcome = match op {
            Op::Hello { .. } => Outcome::Ok(Answer::Hello { protocol: PROTOCOL, version: "a stand-in".to_string() }),
            Op::Afar { .. } => Outcome::Ok(Answer::Programs { programs: programs(), wall_ns: 0 }),
            Op::Facts { .. } => Outcome::Ok(Answer::Facts(Box::new(facts()))),
            Op::Lease { .. } => Outcome::Ok(Answer::Leased { achieved: Achieved::default() }),
            Op::Build { .. } => self.build(),
            Op::Start { container, line } => {
                let request = serde_json::from_str(&line).expect("a generator's request");
                self.generators.insert(container.clone(), request);
                self.says(&container, &wire::Event::Ready { version: wire::VERSION, clock: clock() });
                done
            }
            Op::Send { container, line } => {
                let command: Command = serde_json::from_str(&line).expect("a command");
                if command == Command::Stop {
                    self.reports(&container);
                }
                done
            }
            Op::Watch { .. } => {
                let sends = |(name, request): (&String, &wire::Request)| {
                    (request.role == Role::Send).then(|| (name.clone(), request.schedule.traffic_ns()))
                };
                let senders: Vec<(String, u64)> = self.generators.iter().filter_map(sends).collect();
                for (name, traffic_ns) in senders {
                    std::thread::sleep(Duration::from_nanos(traffic_ns));
                    self.reports(&name);
                }
                done
            }
            Op::Load { .. } => Outcome::Ok(Answer::Load(Load::default())),
            Op::Processes => Outcome::Ok(Answer::Processes(Vec::new())),
            Op::Inside | Op::Capture { .. } | Op::Captured { .. } => {
                let message = "do what nobody asks of a stand-in";
                Outcome::Error(Failure::new(FailureKind::Request, message))
            }
            Op::Watched => Outcome::Ok(Answer::Watched(Watched::default())),
            Op::Mapped => Outcome::Ok(Answer::Mapped { files: Vec::new(), reported: None }),
            Op::Clock => Outcome::Ok(Answer::Clock { mono_ns: 1 }),
            Op::Snapshot => Outcome::Ok(Answer::Snapshot(Snapshot { mono_ns: 1, ..Snapshot::default() })),
            Op::Collect { container } => {
                self.collects(&container);
                done
            }
            Op::Teardown => {
                self.generators.clear();
                done
            }
            Op::Cable { .. } => {
                Outcome::Ok(Answer::Cable(CableSeen { carrier: true, mtu_bytes: 1500, speed_mbps: None, heard: true }))
            }
            Op::MoveIn { .. } | Op::Join | Op::Release | Op::Bye => done,
            Op::Renew => Outcome::Ok(Answer::Renewed { renewed: false }),
        };
        self.write(&Message::Reply(Reply { id, outcome }), &[]);
    }

    /// One scene of so many fails, whichever stand it is built on; and where it is somebody's turn to die, this one
    /// does, once it has some experience.
    fn build(&mut self) -> Outcome {
        self.scenes += 1;
        match comes_to().as_deref() {
            None => {}
            Some("refuses") => return refusal(),
            Some("dies") if self.scenes > 1 => std::process::exit(1),
            Some("babbles") if self.scenes > 1 => {
                self.out.write_all(b"no message\n").and_then(|()| self.out.flush()).expect("somebody listens");
            }
            Some(_) => return Outcome::Ok(Answer::Done {}),
        }
        if !Path::new("turns").exists() {
            return Outcome::Ok(Answer::Done {});
        }
        if self.scenes > 3 && self.is_to_die() {
            std::process::exit(1);
        }
        if turn("built").is_multiple_of(FAILS_ONE_OF) {
            return refusal();
        }
        Outcome::Ok(Answer::Done {})
    }

    fn is_to_die(&self) -> bool {
        let dying: usize = fs::read_to_string("turns/dying").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        (0..dying).any(|place| claim(&format!("dead-{place}")))
    }

    /// What both ends of a pair count; who answers for a sender on another host has it from there.
    fn packets(&self) -> u64 {
        match self.generators.values().map(wire::Request::packets_intended).max().unwrap_or(0) {
            0 => fs::read_to_string("turns/sent").ok().and_then(|text| text.parse().ok()).unwrap_or(0),
            here => here,
        }
    }

    fn reports(&mut self, container: &str) {
        let packets = self.packets();
        let totals = match self.generators[container].role {
            Role::Send => {
                if Path::new("turns").exists() {
                    fs::write("turns/sent", packets.to_string()).expect("it is ours");
                }
                Totals { attempted: packets, sent: packets, ..Totals::default() }
            }
            _ => Totals { received: packets, end_marker_seen: true, ..Totals::default() },
        };
        self.says(container, &wire::Event::Done { totals: Box::new(totals), clock: clock() });
    }

    fn collects(&mut self, container: &str) {
        let request = &self.generators[container];
        let schedule = request.schedule;
        let intervals = schedule.traffic_ns() / schedule.interval_ns;
        let each = u32::try_from(self.packets() / intervals).expect("few");
        let record = |index| IntervalRecord { index, packets: each, calls: each, ..IntervalRecord::default() };
        let bytes: Vec<u8> = (1..=intervals).flat_map(|index| record(index as u32).encode()).collect();
        let bulk = Bulk {
            bulk: wire::INTERVALS_FILE.to_string(),
            len: bytes.len() as u64,
            blake3: blake3::hash(&bytes).to_hex().to_string(),
        };
        self.write(&Message::Bulk(bulk), &bytes);
    }

    fn says(&mut self, container: &str, event: &wire::Event) {
        let line = serde_json::to_string(event).expect("events are JSON");
        self.write(&Message::Event(Event::Line { container: container.to_string(), line }), &[]);
    }

    fn write(&mut self, message: &Message, bytes: &[u8]) {
        let mut line = serde_json::to_vec(message).expect("messages are JSON");
        line.push(b'\n');
        line.extend_from_slice(bytes);
        // Whoever listened is gone: so is this, with the end of its input.
        let _ = self.out.write_all(&line).and_then(|()| self.out.flush());
    }
}

fn refusal() -> Outcome {
    let message = "build what a stand-in is not to build".to_string();
    Outcome::Error(Failure { kind: FailureKind::Scene, message, advice: None, last_lines: Vec::new() })
}

/// What becomes of an agent of a stand of two hosts; none of others.
fn comes_to() -> Option<String> {
    std::env::var("STAND_IN").ok()
}

/// What lies beside it, as an agent of another host says.
fn programs() -> BTreeMap<String, String> {
    let own = std::env::current_exe().expect("it runs");
    let digest = |name: &&str| {
        let bytes = fs::read(own.with_file_name(name)).ok()?;
        Some((name.to_string(), blake3::hash(&bytes).to_hex().to_string()))
    };
    host_setup::programs::names().iter().filter_map(digest).collect()
}

fn clock() -> Clock {
    Clock { source: ClockSource::Monotonic, hz: 1e9 }
}

/// The next number, of all agents that share this folder.
fn turn(name: &str) -> usize {
    let path = format!("turns/{name}");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("it is ours");
    file.write_all(b".").expect("it is ours");
    // Where this byte came to lie: the file's position after an append.
    io::Seek::stream_position(&mut file).expect("it has one") as usize
}

/// Whether this is the first agent to ask.
fn claim(name: &str) -> bool {
    OpenOptions::new().write(true).create_new(true).open(format!("turns/{name}")).is_ok()
}

/// A host with sockets, 8 CPUs and nothing to set. One of two is root's, since it gives away its end of a cable.
fn facts() -> Facts {
    let privilege = if comes_to().is_some() { Privilege::Root } else { Privilege::UserNamespace };
    let around = Around { allowed: (0..8).collect(), privilege, signature: None, firmware: |_| None };
    let mut facts = of_tree("nowhere".as_ref(), &around);
    facts.aside.hostname = comes_to().unwrap_or_default();
    let offer = |name: &str, components: &[&str], io: &[&str]| {
        let text = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        Offer { name: name.into(), missing: None, components: text(components), io: text(io) }
    };
    facts.runtimes = vec![offer("netns", &[], &[])];
    facts.switches = vec![offer("linux-bridge", &[], &["udp"])];
    facts.applications = vec![offer("septet-gen", &["septet-gen"], &["udp"])];
    facts.components =
        vec![Component { name: "septet-gen".into(), digest: "a stand-in".into(), ..Component::default() }];
    facts
}
