//! `septet-adapter`: speaks for a pair of programs that a site defines, in the container of one of them. It takes the
//! request and the commands that a generator takes, starts the program, and makes records and totals of what that
//! says it counted. It must not know hosts, switches or experiments, and counts nothing itself.

mod counted;

use std::fs;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{self, Child, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use host_setup::application::{DEFINITION_FILE, Definition, Filling};
use nix::time::{ClockId, clock_gettime};
use wire::{Clock, ClockSource, Command, Event, INTERVALS_FILE, Request, Role, Totals};

use self::counted::Counted;

/// How long a program may take to become ready.
const READY_MAX: Duration = Duration::from_secs(20);
/// How long it may take beyond the schedule.
const END_MAX: Duration = Duration::from_secs(20);
/// Longest that a program may print, bytes.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// What an IPv4 packet with UDP has besides its payload: the frame's head, and theirs.
const HEADERS_BYTES: u16 = 14 + 20 + 8;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Whoever does not hear it sees the exit code.
            let _ = say(&Event::Failed { message });
            ExitCode::FAILURE
        }
    }
}

fn say(event: &Event) -> Result<(), String> {
    let line = serde_json::to_string(event).map_err(|error| format!("say something: {error}"))?;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("say something: {error}"))
}

/// What it tells time by: nothing of its own.
const CLOCK: Clock = Clock { source: ClockSource::Monotonic, hz: 1e9 };

fn run() -> Result<(), String> {
    let mut lines = io::stdin().lock().lines();
    let mut line = move || -> Result<String, String> {
        let line = lines.next().ok_or("go on: its input has ended")?;
        line.map_err(|error| format!("read its input: {error}"))
    };
    let request: Request =
        serde_json::from_str(&line()?).map_err(|error| format!("understand its request: {error}"))?;
    let definition = fs::read(DEFINITION_FILE).map_err(|error| format!("read {DEFINITION_FILE}: {error}"))?;
    let definition: Definition =
        serde_json::from_slice(&definition).map_err(|error| format!("understand {DEFINITION_FILE}: {error}"))?;
    let words = match request.role {
        Role::Send => &definition.sender,
        Role::Receive => &definition.receiver,
        Role::Client | Role::Server => {
            return Err("time round trips: an application of the site's measures throughput only".to_string());
        }
    };
    let filling = filling(&request);
    let words: Vec<String> = words.iter().map(|word| filling.fill(word)).collect();
    let mut program = None;
    if request.role == Role::Receive {
        program = Some(Program::start(&words, definition.ready.as_deref())?);
    }
    say(&Event::Ready { version: wire::VERSION, clock: CLOCK })?;
    let next = |text: String| serde_json::from_str(&text).map_err(|error| format!("understand a command: {error}"));
    let epoch = match next(line()?)? {
        Command::Start { epoch_mono_ns } => epoch_mono_ns,
        Command::Stop => return Err("stop before it has begun".to_string()),
    };
    let patience = Duration::from_nanos(request.schedule.traffic_ns()) + END_MAX;
    let mut begun_ns = 0;
    let program = match program {
        // It ends when its sender does; that it is to is told afterwards.
        Some(program) => {
            next(line()?)?;
            program
        }
        None => {
            thread::sleep(Duration::from_nanos(epoch.saturating_sub(now_ns()?)));
            begun_ns = now_ns()?.saturating_sub(epoch);
            Program::start(&words, None)?
        }
    };
    let output = program.end(patience)?;
    let counted = Counted::read(&output, definition.reads)?;
    let records = counted.records(&request.schedule, begun_ns);
    let file = Path::new(&request.output).join(INTERVALS_FILE);
    fs::write(&file, records).map_err(|error| format!("write {}: {error}", file.display()))?;
    say(&Event::Done { totals: Box::new(totals(&request, &counted)), clock: CLOCK })
}

fn now_ns() -> Result<u64, String> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(|error| format!("read the clock: {error}"))?;
    Ok(u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX))
}

/// The totals of an end, of what its program says: what was to be sent and was not is missed.
fn totals(request: &Request, counted: &Counted) -> Totals {
    let packets = counted.packets;
    match request.role {
        Role::Send => Totals {
            attempted: packets,
            sent: packets,
            missed: request.packets_intended().saturating_sub(packets),
            ..Totals::default()
        },
        _ => Totals { received: packets, lost: counted.lost, ..Totals::default() },
    }
}

fn filling(request: &Request) -> Filling {
    let payload = request.frame_bytes.saturating_sub(HEADERS_BYTES);
    let rate_pps = request.rate_pps.unwrap_or(0);
    let traffic_ns = request.schedule.traffic_ns();
    let port = match request.role {
        Role::Send => request.remote.udp_port,
        _ => request.local.udp_port,
    };
    Filling(
        [
            ("address", request.local.ipv4.clone()),
            ("peer", request.remote.ipv4.clone()),
            ("port", port.to_string()),
            ("packets", request.packets_intended().to_string()),
            ("payload_bytes", payload.to_string()),
            ("rate_pps", rate_pps.to_string()),
            ("rate_bits_per_s", (rate_pps * u64::from(payload) * 8).to_string()),
            ("burst", request.burst.to_string()),
            ("seconds", traffic_ns.div_ceil(1_000_000_000).to_string()),
            ("milliseconds", (traffic_ns / 1_000_000).to_string()),
        ]
        .into(),
    )
}

/// A program that runs, and what it prints.
struct Program {
    child: Child,
    name: String,
    printed: Receiver<io::Result<Vec<u8>>>,
}

impl Program {
    /// Starts it, and returns when it has said that it is ready.
    fn start(words: &[String], ready: Option<&str>) -> Result<Program, String> {
        let [name, arguments @ ..] = words else { return Err("start a program: none is named".to_string()) };
        let mut command = process::Command::new(name);
        command.args(arguments).env("TMPDIR", "/out").stdin(Stdio::null());
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = spawned.map_err(|error| format!("start {name}: {error}"))?;
        let stdout = child.stdout.take().ok_or_else(|| format!("hear {name}"))?;
        let (tell, printed) = channel();
        let (told, first) = channel();
        let ready = ready.map(str::to_owned);
        let waits = ready.is_some();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout.take(OUTPUT_BYTES_MAX));
            let mut all = Vec::new();
            if let Some(ready) = ready {
                let before = all.len();
                while matches!(lines.read_until(b'\n', &mut all), Ok(1..)) {
                    if String::from_utf8_lossy(&all[before..]).contains(&ready) {
                        // Nobody waits for it any more where it comes too late.
                        let _ = told.send(());
                        break;
                    }
                }
            }
            let read = lines.read_to_end(&mut all).map(|_| all);
            let _ = tell.send(read);
        });
        let mut program = Program { child, name: name.clone(), printed };
        if waits && first.recv_timeout(READY_MAX).is_err() {
            let printed = program.printed.try_recv().ok().and_then(Result::ok).unwrap_or_default();
            // It may have ended by itself.
            let _ = program.child.kill();
            let printed = String::from_utf8_lossy(&printed).trim().chars().take(500).collect::<String>();
            return Err(format!(
                "start {name}: it was not ready within {} s; it said {printed:?}",
                READY_MAX.as_secs()
            ));
        }
        Ok(program)
    }

    /// Waits for its end; all that it printed.
    fn end(mut self, patience: Duration) -> Result<Vec<u8>, String> {
        let name = &self.name;
        let printed = match self.printed.recv_timeout(patience) {
            Ok(printed) => printed.map_err(|error| format!("hear {name}: {error}"))?,
            Err(RecvTimeoutError::Timeout) => {
                // It may have ended by itself just now.
                let _ = self.child.kill();
                return Err(format!("end {name}: it went on for {} s", patience.as_secs()));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(format!("hear {name}")),
        };
        let deadline = Instant::now() + END_MAX;
        let status = loop {
            match self.child.try_wait().map_err(|error| format!("end {name}: {error}"))? {
                Some(status) => break status,
                None if Instant::now() >= deadline => {
                    return Err(format!("end {name}: it closed its output and goes on"));
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let text = String::from_utf8_lossy(&printed).trim().chars().rev().take(400).collect::<String>();
        match status.success() {
            true => Ok(printed),
            false => {
                let text: String = text.chars().rev().collect();
                Err(format!("run {name}: it ended with {status}, and said {text:?}"))
            }
        }
    }
}
