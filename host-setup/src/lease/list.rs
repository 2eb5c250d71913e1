//! Which files are settings, as a grammar of their paths: nothing else of a host is ever written, whoever
//! asks and whatever a journal says. Pure. It must not know values.

/// Whether a path is a setting: a file that has a value, which can be read, changed and given back.
pub fn is_setting(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["sys", "devices", "system", "cpu", "smt", "control"]
        | ["sys", "devices", "system", "cpu", "intel_pstate", "no_turbo"]
        | ["sys", "devices", "system", "cpu", "cpufreq", "boost"]
        | ["sys", "kernel", "mm", "transparent_hugepage", "enabled"]
        | ["proc", "irq", "default_smp_affinity"] => true,
        ["sys", "devices", "system", "cpu", "cpufreq", policy, file] => {
            is_numbered(policy, "policy")
                && matches!(file, "scaling_governor" | "scaling_min_freq" | "scaling_max_freq" | "boost")
        }
        ["sys", "devices", "system", "node", node, "hugepages", size, "nr_hugepages"] => {
            is_numbered(node, "node") && matches!(size, "hugepages-2048kB" | "hugepages-1048576kB")
        }
        ["proc", "irq", irq, "smp_affinity_list"] => is_numbered(irq, ""),
        ["sys", "class", "net", name, "device", "sriov_numvfs" | "sriov_drivers_autoprobe"] => is_interface(name),
        // `driver` is a link: it is changed by unbinding and probing.
        ["sys", "bus", "pci", "devices", address, "driver" | "driver_override"] => is_pci(address),
        ["sys", "fs", "cgroup", .., "irqbalance.service", "cgroup.freeze"] => {
            parts.iter().all(|part| !part.is_empty() && *part != "." && *part != "..")
        }
        _ => false,
    }
}

/// Whether a path is one that makes the kernel do something and has no value.
pub fn is_action(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["proc", "sys", "vm", "compact_memory"] | ["sys", "bus", "pci", "drivers_probe"] => true,
        ["sys", "bus", "pci", "drivers", driver, "unbind"] => is_driver(driver),
        _ => false,
    }
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| (1..=9).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A PCI address as sysfs writes it: `0000:3b:02.1`.
pub fn is_pci(address: &str) -> bool {
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let parts: Vec<&str> = address.split([':', '.']).collect();
    matches!(parts[..], [domain, bus, slot, function]
        if hex(domain, 4) && hex(bus, 2) && hex(slot, 2) && hex(function, 1))
        && address.as_bytes()[4] == b':'
        && address.as_bytes()[7] == b':'
}

/// A name that a network interface may have and that is one part of a path.
pub fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len()) && is_word(name)
}

/// A name that a driver may have and that is one part of a path.
pub fn is_driver(name: &str) -> bool {
    (1..=32).contains(&name.len()) && is_word(name)
}

fn is_word(name: &str) -> bool {
    name != "." && name != ".." && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_nothing_near_them() {
        for path in [
            "sys/devices/system/cpu/cpufreq/policy12/scaling_governor",
            "sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages",
            "proc/irq/120/smp_affinity_list",
            "sys/class/net/enp3s0f0/device/sriov_numvfs",
            "sys/bus/pci/devices/0000:3b:02.1/driver_override",
            "sys/fs/cgroup/system.slice/irqbalance.service/cgroup.freeze",
        ] {
            assert!(is_setting(path), "{path}");
        }
        for path in [
            "etc/passwd",
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "sys/devices/system/cpu/cpufreq/policy../scaling_governor",
            "sys/devices/system/cpu/cpufreq/policy/scaling_governor",
            "proc/irq/../sys/kernel/core_pattern",
            "proc/irq//smp_affinity_list",
            "sys/class/net/../device/sriov_numvfs",
            "sys/bus/pci/devices/0000.3b:02.1/driver_override",
            "sys/fs/cgroup/../../irqbalance.service/cgroup.freeze",
            "sys/fs/cgroup/user.slice/session-1.scope/cgroup.freeze",
            "proc/sys/vm/compact_memory",
        ] {
            assert!(!is_setting(path), "{path}");
        }
        assert!(is_action("sys/bus/pci/drivers/vfio-pci/unbind"));
        assert!(!is_action("sys/bus/pci/drivers/../unbind"));
    }
}
