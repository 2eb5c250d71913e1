//! Reads which kernel runs, and how it was started. It must not judge.

use super::tree::Tree;
use crate::component::elf;
use crate::facts::Kernel;

/// Boot parameters that change what a measurement measures: which CPUs do what (isolation, ticks, interrupts,
/// number of CPUs), how fast they are and wake (frequency, idle states, SMT), what every system call and
/// memory access costs (mitigations, IOMMU, pages), and how time is told and work is scheduled.
/// Not here: consoles, root devices, names, panics.
const BOOT_PARAMETERS: [&str; 62] = [
    "amd_iommu",
    "amd_pstate",
    "audit",
    "clocksource",
    "cpu0_hotplug",
    "cpufreq.default_governor",
    "cpufreq.off",
    "cpuidle.governor",
    "cpuidle.off",
    "cpuidle_haltpoll.force",
    "default_hugepagesz",
    "gather_data_sampling",
    "haltpoll.guest_halt_poll_ns",
    "hugepages",
    "hugepagesz",
    "idle",
    "init_on_alloc",
    "init_on_free",
    "intel_idle.max_cstate",
    "intel_iommu",
    "intel_pstate",
    "iommu",
    "iommu.passthrough",
    "iommu.strict",
    "irqaffinity",
    "isolcpus",
    "kpti",
    "l1tf",
    "maxcpus",
    "mce",
    "mds",
    "mitigations",
    "mmio_stale_data",
    "nmi_watchdog",
    "nohz",
    "nohz_full",
    "nopti",
    "nosmt",
    "nosoftlockup",
    "nospectre_v1",
    "nospectre_v2",
    "nowatchdog",
    "nr_cpus",
    "numa",
    "numa_balancing",
    "preempt",
    "processor.max_cstate",
    "psi",
    "pti",
    "rcu_nocb_poll",
    "rcu_nocbs",
    "retbleed",
    "skew_tick",
    "slab_nomerge",
    "spec_rstack_overflow",
    "spec_store_bypass_disable",
    "spectre_v2",
    "srbds",
    "threadirqs",
    "transparent_hugepage",
    "tsc",
    "tsx",
];

pub(super) fn read(tree: &Tree) -> Kernel {
    Kernel {
        release: tree.text("proc/sys/kernel/osrelease").unwrap_or_default(),
        version: tree.text("proc/sys/kernel/version").unwrap_or_default(),
        build_id: tree.bytes("sys/kernel/notes").and_then(|notes| elf::build_id_in(&notes)),
        boot_parameters: boot_parameters(&tree.text("proc/cmdline").unwrap_or_default()),
    }
}

/// The boot parameters that matter, sorted. What follows `--` is for the first process.
fn boot_parameters(line: &str) -> Vec<String> {
    let words = line.split_ascii_whitespace().take_while(|word| *word != "--");
    let matters = |word: &&str| {
        // The kernel takes dashes and underscores for the same.
        let name = word.split('=').next().unwrap_or(word).replace('-', "_");
        BOOT_PARAMETERS.contains(&name.as_str())
    };
    let mut parameters: Vec<String> = words.filter(matters).map(str::to_owned).collect();
    parameters.sort();
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_matters_sorted() {
        let line = "root=/dev/sda1 quiet nohz_full=2-9 isolcpus=2-9 intel-iommu=on -- mitigations=off";
        assert_eq!(boot_parameters(line), ["intel-iommu=on", "isolcpus=2-9", "nohz_full=2-9"]);
        assert!(BOOT_PARAMETERS.is_sorted());
    }
}
