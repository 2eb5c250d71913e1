//! A place for one test at a time: two cores, a socket, and the EAL's arguments for both ends.
//! It must not know what runs there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Pollers of two tests on two cores would test the scheduler.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The folder of one test, alive as long as this.
pub struct Bench {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    pub fn new() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Self { folder: tempfile::tempdir().expect("a temporary folder"), _turn: turn }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The vhost-user socket between the ends.
    pub fn socket(&self) -> PathBuf {
        self.folder().join("socket")
    }

    /// What a program of DPDK is started by: the EAL wants a folder for what it keeps, and drivers talk much; what
    /// matters of it is in the answers.
    pub fn prefix(&self) -> Vec<String> {
        let folder = self.folder().display().to_string();
        ["sh", "-c", "export XDG_RUNTIME_DIR=\"$0\"; exec \"$@\" 2>/dev/null", &folder].map(String::from).to_vec()
    }

    /// The name of the EAL's folder, and of its subfolder for `end`.
    fn name(&self, end: &str) -> String {
        let folder = self.folder().file_name().expect("named").to_string_lossy().trim_start_matches('.').to_string();
        format!("septet-test-{folder}-{end}")
    }

    /// Arguments without a device. `end` is `left` or `right`; each has a core of its own where there are two.
    pub fn eal(&self, end: &str, lcores: usize) -> Vec<String> {
        let core = core(end);
        let lcores: Vec<String> = (0..lcores).map(|lcore| format!("{lcore}@{core}")).collect();
        let mut arguments: Vec<String> =
            ["--no-pci", "--no-huge", "-m", "96", "--lcores"].into_iter().map(String::from).collect();
        arguments.extend([lcores.join(","), "--file-prefix".into(), self.name(end)]);
        arguments
    }

    /// A device that makes the socket.
    pub fn vhost(&self, queues: u16) -> [String; 2] {
        ["--vdev".into(), format!("net_vhost0,iface={},queues={queues}", self.socket().display())]
    }

    /// A device that connects to the socket.
    pub fn virtio(&self, queues: u16, mac: &str) -> [String; 2] {
        let device = format!("net_virtio_user0,path={},queues={queues},mac={mac}", self.socket().display());
        ["--vdev".into(), device]
    }

    /// A device whose `role`, `server` or `client`, says whether it makes the socket, which shares memory in its own way.
    pub fn memif(&self, role: &str) -> [String; 2] {
        // Linux's abstract sockets are the default.
        let device = format!("net_memif0,role={role},socket={},socket-abstract=no", self.socket().display());
        ["--vdev".into(), device]
    }

    /// Waits until somebody listens on the socket.
    pub fn await_socket(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.socket().exists() {
            assert!(Instant::now() < deadline, "there is no {}", self.socket().display());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Root's EAL keeps its folders elsewhere, and leaves them behind.
        for end in ["left", "right"] {
            let _ = fs::remove_dir_all(Path::new("/var/run/dpdk").join(self.name(end)));
        }
    }
}

/// The first core of ours, or the last.
fn core(end: &str) -> u32 {
    let status = fs::read_to_string("/proc/self/status").expect("this process has a status");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list of cores");
    let mut cores = allowed.trim().split([',', '-']);
    let core =
        if end == "left" { cores.next() } else { cores.next_back().or_else(|| allowed.trim().split(',').next()) };
    core.and_then(|core| core.parse().ok()).expect("a core")
}
