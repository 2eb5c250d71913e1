//! A conversation with `septet-host`: spawns it, asks, waits for answers with a time limit. It must not know
//! what a scene means or what applications say to each other.

mod bell;
mod error;
mod inside;
mod listening;
mod programs;
mod renewal;
mod srun;
mod ssh;
mod transport;
mod voice;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host_setup::facts::Facts;
use host_setup::protocol::{
    Achieved, Answer, Bulk, CableSeen, Event, HEARTBEAT_MS, Load, Mapped, Message, Names, Op, Outcome, PROTOCOL,
    Request, Setup, Snapshot, Watched,
};

use self::error::last;
use self::listening::{Heard, listen};
use self::voice::Voice;

use crate::clock;

pub use self::bell::Bell;
pub use self::error::AgentError;
pub use self::listening::AppEvent;
pub use self::programs::{Program, Programs};
pub use self::srun::Srun;
pub use self::ssh::Ssh;
pub use self::transport::{Afar, Direct, Sudo, Transport};

/// Silence after which an agent counts as gone. One that has died is noticed at once, by the end of its output; this
/// is for one that hangs, and must outlast one that somebody stops for a while.
const SILENCE_MAX: Duration = Duration::from_millis(60 * HEARTBEAT_MS);
/// How long an agent that is not needed any more may take to give the host back.
const END_MAX: Duration = Duration::from_millis(10 * HEARTBEAT_MS);
/// Longest time for an answer of an agent on another host, which lives and should have answered: a lease may take as
/// long as another one has the host, and no other request does what takes so long.
const ANSWER_MAX: Duration = Duration::from_secs(150);
/// How often whoever waits is asked whether to go on. Time is counted in such steps, so that a program that was
/// stopped meanwhile takes nobody's silence for longer than it has listened.
const LOOK: Duration = Duration::from_millis(50);
/// A living agent.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    /// The agent, with its host if that is another one.
    whom: String,
    input: Option<Voice>,
    heard: Receiver<Heard>,
    /// Rung when there is something to hear.
    bell: Bell,
    reader: Option<JoinHandle<()>>,
    errors: Option<JoinHandle<Vec<String>>>,
    events: VecDeque<AppEvent>,
    bulks: Vec<(Bulk, Vec<u8>)>,
    next_id: u64,
    /// Whether a request has not been answered: one that was given up while it waited.
    unanswered: bool,
    /// How long it was listened to in vain.
    silent: Duration,
    /// PCI addresses of the virtual functions of the lease, by their MAC addresses.
    functions: BTreeMap<String, String>,
    /// How long it may be silent while it measures.
    silence_max: Duration,
    /// By how much its host's wall clock was ahead of ours when it started; unknown on this host.
    pub wall_ahead_ns: Option<i128>,
}

/// Where the agent's program is: beside this program.
pub fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent().unwrap_or(Path::new("")).join("septet-host")
}

/// Gives back what a killed agent could not; what there is to say goes to standard output and error.
///
/// # Errors
/// When the program cannot be started. What it could not do is in its exit code.
pub fn restore(program: &Path) -> Result<std::process::ExitStatus, AgentError> {
    if !program.is_file() {
        return Err(AgentError::NotFound(program.to_path_buf()));
    }
    let status = Command::new(program).arg("restore").stdin(Stdio::null()).status();
    status.map_err(|source| AgentError::Spawn { path: program.to_path_buf(), source })
}

impl Agent {
    /// Starts the agent of this host directly, and agrees on a protocol.
    pub fn spawn(program: &Path) -> Result<Agent, AgentError> {
        Agent::over(&Direct::at(program), Names::default())
    }

    /// Starts an agent over a transport and tells it which names will be used, and what they mean as far as that is
    /// known. What is said, and how one listens, does not depend on the transport.
    pub fn over(transport: &dyn Transport, names: Names) -> Result<Agent, AgentError> {
        Agent::with_bell(transport, names, Bell::default())
    }

    /// Starts one of several agents that are listened to together: whatever it says rings their bell.
    pub fn with_bell(transport: &dyn Transport, names: Names, bell: Bell) -> Result<Agent, AgentError> {
        transport.prepare()?;
        let mut command = transport.command()?;
        let afar = transport.afar();
        let path = PathBuf::from(command.get_program());
        let failed = |source| AgentError::Spawn { path: path.clone(), source };
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(failed)?;
        let (sender, heard) = channel();
        // Without threads it is not heard; it ends with its input then.
        let (reader, errors) = listen(&mut child, sender, bell.clone()).map_err(failed)?;
        let input = child.stdin.take().map(|input| match afar {
            Some(_) => Voice::beating(input),
            None => Ok(Voice::plain(input)),
        });
        let mut agent = Agent {
            child,
            whom: afar.map_or("septet-host".to_string(), |afar| format!("septet-host on {}", afar.host)),
            input: input.transpose().map_err(failed)?,
            heard,
            bell,
            reader,
            errors,
            events: VecDeque::new(),
            bulks: Vec::new(),
            next_id: 1,
            unanswered: false,
            silent: Duration::ZERO,
            silence_max: SILENCE_MAX,
            wall_ahead_ns: None,
            functions: BTreeMap::new(),
        };
        match agent.ask("agree with septet-host on a protocol", Op::Hello { protocol: PROTOCOL, names }) {
            Ok(Answer::Hello { protocol: PROTOCOL, .. }) => {}
            Ok(Answer::Hello { protocol, .. }) => {
                return Err(AgentError::Nonsense(format!(
                    "it speaks protocol {protocol}, this septet speaks {PROTOCOL}"
                )));
            }
            Ok(other) => return Err(unexpected(&other)),
            // An older one, that an administrator installed.
            Err(AgentError::Refused { failure, .. }) if afar.is_some() => {
                return Err(afar.map_or(AgentError::Interrupted, |afar| afar.other_program(vec![failure.message])));
            }
            Err(error) => return Err(error),
        }
        if let Some(afar) = afar {
            agent.settle(afar)?;
        }
        Ok(agent)
    }

    /// Agrees with an agent on another host on who is gone when, and sees to it that it is the one that goes with this
    /// program.
    fn settle(&mut self, afar: Afar<'_>) -> Result<(), AgentError> {
        let silence_ms = u64::try_from(afar.silence_max.as_millis()).unwrap_or(u64::MAX);
        let before = clock::wall_ns();
        let (there, wall_ns) = match self.ask("agree with septet-host on heartbeats", Op::Afar { silence_ms })? {
            Answer::Programs { programs, wall_ns } => (programs, wall_ns),
            other => return Err(unexpected(&other)),
        };
        self.wall_ahead_ns = Some(i128::from(wall_ns) - before);
        self.silence_max = afar.silence_max;
        let differences = afar.programs.differences(&there, afar.sudo.is_some());
        if differences.is_empty() { Ok(()) } else { Err(afar.other_program(differences)) }
    }

    /// What the host is.
    pub fn facts(&mut self, refresh: bool) -> Result<Facts, AgentError> {
        match self.ask("read the host's facts", Op::Facts { refresh })? {
            Answer::Facts(facts) => Ok(*facts),
            other => Err(unexpected(&other)),
        }
    }

    /// Exclusive use of the host. While another holds it, `waiting` is told by whom and may give up.
    pub fn lease(
        &mut self,
        wait: Duration,
        setup: Setup,
        waiting: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Achieved, AgentError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let asked = setup.vfs.clone();
        match self.ask_waiting("lease the host", Op::Lease { wait_ms, setup }, waiting)? {
            Answer::Leased { achieved } => {
                let made = achieved.vfs.iter().flat_map(|(_, addresses)| addresses.iter().cloned());
                let macs = asked.into_iter().flat_map(|vfs| vfs.each).map(|vf| vf.mac.unwrap_or_default());
                self.functions = macs.zip(made).collect();
                Ok(achieved)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// The PCI address of the virtual function that was leased with this MAC address.
    pub fn function(&self, mac: &str) -> Option<&str> {
        self.functions.get(mac).map(String::as_str)
    }

    /// The host's monotonic clock, ns.
    pub fn clock(&mut self) -> Result<u64, AgentError> {
        match self.ask("read the host's clock", Op::Clock)? {
            Answer::Clock { mono_ns } => Ok(mono_ns),
            other => Err(unexpected(&other)),
        }
    }

    /// Counters of what disturbs a measurement.
    pub fn snapshot(&mut self) -> Result<Snapshot, AgentError> {
        match self.ask("read the host's counters", Op::Snapshot)? {
            Answer::Snapshot(snapshot) => Ok(snapshot),
            other => Err(unexpected(&other)),
        }
    }

    /// Who has had these CPUs since this was asked last.
    pub fn load(&mut self, cpus: &[u32]) -> Result<Load, AgentError> {
        match self.ask("read who has the processors", Op::Load { cpus: cpus.to_vec() })? {
            Answer::Load(load) => Ok(load),
            other => Err(unexpected(&other)),
        }
    }

    /// What was seen of the window that the agent was asked to watch.
    pub fn watched(&mut self) -> Result<Watched, AgentError> {
        match self.ask("read what was seen of the window", Op::Watched)? {
            Answer::Watched(watched) => Ok(watched),
            other => Err(unexpected(&other)),
        }
    }

    /// What is seen of a cable, with the agent at its other end.
    pub fn cable(&mut self, op: Op) -> Result<CableSeen, AgentError> {
        match self.ask("look at the cable", op)? {
            Answer::Cable(seen) => Ok(seen),
            other => Err(unexpected(&other)),
        }
    }

    /// The executable files that the scene's processes have mapped, and what the switch says of its version.
    pub fn mapped(&mut self) -> Result<(Vec<Mapped>, Option<String>), AgentError> {
        match self.ask("read what runs", Op::Mapped)? {
            Answer::Mapped { files, reported } => Ok((files, reported)),
            other => Err(unexpected(&other)),
        }
    }

    /// The files of a container's output folder, `(name, bytes)`, checked.
    pub fn collect(&mut self, container: &str) -> Result<Vec<(String, Vec<u8>)>, AgentError> {
        self.bulks.clear();
        self.done("collect the samples", Op::Collect { container: container.to_string() })?;
        let mut files = Vec::new();
        for (bulk, bytes) in self.bulks.drain(..) {
            if blake3::hash(&bytes).to_hex().as_str() != bulk.blake3 {
                return Err(AgentError::Nonsense(format!("the bytes of {} are not the ones it announced", bulk.bulk)));
            }
            files.push((bulk.bulk, bytes));
        }
        Ok(files)
    }

    /// A request that is answered by nothing but success.
    pub fn done(&mut self, doing: &'static str, op: Op) -> Result<(), AgentError> {
        match self.ask(doing, op)? {
            Answer::Done {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The next event of an application, or none when the time is over and nothing more has been said.
    pub fn event(&mut self, until: Instant) -> Result<Option<AppEvent>, AgentError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.hear(until)? {
                Some(message) => drop(self.take(message, &mut |_| true)?),
                None if Instant::now() >= until => return Ok(None),
                None => {}
            }
        }
    }

    /// Whether it can still be spoken to, as far as is known.
    pub fn is_heard(&self) -> bool {
        self.input.is_some() && !self.unanswered
    }

    /// What is rung when this agent has said something.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Is told that it was listened to in vain for so long, by whoever listens to several.
    ///
    /// # Errors
    /// When it has been silent for too long.
    pub fn heard_nothing_for(&mut self, time: Duration) -> Result<(), AgentError> {
        self.silent += time;
        match self.silent >= self.silence_max {
            true => Err(self.gone(format!("it said nothing for {} s", self.silence_max.as_secs()))),
            false => Ok(()),
        }
    }

    /// The clean end: the host is given back, the agent says so and exits. One that still owes an answer, to a
    /// request that was given up, would take that first, a lease too: its input ends instead, and so it ends.
    pub fn bye(mut self) -> Result<(), AgentError> {
        if self.unanswered {
            return Ok(());
        }
        self.done("end the agent", Op::Bye)?;
        drop(self.input.take());
        // Over ssh it has said that the host is given back, and how ssh ends says nothing more.
        match self.ended() {
            Some(status) if !status.success() && self.silence_max == SILENCE_MAX => {
                Err(AgentError::Nonsense(format!("septet-host said it was done, and ended with {status}")))
            }
            _ => Ok(()),
        }
    }

    fn ask(&mut self, doing: &'static str, op: Op) -> Result<Answer, AgentError> {
        self.ask_waiting(doing, op, &mut |_| true)
    }

    fn ask_waiting(
        &mut self,
        doing: &'static str,
        op: Op,
        waiting: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Answer, AgentError> {
        // While its one thread does these itself it says nothing.
        let is_busy = matches!(
            op,
            Op::Hello { .. }
                | Op::Afar { .. }
                | Op::Facts { .. }
                | Op::Lease { .. }
                | Op::MoveIn { .. }
                | Op::Release
                | Op::Bye
        );
        let silence_max = if is_busy { SILENCE_MAX } else { self.silence_max };
        let is_near = self.silence_max == SILENCE_MAX;
        let answer_max = if is_near || matches!(op, Op::Lease { .. }) { Duration::MAX } else { ANSWER_MAX };
        let id = self.next_id;
        self.next_id += 1;
        let mut line =
            serde_json::to_string(&Request { id, op }).map_err(|error| AgentError::Nonsense(error.to_string()))?;
        line.push('\n');
        let sent = match &mut self.input {
            Some(input) => input.say(line),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        if let Err(error) = sent {
            return Err(self.gone(format!("it takes no more requests ({error})")));
        }
        self.unanswered = true;
        self.silent = Duration::ZERO;
        let mut waited = Duration::ZERO;
        loop {
            let Some(message) = self.hear_within(Instant::now() + LOOK, silence_max)? else {
                if !waiting("") {
                    return Err(AgentError::Interrupted);
                }
                waited += LOOK;
                if waited >= answer_max {
                    return Err(self.gone(format!("it did not {doing} within {} s", answer_max.as_secs())));
                }
                continue;
            };
            if let Some((reply_id, outcome)) = self.take(message, waiting)? {
                self.unanswered = false;
                match outcome {
                    _ if reply_id != id => {
                        return Err(AgentError::Nonsense(format!("an answer to request {reply_id} instead of {id}")));
                    }
                    Outcome::Ok(answer) => return Ok(answer),
                    Outcome::Error(failure) => return Err(AgentError::Refused { doing, failure }),
                }
            }
        }
    }

    /// Sorts a message: events and bulks are kept, a reply is returned.
    fn take(
        &mut self,
        heard: Heard,
        waiting: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Option<(u64, Outcome)>, AgentError> {
        match heard {
            Heard::Message(message) => match *message {
                Message::Reply(reply) => return Ok(Some((reply.id, reply.outcome))),
                Message::Event(Event::Line { container, line }) => {
                    self.events.push_back(AppEvent::Line { container, line });
                }
                Message::Event(Event::Exit { container, status, last_lines }) => {
                    self.events.push_back(AppEvent::Exit { container, status, last_lines });
                }
                Message::Event(Event::Lost { failure }) => return Err(AgentError::Lost(failure)),
                Message::Event(Event::Waiting { holder }) => {
                    if !waiting(&holder) {
                        return Err(AgentError::Interrupted);
                    }
                }
                Message::Event(Event::Heartbeat) => {
                    if !waiting("") {
                        return Err(AgentError::Interrupted);
                    }
                }
                Message::Bulk(bulk) => return Err(AgentError::Nonsense(format!("{} without its bytes", bulk.bulk))),
            },
            Heard::Bulk(bulk, bytes) => self.bulks.push((bulk, bytes)),
            Heard::End(reason) => return Err(self.gone(reason)),
        }
        Ok(None)
    }

    /// The next thing heard; none after one look, or at the time limit. An agent that is silent for too long is gone.
    fn hear(&mut self, until: Instant) -> Result<Option<Heard>, AgentError> {
        self.hear_within(until, self.silence_max)
    }

    fn hear_within(&mut self, until: Instant, silence_max: Duration) -> Result<Option<Heard>, AgentError> {
        let look = until.saturating_duration_since(Instant::now()).min(LOOK);
        match self.heard.recv_timeout(look) {
            Ok(heard) => {
                self.silent = Duration::ZERO;
                Ok(Some(heard))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.silent += look;
                match self.silent >= silence_max {
                    true => Err(self.gone(format!("it said nothing for {} s", silence_max.as_secs()))),
                    false => Ok(None),
                }
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.gone("it ended".to_string())),
        }
    }

    /// Ends what is left of the agent, and says what it said last.
    fn gone(&mut self, reason: String) -> AgentError {
        drop(self.input.take());
        // Its namespaces die with it, so nothing is left on the host but what its journal restores.
        let _ = self.child.kill();
        let status = self.child.wait().map(|status| format!(" ({status})")).unwrap_or_default();
        let last_lines = self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        AgentError::Gone { whom: self.whom.clone(), reason: format!("{reason}{status}"), last_lines }
    }

    /// How it ended, if it does in time.
    fn ended(&mut self) -> Option<ExitStatus> {
        let limit = Instant::now() + END_MAX;
        while Instant::now() < limit {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for Agent {
    /// End of input is the agent's sign to give the host back; it is given time to.
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.ended();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn unexpected(answer: &Answer) -> AgentError {
    AgentError::Nonsense(format!("an answer of the wrong kind: {answer:?}"))
}
