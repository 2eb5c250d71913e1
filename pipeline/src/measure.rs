//! One repetition of one test, from building its scene to taking it down: what comes back is either raw
//! samples with the evidence that they are whole, or a failure with its reason. It must not know plans,
//! stores or how samples are judged.

mod begun;
mod standing;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use host_setup::protocol::Op;
use host_setup::scene::Scene;
use host_setup::switch::End;
use wire::{Command, Event, Port, Request, Role, Schedule};

use crate::agent::{Agent, AgentError, AppEvent, Bell};
use crate::clocks::{self, Reading};
use crate::drift;
use crate::eal;
use crate::experiment::Test;
use crate::ready::{Ready, Side};
use crate::stand::{Post, error_of, next_event, on_each};
use crate::store::{Cost, Evidence, Party as PartyEvidence, PeerEvidence};
use crate::traffic::{self, Party, Seating};

pub use self::standing::{Stood, stand};

/// Longest time until a generator is ready.
const READY_MAX: Duration = Duration::from_secs(30);
/// Longest time beyond the schedule until a generator has reported. One that has died is noticed at once; this must
/// outlast one that somebody stops for a while, which then says so itself.
const REPORT_MAX: Duration = Duration::from_secs(60);
/// From the last request to the common start, ns: time for every generator to read its line.
const LEAD_NS: u64 = 10_000_000;
/// What each generator adds to [`LEAD_NS`], ns.
const LEAD_NS_EACH: u64 = 1_000_000;
/// How often the agent looks at the host while the window lasts, ms: each look takes the housekeeping CPU a
/// fraction of a millisecond.
const WATCH_EVERY_MS: u64 = 250;
/// How long programs of a site's own are looked for where there is no warm-up.
const BEGIN_MAX: Duration = Duration::from_millis(100);
/// How often an interruption is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// What one repetition left.
#[derive(Debug)]
pub struct Measured {
    /// The one window, or several of a set-up, in their order.
    pub windows: Vec<MeasuredWindow>,
    /// What it cost.
    pub cost: Cost,
}

/// What one window left.
#[derive(Debug)]
pub struct MeasuredWindow {
    /// Files of each generator, by container: `(role, name → bytes)`.
    pub files: Files,
    /// What shows that it was measured.
    pub evidence: Evidence,
}

/// Why a repetition failed while the agent goes on.
#[derive(Debug)]
pub struct Failed {
    /// Completes "failed to ...".
    pub reason: String,
    /// Last lines of what died.
    pub last_lines: Vec<String>,
    /// What it cost.
    pub cost: Cost,
}

/// How a repetition ended.
#[derive(Debug)]
pub enum Outcome {
    /// The repetition was measured; whether it counts is for others to judge.
    Measured(Box<Measured>),
    /// The repetition failed; the scene is down, the next test may work.
    Failed(Failed),
    /// The user wanted to stop; the scene is down.
    Interrupted,
}

/// Who looks around in a scene that failed, before it is taken down; see [`measure`].
pub type Keep<'k> = &'k (dyn Fn(&mut Agent, &Test, &str, &[String]) + Sync);

/// Measures a test once, on as many of the hosts as it has sides, in so many windows, or fewer where traffic cannot be
/// started again; where it fails, `keep` is called while its scene still stands on the first of them.
///
/// # Errors
/// Only when an agent itself cannot go on. All that concerns this test is in the [`Outcome`].
pub fn measure(
    hosts: &mut [Post],
    test: &Test,
    ready: &Ready,
    windows: u32,
    interrupted: &dyn Fn() -> bool,
    keep: Option<Keep<'_>>,
    log: &mut String,
) -> Result<Outcome, AgentError> {
    let count = ready.sides.len().min(hosts.len());
    let hosts = &mut hosts[..count];
    let Some(bell) = hosts.first().map(|host| host.agent.bell().clone()) else { return Ok(Outcome::Interrupted) };
    let seats: Vec<Seating> = ready.sides.iter().map(Side::seating).collect();
    let parties = traffic::parties(&test.tuple, &test.times, &seats);
    let scene = |(place, side): (usize, &Side)| traffic::scene(&test.tuple, place, side, &parties);
    let scenes: Vec<Scene> = ready.sides.iter().enumerate().map(scene).collect();
    let mut session = Session { hosts, bell, log, interrupted, started: Instant::now(), cost: Cost::default() };
    let cpus = ready.sides.iter().map(|side| drift::measuring(&side.cores)).collect();
    let of_site = traffic::of_site(&test.tuple).is_some();
    let window = WindowPlan { schedule: traffic::schedule(&test.times), cpus, of_site };
    let result = session.build(&scenes).and_then(|()| session.windows(&parties, &window, windows));
    if let (Some(keep), Err(Stop::Failed { reason, last_lines })) = (keep, &result)
        && let Some(first) = session.hosts.first_mut()
    {
        keep(first.agent, test, reason, last_lines);
    }
    let teardown = Instant::now();
    if !matches!(result, Err(Stop::Agent(_))) {
        let down = on_each(session.hosts, |_, agent| agent.teardown());
        down.map_err(|(place, error)| error_of(session.hosts, place, error))?;
    }
    session.cost.teardown_ms = ms(teardown.elapsed());
    session.cost.total_ms = ms(session.started.elapsed());
    let cost = session.cost;
    session.note(&format!("down after {} ms", cost.total_ms));
    match result {
        Ok(windows) => Ok(Outcome::Measured(Box::new(Measured { windows, cost }))),
        Err(Stop::Failed { reason, last_lines }) => Ok(Outcome::Failed(Failed { reason, last_lines, cost })),
        Err(Stop::Interrupted) => Ok(Outcome::Interrupted),
        Err(Stop::Agent(error)) => Err(error),
    }
}

/// When what is measured is measured, and where.
struct WindowPlan {
    schedule: Schedule,
    /// CPUs of generators and switch, of each host.
    cpus: Vec<Vec<u32>>,
    /// Whether programs of a site's own make the traffic.
    of_site: bool,
}

/// Files of generators.
pub type Files = BTreeMap<String, (Role, BTreeMap<String, Vec<u8>>)>;

enum Stop {
    Failed { reason: String, last_lines: Vec<String> },
    Interrupted,
    Agent(AgentError),
}

/// What it is for a test on one host.
impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Stop {
        match error {
            AgentError::Refused { doing, failure } => {
                let advice = failure.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
                Stop::Failed { reason: format!("{doing}: {}{advice}", failure.message), last_lines: failure.last_lines }
            }
            other => Stop::Agent(other),
        }
    }
}

fn failed(reason: String) -> Stop {
    Stop::Failed { reason, last_lines: Vec::new() }
}

fn died(container: &str, status: i32, last_lines: Vec<String>) -> Stop {
    let reason = format!("keep {container} alive: it ended with status {status} before it had reported");
    Stop::Failed { reason, last_lines }
}

fn complaint(container: &str, message: &str) -> String {
    format!("generate traffic: {container} failed to {message}")
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Session<'s, 'a> {
    hosts: &'s mut [Post<'a>],
    bell: Bell,
    log: &'s mut String,
    interrupted: &'s dyn Fn() -> bool,
    started: Instant,
    cost: Cost,
}

impl Session<'_, '_> {
    fn note(&mut self, text: &str) {
        self.log.push_str(&format!("{:>9.3} s  {text}\n", self.started.elapsed().as_secs_f64()));
    }

    /// What an error of a host is for the test, with the host's name where there are several.
    fn stop(&self, place: usize, error: AgentError) -> Stop {
        let several = self.hosts.len() > 1;
        match Stop::from(error) {
            Stop::Failed { reason, last_lines } if several => {
                Stop::Failed { reason: format!("{reason} (on host {})", self.hosts[place].name), last_lines }
            }
            Stop::Agent(error) => Stop::Agent(error_of(self.hosts, place, error)),
            other => other,
        }
    }

    /// Asks all hosts the same at once.
    fn each<T: Send>(
        &mut self,
        act: impl Fn(usize, &mut Agent) -> Result<T, AgentError> + Sync,
    ) -> Result<Vec<T>, Stop> {
        on_each(self.hosts, act).map_err(|(place, error)| self.stop(place, error))
    }

    fn build(&mut self, scenes: &[Scene]) -> Result<(), Stop> {
        for (place, scene) in scenes.iter().enumerate() {
            let on = if scenes.len() > 1 { format!(" on {}", self.hosts[place].name) } else { String::new() };
            self.note(&format!("build{on} {}", serde_json::to_string(scene).unwrap_or_default()));
        }
        self.each(|place, agent| agent.done("build the scene", Op::Build { scene: scenes[place].clone() }))?;
        self.cost.build_ms = ms(self.started.elapsed());
        Ok(())
    }

    /// The request of a party whose port is where the lease has put it.
    fn found(&self, party: &Party) -> Result<Request, Stop> {
        let mut request = party.request.clone();
        if let (End::Function, Port::Dpdk { eal_args }) = (party.end, &mut request.port) {
            let mac = &request.local.mac;
            let address = self.hosts[party.side].agent.function(mac);
            let address = address.ok_or_else(|| failed(format!("find virtual function {mac}: the lease has none")))?;
            *eal_args = eal::at(eal_args, address);
        }
        Ok(request)
    }

    /// How each host's clock stands to this program's.
    fn clocks(&mut self) -> Result<Vec<Reading>, Stop> {
        let zero = self.started;
        self.each(|_, agent| clocks::read(agent, zero))
    }

    /// Starts the applications, and returns when each is joined to the switch and ready.
    fn up(&mut self, parties: &[Party], evidence: &mut Evidence) -> Result<(), Stop> {
        let (listening, others): (Vec<&Party>, Vec<&Party>) = parties.iter().partition(|party| party.listens());
        for party in listening.into_iter().chain(others) {
            let request = self.found(party)?;
            let line = serde_json::to_string(&request).map_err(|error| failed(error.to_string()))?;
            self.note(&format!("{} ← {line}", party.container));
            let op = Op::Start { container: party.container.clone(), line };
            let started = self.hosts[party.side].agent.done("start a generator", op);
            started.or_else(|error| self.among_applications(party.side, error))?;
        }
        let joined = on_each(self.hosts, |_, agent| agent.done("join the containers to the switch", Op::Join));
        joined.map(drop).or_else(|(place, error)| self.among_applications(place, error))?;
        let all = parties.iter().map(|party| party.container.as_str()).collect();
        self.wait_for(&all, parties, READY_MAX, "become ready", evidence, |event| matches!(event, Event::Ready { .. }))
    }

    fn traffic(&mut self, parties: &[Party], window: &WindowPlan) -> Result<MeasuredWindow, Stop> {
        let began = Instant::now();
        let mut evidence = Evidence::default();
        self.up(parties, &mut evidence)?;
        let all: BTreeSet<&str> = parties.iter().map(|party| party.container.as_str()).collect();
        self.cost.ready_ms += ms(began.elapsed());

        let WindowPlan { schedule, cpus, of_site } = window;
        let mut seen = self.each(|place, agent| {
            let (mapped, reported) = agent.mapped()?;
            let before = agent.snapshot()?;
            agent.load(&cpus[place])?;
            Ok(PeerEvidence { mapped, reported, before, ..PeerEvidence::default() })
        })?;
        let (starts, clocks_before) = self.starts(parties.len() as u64)?;
        let began = Instant::now();
        for party in parties {
            self.tell(party.side, &party.container, &Command::Start { epoch_mono_ns: starts[party.side] })?;
        }
        self.each(|place, agent| {
            let from_mono_ns = starts[place] + schedule.warmup_ns;
            let until_mono_ns = from_mono_ns + schedule.duration_ns;
            let cpus = cpus[place].clone();
            agent.done(
                "have the window watched",
                Op::Watch { cpus, from_mono_ns, until_mono_ns, every_ms: WATCH_EVERY_MS },
            )
        })?;
        if *of_site {
            self.see_begun(parties, &mut seen, Duration::from_nanos(schedule.warmup_ns).max(BEGIN_MAX))?;
        }
        let traffic = Duration::from_nanos(schedule.traffic_ns());
        let initiators: BTreeSet<&str> =
            parties.iter().filter(|party| party.initiates()).map(|party| party.container.as_str()).collect();
        self.wait_for(
            &initiators,
            parties,
            traffic + REPORT_MAX,
            "report after the schedule's end",
            &mut evidence,
            is_done,
        )?;
        let after = self.each(|place, agent| {
            let (load, watched) = (agent.load(&cpus[place])?, agent.watched()?);
            // Again for those that still run: what was loaded since counts as well.
            Ok((load, watched, agent.mapped()?.0))
        })?;
        for (seen, (load, watched, mapped)) in seen.iter_mut().zip(after) {
            (seen.load, seen.watched) = (Some(load), Some(watched));
            seen.mapped.extend(mapped);
            seen.mapped.sort();
            seen.mapped.dedup();
        }
        for party in parties.iter().filter(|party| !party.initiates()) {
            self.tell(party.side, &party.container, &Command::Stop)?;
        }
        let responders: BTreeSet<&str> = all.difference(&initiators).copied().collect();
        self.wait_for(&responders, parties, REPORT_MAX, "report after the drain", &mut evidence, is_done)?;
        self.cost.traffic_ms += ms(began.elapsed());
        // Nothing is under way any more, and over DPDK no generator has closed its port yet, of which some switches
        // would forget the counts then.
        let after = self.each(|_, agent| agent.snapshot())?;
        for (place, (seen, after)) in seen.iter_mut().zip(after).enumerate() {
            seen.after = after;
            self.unbroken(place, seen)?;
        }
        if let ([first, second], [first_after, second_after]) =
            (&clocks_before[..], &self.clocks_again(&clocks_before)?[..])
        {
            evidence.clocks = Some(clocks::between([*first, *second], [*first_after, *second_after]));
        }
        evidence.keep(seen);

        let began = Instant::now();
        let collected = self.each(|place, agent| {
            let here = parties.iter().filter(|party| party.side == place);
            let files = |party: &Party| {
                let collected = agent.collect(&party.container)?.into_iter().collect();
                Ok((party.container.clone(), (party.request.role, collected)))
            };
            here.map(files).collect::<Result<Vec<_>, AgentError>>()
        })?;
        self.cost.collect_ms += ms(began.elapsed());
        Ok(MeasuredWindow { files: collected.into_iter().flatten().collect(), evidence })
    }

    /// When traffic begins, by each host's clock, with so many generators to be told, and what was read of the clocks
    /// of several hosts.
    fn starts(&mut self, parties: u64) -> Result<(Vec<u64>, Vec<Reading>), Stop> {
        if let [only] = &mut *self.hosts {
            let now_ns = only.agent.clock().map_err(|error| self.stop(0, error))?;
            return Ok((vec![now_ns + LEAD_NS + LEAD_NS_EACH * parties], Vec::new()));
        }
        let clocks = self.clocks()?;
        let way_ns = 2 * clocks.iter().map(|clock| clock.uncertainty_ns).max().unwrap_or(0);
        let lead_ns = LEAD_NS + (LEAD_NS_EACH + 2 * way_ns) * (parties + 1);
        let start_ns = i128::from(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX) + lead_ns);
        let of_clock = |clock: &Reading| u64::try_from(start_ns + clock.offset_ns).unwrap_or(0);
        Ok((clocks.iter().map(of_clock).collect(), clocks))
    }

    /// The clocks once more, if they were read before.
    fn clocks_again(&mut self, before: &[Reading]) -> Result<Vec<Reading>, Stop> {
        if before.is_empty() { Ok(Vec::new()) } else { self.clocks() }
    }

    /// Fails if the cable lost its link in between, which not every driver notices.
    fn unbroken(&self, place: usize, seen: &PeerEvidence) -> Result<(), Stop> {
        let (Some(before), Some(after)) = (&seen.before.uplink, &seen.after.uplink) else { return Ok(()) };
        match after.carrier && before == after {
            true => Ok(()),
            false => {
                let name = &self.hosts[place].name;
                Err(failed(format!("measure over the cable: it lost its link during the test (at host {name})")))
            }
        }
    }

    fn tell(&mut self, place: usize, container: &str, command: &Command) -> Result<(), Stop> {
        let line = serde_json::to_string(command).map_err(|error| failed(error.to_string()))?;
        self.note(&format!("{container} ← {line}"));
        let agent = &mut self.hosts[place].agent;
        match agent.done("speak to a generator", Op::Send { container: container.to_string(), line }) {
            // Whoever takes no line any more has died: how is what matters.
            Err(refused @ AgentError::Refused { .. }) => {
                Err(self.death_of(place, container)?.unwrap_or_else(|| self.stop(place, refused)))
            }
            other => other.map_err(|error| self.stop(place, error)),
        }
    }

    /// What an agent refused while applications started. One that cannot go on says why; the agent knows only that it has
    /// ended, and its last lines.
    fn among_applications(&mut self, place: usize, error: AgentError) -> Result<(), Stop> {
        let is_refused = matches!(error, AgentError::Refused { .. });
        let refused = self.stop(place, error);
        if !is_refused {
            return Err(refused);
        }
        while let Some(event) =
            self.hosts[place].agent.event(Instant::now()).map_err(|error| self.stop(place, error))?
        {
            if let AppEvent::Line { container, line } = event
                && let Ok(Event::Failed { message }) = serde_json::from_str(&line)
                && let Stop::Failed { last_lines, .. } = refused
            {
                return Err(Stop::Failed { reason: complaint(&container, &message), last_lines });
            }
        }
        Err(refused)
    }

    /// The end of a generator that has been told already.
    fn death_of(&mut self, place: usize, whom: &str) -> Result<Option<Stop>, Stop> {
        while let Some(event) =
            self.hosts[place].agent.event(Instant::now()).map_err(|error| self.stop(place, error))?
        {
            if let AppEvent::Exit { container, status, last_lines } = event
                && container == whom
            {
                return Ok(Some(died(&container, status, last_lines)));
            }
        }
        Ok(None)
    }

    /// Waits until each of `whom` has said something that is `wanted`, for `patience` at most: time is counted in
    /// looks, so that if this program was stopped meanwhile nobody is late for it. Every other event of a generator
    /// than those of the conversation is a failure.
    fn wait_for(
        &mut self,
        whom: &BTreeSet<&str>,
        parties: &[Party],
        patience: Duration,
        what: &str,
        evidence: &mut Evidence,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<(), Stop> {
        let mut missing = whom.clone();
        let mut waited = Duration::ZERO;
        while !missing.is_empty() {
            if (self.interrupted)() {
                return Err(Stop::Interrupted);
            }
            if waited >= patience {
                let names = missing.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(failed(format!("hear in time from {names}, which did not {what}")));
            }
            let next = next_event(self.hosts, &self.bell, Instant::now() + LOOK);
            let Some((_, event)) = next.map_err(|(place, error)| self.stop(place, error))? else {
                waited += LOOK;
                continue;
            };
            match event {
                AppEvent::Line { container, line } => {
                    self.note(&format!("{container} → {line}"));
                    let event = match serde_json::from_str::<Event>(&line) {
                        Ok(Event::Failed { message }) => {
                            return Err(failed(complaint(&container, &message)));
                        }
                        Ok(event) => event,
                        Err(error) => return Err(failed(format!("understand {container}: {error} in {line}"))),
                    };
                    if let Event::Done { totals, clock } = &event
                        && let Some(party) = parties.iter().find(|party| party.container == container)
                    {
                        let told =
                            PartyEvidence { role: party.request.role, totals: (**totals).clone(), clock: *clock };
                        evidence.parties.insert(container.clone(), told);
                    }
                    if wanted(&event) {
                        missing.remove(container.as_str());
                    }
                }
                AppEvent::Exit { container, status, last_lines } => {
                    self.note(&format!("{container} ended with {status}"));
                    if !evidence.parties.contains_key(&container) {
                        return Err(died(&container, status, last_lines));
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_done(event: &Event) -> bool {
    matches!(event, Event::Done { .. })
}
