//! Two network namespaces, joined by a veth pair or by a bridge in a third, inside a user namespace: no rights
//! are needed, and nothing is left when their processes end. It must not know generators.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The two ends, with the interfaces `left` and `right`, alive as long as this.
pub struct Link {
    // Dropped in this order: the others live in the left one's user namespace.
    middle: Option<Holder>,
    right: Holder,
    left: Holder,
}

/// A process that waits in a namespace for its standard input to end.
struct Holder {
    process: Child,
    /// Whether the namespace belongs to a user namespace of its own.
    of_user: bool,
}

impl Holder {
    fn spawn(command: &[&str], of_user: bool) -> Result<Self, String> {
        let spawned = Command::new(command[0]).args(&command[1..]).arg("cat").stdin(Stdio::piped()).spawn();
        let process = spawned.map_err(|error| format!("{} cannot be run: {error}", command[0]))?;
        let mut holder = Self { process, of_user };
        let deadline = Instant::now() + Duration::from_secs(10);
        let path = format!("/proc/{}/comm", holder.process.id());
        while fs::read_to_string(&path).is_ok_and(|name| name.trim() != "cat") {
            if let Ok(Some(status)) = holder.process.try_wait() {
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
        let pid = self.process.id().to_string();
        let user: &[&str] = if self.of_user { &["-U", "--preserve-credentials"] } else { &[] };
        ["nsenter", "-t", &pid].iter().chain(user).chain(&["-n"]).map(ToString::to_string).collect()
    }

    fn run(&self, script: &str) -> Result<String, String> {
        let prefix = self.prefix();
        let output = Command::new(&prefix[0])
            .args(&prefix[1..])
            .args(["sh", "-ec", script])
            .output()
            .map_err(|error| error.to_string())?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first CPU that this process may run on.
fn first_cpu() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim().split([',', '-']).next().map(String::from)
}

impl Link {
    /// A veth pair, with 10.0.0.1 and 10.0.0.2 on it if `addressed` (without, the kernels on both ends ignore
    /// what raw techniques exchange). `None`, with the reason printed, where it cannot be made.
    pub fn new(addressed: bool) -> Option<Self> {
        Self::make(addressed, false, true)
    }

    /// A veth pair without addresses in namespaces of the system's own user: for what the kernel allows nobody else.
    #[allow(dead_code, reason = "sockets need no rights, but DPDK's tests use this too")]
    pub fn of_root() -> Option<Self> {
        Self::make(false, false, false)
    }

    /// The same through a bridge, whose ports are `to_left` and `to_right`.
    pub fn bridged(addressed: bool) -> Option<Self> {
        Self::make(addressed, true, true)
    }

    fn make(addressed: bool, bridged: bool, of_user: bool) -> Option<Self> {
        Self::namespaces(bridged, of_user)
            .and_then(|link| if bridged { link.connect_by_bridge() } else { link.connect() }.map(|_| link))
            .and_then(|link| link.bring_up(addressed).map(|()| link))
            .inspect_err(|why| {
                let _ = writeln!(std::io::stderr(), "skipped: no veth pair between namespaces here: {why}");
            })
            .ok()
    }

    fn namespaces(bridged: bool, of_user: bool) -> Result<Self, String> {
        let left = Holder::spawn(&["unshare", if of_user { "-Urn" } else { "-n" }], of_user)?;
        let mut inside = left.prefix();
        inside.extend(["unshare", "-n"].map(String::from));
        let inside: Vec<_> = inside.iter().map(String::as_str).collect();
        let right = Holder::spawn(&inside, of_user)?;
        let middle = if bridged { Some(Holder::spawn(&inside, of_user)?) } else { None };
        for holder in [Some(&left), Some(&right), middle.as_ref()].into_iter().flatten() {
            // Without IPv6 the interfaces are silent by themselves.
            holder.run(
                "for f in all default; do f=/proc/sys/net/ipv6/conf/$f/disable_ipv6;
                [ ! -e $f ] || echo 1 > $f; done",
            )?;
        }
        Ok(Self { middle, right, left })
    }

    fn connect(&self) -> Result<String, String> {
        self.left.run(&format!(
            "ip link add left address 02:00:00:00:00:01 mtu 1500 type veth \
             peer name right address 02:00:00:00:00:02 mtu 1500 netns {}",
            self.right.process.id()
        ))
    }

    /// A bridge that snoops on multicast joins a group of its own, and says so to its ports.
    fn connect_by_bridge(&self) -> Result<String, String> {
        self.run_middle(&format!(
            "ip link add bridge type bridge mcast_snooping 0 stp_state 0
             ip link add to_left mtu 1500 type veth peer name left address 02:00:00:00:00:01 mtu 1500 netns {}
             ip link add to_right mtu 1500 type veth peer name right address 02:00:00:00:00:02 mtu 1500 netns {}
             for port in to_left to_right; do ip link set $port master bridge up; done
             ip link set bridge up",
            self.left.process.id(),
            self.right.process.id()
        ))
    }

    fn bring_up(&self, addressed: bool) -> Result<(), String> {
        for (end, name, own, other) in [(&self.left, "left", 1, 2), (&self.right, "right", 2, 1)] {
            end.run(&format!("ip link set {name} up"))?;
            if addressed {
                end.run(&format!(
                    "ip addr add 10.0.0.{own}/24 dev {name}
                     ip neigh add 10.0.0.{other} lladdr 02:00:00:00:00:0{other} dev {name} nud permanent"
                ))?;
            }
        }
        Ok(())
    }

    /// The command prefix that runs a program at the left end, on one CPU: a veth pair queues packets by the
    /// CPU that sends them, or whose timer lets them out of a token bucket, so that a sender that moves
    /// overtakes its own.
    pub fn left(&self) -> Vec<String> {
        let mut prefix: Vec<String> =
            first_cpu().map(|cpu| ["taskset".into(), "-c".into(), cpu]).into_iter().flatten().collect();
        prefix.extend(self.left.prefix());
        prefix
    }

    /// The command prefix that runs a program at the right end.
    pub fn right(&self) -> Vec<String> {
        self.right.prefix()
    }

    /// The command prefix that runs a program where the bridge is; at the left end if there is none.
    pub fn middle(&self) -> Vec<String> {
        self.middle.as_ref().unwrap_or(&self.left).prefix()
    }

    /// Runs a shell script at the left end.
    ///
    /// # Errors
    /// What it printed to standard error.
    pub fn run_left(&self, script: &str) -> Result<String, String> {
        self.left.run(script)
    }

    /// Runs a shell script where the bridge is, and returns what it printed.
    ///
    /// # Errors
    /// What it printed to standard error.
    pub fn run_middle(&self, script: &str) -> Result<String, String> {
        self.middle.as_ref().unwrap_or(&self.left).run(script)
    }
}
