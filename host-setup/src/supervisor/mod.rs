//! The supervisor: the process that a client speaks to. It answers what needs no scene, holds the host, and
//! passes the rest to the worker and back, unread. One poll loop, one thread. End of input and signals take
//! everything down in order. It must not know scenes or applications.

pub(crate) mod held;
pub(crate) mod lock;
mod moved;
mod output;
mod relay;
mod request;
mod waiting;

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use self::held::Held;
use self::lock::Attempt;
use self::output::Output;
use self::request::Refused;
pub use self::request::parse_request;
use self::waiting::Waiting;
use crate::affinity::{granted, pin, unpin};
use crate::failure::During;
use crate::lease::JournalFile;
use crate::lines::{Line, Lines, Read, read_some, send_all, to_line};
use crate::meanings::Meanings;
use crate::patience::Patience;
use crate::programs;
use crate::protocol::{
    Answer, Event, Failure, FailureKind, HEARTBEAT, HEARTBEAT_MS, Load, Message, Names, Op, Outcome, PROTOCOL,
    REQUEST_BYTES_MAX, Reply, Request,
};
use crate::snapshot;
use crate::snapshot::load::{self, Reading};

/// Speaks the protocol on standard input and output until the client says bye or is gone, or one of the signals
/// `ends` it. A failure here is one to leave the host in order.
pub(crate) fn serve(ends: &[Signal]) -> Result<(), Failure> {
    let signals: SigSet = ends.iter().copied().collect();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&signals), None).host(|| "block signals".into())?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .host(|| "wait for signals".into())?;
    recover_if_free()?;
    // Where it may not, it stays where it was started.
    let _ = unpin();
    let mut supervisor = Supervisor {
        signals,
        input: Lines::new(REQUEST_BYTES_MAX),
        requests: VecDeque::new(),
        afar: None,
        output: Output::new(),
        spoke: Instant::now(),
        greeted: false,
        meanings: Rc::default(),
        held: None,
        waiting: None,
        spent: None,
        pending: None,
    };
    let result = supervisor.run();
    supervisor.let_go().and(result)
}

/// Restores what a killed agent left, unless somebody holds the host: then that one does, or will.
pub(crate) fn recover_if_free() -> Result<(), Failure> {
    let mut journal = JournalFile::of_host();
    if journal.exists()
        && let Attempt::Held(_lock) = lock::attempt()?
    {
        // A host that cannot be restored refuses leases with this failure; facts can be had all the same.
        if let Err(failure) = held::recover(&mut journal) {
            crate::failure::warn(&failure.to_string());
        }
    }
    Ok(())
}

/// Requests that are read while another is under way.
const READ_AHEAD_MAX: usize = 16;

struct Supervisor {
    signals: SignalFd,
    input: Lines,
    /// Requests that were read and not looked at.
    requests: VecDeque<Line>,
    /// How long the client may be silent, and what is left of that; absent for one on the same host.
    afar: Option<(Duration, Patience)>,
    output: Output,
    spoke: Instant,
    greeted: bool,
    /// What names mean in this conversation.
    meanings: Rc<Meanings>,
    held: Option<Held>,
    waiting: Option<Waiting>,
    /// What processes had spent when that was asked last.
    spent: Option<Reading>,
    /// The request that the worker is to answer, and whether it is the lease.
    pending: Option<(u64, Pending)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Lease,
    Other,
}

#[derive(Default)]
struct Ready {
    signal: bool,
    input: bool,
    output: bool,
    worker: bool,
}

impl Supervisor {
    fn run(&mut self) -> Result<(), Failure> {
        let mut ended = false;
        loop {
            let ready = self.wait()?;
            if ready.signal {
                return Ok(());
            }
            if ready.output && self.output.write().is_err() {
                return Ok(());
            }
            if ready.worker {
                self.hear_worker()?;
            }
            if ready.input {
                match self.input.read_from(std::io::stdin()).host(|| "read a request".into())? {
                    // What is asked already is answered; whoever waits for more than that is gone.
                    Read::End => ended = true,
                    Read::Some => self.afar = self.afar.map(|(all, _)| (all, Patience::of(all))),
                    Read::Later => {}
                }
                while let Some(line) = self.input.next() {
                    if line.bytes != HEARTBEAT.as_bytes() {
                        self.requests.push_back(line);
                    }
                }
            }
            if let Some((all, left)) = &mut self.afar
                && left.is_over()
            {
                let words = format!("the client said nothing for {} s: the host is given back", all.as_secs());
                crate::failure::warn(&words);
                return Ok(());
            }
            if !ended {
                self.try_lease()?;
            }
            while self.waiting.is_none()
                && self.pending.is_none()
                && let Some(line) = self.requests.pop_front()
            {
                if self.answer_line(&line)? == Next::Exit {
                    return self.output.write_rest(&self.signals);
                }
            }
            if ended {
                return if self.waiting.is_none() && self.pending.is_none() {
                    self.output.write_rest(&self.signals)
                } else {
                    Ok(())
                };
            }
            if self.spoke.elapsed() >= Duration::from_millis(HEARTBEAT_MS) && self.may_speak() {
                self.say(&Message::Event(Event::Heartbeat))?;
            }
        }
    }

    /// Waits for anything to happen, or for the next heartbeat, word to who waits, or try.
    fn wait(&mut self) -> Result<Ready, Failure> {
        let mut until = self.spoke + Duration::from_millis(HEARTBEAT_MS);
        if let Some(waiting) = &self.waiting {
            until = until.min(waiting.next());
        }
        let timeout = until.saturating_duration_since(Instant::now()).saturating_add(Duration::from_millis(1));
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let stdin = std::io::stdin();
        let nothing = PollFlags::empty();
        // Nothing is read ahead, but of a client that has to be heard while something is asked.
        let reads = self.requests.is_empty() || (self.afar.is_some() && self.requests.len() < READ_AHEAD_MAX);
        let input = if reads { PollFlags::POLLIN } else { nothing };
        let output = if self.output.is_empty() { nothing } else { PollFlags::POLLOUT };
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), input),
            PollFd::new(self.output.fd(), output),
        ];
        let worker = self.held.as_ref().filter(|_| !self.output.is_full()).map(|held| {
            fds.push(PollFd::new(held.socket(), PollFlags::POLLIN));
            fds.len() - 1
        });
        // A hang-up wakes the loop, which tries the lock again.
        if let Some(watch) = self.waiting.as_ref().and_then(Waiting::fd) {
            fds.push(PollFd::new(watch, PollFlags::POLLIN));
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => Err(error).host(|| "wait for requests".into())?,
        }
        let events = |place: usize| fds[place].revents().unwrap_or(nothing);
        Ok(Ready {
            signal: !events(0).is_empty(),
            input: !events(1).is_empty(),
            output: !events(2).is_empty(),
            worker: worker.is_some_and(|place| !events(place).is_empty()),
        })
    }

    fn answer_line(&mut self, line: &Line) -> Result<Next, Failure> {
        match request::parse(line, self.greeted) {
            Ok(request) => self.answer_request(request, &line.bytes),
            Err(Refused { id, failure }) => self.refuse(id, failure),
        }
    }

    fn answer_request(&mut self, request: Request, line: &[u8]) -> Result<Next, Failure> {
        let id = request.id;
        let result = match request.op {
            Op::Hello { protocol, names } => self.greet(protocol, &names),
            Op::Afar { silence_ms } => {
                // First, since the client takes it for what it was when the request came.
                let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let wall_ns = wall.map_or(0, |wall| u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX));
                let all = Duration::from_millis(silence_ms.min(u64::from(u32::MAX)));
                self.afar = Some((all, Patience::of(all)));
                Ok(Answer::Programs { programs: programs::digests(), wall_ns })
            }
            Op::Facts { refresh } => {
                let cpus = granted().host(|| "ask for the CPUs that may be used".into());
                cpus.map(|cpus| Answer::Facts(Box::new(crate::survey::read(&cpus, &self.meanings, refresh))))
            }
            Op::Clock => snapshot::mono_ns().map(|mono_ns| Answer::Clock { mono_ns }),
            Op::Load { cpus } => self.load_since(&cpus).map(Answer::Load),
            Op::Snapshot if self.held.is_none() => snapshot::take(Vec::new(), &[]).map(Answer::Snapshot),
            Op::Lease { wait_ms, setup } => {
                if self.held.is_some() {
                    let message = "lease the host: this agent holds it already";
                    return self.refuse(id, Failure::new(FailureKind::Request, message));
                }
                self.waiting = Some(Waiting::new(id, setup, wait_ms));
                self.try_lease()?;
                return Ok(Next::GoOn);
            }
            Op::MoveIn { interface } => match &mut self.held {
                Some(held) => held.move_in(&interface).map(|()| Answer::Done {}),
                None => return self.refuse(id, without_lease()),
            },
            Op::Inside => match &self.held {
                Some(held) => held.inside(),
                None => return self.refuse(id, without_lease()),
            },
            Op::Release => self.let_go().map(|()| Answer::Done {}),
            Op::Bye => {
                let result = self.let_go().map(|()| Answer::Done {});
                self.reply(id, result)?;
                return Ok(Next::Exit);
            }
            Op::Build { scene } => {
                if let (Some(held), Some(uplink)) = (&mut self.held, &scene.switch.uplink)
                    && let Err(failure) = held.drive(uplink)
                {
                    return self.refuse(id, failure);
                }
                // The worker says if there is no such CPU.
                let _ = scene.housekeeping.map_or_else(unpin, |cpu| pin(&[cpu]));
                if let Some(Err(failure)) = self.held.as_ref().map(|held| held.move_functions(&scene)) {
                    return self.refuse(id, failure);
                }
                return self.pass_on(id, line);
            }
            Op::Cable { ref interface, .. } => {
                if self.held.as_ref().is_some_and(|held| !held.has_moved_in(interface)) {
                    let message = format!("look at a cable: {interface:?} was not moved in");
                    return self.refuse(id, Failure::new(FailureKind::Request, message));
                }
                return self.pass_on(id, line);
            }
            Op::Start { .. }
            | Op::Join
            | Op::Mapped
            | Op::Processes
            | Op::Capture { .. }
            | Op::Captured { .. }
            | Op::Send { .. }
            | Op::Collect { .. }
            | Op::Renew
            | Op::Teardown
            | Op::Watch { .. }
            | Op::Watched
            | Op::Snapshot => {
                return self.pass_on(id, line);
            }
        };
        self.reply(id, result)?;
        Ok(Next::GoOn)
    }

    fn greet(&mut self, protocol: u32, names: &Names) -> Result<Answer, Failure> {
        if protocol != PROTOCOL {
            let message = format!("greet: the client speaks protocol {protocol}, this agent {PROTOCOL}");
            return Err(
                Failure::new(FailureKind::Request, message).advise("install septet and septet-host of one version")
            );
        }
        self.meanings = Rc::new(Meanings::look(names)?);
        self.greeted = true;
        Ok(Answer::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into() })
    }

    /// Who has had these CPUs since this was asked last.
    fn load_since(&mut self, cpus: &[u32]) -> Result<Load, Failure> {
        let now = Reading::take(Path::new("/"), snapshot::mono_ns()?);
        let before = self.spent.replace(now.clone());
        let ours = (std::process::id(), std::os::unix::process::parent_id());
        Ok(load::between(before.as_ref().unwrap_or(&now), &now, cpus, ours))
    }

    /// Hands a request to the worker as it came.
    fn pass_on(&mut self, id: u64, line: &[u8]) -> Result<Next, Failure> {
        let Some(held) = &self.held else {
            return self.refuse(id, without_lease());
        };
        self.pending = Some((id, Pending::Other));
        let line = [line, b"\n"].concat();
        // A worker that is dead is noticed, and this request answered, when its end of the socket is read.
        let _ = send_all(held.socket(), &line);
        Ok(Next::GoOn)
    }

    /// If a lease is wanted and the host is free, takes it; if its time is over, says so.
    fn try_lease(&mut self) -> Result<(), Failure> {
        let Some(mut waiting) = self.waiting.take() else { return Ok(()) };
        let id = waiting.id;
        if !waiting.must_try() {
            self.waiting = Some(waiting);
            return Ok(());
        }
        match lock::attempt() {
            Err(failure) => self.reply(id, Err(failure))?,
            Ok(Attempt::Held(lock)) => match Held::prepare(lock, id, &waiting.setup, &self.meanings) {
                Ok(held) => {
                    self.held = Some(held);
                    self.pending = Some((id, Pending::Lease));
                }
                Err(failure) => self.reply(id, Err(failure))?,
            },
            Ok(Attempt::Busy { holder, .. }) if waiting.is_over() => {
                let message = format!("lease the host: {holder} holds it");
                let advice = "wait for it to end; two measurements never share a host";
                self.reply(id, Err(Failure::new(FailureKind::Busy, message).advise(advice)))?;
            }
            Ok(Attempt::Busy { holder, watch }) => {
                if waiting.must_say() {
                    waiting.has_said();
                    self.say(&Message::Event(Event::Waiting { holder }))?;
                }
                waiting.watch(watch);
                self.waiting = Some(waiting);
            }
        }
        Ok(())
    }

    /// Passes on what the worker says, and notices what it answered, or its death.
    fn hear_worker(&mut self) -> Result<(), Failure> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let mut bytes = [0; 64 << 10];
        let (read, length) = read_some(held.socket(), &mut bytes).host(|| "hear the worker".into())?;
        if read == Read::End {
            return self.lose_worker();
        }
        let mut replies = Vec::new();
        let output = &mut self.output;
        held.relay.pass(&bytes[..length], &mut |bytes| output.push(bytes), &mut replies).host(|| "go on".into())?;
        self.spoke = Instant::now();
        for reply in replies {
            let lease_failed = self.pending == Some((reply.id, Pending::Lease)) && !reply.ok;
            self.pending = None;
            if lease_failed {
                self.let_go()?;
            }
        }
        Ok(())
    }

    /// The worker has died by itself: the host is given back and the client told, whether it waits for an
    /// answer or for its applications.
    fn lose_worker(&mut self) -> Result<(), Failure> {
        let garbled = self.held.as_ref().is_some_and(|held| !held.relay.between_messages());
        let pending = self.pending.take();
        let restored = self.let_go();
        if garbled {
            return restored.and(Err(Failure::new(FailureKind::Host, "go on: the worker died while it sent a file")));
        }
        let message = "go on: the worker died, and all that it had built with it";
        let failure = Failure::new(FailureKind::Host, message).advise("the host has been given back: lease it again");
        let failure = restored.err().unwrap_or(failure);
        self.say(&Message::Event(Event::Lost { failure: failure.clone() }))?;
        match pending {
            Some((id, _)) => self.reply(id, Err(failure)),
            None => Ok(()),
        }
    }

    fn let_go(&mut self) -> Result<(), Failure> {
        self.pending = None;
        self.waiting = None;
        // Wherever it runs, it can let go.
        let _ = unpin();
        self.held.take().map_or(Ok(()), Held::let_go)
    }

    fn may_speak(&self) -> bool {
        self.output.is_empty() && self.held.as_ref().is_none_or(|held| held.relay.between_messages())
    }

    fn refuse(&mut self, id: u64, failure: Failure) -> Result<Next, Failure> {
        self.reply(id, Err(failure))?;
        Ok(Next::GoOn)
    }

    fn reply(&mut self, id: u64, result: Result<Answer, Failure>) -> Result<(), Failure> {
        let outcome = result.map_or_else(Outcome::Error, Outcome::Ok);
        self.say(&Message::Reply(Reply { id, outcome }))
    }

    fn say(&mut self, message: &Message) -> Result<(), Failure> {
        self.output.push(&to_line(message).host(|| "write an answer".into())?);
        self.spoke = Instant::now();
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Exit,
}

fn without_lease() -> Failure {
    Failure::new(FailureKind::Request, "do this without a lease: the host must be leased first")
}
