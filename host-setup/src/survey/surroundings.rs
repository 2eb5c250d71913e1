//! Reads what the host runs in, what could be tuned, and what is recorded beside results. It must not change
//! anything.

use super::tree::Tree;
use crate::facts::{Aside, Tuning};

/// Files of containers, and whose they are.
const CONTAINER_MARKS: [(&str, &str); 2] = [(".dockerenv", "docker"), ("run/.containerenv", "podman")];
/// Words in what the firmware says of a machine, and the hypervisor that says so.
const FIRMWARE: [(&str, &str); 9] = [
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VirtualBox", "oracle"),
    ("innotek", "oracle"),
    ("Xen", "xen"),
    ("Microsoft Corporation", "microsoft"),
];
/// What the processor says of its hypervisor (CPUID leaf 0x4000_0000).
const SIGNATURES: [(&str, &str); 6] = [
    ("KVMKVMKVM", "kvm"),
    ("TCGTCGTCGTCG", "qemu"),
    ("VMwareVMware", "vmware"),
    ("Microsoft Hv", "microsoft"),
    ("XenVMMXenVMM", "xen"),
    ("bhyve bhyve", "bhyve"),
];
/// Limits below `net.core` that no network namespace has of its own: how large an ordinary user's socket
/// buffers may be, how much waits between a veth's two ends, how much is taken from there at once.
const NETWORK_LIMITS: [&str; 6] =
    ["rmem_max", "wmem_max", "netdev_max_backlog", "netdev_budget", "netdev_budget_usecs", "dev_weight"];
/// Clock sources that only a guest has.
const GUEST_CLOCKS: [(&str, &str); 3] = [("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen")];

/// Hypervisor if there is one, which harms measurements more, else container technology, by the names of
/// `systemd-detect-virt`; `vm-other` for a hypervisor without a name. `signature` is the processor's own word.
pub(super) fn virtualisation(tree: &Tree, signature: Option<&str>) -> Option<String> {
    hypervisor(tree, signature).or_else(|| container(tree))
}

fn container(tree: &Tree) -> Option<String> {
    if let Some(name) = tree.text("run/systemd/container") {
        return Some(name);
    }
    // Root only; in a container its first process is told.
    let environment = tree.bytes("proc/1/environ").unwrap_or_default();
    let told = environment.split(|byte| *byte == 0).find_map(|word| word.strip_prefix(b"container="));
    if let Some(name) = told.map(String::from_utf8_lossy).filter(|name| !name.is_empty()) {
        return Some(name.into_owned());
    }
    CONTAINER_MARKS.iter().find(|(path, _)| tree.exists(path)).map(|(_, name)| (*name).into())
}

fn hypervisor(tree: &Tree, signature: Option<&str>) -> Option<String> {
    let named = |table: &[(&str, &str)], text: &str| {
        table.iter().find(|(word, _)| text.contains(word)).map(|(_, name)| (*name).to_owned())
    };
    if let Some(kind) = signature.and_then(|signature| named(&SIGNATURES, signature)) {
        return Some(kind);
    }
    let firmware = ["product_name", "sys_vendor", "board_vendor", "bios_vendor"]
        .map(|file| tree.text(&format!("sys/class/dmi/id/{file}")).unwrap_or_default());
    if let Some(kind) = named(&FIRMWARE, &firmware.join("\n")) {
        return Some(kind);
    }
    let info = tree.text("proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    if !flags.split_ascii_whitespace().any(|flag| flag == "hypervisor") {
        return None;
    }
    let clocks = tree.text("sys/devices/system/clocksource/clocksource0/available_clocksource").unwrap_or_default();
    named(&GUEST_CLOCKS, &clocks).or(Some("vm-other".into()))
}

pub(super) fn tuning(tree: &Tree) -> Tuning {
    let cpu = "sys/devices/system/cpu";
    let policies = tree.numbered(&format!("{cpu}/cpufreq"), "policy");
    let common = |file: &str| {
        let mut values: Vec<String> =
            policies.iter().filter_map(|policy| tree.text(&format!("{cpu}/cpufreq/policy{policy}/{file}"))).collect();
        values.dedup();
        if values.len() > 1 { Some("mixed".into()) } else { values.pop() }
    };
    let switch = |path: String| tree.number::<u8>(&path).map(|value| value != 0);
    // Of amd-pstate before Linux 6.11 each policy has one.
    let boosts = || {
        let each = policies.iter().filter_map(|policy| switch(format!("{cpu}/cpufreq/policy{policy}/boost")));
        each.reduce(|one, other| one || other)
    };
    Tuning {
        frequency_driver: common("scaling_driver"),
        governor: common("scaling_governor"),
        turbo: switch(format!("{cpu}/intel_pstate/no_turbo"))
            .map(|off| !off)
            .or_else(|| switch(format!("{cpu}/cpufreq/boost")))
            .or_else(boosts),
        smt: tree.text(&format!("{cpu}/smt/control")),
        clocksource: tree.text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        network: NETWORK_LIMITS
            .iter()
            .filter_map(|name| Some((format!("net.core.{name}"), tree.number(&format!("proc/sys/net/core/{name}"))?)))
            .collect(),
    }
}

pub(super) fn aside(tree: &Tree) -> Aside {
    let release = tree.text("etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let first = |path: &str| tree.text(path)?.split_ascii_whitespace().next()?.parse::<f64>().ok();
    Aside {
        hostname: tree.text("proc/sys/kernel/hostname").unwrap_or_default(),
        os: pretty.map(|name| name.trim_matches('"').to_owned()).unwrap_or_default(),
        uptime_s: first("proc/uptime").unwrap_or(0.0),
        load_1m: first("proc/loadavg").unwrap_or(0.0),
        agent: env!("CARGO_PKG_VERSION").into(),
        boot_id: tree.text("proc/sys/kernel/random/boot_id").unwrap_or_default(),
        steal_ratio: super::knobs::steal_ratio(tree),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::invent;
    use super::*;

    const GUEST: (&str, &str) = ("proc/cpuinfo", "processor: 0\nflags : fpu hypervisor sse\n");

    #[test]
    fn names_what_it_runs_in() {
        let named = |files: &[(&str, &str)], signature| virtualisation(&invent(files).1, signature);
        let is = |name: &str| Some(name.to_string());
        assert_eq!(named(&[], None), None);
        assert_eq!(named(&[("proc/cpuinfo", "flags: fpu\n")], None), None);
        assert_eq!(named(&[GUEST], None), is("vm-other"));
        assert_eq!(named(&[GUEST], Some("KVMKVMKVM")), is("kvm"));
        assert_eq!(named(&[("sys/class/dmi/id/sys_vendor", "QEMU\n")], None), is("qemu"));
        let clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource";
        assert_eq!(named(&[GUEST, (clocks, "tsc kvm-clock acpi_pm")], None), is("kvm"));
        assert_eq!(named(&[GUEST, (".dockerenv", "")], Some("KVMKVMKVM")), is("kvm"));
        assert_eq!(named(&[(".dockerenv", "")], None), is("docker"));
        assert_eq!(named(&[("proc/1/environ", "A=1\0container=lxc\0B=2")], None), is("lxc"));
    }

    #[test]
    fn tuning_of_three_drivers_and_none() {
        let cpu = "sys/devices/system/cpu";
        let (governor0, governor1) =
            (format!("{cpu}/cpufreq/policy0/scaling_governor"), format!("{cpu}/cpufreq/policy1/scaling_governor"));
        let no_turbo = format!("{cpu}/intel_pstate/no_turbo");
        let boost = format!("{cpu}/cpufreq/boost");
        let intel = tuning(&invent(&[(&governor0, "performance"), (&governor1, "performance"), (&no_turbo, "1")]).1);
        assert_eq!((intel.governor.as_deref(), intel.turbo), (Some("performance"), Some(false)));
        let acpi = tuning(&invent(&[(&governor0, "performance"), (&governor1, "powersave"), (&boost, "1")]).1);
        assert_eq!((acpi.governor.as_deref(), acpi.turbo), (Some("mixed"), Some(true)));
        assert_eq!(tuning(&invent(&[]).1), Tuning::default());
    }
}
