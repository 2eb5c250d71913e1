//! One generator process and the records it leaves. It must not know namespaces.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command as Program, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wire::{
    Command, Endpoint, Event, INTERVAL_BYTES, INTERVALS_FILE, IntervalRecord, Io, OVERFLOW_BYTES, OVERFLOW_FILE,
    OverflowRecord, Port, RTT_BYTES, RTT_FILE, Request, Role, RttRecord, Schedule, Totals, Wait,
};

/// Far beyond what any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request with the values that most tests share: 0.2 s of traffic between two ends.
pub fn request(role: Role, io: Io, output: &Path) -> Request {
    let client = Endpoint { mac: "02:00:00:00:00:01".into(), ipv4: "10.0.0.1".into(), udp_port: 5_000 };
    let server = Endpoint { mac: "02:00:00:00:00:02".into(), ipv4: "10.0.0.2".into(), udp_port: 6_000 };
    let originates = matches!(role, Role::Send | Role::Client);
    let (local, remote, name) = if originates { (client, server, "left") } else { (server, client, "right") };
    Request {
        version: wire::VERSION,
        role,
        io,
        port: Port::Interface { name: name.into() },
        frame_bytes: 64,
        burst: 16,
        rate_pps: originates.then_some(20_000),
        flows: 1,
        queues: 1,
        touch: false,
        wait: Wait::Yield,
        schedule: Schedule {
            warmup_ns: 50_000_000,
            duration_ns: 100_000_000,
            cooldown_ns: 50_000_000,
            interval_ns: 10_000_000,
            drain_ns_max: 1_000_000_000,
        },
        local,
        remote,
        rtt_samples_max: 500_000,
        output: output.display().to_string(),
    }
}

/// A running generator; killed when dropped.
pub struct Generator {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    pub output: TempDir,
}

impl Generator {
    /// Starts the program, as `prefix` says (the command that enters a namespace, or nothing).
    pub fn spawn(prefix: &[String]) -> Self {
        let mut command: Vec<&str> = prefix.iter().map(String::as_str).collect();
        command.push(crate::PROGRAM);
        let mut child = Program::new(command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the generator starts");
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, lines, output: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Starts the program and gives it a request, with this generator's folder as output.
    pub fn ask(prefix: &[String], make: impl FnOnce(&Path) -> Request) -> Self {
        let mut generator = Self::spawn(prefix);
        let request = make(generator.output.path());
        generator.say(&serde_json::to_string(&request).expect("a request is JSON"));
        generator
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("open"), "{line}").expect("the generator listens");
    }

    pub fn hear(&self) -> Event {
        let line = self.lines.recv_timeout(PATIENCE).expect("the generator answers in time");
        serde_json::from_str(&line).expect("an event")
    }

    pub fn await_ready(&self) {
        let event = self.hear();
        assert!(matches!(event, Event::Ready { version: wire::VERSION, .. }), "{event:?}");
    }

    pub fn start(&mut self, epoch_mono_ns: u64) {
        self.command(&Command::Start { epoch_mono_ns });
    }

    pub fn stop(&mut self) {
        self.command(&Command::Stop);
    }

    fn command(&mut self, command: &Command) {
        self.say(&serde_json::to_string(command).expect("a command is JSON"));
    }

    pub fn await_done(&mut self) -> Totals {
        match self.hear() {
            Event::Done { totals, clock } => {
                assert!(clock.hz > 1e6, "{clock:?}");
                // Over DPDK it stays as long as somebody might want to ask its peer.
                self.close_stdin();
                assert_eq!(self.await_exit().code(), Some(0));
                *totals
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn await_failed(&mut self) -> String {
        match self.hear() {
            Event::Failed { message } => {
                assert_eq!(self.await_exit().code(), Some(1));
                message
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn await_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the generator does not exit");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Asks it to terminate, by a signal. `nsenter` and its like become the program, so its pid is ours.
    pub fn terminate(&self) {
        let killed = Program::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    pub fn intervals(&self) -> Vec<IntervalRecord> {
        let bytes = fs::read(self.output.path().join(INTERVALS_FILE)).expect("intervals");
        let records: Vec<_> = bytes.as_chunks::<INTERVAL_BYTES>().0.iter().map(IntervalRecord::decode).collect();
        let reached = records.iter().position(|record| record.index == 0).unwrap_or(records.len());
        assert!(records.iter().zip(1..).take(reached).all(|(record, index)| record.index == index));
        assert!(records[reached..].iter().all(|record| *record == IntervalRecord::default()));
        records[..reached].to_vec()
    }

    pub fn round_trips(&self) -> Vec<RttRecord> {
        let bytes = fs::read(self.output.path().join(RTT_FILE)).expect("round trips");
        assert_eq!(bytes.len() % RTT_BYTES, 0);
        bytes.as_chunks::<RTT_BYTES>().0.iter().map(RttRecord::decode).collect()
    }

    pub fn overflow(&self) -> Vec<OverflowRecord> {
        let bytes = fs::read(self.output.path().join(OVERFLOW_FILE)).expect("overflow");
        assert_eq!(bytes.len() % OVERFLOW_BYTES, 0);
        bytes.as_chunks::<OVERFLOW_BYTES>().0.iter().map(OverflowRecord::decode).collect()
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Mostly it has exited; a test that failed before that must not leave it behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A moment for all to start at, a little in the future.
pub fn soon() -> u64 {
    generators::sys::time::monotonic_ns() + 20_000_000
}

/// What holds in every run: of one end's totals and of its intervals.
pub fn check_books(totals: &Totals, intervals: &[IntervalRecord], packets: u64) {
    assert_eq!(totals.attempted, totals.sent + totals.rejected, "{totals:?}");
    let sum = |field: fn(&IntervalRecord) -> u32| intervals.iter().map(|record| u64::from(field(record))).sum::<u64>();
    assert_eq!(sum(|record| record.packets), packets, "{totals:?}");
    assert_eq!(sum(|record| record.rejected), totals.rejected);
    assert_eq!(sum(|record| record.missed), totals.missed);
    assert_eq!(sum(|record| record.duplicates), totals.duplicates);
    assert_eq!(sum(|record| record.reordered), totals.reordered);
    assert_eq!(sum(|record| record.corrupt), totals.corrupt);
    assert_eq!(sum(|record| record.foreign), totals.foreign);
    assert_eq!(sum(|record| record.calls), totals.calls);
    let lost = intervals.iter().map(|record| i64::from(record.lost)).sum::<i64>();
    assert_eq!(lost.max(0).cast_unsigned(), totals.lost, "{totals:?}");
}
