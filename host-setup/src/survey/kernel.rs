//! Reads which kernel runs, and how it was started. It must not judge.

use super::tree::Tree;
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
        build_id: tree.bytes("sys/kernel/notes").and_then(|notes| build_id(&notes)),
        boot_parameters: boot_parameters(&tree.text("proc/cmdline").unwrap_or_default()),
    }
}

/// Those that matter, sorted. What follows `--` is for the first process.
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

/// The GNU build-id among ELF notes (name size, content size, type, name, content; padded to four).
fn build_id(mut notes: &[u8]) -> Option<String> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let number = |place: usize| Some(u32::from_ne_bytes(notes.get(place..place + 4)?.try_into().ok()?));
        let (name_len, content_len, kind) = (number(0)? as usize, number(4)? as usize, number(8)?);
        let content_at = 12usize.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let name = notes.get(12..12usize.checked_add(name_len)?)?;
        let content = notes.get(content_at..content_at.checked_add(content_len)?)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(content.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(content_at.checked_add(content_len.checked_next_multiple_of(4)?)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_build_id_among_other_notes() {
        let mut notes = Vec::new();
        for (name, kind, content) in [(&b"Xen\0"[..], 3u32, &b"no"[..]), (b"GNU\0", 3, b"\x01\xab\xff")] {
            notes.extend((name.len() as u32).to_ne_bytes());
            notes.extend((content.len() as u32).to_ne_bytes());
            notes.extend(kind.to_ne_bytes());
            notes.extend(name);
            notes.extend(content);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(build_id(&notes).as_deref(), Some("01abff"));
        for cut in 0..notes.len() - 1 {
            assert_eq!(build_id(&notes[..cut]), None);
        }
        assert_eq!(build_id(&[0xff; 64]), None);
    }

    #[test]
    fn keeps_what_matters_sorted() {
        let line = "root=/dev/sda1 quiet nohz_full=2-9 isolcpus=2-9 intel-iommu=on -- mitigations=off";
        assert_eq!(boot_parameters(line), ["intel-iommu=on", "isolcpus=2-9", "nohz_full=2-9"]);
        assert!(BOOT_PARAMETERS.is_sorted());
    }
}
