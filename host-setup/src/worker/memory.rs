//! Whether an application has the memory that it starts with. It must not know what the application does with it.

use std::fs;

use nix::unistd::Pid;

use crate::eal::GENERATOR_MIB;

/// Processes that are looked at: those that LXC has between itself and an application are few.
const PROCESSES_MAX: usize = 16;

/// Whether a process and all that it has forked have the hugepages of a DPDK application. One that has made no socket yet
/// does so soon: in DPDK memory comes long before ports.
pub(super) fn is_had(process: Pid) -> bool {
    let mut family = vec![process.as_raw()];
    let mut hugepages_kib = 0;
    let mut place = 0;
    while let Some(pid) = family.get(place).copied().filter(|_| place < PROCESSES_MAX) {
        let text = |name: String| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        hugepages_kib += of_status(&text("status".into()));
        family
            .extend(text(format!("task/{pid}/children")).split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        place += 1;
    }
    hugepages_kib >= u64::from(GENERATOR_MIB) << 10
}

/// Hugepages in what the kernel says of a process, KiB.
fn of_status(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("HugetlbPages:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugepages_are_told_by_the_kernel() {
        assert_eq!(of_status("VmSwap:\t       0 kB\nHugetlbPages:\t  131072 kB\nCoreDumping:\t0\n"), 131_072);
        assert_eq!(of_status("VmSwap:\t       0 kB\n"), 0);
        assert!(!is_had(Pid::this()));
    }
}
