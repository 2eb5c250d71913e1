//! Looking into a test: a shell in one that stands, in one that failed, and its first packets as files. What is up is
//! gone afterwards, however that ends.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::bench::{Bench, SMALL, pid, wait};

const LATENCY: &str = "D=latency";
const SIZES: &str = "P=64,D=throughput";

fn bench() -> Bench {
    let bench = Bench::new();
    // LXC runs an application in a mount namespace of its own.
    bench.write("small.toml", &SMALL.replace("[[tests]]", "[[tests]]\nruntime = \"netns\""));
    bench
}

#[test]
fn a_shell_stands_beside_the_switch_and_in_a_container_and_leaves_nothing() {
    let bench = bench();
    let beside = bench.septet(&["shell", "small.toml", SIZES, "--wait", "5m", "--", "cat", "/proc/net/dev"]).code(0);
    assert!(beside.stdout.lines().count() > 4, "the bridge and both its ports: {beside:?}");
    let words = ["shell", "small.toml", SIZES, "--in", "receive-0", "--wait", "5m", "--", "/bin/sh", "-c"];
    let inside = bench.septet(&[&words[..], &["busybox ip link; busybox hostname; busybox ls /bin"]].concat());
    if inside.stderr.contains("/bin/sh") && inside.code == 1 {
        println!("skipped: there is no static BusyBox for a shell in a container: {}", inside.stderr.trim());
    } else {
        let inside = inside.code(0);
        assert!(inside.stdout.contains("eth0") && inside.stdout.contains("receive-0\n"), "{inside:?}");
        assert!(inside.stdout.contains("septet-gen") && !inside.stdout.contains("septet-host"), "{inside:?}");
    }
    bench.septet(&["shell", "small.toml", SIZES, "--wait", "5m", "--", "false"]).code(1);
    let missing = bench.septet(&["shell", "small.toml", SIZES, "--in", "nobody", "--wait", "5m"]).code(2);
    assert!(
        missing.stderr.contains("there is no container nobody") && missing.stderr.contains("send-0"),
        "{missing:?}"
    );
    let several = bench.septet(&["shell", "small.toml", "L=local", "--wait", "5m"]).code(2);
    assert!(several.stderr.contains("tests"), "{several:?}");
    // Nothing of it is a result.
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!(plan["stored"], 0, "{plan}");
}

/// Waits until no process has `marker` among its words.
fn is_gone(marker: &str) {
    let limit = Instant::now() + Duration::from_secs(30);
    let lives = || {
        let processes = fs::read_dir("/proc").expect("processes are listed").flatten();
        let words = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
        processes.map(words).any(|words| String::from_utf8_lossy(&words).contains(marker))
    };
    while lives() {
        assert!(Instant::now() < limit, "something of it lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_stands_is_gone_when_its_shell_or_septet_is_killed() {
    let bench = bench();
    for (number, signal) in [(0, Signal::SIGKILL), (1, Signal::SIGTERM)] {
        // Words that no other process has.
        let marker = format!("--sleep-interval=9{}{number}", std::process::id());
        let script = format!("echo up; exec tail -f /dev/null {marker}");
        let arguments = ["shell", "small.toml", SIZES, "--wait", "5m", "--", "/bin/sh", "-c", &script];
        let mut command = bench.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        out.read_line(&mut line).expect("it can be read");
        assert_eq!(line, "up\n");
        kill(pid(&child), signal).expect("it is ours");
        wait(&mut child);
        is_gone(&marker);
        is_gone(&bench.path("septet-host").display().to_string());
    }
    bench.septet(&["shell", "small.toml", SIZES, "--wait", "5m", "--", "true"]).code(0);
}

#[test]
fn a_shell_reads_commands_from_its_input() {
    let bench = bench();
    let mut command = bench.command(&["shell", "small.toml", LATENCY, "--wait", "5m"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"hostname; echo $((6 * 7))\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.ends_with("42\n"), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("client-0 is process ") && told.contains("taken down when the shell ends"), "{told}");
}

#[test]
fn a_test_that_fails_is_kept_for_a_look() {
    let bench = bench();
    // A generator that ends at once.
    fs::remove_file(bench.path("septet-gen")).expect("it is there");
    let copied = Command::new("cp").arg("/bin/false").arg(bench.path("septet-gen")).status().expect("cp is there");
    assert!(copied.success());
    let mut command = bench.command(&["run", "small.toml", "--keep-on-failure", "--wait", "5m"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"echo looked; ls -d /run/septet/root/septet-gen\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.contains("looked\n/run/septet/root/septet-gen\n"), "{said}\n{told}");
    assert!(told.contains("FAILED ") && told.contains("it stands: "), "{told}");
    assert_eq!(said.matches("looked").count(), 1, "the run goes on: {said}");
}

#[test]
fn the_first_packets_at_each_end_can_be_read_by_tshark() {
    let bench = bench();
    let wrote = bench.septet(&["pcap", "small.toml", SIZES, "-n", "20", "-o", "caught", "--wait", "5m"]).code(0);
    assert!(wrote.stdout.contains("receive-0.pcap, send-0.pcap"), "{wrote:?}");
    let caught = |name: &str| bench.path("caught").join(name);
    assert_eq!(fs::read_dir(bench.path("caught")).expect("a folder").count(), 2);
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!(plan["stored"], 0, "{plan}");
    if !Path::new("/usr/bin/tshark").is_file() {
        println!("skipped: there is no tshark");
        return;
    }
    for name in ["send-0.pcap", "receive-0.pcap"] {
        let arguments =
            ["-n", "-r", &caught(name).display().to_string(), "-T", "fields", "-e", "ip.src", "-e", "ip.dst"];
        let read = Command::new("tshark").args(arguments).env("HOME", bench.path("")).output().expect("tshark runs");
        let text = String::from_utf8_lossy(&read.stdout);
        assert_eq!(text.lines().count(), 20, "{name}: {read:?}");
        let traffic = text.lines().filter(|line| *line == "10.0.0.1\t10.0.0.2").count();
        assert!(traffic >= 15, "{name}: {text}");
    }
    let Some(bench) = Bench::with_dpdk_as_nobody() else { return };
    bench.write(
        "small.toml",
        &SMALL
            .replace("V = \"linux-bridge\"", "V = \"direct\"")
            .replace("io = \"udp-mmsg\"", "")
            .replace("io = \"raw\"", ""),
    );
    let refused = bench.septet(&["pcap", "small.toml", SIZES, "--wait", "5m"]).code(1);
    assert!(refused.stderr.contains("a vhost-user port is memory"), "{refused:?}");
}
