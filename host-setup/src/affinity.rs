//! Which CPUs a process of the agent may use, and which it keeps to. It must not decide what they are used for.
//!
//! What may be used is asked of the kernel, not taken from the mask that was inherited: on a host that was booted with
//! `isolcpus` that leaves out the very CPUs that are kept free for measuring, and a mask of `taskset` is advice of who
//! starts a program to its scheduler. What the kernel grants (CPUs that are online and in the process's cpuset) is a
//! limit.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::cpulist;
use crate::disturbance::CPUS as SETTING;
use crate::scene::checked::CPUS_MAX;

const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
const OWN: Pid = Pid::from_raw(0);

/// CPUs that the kernel grants this process now. It keeps to those that it kept to. Where it may not ask, those are all
/// that it knows of.
pub(crate) fn granted() -> nix::Result<Vec<u32>> {
    let kept = sched_getaffinity(OWN)?;
    let granted = match sched_setaffinity(OWN, &set_of(0..CPUS_MAX)?) {
        Ok(()) => sched_getaffinity(OWN)?,
        Err(_) => kept,
    };
    // None of those may be there any more; then it keeps to what there is.
    let _ = sched_setaffinity(OWN, &kept);
    Ok((0..CPUS_MAX).filter(|cpu| granted.is_set(*cpu as usize).unwrap_or(false)).collect())
}

/// CPUs to keep to. Those that this machine has and that are not granted, since they went offline or out of the cpuset
/// after they were planned with, are left out; if none is left a process goes on where it is, and [`state`] tells whoever
/// judges what was measured.
pub(crate) struct GrantedCpus {
    cpus: CpuSet,
    exists: bool,
}

impl GrantedCpus {
    /// Looks at which CPUs there are, which a process with a root of its own no longer can.
    pub(crate) fn of(cpus: &[u32]) -> nix::Result<GrantedCpus> {
        let possible = listed(POSSIBLE);
        let exists = cpus.iter().all(|cpu| possible.contains(cpu));
        Ok(GrantedCpus { cpus: set_of(cpus.iter().copied())?, exists })
    }

    /// Keeps this process to it, and those that it forks from now on.
    pub(crate) fn keep(&self) -> nix::Result<()> {
        match sched_setaffinity(OWN, &self.cpus) {
            Err(Errno::EINVAL) if self.exists => Ok(()),
            other => other,
        }
    }
}

/// Keeps this process, and those that it forks from now on, to some CPUs, as [`GrantedCpus`] does.
pub(crate) fn pin(cpus: &[u32]) -> nix::Result<()> {
    GrantedCpus::of(cpus)?.keep()
}

/// Keeps a thread of another process to one CPU, or, where that is no longer granted, leaves it where it is, as
/// [`GrantedCpus`] does.
pub(crate) fn pin_thread(thread: Pid, cpu: u32) -> nix::Result<()> {
    match sched_setaffinity(thread, &set_of([cpu])?) {
        Err(Errno::EINVAL) if listed(POSSIBLE).contains(&cpu) => Ok(()),
        other => other,
    }
}

/// What the kernel grants, as a setting that a measurement relies on.
pub(crate) fn state() -> Option<(String, String)> {
    Some((SETTING.into(), cpulist::format(&granted().ok()?)))
}

/// Keeps it to all that are granted but the isolated ones, which are for who is given one.
pub(crate) fn unpin() -> nix::Result<()> {
    pin(&shared(&granted()?, &listed(ISOLATED)))
}

fn listed(file: &str) -> Vec<u32> {
    std::fs::read_to_string(file).map(|list| cpulist::parse(list.trim())).unwrap_or_default()
}

/// All if all are isolated: somewhere it must run.
fn shared(granted: &[u32], isolated: &[u32]) -> Vec<u32> {
    let shared: Vec<u32> = granted.iter().copied().filter(|cpu| !isolated.contains(cpu)).collect();
    if shared.is_empty() { granted.to_vec() } else { shared }
}

fn set_of(cpus: impl IntoIterator<Item = u32>) -> nix::Result<CpuSet> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(cpu as usize)?;
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolated_cpus_are_left_to_who_is_given_one() {
        assert_eq!(shared(&[0, 1, 2, 3], &[1, 2, 3]), [0]);
        assert_eq!(shared(&[0, 1], &[]), [0, 1]);
        assert_eq!(shared(&[2, 3], &[2, 3]), [2, 3]);
    }

    #[test]
    fn what_is_granted_is_more_than_what_a_thread_keeps_to() {
        let all = granted().expect("CPUs");
        pin(&all[..1]).expect("the first");
        assert_eq!(granted(), Ok(all.clone()));
        let kept = sched_getaffinity(OWN).expect("a mask");
        assert!(all.iter().all(|cpu| kept.is_set(*cpu as usize) == Ok(*cpu == all[0])));
        unpin().expect("all");
        assert_eq!(state(), Some((SETTING.to_string(), cpulist::format(&all))));
        assert_eq!(pin(&[CPUS_MAX - 1]), Err(Errno::EINVAL), "no machine of ours has that");
    }
}
