//! What a host is: types, and what they say together. They must not know how facts are read, or what is made of
//! them.

mod asked;
mod card;
mod stacks;
mod uses;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::asked::{AskedSettings, Transparent};
pub use self::card::{card, function_drivers, function_module};
pub use self::stacks::StackFacts;
pub use self::uses::{Part, Through};
use crate::switch::{self, Descriptor};

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
    /// What those are and can do. Absent from facts of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub descriptors: Vec<Descriptor>,
    /// Which applications can be run here.
    pub applications: Vec<Offer>,
    /// Software that measurements run through, by name.
    pub components: Vec<Component>,
    /// What comes from elsewhere in the stacks that were asked for, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, StackFacts>,
    /// What could be set to make numbers repeatable, and what it is.
    pub tuning: Tuning,
    /// What else can be turned to make it steady, and how that stands. Absent from facts of older versions.
    #[serde(default)]
    pub knobs: Knobs,
    /// Network devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Nic>,
    /// Recorded beside results, never in a key.
    pub aside: Aside,
}

impl Facts {
    /// The facts as they are kept with every repetition: without the list of interrupts, which is long and says
    /// little later, and without switches that every version knows.
    #[must_use]
    pub fn for_record(&self) -> Facts {
        let mut facts = self.clone();
        facts.knobs.interrupts.irqs.clear();
        facts.stacks.clear();
        facts.descriptors.retain(|descriptor| switch::descriptor(&descriptor.name).is_none());
        facts
    }

    /// What a switch is, as the agent says, or as this version knows it.
    pub fn descriptor(&self, name: &str) -> Option<&Descriptor> {
        self.descriptors.iter().find(|descriptor| descriptor.name == name).or_else(|| switch::descriptor(name))
    }
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
    /// The CPU's number.
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
    /// The name of what is offered: `netns`, `linux-bridge`, `septet-gen`, ...
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `septet-gen`, `busybox`, `ovs`, ...
    pub name: String,
    /// `file`, `debian` or `nix`.
    pub provider: String,
    /// Version as the provider knows it; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the provider knows it by: the package's name, the store path; of a stack the place; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Source package and its version, of Debian's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// GNU build-id of its program, hex; absent for one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
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

/// What can be turned on a host to make it steady, and how it stands. Empty or absent: this host does not have
/// it, or does not show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Knobs {
    /// Frequency policies, in order of number.
    pub frequency: Vec<FrequencyPolicy>,
    /// `active`, `passive` or `guided`, of intel_pstate and amd_pstate.
    pub pstate_mode: Option<String>,
    /// Driver of idle states.
    pub idle_driver: Option<String>,
    /// Idle states, lightest first.
    pub idle_states: Vec<IdleState>,
    /// Hugepages of each node and size.
    pub hugepages: Vec<Hugepages>,
    /// Devices' interrupts.
    pub interrupts: Interrupts,
    /// Whether a counter of the processor interrupts every CPU to see that it lives.
    pub nmi_watchdog: Option<bool>,
    /// Whether a thread of every CPU shows that it is scheduled.
    pub watchdog: Option<bool>,
    /// Whether the kernel moves pages between NUMA nodes, by page faults.
    pub numa_balancing: Option<bool>,
    /// Weaknesses that this processor has, and what is done about them, `(name, the kernel's words)`.
    pub mitigations: Vec<(String, String)>,
    /// Clock sources that could be had.
    pub clocksources: Vec<String>,
    /// Number of IOMMU groups; 0 without an IOMMU.
    pub iommu_groups: u64,
    /// Whether the driver vfio-pci is loaded.
    pub vfio: bool,
    /// Whether pressure (PSI) is counted.
    pub pressure: bool,
    /// Whether throttling by heat is counted.
    pub throttle_counters: bool,
    /// Names of the settings that this agent may change.
    pub settable: Vec<String>,
    /// Whether settings that Septet would change are left as they are, since somebody asked for that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
    /// What somebody asks for besides.
    #[serde(skip_serializing_if = "AskedSettings::is_nothing")]
    pub asked: AskedSettings,
}

impl Knobs {
    /// Whether this agent may change a setting.
    pub fn can_set(&self, name: &str) -> bool {
        self.settable.iter().any(|settable| settable == name)
    }
}

/// CPUs whose frequency is controlled together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrequencyPolicy {
    /// The CPUs.
    pub cpus: Vec<u32>,
    /// Who chooses the frequency.
    pub governor: String,
    /// Who could.
    pub governors: Vec<String>,
    /// Lowest frequency that may be chosen, kHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_khz: Option<u64>,
    /// Highest one, kHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_khz: Option<u64>,
    /// Frequency without turbo, kHz; shown by intel_pstate only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal_khz: Option<u64>,
    /// What the hardware can do, kHz, lowest and highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_khz: Option<(u64, u64)>,
}

/// A state that an idle CPU can sleep in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleState {
    /// The state's name, `C1E`.
    pub name: String,
    /// Time to wake up from it, us.
    pub latency_us: u64,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// Hugepages of one size on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hugepages {
    /// NUMA node.
    pub node: u32,
    /// Size of a page, KiB.
    pub size_kib: u64,
    /// Pages, free or not.
    pub total: u64,
}

/// Devices' interrupts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interrupts {
    /// Each, in order of number.
    pub irqs: Vec<Irq>,
    /// Process number of irqbalance, which moves them about.
    pub irqbalance: Option<u32>,
    /// Whether it can be paused: it is alone in a control group.
    pub irqbalance_can_pause: bool,
}

/// One interrupt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Irq {
    /// The interrupt's number.
    pub number: u32,
    /// The names of the interrupt's handlers.
    pub name: String,
    /// CPUs that may serve it.
    pub cpus: Vec<u32>,
}

/// A network interface with a device below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Nic {
    /// The interface's name.
    pub name: String,
    /// The device's PCI address, or how its bus calls it.
    pub address: String,
    /// The device's driver.
    pub driver: Option<String>,
    /// PCI numbers of vendor and device, `8086:1521`.
    pub vendor_device: Option<String>,
    /// Firmware as the driver tells it.
    pub firmware: Option<String>,
    /// Whether there is a link; absent while the interface is down.
    pub carrier: Option<bool>,
    /// Speed of the link, Mbit/s.
    pub speed_mbps: Option<u64>,
    /// NUMA node; absent on machines of one.
    pub node: Option<u32>,
    /// Virtual functions that it has; absent without SR-IOV.
    pub vfs: Option<u32>,
    /// Virtual functions that it can have.
    pub vfs_max: Option<u32>,
    /// Interface of its physical function, if it is a virtual one.
    pub physical_function: Option<String>,
    /// The device's IOMMU group.
    pub iommu_group: Option<String>,
    /// Why it is never touched, in words that complete "it ..."; absent if it may be.
    pub must_stay: Option<String>,
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
    /// Identity of this boot, `/proc/sys/kernel/random/boot_id`; in a record what the store calls it.
    pub boot_id: String,
    /// Part of all time since boot that a hypervisor gave to others; absent where that is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_ratio: Option<f64>,
}
