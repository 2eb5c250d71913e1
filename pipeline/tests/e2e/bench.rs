//! A small bench to run the real programs on: a temporary folder with the programs, an experiment and a
//! store, and what a user sees of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// Programs in a folder of their own, so that a test may change one.
pub struct Bench {
    folder: tempfile::TempDir,
    /// Whether programs run as an ordinary user.
    pub as_nobody: bool,
}

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The outcome of a program that was not run by the bench.
    pub fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks that the program ended with this code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Ran {
        assert_eq!(self.code, expected, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }
}

/// One file of a tree: enough to see that it was touched.
pub type Files = BTreeMap<String, (u64, i128, Vec<u8>)>;

impl Bench {
    /// The programs as they were built.
    pub fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let built = Path::new(env!("CARGO_BIN_EXE_septet")).parent().expect("programs lie in a folder").to_path_buf();
        for program in ["septet", "septet-host", "septet-gen"] {
            let from = built.join(program);
            assert!(from.is_file(), "{} is missing: `make build` makes it", from.display());
            // By another process: a file that is open for writing here, while another test's thread forks,
            // is busy for as long as that child has not started its own program.
            let copied = Command::new("cp").arg("-p").arg(&from).arg(folder.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "{program} can be copied");
        }
        Bench { folder, as_nobody: false }
    }

    /// A bench for DPDK tests; where the DPDK generator was not built, prints the reason and returns none.
    pub fn with_dpdk() -> Option<Bench> {
        let bench = Bench::new();
        bench.add_dpdk().then_some(bench)
    }

    /// Copies the programs that are there only where DPDK is; whether all were.
    fn add_dpdk(&self) -> bool {
        let built = Path::new(env!("CARGO_BIN_EXE_septet")).parent().expect("programs lie in a folder").to_path_buf();
        for program in ["septet-gen-dpdk", "basicfwd"] {
            let from = built.join(program);
            if !from.is_file() {
                println!("skipped: there is no {program} (make build makes it where DPDK is)");
                return false;
            }
            let copied = Command::new("cp").arg("-p").arg(&from).arg(self.folder.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "{program} can be copied");
        }
        true
    }

    /// The programs for DPDK, as an ordinary user. None, with the reason printed, where that cannot be.
    pub fn with_dpdk_as_nobody() -> Option<Bench> {
        let bench = Bench::as_nobody()?;
        bench.add_dpdk().then_some(bench)
    }

    /// A bench of an ordinary user; where this process cannot become one, prints the reason and returns none.
    pub fn as_nobody() -> Option<Bench> {
        let bench = Bench { as_nobody: true, ..Bench::new() };
        let probe = Command::new("setpriv").args(NOBODY).args(["unshare", "-Urn", "true"]).output();
        match probe {
            Ok(output) if output.status.success() => {
                let status = Command::new("chown").arg("-R").arg("65534").arg(bench.path("")).status();
                assert!(status.is_ok_and(|status| status.success()), "the bench can be given to nobody");
                Some(bench)
            }
            Ok(output) => {
                println!("skipped: no user namespace as nobody: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: no setpriv: {error}");
                None
            }
        }
    }

    /// A bench on which the small experiment was run once.
    pub fn measured() -> Bench {
        let bench = Bench::new();
        bench.write("small.toml", SMALL);
        bench.septet(&["run", "small.toml"]).code(0);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the bench is writable");
    }

    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("it is there");
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// Adds a byte to a program, as an upgrade would change it.
    pub fn upgrade(&self, program: &str) {
        let script = format!("cp -p {program} new && printf x >> new && mv new {program}");
        let done = Command::new("sh").arg("-c").arg(script).current_dir(self.path("")).status();
        assert!(done.is_ok_and(|status| status.success()), "{program} can be replaced");
    }

    /// `septet` with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = self.path("septet");
        let mut command = match self.as_nobody {
            true => {
                let mut command = Command::new("setpriv");
                command.args(NOBODY).arg(program);
                command
            }
            false => Command::new(program),
        };
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env_remove("SEPTET_STORE")
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", self.path(""))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null());
        command
    }

    pub fn septet(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("septet can be started"))
    }

    pub fn septet_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        Ran::of(command.output().expect("septet can be started"))
    }

    /// Starts `septet` and returns once it has said `text` on standard error.
    pub fn until(&self, arguments: &[&str], text: &str) -> (Child, BufReader<ChildStderr>) {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        while lines.read_line(&mut line).expect("it can be read") > 0 {
            if line.contains(text) {
                return (child, lines);
            }
            line.clear();
        }
        panic!("it ended before it said {text:?}: {:?}", child.wait());
    }

    /// Every file below a folder, with inode, time and content.
    pub fn files(&self, below: &str) -> Files {
        let mut files = Files::new();
        collect(&self.path(below), Path::new(""), &mut files);
        files
    }
}

const NOBODY: [&str; 4] = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

fn collect(folder: &Path, name: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder.join(name)).into_iter().flatten() {
        let name = name.join(entry.expect("it can be listed").file_name());
        // Left anew where the host became another meanwhile, as it does beside other tests.
        if name == Path::new("cache/septet/settled") {
            continue;
        }
        let path = folder.join(&name);
        let meta = fs::symlink_metadata(&path).expect("it is there");
        if meta.is_dir() {
            collect(folder, &name, files);
        } else {
            let time = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
            let bytes = fs::read(&path).expect("it can be read");
            files.insert(name.display().to_string(), (meta.ino(), time, bytes));
        }
    }
}

/// Names of files that differ between two looks at a tree, in any way; but for an ordinary user's cache, which learns of
/// files that were too young at the first look.
pub fn touched(before: &Files, after: &Files) -> Vec<String> {
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name) && !name.starts_with("cache/septet/"));
    names
}

pub fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("pids are small"))
}

/// Waits for a program to end; its exit status, or -1 if a signal ended it.
pub fn wait(child: &mut Child) -> i32 {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status.code().unwrap_or(-1);
        }
        assert!(Instant::now() < limit, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Two throughput tests and a latency test, 60 ms each, with one of everything that reports show.
pub const SMALL: &str = r#"
[experiment]
name = "small"
title = "Small"

[protocol]
duration = "60ms"
warmup = "20ms"
cooldown = "20ms"
repetitions = 2

[[tests]]
id = "sizes"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 1500]
R = "50kpps"
B = 32
io = "udp-mmsg"

[[tests]]
id = "rtt"
D = "latency"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = 64
R = 1000
B = 4
io = "raw"

[[table]]
id = "sizes-table"
from = "sizes"
rows = "P"
value = "rx_kpps"

[[figure]]
id = "by-size"
from = "sizes"
x = "P"
y = "rx_kpps"
caption = "Received rate by packet size"

[[figure]]
id = "round-trip"
from = "rtt"
x = "B"
y = "rtt_us_mean"
caption = "Round trip"

[[claim]]
id = "small-is-fast"
from = "sizes"
text = "Small packets are received at no lower a rate."
test = "rx_pps[P=64] >= 0.9 * rx_pps[P=1500]"
"#;
