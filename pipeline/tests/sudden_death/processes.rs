//! Who descends from whom, in whatever namespace. It must not know what any process is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A living process.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    /// At most 15 characters of its program's name.
    pub program: String,
}

/// All processes of this host but those that are dead and wait for their parent.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| of(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

fn of(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (start, rest) = stat.rsplit_once(')')?;
    let mut rest = rest.split_ascii_whitespace();
    let state = rest.next()?;
    let parent = rest.next()?.parse().ok()?;
    let program = start.split_once('(')?.1.to_string();
    (state != "Z").then_some(Process { pid, parent, program })
}

/// The living descendants of a process, without itself.
pub fn below(pid: i32) -> Vec<Process> {
    let all = all();
    let parents: BTreeMap<i32, i32> = all.iter().map(|process| (process.pid, process.parent)).collect();
    let descends = |mut of: i32| {
        while let Some(parent) = parents.get(&of) {
            if *parent == pid {
                return true;
            }
            of = *parent;
        }
        false
    };
    all.iter().filter(|process| descends(process.pid)).cloned().collect()
}

impl Process {
    pub fn kill(&self) -> bool {
        kill(Pid::from_raw(self.pid), Signal::SIGKILL).is_ok()
    }

    /// The process's namespaces, as far as they can be seen.
    pub fn namespaces(&self) -> BTreeSet<PathBuf> {
        namespaces(self.pid)
    }
}

/// Namespaces of a process, each as the kernel names it: `net:[4026531840]`.
pub fn namespaces(pid: i32) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

/// Lets orphans below this process become its children, so that nobody escapes being counted.
pub fn adopt_orphans() {
    nix::sys::prctl::set_child_subreaper(true).expect("every process may");
}

/// Reaps adopted children that are dead. Only to be called while no child of this process is waited for by
/// others.
pub fn reap_orphans() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}
