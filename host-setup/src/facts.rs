//! What a host is: the types, and below them the readers, each over an injected root. The types must not know
//! how facts are read, or what is made of them.

mod kernel;
mod machine;
mod offers;
mod surroundings;
mod tree;

use std::path::Path;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use self::tree::Tree;
use crate::component::DigestCache;
use crate::{privilege, sys};

/// Reads everything, changing nothing but the cache of digests; with `refresh` that is not trusted. `allowed`
/// are the CPUs that may be used.
pub(crate) fn read(allowed: &[u32], refresh: bool) -> Facts {
    let tree = Tree::at(Path::new("/"));
    let privilege = privilege::probe();
    let mut digests = DigestCache::load(DigestCache::folder(geteuid().is_root()).as_deref(), refresh);
    let offers = offers::read(privilege, &mut digests);
    digests.save();
    Facts {
        kernel: kernel::read(&tree),
        cpu: machine::cpu(&tree),
        topology: machine::topology(&tree, allowed),
        memory: machine::memory(&tree),
        virtualisation: surroundings::virtualisation(&tree, sys::hypervisor_signature().as_deref()),
        privilege,
        runtimes: offers.runtimes,
        switches: offers.switches,
        applications: offers.applications,
        components: offers.components,
        tuning: surroundings::tuning(&tree),
        aside: surroundings::aside(&tree),
    }
}

/// Everything known of a host without changing it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The kernel.
    pub kernel: Kernel,
    /// The processor.
    pub cpu: Cpu,
    /// CPUs that the agent may use, in order of number.
    pub topology: Vec<Core>,
    /// Memory.
    pub memory: Memory,
    /// Hypervisor or container technology, as `systemd-detect-virt` names it; absent on bare metal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtualisation: Option<String>,
    /// Whether the agent is root, or root of its own user namespace.
    pub privilege: Privilege,
    /// How containers can be made here.
    pub runtimes: Vec<Offer>,
    /// Which switches can be run here.
    pub switches: Vec<Offer>,
    /// Which applications can be run here.
    pub applications: Vec<Offer>,
    /// Software that measurements run through, by name.
    pub components: Vec<Component>,
    /// What could be set to make numbers repeatable, and what it is.
    pub tuning: Tuning,
    /// Recorded beside results, never in a key.
    pub aside: Aside,
}

/// The kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// GNU build-id from `/sys/kernel/notes`, hex; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Boot parameters that matter to a measurement (isolcpus, nohz_full, mitigations, ...), sorted.
    pub boot_parameters: Vec<String>,
}

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// `model name`.
    pub model: String,
    /// Family, model and stepping numbers, `25.17.1`.
    pub signature: String,
    /// Microcode revision; absent where it is not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// Whether the time stamp counter is constant and never stops.
    pub tsc_invariant: bool,
}

/// One logical CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Its number.
    pub cpu: u32,
    /// Package.
    pub package: u32,
    /// Core of the package; hyper-threads share it.
    pub core: u32,
    /// NUMA node.
    pub node: u32,
    /// `isolcpus` or an isolated cpuset partition.
    pub isolated: bool,
    /// `nohz_full`.
    pub nohz_full: bool,
    /// Kind on hybrid processors: `performance` or `efficiency`; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// `MemTotal`, bytes.
    pub total_bytes: u64,
    /// 2 MiB hugepages, `(node, total, free)`.
    pub hugepages_2m: Vec<(u32, u64, u64)>,
    /// `transparent_hugepage/enabled`, the chosen word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transparent_hugepages: Option<String>,
}

/// What the agent may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Privilege {
    /// Root of the host.
    Root,
    /// An ordinary user who can make user namespaces.
    UserNamespace,
    /// An ordinary user who cannot.
    None,
}

/// Something that can be had here, or the reason why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name: `netns`, `linux-bridge`, `septet-gen`, ...
    pub name: String,
    /// Why it cannot be had here, in words that complete "skipped: ..."; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Names of the [`Component`]s that a measurement through it runs through.
    pub components: Vec<String>,
    /// I/O techniques that it takes, by name (`udp`, `raw-mmsg`, `dpdk`); for switches and applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub io: Vec<String>,
}

/// A piece of software, known by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `septet-gen`, `busybox`, `ovs`, ...
    pub name: String,
    /// `file`, `debian` or `nix`.
    pub provider: String,
    /// Version as the provider knows it; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// BLAKE3 over the neutral name and the content's BLAKE3 of every file of its closure, in order of name, hex.
    pub digest: String,
    /// The files, `(neutral name, BLAKE3 hex)`: the program first, then what it loads.
    pub files: Vec<(String, String)>,
}

/// What could be set to make numbers repeatable, and what it is now. Absent: this host does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Frequency driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_driver: Option<String>,
    /// Governor, if all CPUs have the same; else `mixed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Whether turbo is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turbo: Option<bool>,
    /// `smt/control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smt: Option<String>,
    /// Clock source of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocksource: Option<String>,
    /// Limits of the kernel's network stack that hold for every container, `(name, value)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<(String, u64)>,
}

/// Recorded beside results, never in a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Aside {
    /// Host name.
    pub hostname: String,
    /// Operating system's pretty name.
    pub os: String,
    /// Seconds since boot.
    pub uptime_s: f64,
    /// Load average over a minute.
    pub load_1m: f64,
    /// Version of the agent.
    pub agent: String,
    /// Identity of this boot, `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}
