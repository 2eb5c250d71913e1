//! Reads processor, topology and memory. It must not decide which core does what.

use super::tree::Tree;
use crate::facts::{Core, Cpu, Memory};

const CPUS: &str = "sys/devices/system/cpu";
const NODES: &str = "sys/devices/system/node";

pub(super) fn cpu(tree: &Tree) -> Cpu {
    let info = tree.text("proc/cpuinfo").unwrap_or_default();
    let first = info.split("\n\n").next().unwrap_or_default();
    let field = |name: &str| {
        let line = first.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let flags = field("flags").unwrap_or_default();
    let has = |flag: &str| flags.split_ascii_whitespace().any(|other| other == flag);
    let signature = ["cpu family", "model", "stepping"].map(|name| field(name).unwrap_or_else(|| "?".into()));
    // ARM shows numbers only.
    let arm = || Some(format!("{} {}", field("CPU implementer")?, field("CPU part")?));
    Cpu {
        model: field("model name").or_else(arm).unwrap_or_else(|| "unknown".into()),
        signature: signature.join("."),
        microcode: field("microcode"),
        tsc_invariant: has("constant_tsc") && has("nonstop_tsc"),
    }
}

/// The `allowed` CPUs that are online, with where each lies.
pub(super) fn topology(tree: &Tree, allowed: &[u32]) -> Vec<Core> {
    let online = tree.cpus(&format!("{CPUS}/online"));
    let isolated = tree.cpus(&format!("{CPUS}/isolated"));
    let nohz_full = tree.cpus(&format!("{CPUS}/nohz_full"));
    let performance = tree.cpus("sys/devices/cpu_core/cpus");
    let efficiency = tree.cpus("sys/devices/cpu_atom/cpus");
    let nodes: Vec<(u32, Vec<u32>)> = tree
        .numbered(NODES, "node")
        .into_iter()
        .map(|node| (node, tree.cpus(&format!("{NODES}/node{node}/cpulist"))))
        .collect();
    let core = |cpu: &u32| {
        let topology = format!("{CPUS}/cpu{cpu}/topology");
        let kind = match (performance.contains(cpu), efficiency.contains(cpu)) {
            (true, false) => Some("performance".into()),
            (false, true) => Some("efficiency".into()),
            _ => None,
        };
        Core {
            cpu: *cpu,
            package: tree.number(&format!("{topology}/physical_package_id")).unwrap_or(0),
            core: core_of(tree, *cpu),
            node: nodes.iter().find(|(_, cpus)| cpus.contains(cpu)).map_or(0, |(node, _)| *node),
            isolated: isolated.contains(cpu),
            nohz_full: nohz_full.contains(cpu),
            kind,
        }
    };
    allowed.iter().filter(|cpu| online.is_empty() || online.contains(cpu)).map(core).collect()
}

/// The lowest CPU of the hyper-threads that share a core. `core_id` will not do: it is unique within a die, or
/// a cluster, only.
fn core_of(tree: &Tree, cpu: u32) -> u32 {
    let siblings =
        ["core_cpus_list", "thread_siblings_list"].map(|file| tree.cpus(&format!("{CPUS}/cpu{cpu}/topology/{file}")));
    siblings.into_iter().flatten().min().unwrap_or(cpu)
}

pub(super) fn memory(tree: &Tree) -> Memory {
    let info = tree.text("proc/meminfo").unwrap_or_default();
    let total_kib = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let hugepages = |node: u32| {
        let folder = format!("{NODES}/node{node}/hugepages/hugepages-2048kB");
        let count = |file: &str| tree.number::<u64>(&format!("{folder}/{file}"));
        Some((node, count("nr_hugepages")?, count("free_hugepages")?))
    };
    let thp = tree.text("sys/kernel/mm/transparent_hugepage/enabled");
    Memory {
        total_bytes: total_kib.unwrap_or(0).saturating_mul(1024),
        hugepages_2m: tree.numbered(NODES, "node").into_iter().filter_map(hugepages).collect(),
        transparent_hugepages: thp.and_then(|words| Some(words.split_once('[')?.1.split_once(']')?.0.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::invent;
    use super::*;

    #[test]
    fn two_sockets_with_odd_and_even_numbers() {
        let mut files = vec![
            (format!("{CPUS}/online"), "0-3".to_string()),
            (format!("{CPUS}/isolated"), "2-3".into()),
            (format!("{CPUS}/nohz_full"), "3".into()),
            (format!("{NODES}/node0/cpulist"), "0,2".into()),
            (format!("{NODES}/node1/cpulist"), "1,3".into()),
            (format!("{NODES}/node1/hugepages/hugepages-2048kB/nr_hugepages"), "512".into()),
            (format!("{NODES}/node1/hugepages/hugepages-2048kB/free_hugepages"), "500".into()),
            ("proc/meminfo".into(), "MemTotal:       1024 kB\nMemFree: 1 kB\n".into()),
            ("sys/kernel/mm/transparent_hugepage/enabled".into(), "always [madvise] never".into()),
        ];
        for cpu in 0..4 {
            files.push((format!("{CPUS}/cpu{cpu}/topology/physical_package_id"), (cpu % 2).to_string()));
            files.push((format!("{CPUS}/cpu{cpu}/topology/core_cpus_list"), format!("{cpu}")));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (_root, tree) = invent(&files);
        let cores = topology(&tree, &[0, 1, 3, 7]);
        let numbers: Vec<(u32, u32, u32)> = cores.iter().map(|core| (core.cpu, core.package, core.node)).collect();
        assert_eq!(numbers, [(0, 0, 0), (1, 1, 1), (3, 1, 1)], "CPU 2 is not allowed, CPU 7 not there");
        assert!(cores[2].isolated && cores[2].nohz_full && !cores[0].isolated);
        let memory = memory(&tree);
        assert_eq!(memory.total_bytes, 1 << 20);
        assert_eq!(memory.hugepages_2m, [(1, 512, 500)]);
        assert_eq!(memory.transparent_hugepages.as_deref(), Some("madvise"));
    }

    #[test]
    fn hybrid_kinds_and_siblings() {
        let list = format!("{CPUS}/cpu1/topology/thread_siblings_list");
        let (_root, tree) =
            invent(&[("sys/devices/cpu_core/cpus", "0-1"), ("sys/devices/cpu_atom/cpus", "2"), (&list, "0-1")]);
        let cores = topology(&tree, &[0, 1, 2]);
        let kinds: Vec<Option<&str>> = cores.iter().map(|core| core.kind.as_deref()).collect();
        assert_eq!(kinds, [Some("performance"), Some("performance"), Some("efficiency")]);
        assert_eq!((cores[0].core, cores[1].core, cores[2].core), (0, 0, 2));
    }

    #[test]
    fn processors() {
        let (_root, tree) = invent(&[(
            "proc/cpuinfo",
            "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 79\nmodel name\t: Xeon\nstepping\t: 1\n\
             microcode\t: 0xb00\nflags\t\t: fpu constant_tsc nonstop_tsc\n\nprocessor\t: 1\nmodel name\t: Other\n",
        )]);
        let xeon = cpu(&tree);
        assert_eq!((xeon.model.as_str(), xeon.signature.as_str()), ("Xeon", "6.79.1"));
        assert_eq!(xeon.microcode.as_deref(), Some("0xb00"));
        assert!(xeon.tsc_invariant);
        let (_root, tree) = invent(&[("proc/cpuinfo", "processor: 0\nCPU implementer: 0x41\nCPU part: 0xd0c\n")]);
        assert_eq!(cpu(&tree).model, "0x41 0xd0c");
        assert!(!cpu(&tree).tsc_invariant);
    }
}
