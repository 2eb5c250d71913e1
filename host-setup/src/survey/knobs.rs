//! Reads what can be turned on a host to make it steady, and how it stands now. It must not decide how it
//! should stand, or change anything.

use super::tree::Tree;
use crate::facts::{AskedSettings, FrequencyPolicy, Hugepages, IdleState, Interrupts, Irq, Knobs, Privilege};
use crate::settings::{balancer, irq_affinity, turbo_paths};

const CPU: &str = "sys/devices/system/cpu";
const NODES: &str = "sys/devices/system/node";

pub(super) fn read(tree: &Tree, privilege: Privilege) -> Knobs {
    let interrupts = interrupts(tree);
    Knobs {
        frequency: tree
            .numbered(&format!("{CPU}/cpufreq"), "policy")
            .into_iter()
            .filter_map(|n| policy(tree, n))
            .collect(),
        pstate_mode: ["intel_pstate", "amd_pstate"].iter().find_map(|name| tree.text(&format!("{CPU}/{name}/status"))),
        idle_driver: tree.text(&format!("{CPU}/cpuidle/current_driver")).filter(|name| name != "none"),
        idle_states: idle_states(tree),
        hugepages: hugepages(tree),
        nmi_watchdog: tree.number::<u8>("proc/sys/kernel/nmi_watchdog").map(|value| value != 0),
        watchdog: tree.number::<u8>("proc/sys/kernel/soft_watchdog").map(|value| value != 0),
        numa_balancing: tree.number::<u8>("proc/sys/kernel/numa_balancing").map(|value| value != 0),
        mitigations: mitigations(tree),
        clocksources: words(tree, "sys/devices/system/clocksource/clocksource0/available_clocksource"),
        iommu_groups: u64::try_from(tree.list("sys/kernel/iommu_groups").len()).unwrap_or(u64::MAX),
        vfio: tree.exists("sys/bus/pci/drivers/vfio-pci"),
        pressure: tree.exists("proc/pressure/cpu"),
        throttle_counters: tree.exists(&format!("{CPU}/cpu0/thermal_throttle")),
        settable: settable(tree, &interrupts, privilege),
        interrupts,
        left: false,
        asked: AskedSettings::default(),
    }
}

fn words(tree: &Tree, path: &str) -> Vec<String> {
    tree.text(path).unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}

/// One frequency policy; none if its CPUs are offline.
fn policy(tree: &Tree, number: u32) -> Option<FrequencyPolicy> {
    let folder = format!("{CPU}/cpufreq/policy{number}");
    let khz = |file: &str| tree.number::<u64>(&format!("{folder}/{file}"));
    // Here the kernel separates CPUs by blanks.
    let cpus = words(tree, &format!("{folder}/affected_cpus")).iter().filter_map(|cpu| cpu.parse().ok()).collect();
    Some(FrequencyPolicy {
        cpus,
        governor: tree.text(&format!("{folder}/scaling_governor"))?,
        governors: words(tree, &format!("{folder}/scaling_available_governors")),
        min_khz: khz("scaling_min_freq"),
        max_khz: khz("scaling_max_freq"),
        nominal_khz: khz("base_frequency"),
        hardware_khz: khz("cpuinfo_min_freq").zip(khz("cpuinfo_max_freq")),
    })
}

/// The idle states of the first CPU that has any; they are alike but on hybrid processors.
fn idle_states(tree: &Tree) -> Vec<IdleState> {
    let folder = format!("{CPU}/cpu0/cpuidle");
    let state = |number: u32| {
        let file = |name: &str| tree.text(&format!("{folder}/state{number}/{name}"));
        Some(IdleState {
            name: file("name")?,
            latency_us: file("latency").and_then(|latency| latency.parse().ok()).unwrap_or(0),
            disabled: file("disable").is_some_and(|disabled| disabled != "0"),
        })
    };
    tree.numbered(&folder, "state").into_iter().filter_map(state).collect()
}

fn hugepages(tree: &Tree) -> Vec<Hugepages> {
    let mut found = Vec::new();
    for node in tree.numbered(NODES, "node") {
        let folder = format!("{NODES}/node{node}/hugepages");
        for name in tree.list(&folder) {
            let size = name.strip_prefix("hugepages-").and_then(|name| name.strip_suffix("kB")?.parse().ok());
            let total = tree.number(&format!("{folder}/{name}/nr_hugepages"));
            if let Some((size_kib, total)) = size.zip(total) {
                found.push(Hugepages { node, size_kib, total });
            }
        }
    }
    found
}

fn interrupts(tree: &Tree) -> Interrupts {
    let host = tree.settings();
    let irqs = tree.numbered("proc/irq", "").into_iter().filter_map(|number| {
        let actions = tree.list(&format!("proc/irq/{number}"));
        // Beside the files there is a folder for each handler, called as it.
        let files = |name: &&String| !IRQ_FILES.contains(&name.as_str());
        let name = actions.iter().filter(files).cloned().collect::<Vec<_>>().join(",");
        Some(Irq { number, name, cpus: irq_affinity(&host, number)? })
    });
    let balancer = balancer(&host);
    Interrupts {
        irqs: irqs.collect(),
        irqbalance: balancer.as_ref().map(|balancer| balancer.pid),
        irqbalance_can_pause: balancer.is_some_and(|balancer| balancer.freezer.is_some()),
    }
}

const IRQ_FILES: [&str; 7] = [
    "affinity_hint",
    "effective_affinity",
    "effective_affinity_list",
    "node",
    "smp_affinity",
    "smp_affinity_list",
    "spurious",
];

fn mitigations(tree: &Tree) -> Vec<(String, String)> {
    let folder = format!("{CPU}/vulnerabilities");
    let state = |name: String| Some((tree.text(&format!("{folder}/{name}"))?, name));
    let found = tree.list(&folder).into_iter().filter_map(state).map(|(state, name)| (name, state));
    found.filter(|(_, state)| state != "Not affected").collect()
}

/// Names of the settings that this agent may change: it is root, the file is there, and it is not mounted to
/// be read only, as in most containers.
pub(super) fn settable(tree: &Tree, interrupts: &Interrupts, privilege: Privilege) -> Vec<String> {
    if privilege != Privilege::Root {
        return Vec::new();
    }
    let mounts = tree.text("proc/self/mounts").unwrap_or_default();
    let may = |path: &str| tree.exists(path) && !is_read_only(&mounts, path);
    let host = tree.settings();
    let mut names = Vec::new();
    let mut note = |name: &str, may: bool| names.extend(may.then(|| name.to_owned()));
    let first_policy = tree.numbered(&format!("{CPU}/cpufreq"), "policy").first().copied();
    note("governor", first_policy.is_some_and(|policy| may(&format!("{CPU}/cpufreq/policy{policy}/scaling_governor"))));
    note("hugepages", may("proc/sys/vm/nr_hugepages"));
    note("idle-latency", may("dev/cpu_dma_latency"));
    note("interrupts", may("proc/irq/default_smp_affinity"));
    // Looking for it takes a look at every process.
    let balancer = if interrupts.irqbalance.is_some() { balancer(&host) } else { None };
    note("irqbalance", balancer.is_some_and(|balancer| balancer.freezer.is_some_and(|path| may(&path))));
    let smt = tree.text(&format!("{CPU}/smt/control"));
    note("smt", smt.is_some_and(|smt| smt == "on" || smt == "off") && may(&format!("{CPU}/smt/control")));
    note("transparent-hugepages", may("sys/kernel/mm/transparent_hugepage/enabled"));
    note("turbo", turbo_paths(&host).first().is_some_and(|path| may(path)));
    note("vfio", tree.exists("sys/bus/pci/drivers/vfio-pci") && may("sys/bus/pci/drivers_probe"));
    names
}

/// Whether the mount that holds a path cannot be written to.
fn is_read_only(mounts: &str, path: &str) -> bool {
    let path = format!("/{path}");
    let holds = |place: &str| {
        place == "/" || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
    };
    let mut found = (0, false);
    for line in mounts.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, place, _, options, ..] = words[..] else { continue };
        // Of two mounts on one place the later one is seen.
        if holds(place) && place.len() >= found.0 {
            found = (place.len(), options.split(',').any(|option| option == "ro"));
        }
    }
    found.1
}

/// Part of all time that a hypervisor gave to others since boot.
pub(super) fn steal_ratio(tree: &Tree) -> Option<f64> {
    let stat = tree.text("proc/stat")?;
    let ticks: Vec<f64> =
        stat.lines().next()?.split_ascii_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let (steal, all) = (*ticks.get(7)?, ticks.iter().take(8).sum::<f64>());
    (all > 0.0).then_some(steal / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = "overlay / overlay rw 0 0\nsysfs /sys sysfs ro,nosuid 0 0\nproc /proc proc rw 0 0\n\
                      proc /proc/irq proc ro 0 0\nsysfs /sys/fs/x sysfs rw 0 0\n";
        assert!(is_read_only(mounts, "sys/devices/system/cpu/smt/control"));
        assert!(is_read_only(mounts, "proc/irq/default_smp_affinity"));
        assert!(!is_read_only(mounts, "proc/sys/vm/nr_hugepages"));
        assert!(!is_read_only(mounts, "sys/fs/x/y"));
        assert!(!is_read_only("", "dev/cpu_dma_latency"));
    }
}
