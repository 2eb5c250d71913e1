//! What a run could leave on the host, seen before and after it. It must not know how a run ended.

use std::collections::BTreeSet;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::experiment::eventually;
use super::processes::{self, Process};

static TURN: Mutex<()> = Mutex::new(());

/// One test at a time, as long as this is held: each looks at all that this process has started, and reaps
/// what it has adopted.
pub fn turn() -> MutexGuard<'static, ()> {
    // A test that failed has poisoned it, which says nothing about the next one.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    processes::adopt_orphans();
    turn
}

/// The host as it was.
pub struct Host {
    before: Surroundings,
    /// Namespaces that processes of the run were seen in.
    seen: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Surroundings {
    links: Vec<String>,
    mounts: String,
    control_groups: Vec<String>,
    hugepages: Vec<(String, String)>,
    files: Vec<String>,
}

impl Host {
    /// Looks at the host while nobody else holds it: a holder may have changed settings that it will restore.
    #[track_caller]
    pub fn look() -> Host {
        let mut before = None;
        eventually(|| {
            let address = SocketAddr::from_abstract_name("septet-host").map_err(|error| error.to_string())?;
            let _held = UnixListener::bind_addr(&address).map_err(|error| format!("others hold the host: {error}"))?;
            if Path::new("/run/septet/journal").exists() {
                return Err("an agent of others was killed, and its settings are not restored yet".to_string());
            }
            before = Some(Surroundings::now());
            Ok(())
        });
        Host { before: before.expect("it was looked at"), seen: BTreeSet::new() }
    }

    /// Remembers where processes of the run live.
    pub fn note(&mut self, processes: &[Process]) {
        let own = processes::namespaces(own_pid());
        for process in processes {
            self.seen.extend(process.namespaces().difference(&own).cloned());
        }
    }

    /// Fails unless all that the run has made is gone soon: by itself, without a next start.
    #[track_caller]
    pub fn is_given_back(&self) {
        self.becomes(Surroundings::clone);
    }

    /// Checks that all but settings and their journal, which the next start restores, is as it was.
    #[track_caller]
    pub fn is_given_back_but_settings(&self) {
        self.becomes(|surroundings| {
            let files = surroundings.files.iter().filter(|file| !file.starts_with("/run/septet/"));
            Surroundings { hugepages: Vec::new(), files: files.cloned().collect(), ..surroundings.clone() }
        });
    }

    /// Fails unless nothing of the run lives, and all that is looked at is soon as it was.
    #[track_caller]
    fn becomes(&self, looked_at: impl Fn(&Surroundings) -> Surroundings) {
        eventually(|| {
            processes::reap_orphans();
            let below = processes::below(own_pid());
            if !below.is_empty() {
                return Err(format!("processes are left: {below:?}"));
            }
            let inside = |process: &Process| !process.namespaces().is_disjoint(&self.seen);
            let inside: Vec<Process> = processes::all().into_iter().filter(inside).collect();
            if !inside.is_empty() {
                return Err(format!("processes are left in the run's namespaces: {inside:?}"));
            }
            let (now, before) = (looked_at(&Surroundings::now()), looked_at(&self.before));
            match now == before {
                true => Ok(()),
                false => Err(format!("the host is not what it was: {}", now.unlike(&before))),
            }
        });
    }
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

impl Surroundings {
    fn now() -> Surroundings {
        let names = |folder: &str| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let mut names: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
            names.sort();
            names
        };
        Surroundings {
            links: names("/sys/class/net"),
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("mounts"),
            control_groups: control_groups(),
            hugepages: hugepages(),
            files: ["/run/septet", "/run/netns", "/dev/shm", "/var/lib/lxc"].iter().flat_map(|at| names(at)).collect(),
        }
    }
}

impl Surroundings {
    /// What differs, in words.
    fn unlike(&self, before: &Surroundings) -> String {
        let parts = |of: &Surroundings| {
            [
                format!("{:?}", of.links),
                of.mounts.clone(),
                format!("{:?}", of.control_groups),
                format!("{:?}", of.hugepages),
                format!("{:?}", of.files),
            ]
        };
        let differ = parts(self).into_iter().zip(parts(before)).filter(|(now, before)| now != before);
        differ.map(|(now, before)| format!("\n{now}\nbefore:\n{before}")).collect()
    }
}

/// Control groups that LXC makes.
fn control_groups() -> Vec<String> {
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with("lxc") {
                    found.push(entry.path().display().to_string());
                }
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Numbers of hugepages, by node and size.
fn hugepages() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for node in fs::read_dir("/sys/devices/system/node").into_iter().flatten().flatten() {
        for size in fs::read_dir(node.path().join("hugepages")).into_iter().flatten().flatten() {
            for count in ["nr_hugepages", "free_hugepages"] {
                let path: &Path = &size.path().join(count);
                let value = fs::read_to_string(path).unwrap_or_default();
                found.push((path.display().to_string(), value.trim().to_string()));
            }
        }
    }
    found.sort();
    found
}
