//! What DPDK programs of a measurement have in common on their command lines: memory, cores, and nothing that
//! is found by probing. Pure; for switches and for whoever asks generators. It must not know ports or programs.

use serde::{Deserialize, Serialize};

/// What the memory of DPDK programs is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Memory {
    /// 2 MiB hugepages without files: one anonymous descriptor a memory segment list, so that a vhost-user peer
    /// is sent few of them.
    #[serde(rename = "hugepages-2m")]
    Hugepages2m,
    /// Ordinary pages: what a user has who is not root.
    #[serde(rename = "no-huge")]
    NoHuge,
}

impl Memory {
    /// The name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Memory::Hugepages2m => "hugepages-2m",
            Memory::NoHuge => "no-huge",
        }
    }
}

/// Memory of a generator, MiB.
pub const GENERATOR_MIB: u32 = 128;
/// Says that nothing is looked for on the PCI bus.
pub const NO_PCI: &str = "--no-pci";
/// Size of a hugepage, MiB.
pub const HUGEPAGE_MIB: u32 = 2;
/// Descriptors of a virtio ring: the most that vhost-user has.
pub const RING_SIZE: u32 = 1024;

/// The arguments for the EAL of a program with `mib` of memory, whose logical core `i` is CPU `cpus[i]`, by
/// number or, in keys, by name. No CPU: all that the process may use.
pub fn arguments(memory: Memory, mib: u32, cpus: &[String]) -> Vec<String> {
    let mut arguments: Vec<String> = vec![NO_PCI.into(), "--iova-mode=va".into()];
    let pages: &[&str] = match memory {
        Memory::Hugepages2m => &["--in-memory", "--single-file-segments"],
        Memory::NoHuge => &["--no-huge", "--no-shconf"],
    };
    arguments.extend(pages.iter().map(|word| (*word).to_owned()));
    arguments.extend(["-m".to_owned(), mib.to_string()]);
    if !cpus.is_empty() {
        let places: Vec<String> = cpus.iter().enumerate().map(|(lcore, cpu)| format!("{lcore}@{cpu}")).collect();
        arguments.push(format!("--lcores={}", places.join(",")));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_cores_are_said_in_full() {
        let cpus = ["3".to_owned(), "5".to_owned()];
        assert_eq!(
            arguments(Memory::Hugepages2m, 128, &cpus).join(" "),
            "--no-pci --iova-mode=va --in-memory --single-file-segments -m 128 --lcores=0@3,1@5"
        );
        assert_eq!(arguments(Memory::NoHuge, 64, &[]).join(" "), "--no-pci --iova-mode=va --no-huge --no-shconf -m 64");
    }
}
