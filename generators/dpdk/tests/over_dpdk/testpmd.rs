//! DPDK's own testpmd as the other side: an instrument that knows nothing of Septet counts the same packets.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use wire::{Io, Port, Role};

use crate::bench::Bench;
use crate::generator::{Generator, request, soon};

/// Far beyond what any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// End markers, of 64 or more, that may be in the queue when it is closed.
const LOST_WORDS_MAX: u64 = 8;

/// An interactive testpmd; killed when dropped.
struct Testpmd {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Testpmd {
    /// Starts it at the right end; `None`, with the reason printed, where there is none.
    fn start(bench: &Bench, device: &[String], mode: &str) -> Option<Self> {
        let prefix = bench.prefix();
        let spawned = Command::new(&prefix[0])
            .args(&prefix[1..])
            // Line by line, though it writes to a pipe.
            .args(["stdbuf", "-oL", "dpdk-testpmd"])
            .args(bench.eal("right", 2))
            .args(device)
            .args(["--", "-i", "--no-mlockall", "--total-num-mbufs=4096"])
            .arg(format!("--forward-mode={mode}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                eprintln!("skipped: {} cannot be run: {error}", prefix[0]);
                return None;
            }
        };
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let mut testpmd = Self { stdin: child.stdin.take().expect("piped"), child, lines };
        // It has configured its port when it says so; where it is not installed it ends at once.
        if testpmd.hear("Done").is_none() {
            eprintln!("skipped: dpdk-testpmd cannot be run: {:?}", testpmd.child.wait());
            return None;
        }
        Some(testpmd)
    }

    fn say(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").expect("testpmd listens");
    }

    /// The next line that has `word` in it; `None` if testpmd ends before it says one.
    fn hear(&mut self, word: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(word) => return Some(line),
                Ok(_) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(_) => panic!("testpmd does not say {word:?}"),
            }
        }
    }

    /// Stops it and returns the count of `name` in what it says then.
    fn stop(mut self, name: &str) -> u64 {
        self.say("stop");
        self.hear("Forward statistics").expect("testpmd counts");
        let line = self.hear(name).expect("testpmd counts");
        let count = line.split(name).nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        self.say("quit");
        count.unwrap_or_else(|| panic!("{line:?} has no {name:?}"))
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our end, with `device`.
fn ask(bench: &Bench, role: Role, device: &[String]) -> Generator {
    Generator::ask(&bench.prefix(), |output| {
        let mut request = request(role, Io::Dpdk, output);
        request.rate_pps = request.rate_pps.map(|_| 100_000);
        request.schedule.drain_ns_max = 300_000_000;
        let mut eal_args = bench.eal("left", 1);
        eal_args.extend_from_slice(device);
        request.port = Port::Dpdk { eal_args };
        request
    })
}

/// Both ends, whichever makes the socket.
fn join(bench: &Bench, role: Role, we_make_the_socket: bool, mode: &str) -> Option<(Generator, Testpmd)> {
    if we_make_the_socket {
        let ours = ask(bench, role, &bench.vhost(1));
        bench.await_socket();
        let theirs = Testpmd::start(bench, &bench.virtio(1, "02:00:00:00:00:09"), mode)?;
        Some((ours, theirs))
    } else {
        let theirs = Testpmd::start(bench, &bench.vhost(1), mode)?;
        bench.await_socket();
        Some((ask(bench, role, &bench.virtio(1, "02:00:00:00:00:01")), theirs))
    }
}

#[test]
fn testpmd_receives_to_the_packet_what_we_sent() {
    for we_make_the_socket in [false, true] {
        let bench = Bench::new();
        let Some((mut sender, mut testpmd)) = join(&bench, Role::Send, we_make_the_socket, "rxonly") else { return };
        testpmd.say("start");
        testpmd.hear("rxonly packet forwarding").expect("testpmd starts");
        sender.await_ready();
        sender.start(soon());
        let sent = sender.await_done();
        assert!(sent.sent > 0, "{sent:?}");
        let (seen, all) = (testpmd.stop("RX-packets:"), sent.sent + sent.words);
        // With the socket, our port goes when it is closed, and with it the last words that nobody has fetched.
        let lost_words = if we_make_the_socket { 0 } else { LOST_WORDS_MAX };
        assert!((all - lost_words..=all).contains(&seen), "testpmd saw {seen}: {sent:?}");
    }
}

#[test]
fn we_receive_to_the_packet_what_testpmd_sent() {
    for we_make_the_socket in [false, true] {
        let bench = Bench::new();
        let Some((mut receiver, mut testpmd)) = join(&bench, Role::Receive, we_make_the_socket, "txonly") else {
            return;
        };
        receiver.await_ready();
        let epoch_ns = soon();
        receiver.start(epoch_ns);
        while generators::sys::time::monotonic_ns() < epoch_ns {
            std::thread::sleep(Duration::from_millis(1));
        }
        testpmd.say("start");
        testpmd.hear("txonly packet forwarding").expect("testpmd starts");
        let deadline = Instant::now() + PATIENCE;
        while receiver.intervals().iter().all(|interval| interval.foreign == 0) {
            assert!(Instant::now() < deadline, "nothing comes");
            std::thread::sleep(Duration::from_millis(2));
        }
        let sent = testpmd.stop("TX-packets:");
        receiver.stop();
        let received = receiver.await_done();
        assert!(sent > 0);
        assert_eq!((received.foreign, received.received, received.corrupt), (sent, 0, 0), "{received:?}");
    }
}
