//! A Slurm cluster for tests, brought up by `cluster.sh` on emulated hosts, and taken down with whoever has this. It must
//! not know what is measured on it.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::bed::Testbed;

/// A cluster that is up.
pub struct Cluster {
    holder: Child,
    input: Option<ChildStdin>,
    folder: tempfile::TempDir,
    /// The emulated hosts, where each node is one.
    bed: Option<Testbed>,
    /// Daemons that were started again.
    again: RefCell<Vec<Child>>,
}

/// How a cluster is to be.
#[derive(Default)]
pub struct Wish<'a> {
    /// Emulated hosts, each a node; the first is cabled with the second, and so on.
    pub hosts: &'a [&'a str],
    /// Instead of hosts so many nodes in one place.
    pub count: usize,
    /// More for the line of each node: `n1=Feature=cab1`.
    pub features: &'a str,
    /// More for slurm.conf.
    pub extra: &'a str,
    /// How processes of jobs are tracked, as Slurm calls it; by their parents if it is not said.
    pub tracking: Option<&'a str>,
    /// After how many seconds jobs that have ended are forgotten.
    pub forgets_s: Option<u32>,
    /// Hugepages of 2 MiB that are reserved for all hosts while they are up: they share this machine's.
    pub pages: u32,
}

/// Hugepages that switches and generators of two nodes want, at most.
pub const PAGES_OF_TWO: u32 = 1280;

/// A new folder that all hosts see: they have a /tmp each.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder can be made");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

impl Cluster {
    /// Brings a cluster up. None, with the reason printed, where that cannot be.
    pub fn up(wish: &Wish) -> Option<Cluster> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can bring up a Slurm cluster");
            return None;
        }
        if let Some(missing) =
            ["munged", "slurmctld", "slurmd"].iter().find(|name| !Path::new("/usr/sbin").join(name).exists())
        {
            println!("skipped: there is no {missing}: sh host-setup/setup.sh test installs it");
            return None;
        }
        let bed = match wish.hosts {
            [] => None,
            hosts => Some(Testbed::up_with_pages(hosts, wish.pages)?),
        };
        let folder = folder();
        let mut command = Command::new("sh");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm/cluster.sh")).arg(folder.path());
        match &bed {
            Some(bed) => command.arg(bed.folder()).args(wish.hosts),
            None => command.arg("-").arg(wish.count.to_string()),
        };
        command.env("CLUSTER_FEATURES", wish.features).env("CLUSTER_EXTRA", wish.extra);
        if let Some(tracking) = wish.tracking {
            command.env("CLUSTER_TRACKING", tracking);
        }
        if let Some(seconds) = wish.forgets_s {
            command.env("CLUSTER_FORGETS", seconds.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().expect("sh starts");
        let (input, out) = (holder.stdin.take(), holder.stdout.take().expect("it is piped"));
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it can be read");
        if line.trim() != "up" {
            let mut errors = String::new();
            holder.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it can be read");
            panic!("the cluster did not come up: {errors}");
        }
        Some(Cluster { holder, input, folder, bed, again: RefCell::default() })
    }

    /// The emulated hosts under the nodes.
    pub fn bed(&self) -> &Testbed {
        self.bed.as_ref().expect("a cluster of hosts")
    }

    /// Where its daemons have their files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program where clients run. The child is that program itself, unless nodes are many in one place.
    pub fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let driver = fs::read_to_string(self.path("driver.pid")).expect("it is up");
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", driver.trim())).args(["--net", "--mount"]);
        if self.bed.is_none() {
            command.arg("--pid");
        }
        command.arg("--").arg(program).env("SLURM_CONF", self.path("slurm.conf"));
        command
    }

    /// What one of Slurm's programs says as root; it must end well.
    #[track_caller]
    pub fn said(&self, script: &str) -> String {
        let output = self.client("sh").arg("-c").arg(script).output().expect("nsenter starts");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    /// Starts the controller again, as its state says.
    pub fn start_controller(&self) {
        let mut command = self.client("slurmctld");
        command.arg("-D").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.again.borrow_mut().push(command.spawn().expect("it starts"));
    }

    /// Starts a node's daemon again.
    pub fn start_node(&self, host: &str) {
        let mut command = self.bed().in_host(host, "slurmd");
        command.args(["-D", "-N", host]).env("SLURM_CONF", self.path("slurm.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.again.borrow_mut().push(command.spawn().expect("it starts"));
    }

    /// How many jobs the queue shows that have not ended.
    pub fn alive(&self) -> usize {
        self.said("squeue --noheader --array").lines().filter(|line| !line.trim().is_empty()).count()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends with its input; an error here is one of the machine, and the test has its own verdict.
        let _ = self.holder.wait();
        for daemon in self.again.get_mut() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
