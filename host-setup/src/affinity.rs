//! Which CPUs a process of the agent keeps to. It must not decide which.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::scene::checked::CPUS_MAX;

/// CPUs that this process may use now.
pub(crate) fn own_cpus() -> nix::Result<Vec<u32>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CPUS_MAX).filter(|cpu| set.is_set(*cpu as usize).unwrap_or(false)).collect())
}

/// Keeps this process, and those that it forks from now on, to some CPUs.
pub(crate) fn pin(cpus: &[u32]) -> nix::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu as usize)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)
}
