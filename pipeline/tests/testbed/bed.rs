//! Emulated hosts for tests, brought up by `testbed.sh` and taken down with whoever has this: also when the test is
//! killed, since the script ends with its standard input. It must not know what is measured on them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Emulated hosts that are up.
pub struct Testbed {
    holder: Child,
    input: Option<ChildStdin>,
    folder: tempfile::TempDir,
    hosts: Vec<String>,
}

/// The script behind it, which `make demo-remote` uses as well.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed.sh")
}

impl Testbed {
    /// Brings hosts up; the first is cabled with the second, the third with the fourth; `HOST=SECONDS` is one whose
    /// monotonic clock is off by so much. None, with the reason printed,
    /// where that cannot be.
    pub fn up(hosts: &[&str]) -> Option<Testbed> {
        Testbed::up_with_pages(hosts, 0)
    }

    /// Brings hosts up as [`Testbed::up`] does, and reserves so many more hugepages of 2 MiB while they are.
    pub fn up_with_pages(hosts: &[&str], pages: u32) -> Option<Testbed> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can make the namespaces of emulated hosts");
            return None;
        }
        if !Path::new("/usr/sbin/sshd").exists() {
            println!("skipped: there is no /usr/sbin/sshd: sh host-setup/setup.sh test installs it");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new("sh");
        command.arg(script()).args(["-p", &pages.to_string()]).arg(folder.path()).args(hosts);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().expect("sh starts");
        let (input, out) = (holder.stdin.take(), holder.stdout.take().expect("it is piped"));
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it can be read");
        if line.trim() != "up" {
            let mut errors = String::new();
            holder.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it can be read");
            panic!("emulated hosts did not come up: {errors}");
        }
        let names = hosts.iter().map(|host| host.split('=').next().unwrap_or_default().to_string());
        Some(Testbed { holder, input, folder, hosts: names.collect() })
    }

    /// The folder of `testbed.sh`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn process(&self, place: &str) -> Pid {
        let text = fs::read_to_string(self.folder.path().join(format!("{place}.pid"))).expect("it is up");
        Pid::from_raw(text.trim().parse().expect("a number"))
    }

    /// A program where clients run, from which hosts are reached by `ssh HOST`. The child is that program itself.
    pub fn in_driver(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.process("driver"))).args(["--net", "--mount", "--"]).arg(program);
        command
    }

    /// One more program in a host, which dies with it: a daemon as well, if it is spawned.
    pub fn in_host(&self, host: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.process(host)));
        command.args(["--net", "--mount", "--uts", "--ipc", "--pid", "--"]).arg(program);
        command
    }

    /// Gives a host an /etc of its own over this machine's, and folders of its own in place of some.
    #[track_caller]
    pub fn own_folders(&self, host: &str, folders: &str) {
        self.said(
            host,
            &format!(
                "mkdir -p /run/own/etc /run/own/work && mount -t overlay overlay -o \
                 lowerdir=/etc,upperdir=/run/own/etc,workdir=/run/own/work /etc && for own in {folders}; do mount -t \
                 tmpfs -o mode=755 tmpfs $own; done"
            ),
        );
    }

    /// Installs a program as the host's administrator does, where only root writes.
    #[track_caller]
    pub fn install(&self, host: &str, program: &Path) {
        let name = program.file_name().and_then(|name| name.to_str()).expect("a program has a name");
        let file = fs::File::open(program).expect("it is on the bench");
        let script = format!("mkdir -p /opt/septet; cat >/opt/septet/{name}; chmod 755 /opt/septet/{name}");
        let copied = self.in_host(host, "sh").arg("-c").arg(script).stdin(file).status();
        assert!(copied.is_ok_and(|status| status.success()), "{name} can be installed");
    }

    /// What a shell command prints in a host; it must end well.
    #[track_caller]
    pub fn said(&self, host: &str, script: &str) -> String {
        let output = self.in_host(host, "sh").arg("-c").arg(script).output().expect("nsenter starts");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    /// The first process of a host, as this machine numbers it.
    pub fn first_process(&self, host: &str) -> Pid {
        self.process(host)
    }

    /// Ends a host at once, as a power cut does.
    pub fn crash(&self, host: &str) {
        let first = self.process(host);
        kill(first, Signal::SIGKILL).expect("it is up");
        until("a crashed host is gone", || !Path::new(&format!("/proc/{first}/ns")).exists());
    }

    /// Takes a host's management link down, or up again, on the driver's side: the host is not told.
    pub fn management(&self, host: &str, is_up: bool) {
        let number = 11 + self.hosts.iter().position(|name| name == host).expect("a host of this testbed");
        let state = if is_up { "up" } else { "down" };
        let done = self.in_driver("ip").args(["link", "set", &format!("to-{number}"), state]).status();
        assert!(done.is_ok_and(|status| status.success()), "the link of {host} can be set {state}");
    }

    /// Pulls a host's end of its cable, or plugs it in again.
    pub fn cable(&self, host: &str, is_up: bool) {
        let state = if is_up { "up" } else { "down" };
        // An agent at work has it in a namespace of its own.
        let script = format!(
            "for p in /proc/[0-9]*; do e=\"nsenter --net=$p/ns/net ip link\"; \
             if $e show cable0 >/dev/null 2>&1; then $e set cable0 {state} && exit; fi; done; exit 1"
        );
        self.said(host, &script);
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends with its input; an error here is one of the machine, and the test has its own verdict.
        let _ = self.holder.wait();
    }
}

/// Looks until something is so; it must be within a minute.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
