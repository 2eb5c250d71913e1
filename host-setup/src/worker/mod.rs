//! The worker: first process of its own user, mount, process, network, ipc and host-name namespaces, in which
//! scenes are built and applications run, and which take everything with them when it dies. One poll loop,
//! one thread. It must not know the lease, the settings of the host, or what applications say.

mod application;
mod cable;
mod capture;
mod collect;
mod container;
mod lxc;
mod makings;
mod mapped;
mod memory;
mod rootfs;
mod stage;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use self::application::Streams;
use self::container::State;
pub(crate) use self::makings::{busybox, lxc};
use self::rootfs::Rootfs;
pub(crate) use self::rootfs::Sources;
use self::stage::{Ended, Given, Stage};
use crate::affinity::unpin;
use crate::facts::Privilege;
use crate::failure::During;
use crate::functions::Function;
use crate::lines::{Lines, Read, send_all, to_line};
use crate::meanings::Meanings;
use crate::patience::Patience;
use crate::privilege::become_root;
use crate::protocol::{
    Achieved, Answer, Event, Failure, FailureKind, Message, Op, Outcome, REQUEST_BYTES_MAX, Reply, Request, Snapshot,
};
use crate::snapshot::{self, Watch};
use crate::sys;

/// What the supervisor hands to the worker that it forks.
pub(crate) struct Hand {
    /// The worker's end of their socket pair.
    pub socket: OwnedFd,
    /// Kept open and never used: the host is held until the worker is dead too.
    pub lock: OwnedFd,
    /// The lease request, which the worker answers when it is ready.
    pub lease: u64,
    /// What the supervisor has made of the host.
    pub achieved: Achieved,
    /// Virtual functions of the lease.
    pub functions: Vec<Function>,
    /// Programs for containers.
    pub sources: Sources,
    /// What names mean.
    pub meanings: Rc<Meanings>,
    /// Real user and group, if the worker is to be root of a user namespace of its own.
    pub map: Option<(u32, u32)>,
}

/// Life of the worker, in the process that was forked for it.
pub(crate) fn run(hand: Hand) -> ! {
    let Hand { socket, lock, lease, achieved, functions, sources, meanings, map } = hand;
    let keep: Vec<_> = [socket.as_fd(), lock.as_fd()].into_iter().chain(sources.fds()).collect();
    let closed = sys::close_all_but(&keep).host(|| "close what is the supervisor's".into());
    drop(keep);
    let status = match closed.and_then(|()| Worker::new(&socket, sources, meanings, functions, map)) {
        Ok(mut worker) => {
            let staged = worker.rootfs.staged.clone();
            worker.answer(lease, Ok(Answer::Leased { achieved: Achieved { staged, ..achieved } }));
            worker.serve();
            0
        }
        Err(failure) => {
            say(&socket, &Message::Reply(Reply { id: lease, outcome: Outcome::Error(failure) }));
            1
        }
    };
    sys::exit_now(status)
}

struct Worker<'a> {
    socket: &'a OwnedFd,
    signals: SignalFd,
    rootfs: Rootfs,
    meanings: Rc<Meanings>,
    functions: Vec<Function>,
    privilege: Privilege,
    stage: Option<Stage>,
    /// Packets of the scene that wait to be read.
    capture: Option<capture::Capture>,
    /// Digests of files that processes had mapped.
    digests: mapped::Digests,
    /// The window that is looked at, or why it no longer can be.
    watch: Result<Option<Watch>, Failure>,
}

/// How long applications and switch may take to open what joins them.
const JOIN: Duration = Duration::from_secs(60);

/// What a poll found.
enum Ready {
    Supervisor,
    Children,
    Stdout(usize),
    Stderr(usize),
    Stdin(usize),
}

impl<'a> Worker<'a> {
    fn new(
        socket: &'a OwnedFd,
        sources: Sources,
        meanings: Rc<Meanings>,
        functions: Vec<Function>,
        map: Option<(u32, u32)>,
    ) -> Result<Worker<'a>, Failure> {
        prctl::set_pdeathsig(Signal::SIGKILL).host(|| "tie the worker to the agent".into())?;
        let mut privilege = Privilege::Root;
        if let Some((user, group)) = map {
            become_root(user, group).host(|| "become root of a user namespace".into())?;
            privilege = Privilege::UserNamespace;
        }
        let mut set = SigSet::empty();
        set.add(Signal::SIGCHLD);
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&set), None).host(|| "block signals".into())?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .host(|| "wait for signals".into())?;
        let rootfs = Rootfs::build(sources)?;
        Ok(Worker {
            socket,
            signals,
            rootfs,
            meanings,
            functions,
            privilege,
            stage: None,
            capture: None,
            digests: mapped::Digests::default(),
            watch: Ok(None),
        })
    }

    /// Until the supervisor closes its end; the death of this process then takes everything along.
    fn serve(&mut self) {
        let mut requests = Lines::new(REQUEST_BYTES_MAX);
        loop {
            let wait = self.look();
            let Ok(ready) = self.wait(wait) else { return };
            for ready in ready {
                match ready {
                    Ready::Supervisor => match requests.read_from(self.socket) {
                        Ok(Read::End) | Err(_) => return,
                        Ok(Read::Some | Read::Later) => {}
                    },
                    Ready::Children => self.reap(),
                    Ready::Stdout(place) => self.pass_lines(place),
                    Ready::Stderr(place) => self.with_streams(place, Streams::read_stderr),
                    Ready::Stdin(place) => self.with_streams(place, Streams::write),
                }
            }
            // Not inside the loop above: a request may change what the places stand for.
            while let Some(line) = requests.next() {
                match serde_json::from_slice::<Request>(&line.bytes) {
                    Ok(request) => {
                        let result = self.perform(request.op);
                        self.answer(request.id, result);
                    }
                    // The supervisor has parsed it before.
                    Err(_) => return,
                }
            }
        }
    }

    /// Looks at the window if it is time to, and says how long the next look can wait.
    fn look(&mut self) -> PollTimeout {
        let Ok(Some(watch)) = &mut self.watch else { return PollTimeout::NONE };
        let due = match watch.wait_ns() {
            Ok(Some(0)) => watch.look().and_then(|()| watch.wait_ns()),
            due => due,
        };
        match due {
            // Rounded up, or the last millisecond would be spent on polling.
            Ok(Some(wait_ns)) => PollTimeout::try_from(wait_ns.div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX),
            Ok(None) => PollTimeout::NONE,
            Err(failure) => {
                self.watch = Err(failure);
                PollTimeout::NONE
            }
        }
    }

    fn wait(&self, wait: PollTimeout) -> nix::Result<Vec<Ready>> {
        let mut meanings = vec![Ready::Supervisor, Ready::Children];
        let readable = PollFlags::POLLIN;
        let mut fds = vec![PollFd::new(self.socket.as_fd(), readable), PollFd::new(self.signals.as_fd(), readable)];
        for (place, container) in self.stage.iter().flat_map(|stage| stage.containers.iter().enumerate()) {
            let streams = &container.streams;
            if let Some(stdout) = &streams.stdout {
                fds.push(PollFd::new(stdout.as_fd(), readable));
                meanings.push(Ready::Stdout(place));
            }
            if let Some(stderr) = &streams.stderr {
                fds.push(PollFd::new(stderr.as_fd(), readable));
                meanings.push(Ready::Stderr(place));
            }
            if let Some(stdin) = streams.stdin.as_ref().filter(|_| streams.has_unwritten()) {
                fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLOUT));
                meanings.push(Ready::Stdin(place));
            }
        }
        match poll(&mut fds, wait) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
        let ready = fds.iter().map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
        Ok(meanings.into_iter().zip(ready).filter_map(|(meaning, ready)| ready.then_some(meaning)).collect())
    }

    fn perform(&mut self, op: Op) -> Result<Answer, Failure> {
        match op {
            Op::Build { scene } => {
                if self.stage.is_some() {
                    return Err(Failure::new(FailureKind::Request, "build a scene: one stands already"));
                }
                let scene =
                    crate::switch::check_with(&scene, &self.meanings.switches).request(|| "build a scene".into())?;
                let given = Given {
                    rootfs: &self.rootfs,
                    meanings: &self.meanings,
                    functions: &self.functions,
                    privilege: self.privilege,
                };
                self.stage = Some(Stage::build(&scene, given)?);
            }
            Op::Start { container, line } => {
                self.await_socket(&container)?;
                let container = self.container(&container)?;
                container.run()?;
                container.streams.send(&line)?;
            }
            Op::Send { container, line } => {
                let container = self.container(&container)?;
                if container.state != State::Running {
                    let message = format!("write to container {}: no application runs in it", container.checked.name);
                    return Err(Failure::new(FailureKind::Request, message));
                }
                container.streams.send(&line)?;
            }
            Op::Cable { interface, end, word, patience_ms } => {
                if self.stage.is_some() {
                    return Err(Failure::new(FailureKind::Request, "look at a cable: a scene stands on it"));
                }
                let patience = Duration::from_millis(patience_ms).min(cable::PATIENCE_MAX);
                return cable::look(&interface, end, word, patience).map(Answer::Cable);
            }
            Op::Join => self.join()?,
            Op::Mapped => {
                let files = self.stage.as_mut().map_or(Ok(Vec::new()), |stage| stage.mapped(&mut self.digests))?;
                let reported = self.stage.as_mut().map_or(Ok(None), Stage::reported)?;
                return Ok(Answer::Mapped { files, reported });
            }
            Op::Collect { container } => {
                let output = self.container(&container)?.output.clone();
                collect::collect(&output, self.socket)?;
            }
            Op::Processes => {
                let processes = self.stage.as_ref().map(Stage::processes).unwrap_or_default();
                return Ok(Answer::Processes(processes));
            }
            Op::Capture { packets } => {
                let containers = self.stage.as_ref().map_or(&[][..], |stage| &stage.containers);
                self.capture = Some(capture::Capture::begin(containers, packets)?);
            }
            Op::Captured { container } => match &self.capture {
                Some(capture) => capture.send(&container, self.socket)?,
                None => return Err(Failure::new(FailureKind::Request, "hand over packets: none are captured")),
            },
            Op::Snapshot => {
                let ports = self.stage.as_mut().map_or(Ok(Vec::new()), Stage::counters)?;
                let uplink = self.stage.as_mut().map_or(Ok(None), Stage::uplink)?;
                let snapshot = snapshot::take(ports, &[])?;
                return Ok(Answer::Snapshot(Snapshot { uplink, ..snapshot }));
            }
            Op::Watch { cpus, from_mono_ns, until_mono_ns, every_ms } => {
                self.watch = Ok(Some(Watch::new(cpus, from_mono_ns, until_mono_ns, every_ms)));
            }
            Op::Watched => {
                let watch = self.watch.as_ref().map_err(Failure::clone)?;
                return Ok(Answer::Watched(watch.as_ref().map(|watch| watch.seen().clone()).unwrap_or_default()));
            }
            Op::Renew => return self.renew().map(|renewed| Answer::Renewed { renewed }),
            Op::Teardown => {
                self.watch = Ok(None);
                self.capture = None;
                if let Some(stage) = self.stage.take() {
                    stage.take_down(&self.rootfs)?;
                }
                unpin().scene(|| "give the agent its CPUs back".into())?;
            }
            Op::Hello { .. }
            | Op::Afar { .. }
            | Op::Facts { .. }
            | Op::Lease { .. }
            | Op::Load { .. }
            | Op::MoveIn { .. }
            | Op::Clock
            | Op::Inside
            | Op::Release
            | Op::Bye => {
                return Err(Failure::new(FailureKind::Request, "answer in the worker what is the supervisor's"));
            }
        }
        Ok(Answer::Done {})
    }

    /// Waits for the socket that a container's application will connect to, if another container makes it, or until that
    /// is about to.
    fn await_socket(&mut self, name: &str) -> Result<(), Failure> {
        let mut patience = Patience::of(JOIN);
        while let Some(stage) = &self.stage
            && let Some(missing) = stage.missing_socket(name)
        {
            if patience.is_over() {
                let message = format!("start container {name}: {missing} made no socket within {} s", JOIN.as_secs());
                return Err(Failure::new(FailureKind::Scene, message));
            }
            self.pause()?;
            if let Some(stage) = &mut self.stage {
                stage.check_applications()?;
            }
        }
        Ok(())
    }

    /// Gives applications a moment, and hears what they say meanwhile, since nobody else does.
    fn pause(&mut self) -> Result<(), Failure> {
        poll(&mut [], PollTimeout::from(2u8)).scene(|| "wait for applications".into())?;
        for place in 0..self.stage.as_ref().map_or(0, |stage| stage.containers.len()) {
            self.pass_lines(place);
            self.with_streams(place, Streams::read_stderr);
        }
        self.reap();
        Ok(())
    }

    /// Ends all applications, says so, and makes their containers ready for others; whether that can be done here.
    fn renew(&mut self) -> Result<bool, Failure> {
        let Some(stage) = &self.stage else {
            return Err(Failure::new(FailureKind::Request, "start applications again: no scene stands"));
        };
        if !stage.can_renew() {
            return Ok(false);
        }
        stage.containers.iter().for_each(container::Container::kill);
        self.watch = Ok(None);
        self.capture = None;
        let mut patience = Patience::of(JOIN);
        while let Some(stage) = &mut self.stage {
            if stage.containers.iter().all(|container| matches!(container.state, State::Ended(_))) {
                stage.renew(&self.rootfs)?;
                break;
            }
            if patience.is_over() {
                let message = format!("end applications within {} s", JOIN.as_secs());
                return Err(Failure::new(FailureKind::Scene, message));
            }
            self.pause()?;
        }
        Ok(true)
    }

    /// Waits until every port of the switch forwards to its application.
    fn join(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::of(JOIN);
        loop {
            let Some(stage) = &mut self.stage else {
                return Err(Failure::new(FailureKind::Request, "join ports: no scene stands"));
            };
            if stage.join()? {
                return Ok(());
            }
            if patience.is_over() {
                let message = format!("join every port within {} s", JOIN.as_secs());
                let containers = stage.containers.iter();
                let last_lines = containers.flat_map(|container| container.streams.last_lines()).collect();
                return Err(Failure { last_lines, ..Failure::new(FailureKind::Scene, message) });
            }
            self.pause()?;
        }
    }

    fn container(&mut self, name: &str) -> Result<&mut container::Container, Failure> {
        let Some(stage) = &mut self.stage else {
            return Err(Failure::new(FailureKind::Request, format!("find container {name:?}: no scene stands")));
        };
        let found = stage.containers.iter_mut().find(|container| container.checked.name == name);
        found.ok_or_else(|| Failure::new(FailureKind::Request, format!("find container {name:?}: the scene has none")))
    }

    /// Reaps what has ended, and says so behind the last lines that the applications wrote.
    fn reap(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let ended = self.stage.as_mut().map(Stage::reap).unwrap_or_default();
        for ended in ended {
            let place = match ended {
                Ended::Container(place) => place,
                Ended::Switch { name, status, last_lines } => {
                    self.say(Event::Exit { container: name, status, last_lines });
                    continue;
                }
            };
            // Everything in its namespaces has died with it, so its streams end.
            self.with_streams(place, Streams::read_to_the_end);
            self.pass_lines(place);
            let Some(container) = self.stage.as_ref().and_then(|stage| stage.containers.get(place)) else { continue };
            if let State::Ended(status) = container.state {
                let last_lines = container.streams.last_lines();
                self.say(Event::Exit { container: container.checked.name.clone(), status, last_lines });
            }
        }
    }

    /// Passes on what one read brings.
    fn pass_lines(&mut self, place: usize) {
        let mut lines = Vec::new();
        self.with_streams(place, |streams| {
            streams.read_stdout();
            lines.extend(std::iter::from_fn(|| streams.next_line()));
        });
        let Some(container) = self.stage.as_ref().and_then(|stage| stage.containers.get(place)) else { return };
        for line in lines {
            self.say(Event::Line { container: container.checked.name.clone(), line });
        }
    }

    fn with_streams(&mut self, place: usize, act: impl FnOnce(&mut Streams)) {
        if let Some(container) = self.stage.as_mut().and_then(|stage| stage.containers.get_mut(place)) {
            act(&mut container.streams);
        }
    }

    fn answer(&self, id: u64, result: Result<Answer, Failure>) {
        let outcome = result.map_or_else(Outcome::Error, Outcome::Ok);
        say(self.socket, &Message::Reply(Reply { id, outcome }));
    }

    fn say(&self, event: Event) {
        say(self.socket, &Message::Event(event));
    }
}

/// If the supervisor no longer listens, its end of the socket is closed, and the loop ends by that.
fn say(socket: &OwnedFd, message: &Message) {
    if let Ok(line) = to_line(message) {
        let _ = send_all(socket, &line);
    }
}
