//! Two network namespaces joined by a veth pair, `left` and `right`, inside a user namespace: no rights are
//! needed, and nothing is left when their two processes end. It must not know generators.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The two ends, alive as long as this.
pub struct Link {
    // Dropped in this order: the right one lives in the left one's user namespace.
    right: Holder,
    left: Holder,
}

/// A process that waits in a namespace for its standard input to end.
struct Holder(Child);

impl Holder {
    fn spawn(command: &[&str]) -> Result<Self, String> {
        let spawned = Command::new(command[0]).args(&command[1..]).arg("cat").stdin(Stdio::piped()).spawn();
        let mut holder = Self(spawned.map_err(|error| format!("{} cannot be run: {error}", command[0]))?);
        let deadline = Instant::now() + Duration::from_secs(10);
        let path = format!("/proc/{}/comm", holder.0.id());
        while fs::read_to_string(&path).is_ok_and(|name| name.trim() != "cat") {
            if let Ok(Some(status)) = holder.0.try_wait() {
                return Err(format!("{command:?} failed: {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("{command:?} does not come up"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(holder)
    }

    /// The command that runs another one in this namespace, as itself: no process in between.
    fn prefix(&self) -> Vec<String> {
        let pid = self.0.id().to_string();
        ["nsenter", "-t", &pid, "-U", "--preserve-credentials", "-n"].map(String::from).to_vec()
    }

    fn run(&self, script: &str) -> Result<(), String> {
        let prefix = self.prefix();
        let output = Command::new(&prefix[0])
            .args(&prefix[1..])
            .args(["sh", "-ec", script])
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_string()) }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Link {
    /// The link, with 10.0.0.1 and 10.0.0.2 on it if `addressed` (without, the kernels on both ends ignore
    /// what raw techniques exchange). `None`, with the reason printed, where it cannot be made.
    pub fn new(addressed: bool) -> Option<Self> {
        Self::make(addressed)
            .inspect_err(|why| {
                let _ = writeln!(std::io::stderr(), "skipped: no veth pair between namespaces here: {why}");
            })
            .ok()
    }

    fn make(addressed: bool) -> Result<Self, String> {
        let left = Holder::spawn(&["unshare", "-Urn"])?;
        let mut inside = left.prefix();
        inside.extend(["unshare", "-n"].map(String::from));
        let right = Holder::spawn(&inside.iter().map(String::as_str).collect::<Vec<_>>())?;
        // Without IPv6 the interfaces are silent by themselves.
        let silence = "for f in all default; do f=/proc/sys/net/ipv6/conf/$f/disable_ipv6;
            [ ! -e $f ] || echo 1 > $f; done";
        left.run(silence)?;
        right.run(silence)?;
        left.run(&format!(
            "ip link add left address 02:00:00:00:00:01 mtu 1500 type veth \
             peer name right address 02:00:00:00:00:02 mtu 1500 netns {}",
            right.0.id()
        ))?;
        for (end, name, own, other) in [(&left, "left", 1, 2), (&right, "right", 2, 1)] {
            end.run(&format!("ip link set {name} up"))?;
            if addressed {
                end.run(&format!(
                    "ip addr add 10.0.0.{own}/24 dev {name}
                     ip neigh add 10.0.0.{other} lladdr 02:00:00:00:00:0{other} dev {name} nud permanent"
                ))?;
            }
        }
        Ok(Self { right, left })
    }

    /// The command prefix that runs a program at the left end.
    pub fn left(&self) -> Vec<String> {
        self.left.prefix()
    }

    /// The command prefix that runs a program at the right end.
    pub fn right(&self) -> Vec<String> {
        self.right.prefix()
    }

    /// Runs a shell script at the left end.
    ///
    /// # Errors
    /// What it printed to standard error.
    pub fn run_left(&self, script: &str) -> Result<(), String> {
        self.left.run(script)
    }
}
