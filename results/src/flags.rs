//! Doubts about a measurement, each with what it means and what to do. It must not know how they are found
//! out (the run does that) or drawn (reports do that).

use serde::{Deserialize, Serialize};

/// A doubt about one repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// Sent is not received + lost + corrupt by two independent counts.
    AccountingMismatch,
    /// What a switch that a site defines counted is not what the generators counted: it lies, or its definition does.
    CountersDisagree,
    /// No end marker arrived: what was lost at the very end is unknown.
    EndMarkerLost,
    /// A record covers less than the window.
    SampleShortfall,
    /// A generator did nothing for more than [`STALLED_NS_MAX`] when it should have: it was stopped.
    Stalled,
    /// A setting or a component differs after the test from what it was before; or a CPU of the core plan went offline
    /// or out of the cpuset, and the kernel moved what ran there.
    Drift,
    /// Others' processes took more than [`FOREIGN_LOAD_RATIO_MAX`] of cores that were the measurement's own.
    ForeignLoadOnOwnCores,
    /// The offered rate was not reached, and rejected packets and missed deadlines do not explain it.
    RateUnexplained,
    /// More than the host's cores were asked for: processes shared them.
    Oversubscribed,
    /// Others' processes took more than [`FOREIGN_LOAD_RATIO_HIGH`] of the measuring cores.
    ForeignLoadHigh,
    /// The hypervisor took more than [`STEAL_RATIO_MAX`] of a measuring core.
    StealTime,
    /// A generator was switched out more often than [`INVOLUNTARY_SWITCHES_PER_S_MAX`].
    InvoluntarySwitches,
    /// More than [`MISSED_RATIO_MAX`] of the deadlines were missed.
    MissedDeadlines,
    /// The received rate still changed inside the window: the warm-up was too short, or the system has no steady
    /// state.
    NotSteady,
    /// The sender had no idle time left: it, not the switch, may be what was measured.
    GeneratorBound,
    /// The hardware's clock frequency could not be held still (no cpufreq here).
    FrequencyUncontrolled,
    /// The machine is virtual: what else runs on its host is unknown.
    Virtualised,
    /// Settings that could have been made for measuring were left as they were, as somebody asked.
    HostLeft,
    /// A measuring core was slowed down by heat or by a limit of power.
    Throttled,
    /// A measuring core ran faster or slower than at its nominal frequency, or its frequency changed, by more
    /// than [`FREQUENCY_RATIO_MAX`].
    FrequencyDrift,
    /// A measuring thread was moved between cores more often than [`MIGRATIONS_PER_S_MAX`].
    Migrations,
    /// Devices interrupted a measuring core more often than [`INTERRUPTS_PER_S_MAX`].
    Interrupts,
    /// A measuring thread had more page faults than [`PAGE_FAULTS_PER_S_MAX`], or one that needed a disk.
    PageFaults,
    /// Something on the host waited for processor, memory or disk for more than [`PRESSURE_RATIO_MAX`].
    Pressure,
    /// Others' processes took more than [`FOREIGN_LOAD_RATIO_MAX`] of the measuring cores.
    ForeignLoad,
    /// The counts are the word of programs that a site defines: none of ours stand beside them.
    Unproven,
}

/// A generator that was not heard of for longer was stopped, or had no core, nanoseconds: it looks after itself every
/// 10 ms, and turns on a shared core take less than a tenth of this.
pub const STALLED_NS_MAX: u64 = 1_000_000_000;
/// Steal time above this part of the window is flagged.
pub const STEAL_RATIO_MAX: f64 = 0.01;
/// Involuntary context switches of a generator above this rate are flagged, per second.
pub const INVOLUNTARY_SWITCHES_PER_S_MAX: f64 = 10.0;
/// Missed deadlines above this part of the intended packets are flagged.
pub const MISSED_RATIO_MAX: f64 = 0.001;
/// A received rate whose mean without the part that MSER-5 would drop differs by more than this is flagged.
pub const STEADY_RATIO_MAX: f64 = 0.02;
/// A sender that was idle for less than this part of the window, and missed deadlines, bounds the result.
pub const IDLE_RATIO_MIN: f64 = 0.01;

/// A frequency that is off by more than this part is flagged: repetitions of a fixed frequency differ by less.
pub const FREQUENCY_RATIO_MAX: f64 = 0.02;
/// Migrations of a measuring thread above this rate are flagged, per second; pinned threads have none.
pub const MIGRATIONS_PER_S_MAX: f64 = 1.0;
/// Devices' interrupts on a measuring core above this rate are flagged, per second: at some 5 us each they take
/// 0.05 % of it.
pub const INTERRUPTS_PER_S_MAX: f64 = 100.0;
/// Minor page faults of a measuring thread above this rate are flagged, per second: at some 1 us each they take
/// 0.01 % of its core.
pub const PAGE_FAULTS_PER_S_MAX: f64 = 100.0;
/// Processor time of the measuring cores that neither the scene's processes nor the agent nor the kernel's threads took,
/// as a part of all, above which it is flagged: below are a shell, a journal, a few programs that wake up now and then,
/// and what ticks of 10 ms leave open.
pub const FOREIGN_LOAD_RATIO_MAX: f64 = 0.05;
/// The part above which results are indicative.
pub const FOREIGN_LOAD_RATIO_HIGH: f64 = 0.25;
/// Pressure (PSI, `some`) above this part of the window is flagged.
pub const PRESSURE_RATIO_MAX: f64 = 0.05;
/// Between two looks at the host inside a window (a quarter of a second) what is limited by rate above (steal time,
/// interrupts, migrations, minor faults, pressure) may be this many times its limit: what a mean over the window
/// forgives, a percentile may not. Frequency, throttling and faults that needed a disk have no such allowance.
pub const BURST_FACTOR: f64 = 10.0;

impl Flag {
    /// Every flag, in order of harm.
    pub const ALL: [Flag; 26] = [
        Flag::AccountingMismatch,
        Flag::CountersDisagree,
        Flag::EndMarkerLost,
        Flag::SampleShortfall,
        Flag::Stalled,
        Flag::Drift,
        Flag::ForeignLoadOnOwnCores,
        Flag::RateUnexplained,
        Flag::Oversubscribed,
        Flag::ForeignLoadHigh,
        Flag::StealTime,
        Flag::InvoluntarySwitches,
        Flag::MissedDeadlines,
        Flag::NotSteady,
        Flag::GeneratorBound,
        Flag::FrequencyUncontrolled,
        Flag::Virtualised,
        Flag::HostLeft,
        Flag::Throttled,
        Flag::FrequencyDrift,
        Flag::Migrations,
        Flag::Interrupts,
        Flag::PageFaults,
        Flag::Pressure,
        Flag::ForeignLoad,
        Flag::Unproven,
    ];

    /// Whether a repetition with it is suspect: kept, marked, and left out of averages.
    pub fn suspect(self) -> bool {
        matches!(
            self,
            Flag::AccountingMismatch
                | Flag::CountersDisagree
                | Flag::EndMarkerLost
                | Flag::SampleShortfall
                | Flag::Stalled
                | Flag::Drift
                | Flag::ForeignLoadOnOwnCores
                | Flag::RateUnexplained
        )
    }

    /// Whether results with it are `indicative` instead of `paper-grade`.
    pub fn indicative(self) -> bool {
        matches!(
            self,
            Flag::Oversubscribed
                | Flag::ForeignLoadHigh
                | Flag::StealTime
                | Flag::FrequencyUncontrolled
                | Flag::Virtualised
                | Flag::HostLeft
                | Flag::Throttled
                | Flag::FrequencyDrift
                | Flag::Unproven
        )
    }

    /// The name in records, JSON and reports.
    pub fn name(self) -> &'static str {
        match self {
            Flag::AccountingMismatch => "accounting-mismatch",
            Flag::CountersDisagree => "counters-disagree",
            Flag::EndMarkerLost => "end-marker-lost",
            Flag::SampleShortfall => "sample-shortfall",
            Flag::Stalled => "stalled",
            Flag::Drift => "drift",
            Flag::RateUnexplained => "rate-unexplained",
            Flag::Oversubscribed => "oversubscribed",
            Flag::StealTime => "steal-time",
            Flag::InvoluntarySwitches => "involuntary-switches",
            Flag::MissedDeadlines => "missed-deadlines",
            Flag::NotSteady => "not-steady",
            Flag::GeneratorBound => "generator-bound",
            Flag::FrequencyUncontrolled => "frequency-uncontrolled",
            Flag::Virtualised => "virtualised",
            Flag::HostLeft => "host-left",
            Flag::Throttled => "throttled",
            Flag::FrequencyDrift => "frequency-drift",
            Flag::Migrations => "migrations",
            Flag::Interrupts => "interrupts",
            Flag::PageFaults => "page-faults",
            Flag::Pressure => "pressure",
            Flag::ForeignLoad => "foreign-load",
            Flag::Unproven => "unproven",
            Flag::ForeignLoadHigh => "foreign-load-high",
            Flag::ForeignLoadOnOwnCores => "foreign-load-on-own-cores",
        }
    }

    /// What it means, in a sentence for a report.
    pub fn meaning(self) -> &'static str {
        match self {
            Flag::AccountingMismatch => "The sender's count and the receiver's own count of packets do not agree.",
            Flag::CountersDisagree => "The switch's counters and the generators' do not agree.",
            Flag::EndMarkerLost => "No end marker arrived, so packets lost at the very end are not known.",
            Flag::SampleShortfall => "The record covers less than the declared window.",
            Flag::Stalled => "A generator stood still for more than a second.",
            Flag::Drift => "A setting or a component changed while the test ran.",
            Flag::RateUnexplained => {
                "The offered rate was not reached, and rejected packets and missed deadlines do not explain it."
            }
            Flag::Oversubscribed => "There were fewer cores than processes that poll; they took turns.",
            Flag::StealTime => "The hypervisor gave more than 1 % of a measuring core to somebody else.",
            Flag::InvoluntarySwitches => "A generator was switched out more than 10 times a second.",
            Flag::MissedDeadlines => "More than 0.1 % of the packets were not offered at their time.",
            Flag::NotSteady => "The received rate still changed by more than 2 % inside the window.",
            Flag::GeneratorBound => "The sender had no time left: its speed, not the switch's, may be what is shown.",
            Flag::FrequencyUncontrolled => "The processor's frequency could not be fixed on this host.",
            Flag::Virtualised => "The host is a virtual machine; what else its hardware does is unknown.",
            Flag::HostLeft => "Governor, turbo, idle states and interrupts were left as they were, as was asked.",
            Flag::Throttled => "A measuring core was slowed down by heat or by a limit of power.",
            Flag::FrequencyDrift => "A measuring core was more than 2 % off its nominal or its first frequency.",
            Flag::Migrations => "A measuring thread was moved between cores more than once a second.",
            Flag::Interrupts => "Devices interrupted a measuring core more than 100 times a second.",
            Flag::PageFaults => "A measuring thread had over 100 page faults a second, or one that needed a disk.",
            Flag::Pressure => "Something waited for processor, memory or disk for more than 5 % of the time.",
            Flag::Unproven => {
                "The counts are what the site's own programs say; the switch's ports saw at least as many."
            }
            Flag::ForeignLoad => "Other processes took more than 5 % of the measuring cores.",
            Flag::ForeignLoadHigh => "Other processes took more than 25 % of the measuring cores.",
            Flag::ForeignLoadOnOwnCores => "Other processes took more than 5 % of cores that were to measure alone.",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Flag::AccountingMismatch => "Look at the test's log; a link that other programs use is the usual cause.",
            Flag::CountersDisagree => "Look at `counters` in the site's definition of the switch, and at its ports.",
            Flag::EndMarkerLost => "Lower the rate, or look for a receiver that stopped early in the log.",
            Flag::SampleShortfall => "Run the test again; if it stays, look at the generators' log.",
            Flag::Stalled => "Look for what stops programs or takes all of a core; the next run measures it again.",
            Flag::Drift => "Find what changes settings on this host and stop it while measuring.",
            Flag::RateUnexplained => "Look at the sender's log.",
            Flag::Oversubscribed => "Use a host with more cores, fewer pairs, or read it as an indication only.",
            Flag::StealTime => "Measure on hardware of your own, or while the hypervisor's host is idle.",
            Flag::InvoluntarySwitches => "Isolate the measuring cores (isolcpus, nohz_full), or stop other load.",
            Flag::MissedDeadlines => "Expected when the offered rate is above what the sender can do; else lower R.",
            Flag::NotSteady => "Give a longer warm-up, and a longer window; look at the rate over time.",
            Flag::GeneratorBound => "Compare with V=direct, or raise B; do not read it as the switch's limit.",
            Flag::FrequencyUncontrolled => "Measure on bare metal with cpufreq, governor performance, turbo off.",
            Flag::Virtualised => "Measure on bare metal for numbers that others can hold you to.",
            Flag::HostLeft => "Take host = \"leave\" out of [protocol], where the host may be changed meanwhile.",
            Flag::Throttled => "Look after cooling and the firmware's power limits; compare with later repetitions.",
            Flag::FrequencyDrift => "Let septet run as root, which fixes governor and turbo; see septet host check.",
            Flag::Migrations => "Look for a program that changes affinities, or for too few cores.",
            Flag::Interrupts => "Let septet run as root, which moves interrupts away; pause irqbalance.",
            Flag::PageFaults => "Switch NUMA balancing off, and see that memory is not short.",
            Flag::Pressure => "Stop other load on this host while measuring.",
            Flag::Unproven => "Compare with the same test without stack = \"application:...\".",
            Flag::ForeignLoad => "Stop what is named, or run with --until-quiet.",
            Flag::ForeignLoadHigh => "Stop what is named, or run with --until-quiet; do not compare with quiet runs.",
            Flag::ForeignLoadOnOwnCores => "Keep others off the measuring cores (isolcpus, cpusets), or --until-quiet.",
        }
    }
}
