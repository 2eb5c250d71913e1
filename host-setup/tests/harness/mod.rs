//! A client of the real `septet-host`: starts it in a folder of its own beside the real generator, speaks the
//! protocol, and finds out what a killed agent left behind. It must not know what a test expects.

// Each test program is a crate of its own and uses a part of this; a skipped test prints its reason.
#![allow(dead_code, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use host_setup::protocol::{Answer, Event, Failure, Message, Op, Outcome, PROTOCOL, Request, Setup};
use host_setup::scene::{Container, Interface, Link, Runtime, Scene, Switch};
use host_setup::switch;

/// Others use the host too: a lease waits as long as a whole run of another.
pub const PATIENCE_MS: u64 = 120_000;

/// The programs, copied where an ordinary user can read them.
pub struct Programs {
    folder: tempfile::TempDir,
    pub has_generator: bool,
}

/// A program that is being written cannot be executed, and a process that another thread forks meanwhile holds
/// it open: writing of programs keeps everybody from forking.
static PROGRAMS: RwLock<()> = RwLock::new(());

/// Starts a program while none is being written.
pub fn spawn(command: &mut Command) -> Child {
    let _nobody_writes = PROGRAMS.read();
    command.spawn().expect("a program that starts")
}

/// Who runs the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    Own,
    Nobody,
}

/// The users as whom this test run can start an agent.
pub fn users() -> Vec<User> {
    if nix::unistd::geteuid().is_root() {
        return vec![User::Own, User::Nobody];
    }
    println!("skipped as root: the tests run as an ordinary user");
    vec![User::Own]
}

impl Programs {
    pub fn install() -> Programs {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a readable folder");
        let _nobody_forks = PROGRAMS.write();
        let host = Path::new(env!("CARGO_BIN_EXE_septet-host"));
        fs::copy(host, folder.path().join("septet-host")).expect("a copy of septet-host");
        let beside = host.parent().expect("its folder");
        let asked = std::env::var_os("SEPTET_GEN").map(PathBuf::from);
        let places = asked.into_iter().chain([
            beside.join("septet-gen"),
            // With a target folder of this crate's own, the common one is two levels up.
            beside.join("../../release/septet-gen"),
        ]);
        let generator = places.into_iter().find(|place| place.is_file());
        if let Some(generator) = &generator {
            fs::copy(generator, folder.path().join("septet-gen")).expect("a copy of septet-gen");
        }
        Programs { folder, has_generator: generator.is_some() }
    }

    /// With the generator, or nothing and the reason on standard output.
    pub fn install_with_generator() -> Option<Programs> {
        let programs = Programs::install();
        if !programs.has_generator {
            println!("skipped: no septet-gen beside septet-host, and SEPTET_GEN names none");
            return None;
        }
        Some(programs)
    }

    pub fn host(&self) -> PathBuf {
        self.folder.path().join("septet-host")
    }
}

/// An agent, and the client's side of the conversation.
pub struct Agent {
    pub child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next: u64,
    pub events: Vec<Event>,
    pub files: BTreeMap<String, Vec<u8>>,
    mark: String,
}

/// Told to each agent, and so to what it forks until that executes an application.
const MARK: &str = "SEPTET_TEST_MARK";
static STARTED: AtomicU32 = AtomicU32::new(0);

impl Agent {
    pub fn start(programs: &Programs, user: User) -> Agent {
        let command = match user {
            User::Own => Command::new(programs.host()),
            User::Nobody => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(programs.host());
                command
            }
        };
        Agent::start_by(command)
    }

    /// Started by a command of the test's own.
    pub fn start_by(mut command: Command) -> Agent {
        let mark = format!("{}.{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        command.env(MARK, &mark);
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        Agent { child, stdin, stdout, next: 0, events: Vec::new(), files: BTreeMap::new(), mark }
    }

    /// Processes that this agent has forked, itself left out, also those that have lost their parent.
    pub fn marked(&self) -> Vec<u32> {
        let word = format!("{MARK}={}", self.mark).into_bytes();
        let is_marked = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            *pid != self.child.id() && environment.split(|byte| *byte == 0).any(|other| other == word)
        };
        processes().into_iter().filter(is_marked).collect()
    }

    /// Started, greeted, and holding the host.
    pub fn leased(programs: &Programs, user: User, setup: Setup) -> Agent {
        let mut agent = Agent::greeted(programs, user);
        agent.ok(Op::Lease { wait_ms: PATIENCE_MS, setup });
        agent
    }

    pub fn greeted(programs: &Programs, user: User) -> Agent {
        let mut agent = Agent::start(programs, user);
        agent.ok(Op::Hello { protocol: PROTOCOL, names: Default::default() });
        agent
    }

    pub fn send_text(&mut self, text: &str) {
        // A killed agent takes no more.
        let _ = self.stdin.as_mut().expect("its input").write_all(text.as_bytes());
    }

    /// Sends a request without waiting for the answer.
    pub fn send(&mut self, op: Op) -> u64 {
        self.next += 1;
        let line = serde_json::to_string(&Request { id: self.next, op }).expect("a request");
        self.send_text(&(line + "\n"));
        self.next
    }

    /// The next message; nothing at the end of output. Bytes behind a bulk line go into `files`.
    pub fn read(&mut self) -> Option<Message> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line).expect("its output") == 0 {
            return None;
        }
        let message: Message = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Message::Bulk(bulk) = &message {
            let mut bytes = vec![0; usize::try_from(bulk.len).expect("a size")];
            self.stdout.read_exact(&mut bytes).expect("the bytes that were announced");
            assert_eq!(blake3::hash(&bytes).to_hex().as_str(), bulk.blake3);
            self.files.insert(bulk.bulk.clone(), bytes);
        }
        Some(message)
    }

    pub fn ask(&mut self, op: Op) -> Result<Answer, Failure> {
        let id = self.send(op);
        loop {
            match self.read().expect("an answer") {
                Message::Reply(reply) => {
                    assert_eq!(reply.id, id);
                    return match reply.outcome {
                        Outcome::Ok(answer) => Ok(answer),
                        Outcome::Error(failure) => Err(failure),
                    };
                }
                Message::Event(event) => self.events.push(event),
                Message::Bulk(_) => {}
            }
        }
    }

    /// The answer, if one comes before the end of output; those to earlier requests are thrown away.
    pub fn ask_whatever(&mut self, op: Op) -> Option<Outcome> {
        let id = self.send(op);
        loop {
            match self.read()? {
                Message::Reply(reply) if reply.id == id => return Some(reply.outcome),
                _ => {}
            }
        }
    }

    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    pub fn ok(&mut self, op: Op) -> Answer {
        self.ask(op).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// The first event that is wanted, those before it kept.
    pub fn wait_event(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        if let Some(place) = self.events.iter().position(&wanted) {
            return self.events.remove(place);
        }
        loop {
            match self.read().expect("an event") {
                Message::Event(event) if wanted(&event) => return event,
                Message::Event(event) => self.events.push(event),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next line of a container; its exit instead is a failure.
    pub fn line(&mut self, name: &str) -> serde_json::Value {
        let of = |event: &Event| match event {
            Event::Line { container, .. } | Event::Exit { container, .. } => container == name,
            _ => false,
        };
        match self.wait_event(of) {
            Event::Line { line, .. } => serde_json::from_str(&line).expect("JSON of the generator"),
            other => panic!("{other:?}"),
        }
    }

    /// Ends its input and returns its exit code.
    pub fn close(mut self) -> i32 {
        self.stdin = None;
        self.child.wait().expect("its end").code().expect("an exit code")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // A test that failed in the middle; otherwise it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mac(place: usize) -> String {
    format!("02:00:00:00:00:{:02x}", place + 1)
}

fn ipv4(place: usize) -> String {
    format!("10.0.0.{}", place + 1)
}

/// `pairs` senders and receivers on a linux-bridge: `send-0`, `receive-0`, ...
pub fn scene(pairs: usize, runtime: Runtime) -> Scene {
    let container = |place: usize| {
        let role = ["send", "receive"][place % 2];
        let other = place ^ 1;
        Container {
            name: format!("{role}-{}", place / 2),
            application: "septet-gen".into(),
            cpus: Vec::new(),
            output_bytes_max: 1 << 20,
            link: Link::Interface(Interface {
                name: "eth0".into(),
                mac: mac(place),
                ipv4: Some(ipv4(place) + "/16"),
                neighbours: vec![(ipv4(other), mac(other))],
            }),
        }
    };
    let ports = u32::try_from(2 * pairs).expect("few");
    let shape = switch::Shape { ports, cores: 0, queues: 1, memory: None, uplink: None };
    let configuration = switch::render("linux-bridge", &shape).expect("a bridge");
    let (kind, stack, cpus) = ("linux-bridge".into(), "system".into(), Vec::new());
    Scene {
        runtime,
        switch: Switch { kind, stack, cpus, queues: 1, memory: None, uplink: None, configuration },
        containers: (0..2 * pairs).map(container).collect(),
        housekeeping: None,
    }
}

/// What the generator of a container is asked: 50 ms at 20 kpps of 64 bytes.
pub fn request(place: usize) -> String {
    let end = |place: usize| serde_json::json!({ "mac": mac(place), "ipv4": ipv4(place), "udp_port": 5000 });
    let role = ["send", "receive"][place % 2];
    let mut request = serde_json::json!({
        "version": 1, "role": role, "io": "udp-mmsg",
        "port": { "kind": "interface", "name": "eth0" }, "frame_bytes": 64, "burst": 8, "flows": 1, "queues": 1,
        "touch": true, "wait": "yield", "local": end(place), "remote": end(place ^ 1),
        "schedule": {
            "warmup_ns": 0, "duration_ns": 50_000_000, "cooldown_ns": 0, "interval_ns": 10_000_000,
            "drain_ns_max": 1_000_000_000,
        },
        "rtt_samples_max": 0, "output": "/out",
    });
    if place.is_multiple_of(2) {
        request["rate_pps"] = 20_000.into();
    }
    request.to_string()
}

/// A process by number and time of start, so that another of the same number is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    started: String,
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_ascii_whitespace().map(str::to_owned).collect())
}

impl Process {
    fn of(pid: u32) -> Option<Process> {
        let stat = stat(pid)?;
        // Dead, holding nothing, and waiting for init to take notice.
        let is_zombie = stat.first()? == "Z";
        (!is_zombie).then_some(Process { pid, started: stat.get(19)?.clone() })
    }

    /// Whether it is alive.
    pub fn is_there(&self) -> bool {
        Process::of(self.pid).as_ref() == Some(self)
    }

    pub fn kill(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid).expect("a pid"));
        // It may be gone already, which is as good.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The process and all that it started, whatever namespace they are in.
pub fn family(pid: u32) -> Vec<Process> {
    let all = processes();
    let parents: BTreeMap<u32, u32> =
        all.iter().filter_map(|pid| Some((*pid, stat(*pid)?.get(1)?.parse().ok()?))).collect();
    let belongs = |mut of: u32| {
        while of != pid {
            match parents.get(&of) {
                Some(parent) => of = *parent,
                None => return false,
            }
        }
        true
    };
    all.into_iter().filter(|pid| belongs(*pid)).filter_map(Process::of).collect()
}

/// What this namespace has of links and mounts.
pub fn links_and_mounts() -> (Vec<String>, String) {
    let mut links: Vec<String> = fs::read_dir("/sys/class/net")
        .expect("links")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    links.sort();
    (links, fs::read_to_string("/proc/self/mounts").expect("mounts"))
}

/// Waits until a condition holds; a deadline is a failure.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// The interface of a container on a bridge.
pub fn interface(container: &mut Container) -> &mut Interface {
    match &mut container.link {
        Link::Interface(interface) => interface,
        Link::VhostUser(_) | Link::Function(_) => panic!("no interface of a veth pair"),
    }
}
