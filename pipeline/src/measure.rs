//! One repetition of one test, from building its scene to taking it down: what comes back is either raw
//! samples with the evidence that they are whole, or a failure with its reason. It must not know plans,
//! stores or how samples are judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use host_setup::protocol::Op;
use wire::{Command, Event, Role, Schedule};

use crate::agent::{Agent, AgentError, AppEvent};
use crate::drift;
use crate::experiment::Test;
use crate::ready::Ready;
use crate::store::{Cost, Evidence, Party as PartyEvidence};
use crate::traffic::{self, Party};

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
/// How often an interruption is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// What one repetition left.
#[derive(Debug)]
pub struct Measured {
    /// Files of each generator, by container: `(role, name → bytes)`.
    pub files: BTreeMap<String, (Role, BTreeMap<String, Vec<u8>>)>,
    /// What shows that it was measured.
    pub evidence: Evidence,
    /// What it cost.
    pub cost: Cost,
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

/// Measures a test once.
///
/// # Errors
/// Only when the agent itself cannot go on. All that concerns this test is in the [`Outcome`].
pub fn measure(
    agent: &mut Agent,
    test: &Test,
    ready: &Ready,
    interrupted: &dyn Fn() -> bool,
    log: &mut String,
) -> Result<Outcome, AgentError> {
    let parties = traffic::parties(&test.tuple, &test.times, ready.switch.ends, &ready.cores, ready.memory);
    let scene = traffic::scene(&test.tuple, ready, &parties);
    let mut session = Session { agent, log, interrupted, started: Instant::now(), cost: Cost::default() };
    let window = WindowPlan { schedule: traffic::schedule(&test.times), cpus: drift::measuring(&ready.cores) };
    let result = session.build(scene).and_then(|()| session.traffic(&parties, window));
    let teardown = Instant::now();
    if !matches!(result, Err(Stop::Agent(_))) {
        session.agent.teardown()?;
    }
    session.cost.teardown_ms = ms(teardown.elapsed());
    session.cost.total_ms = ms(session.started.elapsed());
    let cost = session.cost;
    session.note(&format!("down after {} ms", cost.total_ms));
    match result {
        Ok((files, evidence)) => Ok(Outcome::Measured(Box::new(Measured { files, evidence, cost }))),
        Err(Stop::Failed { reason, last_lines }) => Ok(Outcome::Failed(Failed { reason, last_lines, cost })),
        Err(Stop::Interrupted) => Ok(Outcome::Interrupted),
        Err(Stop::Agent(error)) => Err(error),
    }
}

/// When what is measured is measured, and where.
struct WindowPlan {
    schedule: Schedule,
    /// CPUs of generators and switch.
    cpus: Vec<u32>,
}

type Files = BTreeMap<String, (Role, BTreeMap<String, Vec<u8>>)>;

enum Stop {
    Failed { reason: String, last_lines: Vec<String> },
    Interrupted,
    Agent(AgentError),
}

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

struct Session<'a> {
    agent: &'a mut Agent,
    log: &'a mut String,
    interrupted: &'a dyn Fn() -> bool,
    started: Instant,
    cost: Cost,
}

impl Session<'_> {
    fn note(&mut self, text: &str) {
        self.log.push_str(&format!("{:>9.3} s  {text}\n", self.started.elapsed().as_secs_f64()));
    }

    fn build(&mut self, scene: host_setup::scene::Scene) -> Result<(), Stop> {
        self.note(&format!("build {}", serde_json::to_string(&scene).unwrap_or_default()));
        self.agent.done("build the scene", Op::Build { scene })?;
        self.cost.build_ms = ms(self.started.elapsed());
        Ok(())
    }

    fn traffic(&mut self, parties: &[Party], window: WindowPlan) -> Result<(Files, Evidence), Stop> {
        let began = Instant::now();
        let (listening, others): (Vec<&Party>, Vec<&Party>) = parties.iter().partition(|party| party.listens());
        for party in listening.into_iter().chain(others) {
            let line = serde_json::to_string(&party.request).map_err(|error| failed(error.to_string()))?;
            self.note(&format!("{} ← {line}", party.container));
            self.among_applications("start a generator", Op::Start { container: party.container.clone(), line })?;
        }
        self.among_applications("join the containers to the switch", Op::Join)?;
        let all: BTreeSet<&str> = parties.iter().map(|party| party.container.as_str()).collect();
        let mut evidence = Evidence::default();
        self.wait_for(&all, parties, READY_MAX, "become ready", &mut evidence, |event| {
            matches!(event, Event::Ready { .. })
        })?;
        self.cost.ready_ms = ms(began.elapsed());

        (evidence.mapped, evidence.reported) = self.agent.mapped()?;
        evidence.before = self.agent.snapshot()?;
        self.agent.load(&window.cpus)?;
        let start = self.agent.clock()? + LEAD_NS + LEAD_NS_EACH * parties.len() as u64;
        let began = Instant::now();
        for party in parties {
            self.tell(&party.container, &Command::Start { epoch_mono_ns: start })?;
        }
        let WindowPlan { schedule, cpus } = window;
        let from_mono_ns = start + schedule.warmup_ns;
        let until_mono_ns = from_mono_ns + schedule.duration_ns;
        let watch = Op::Watch { cpus: cpus.clone(), from_mono_ns, until_mono_ns, every_ms: WATCH_EVERY_MS };
        self.agent.done("have the window watched", watch)?;
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
        evidence.load = Some(self.agent.load(&cpus)?);
        evidence.watched = Some(self.agent.watched()?);
        // Again for those that still run: what was loaded since counts as well.
        evidence.mapped.extend(self.agent.mapped()?.0);
        evidence.mapped.sort();
        evidence.mapped.dedup();
        let responders: BTreeSet<&str> = all.difference(&initiators).copied().collect();
        for container in &responders {
            self.tell(container, &Command::Stop)?;
        }
        self.wait_for(&responders, parties, REPORT_MAX, "report after the drain", &mut evidence, is_done)?;
        self.cost.traffic_ms = ms(began.elapsed());
        // Nothing is under way any more, and over DPDK no generator has closed its port yet, of which some switches
        // would forget the counts then.
        evidence.after = self.agent.snapshot()?;

        let began = Instant::now();
        let mut files = Files::new();
        for party in parties {
            let collected = self.agent.collect(&party.container)?.into_iter().collect();
            files.insert(party.container.clone(), (party.request.role, collected));
        }
        self.cost.collect_ms = ms(began.elapsed());
        Ok((files, evidence))
    }

    fn tell(&mut self, container: &str, command: &Command) -> Result<(), Stop> {
        let line = serde_json::to_string(command).map_err(|error| failed(error.to_string()))?;
        self.note(&format!("{container} ← {line}"));
        let sent = self.agent.done("speak to a generator", Op::Send { container: container.to_string(), line });
        match sent {
            // Whoever takes no line any more has died: how is what matters.
            Err(refused @ AgentError::Refused { .. }) => Err(self.death_of(container)?.unwrap_or(refused.into())),
            other => Ok(other?),
        }
    }

    /// Asks for what the agent does while applications start. One that cannot go on says why; the agent knows only
    /// that it has ended, and its last lines.
    fn among_applications(&mut self, doing: &'static str, op: Op) -> Result<(), Stop> {
        let refused = match self.agent.done(doing, op) {
            Err(refused @ AgentError::Refused { .. }) => Stop::from(refused),
            other => return Ok(other?),
        };
        while let Some(event) = self.agent.event(Instant::now())? {
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
    fn death_of(&mut self, whom: &str) -> Result<Option<Stop>, AgentError> {
        while let Some(event) = self.agent.event(Instant::now())? {
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
            let Some(event) = self.agent.event(Instant::now() + LOOK)? else {
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
