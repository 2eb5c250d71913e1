//! What the agent counts: before and after a window, and while it lasts. It must not know how counters are
//! read, or from when on they are a doubt.

use serde::{Deserialize, Serialize};

/// Counters of what disturbs a measurement, since boot; the difference of two is what counts.
/// A counter that the host does not have is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `CLOCK_MONOTONIC` when it was taken, ns.
    pub mono_ns: u64,
    /// Time stolen by the hypervisor, a core, as `(cpu, ns)`.
    pub steal_ns: Vec<(u32, u64)>,
    /// Time that a core was busy (user, nice, system, irq, softirq), as `(cpu, ns)`.
    pub busy_ns: Vec<(u32, u64)>,
    /// Context switches of the whole host.
    pub context_switches: Option<u64>,
    /// Devices' interrupts that a CPU has served, as `(cpu, count)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<(u32, u64)>,
    /// Clock frequency of a CPU now, as `(cpu, kHz)`; for hosts whose counters cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequency_khz: Vec<(u32, u64)>,
    /// APERF and MPERF of a CPU: cycles at its real and at its nominal frequency, as `(cpu, aperf, mperf)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycles: Vec<(u32, u64, u64)>,
    /// How often a CPU was throttled by heat or power, as `(cpu, count)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttled: Vec<(u32, u64)>,
    /// Time in which something had to wait for a resource (PSI, `some`), as `(resource, us)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pressure_us: Vec<(String, u64)>,
    /// Threads of the scene's applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadCounters>,
    /// What the settings are that a measurement relies on, named as in
    /// [`Achieved::settings`](super::Achieved::settings).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
    /// What the ports of the scene's switch counted, in the order of its containers; empty without a scene,
    /// or for a switch that does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortCounters>,
    /// The interface that is the switch's way to another host; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkState>,
}

/// How the interface to another host stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkState {
    /// Whether there is a carrier.
    pub carrier: bool,
    /// How often that has changed since the interface was made.
    pub changes: u32,
}

/// Counts of one thread since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadCounters {
    /// The thread's number, in the agent's own process namespace.
    pub thread: u32,
    /// The thread's name.
    pub name: String,
    /// How often it was moved to another CPU; absent where the kernel does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<u64>,
    /// CPUs that it may run on, as the kernel lists them: those that it was given, until one of them goes offline or
    /// out of the cpuset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// Page faults that needed no disk.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
}

/// Counts of one port of the switch since it was built, in packets, as the switch sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    /// The container at the other end, or `uplink` for the other host.
    pub container: String,
    /// Taken from the container.
    pub received: u64,
    /// Given to the container.
    pub sent: u64,
    /// Taken from the container and dropped.
    pub received_dropped: u64,
    /// Meant for the container and dropped.
    pub sent_dropped: u64,
}

/// Who had the processors for some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How long, ns.
    pub span_ns: u64,
    /// How many CPUs were looked at.
    pub cpus: u32,
    /// Time in which they worked for programs, ns.
    pub busy_ns: u64,
    /// Time of that which the agent, the scene's processes and the kernel's threads had, ns.
    pub ours_ns: u64,
    /// The busiest processes of others on these CPUs, the busiest first; three at most. Those of users who neither
    /// measure nor are root are not named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busiest: Vec<Busy>,
}

impl Load {
    /// Processor time that others took, ns.
    pub fn others_ns(&self) -> u64 {
        self.busy_ns.saturating_sub(self.ours_ns)
    }

    /// The part of the CPUs that others took.
    pub fn others_ratio(&self) -> f64 {
        self.others_ns() as f64 / (self.span_ns.max(1) as f64 * f64::from(self.cpus.max(1)))
    }
}

/// A process of somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// Name of its program, printable, at most 15 characters.
    pub name: String,
    /// The process's number, as the agent sees it.
    pub pid: u32,
    /// Processor time that it had, ns.
    pub cpu_ns: u64,
}

/// What looks at the counters saw while a window lasted: of each disturbance the time between two looks in
/// which it was worst. Times are since the window's begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Number of looks.
    pub looks: u64,
    /// Processor time that all of them took, ns.
    pub cpu_ns: u64,
    /// The worst of each disturbance that there was, in order of [`Disturbance`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peaks: Vec<Peak>,
    /// Settings that changed, in order of time; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<SettingChange>,
}

/// When something was worst.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// What was counted.
    pub disturbance: Disturbance,
    /// Where: the number of the CPU, the name of the thread or of the resource.
    pub of: String,
    /// How much, in the unit of the disturbance.
    pub amount: u64,
    /// When the look that found it was taken, ns.
    pub at_ns: u64,
    /// Time since the look before that, ns.
    pub span_ns: u64,
}

/// What is watched, with the unit of [`Peak::amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// A CPU's lowest frequency, in millionths of its nominal one where cycles are counted (APERF, MPERF), else
    /// of what it was at the first look.
    FrequencyLow,
    /// A CPU's highest frequency, likewise.
    FrequencyHigh,
    /// Times that a CPU was throttled by heat or power.
    Throttled,
    /// Time that a hypervisor took from a CPU, ns.
    Steal,
    /// Devices' interrupts on a CPU.
    Interrupts,
    /// Moves of a thread between CPUs.
    Migrations,
    /// Page faults of a thread that needed no disk.
    MinorFaults,
    /// Page faults of a thread that did.
    MajorFaults,
    /// Time in which something waited for a resource (PSI, `some`), us.
    Pressure,
}

/// A setting that somebody changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// The setting's name, as in [`Snapshot::settings`].
    pub name: String,
    /// What it was; absent if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What it became; absent if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<String>,
    /// When that was seen, ns.
    pub at_ns: u64,
}
