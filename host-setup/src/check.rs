//! What stands between a host and numbers that others can hold its owner to: each finding with what it does
//! to results, and who can do something about it. Pure: from facts alone. It must not know experiments.

use serde::Serialize;

use crate::cpulist;
use crate::facts::{Facts, Privilege};
use crate::settings::planned;

/// How much a finding harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// Results are indicative, not paper-grade.
    Grade,
    /// Results spread more than they must.
    Spread,
    /// Some tests cannot be run.
    Tests,
    /// Worth knowing.
    Note,
}

/// Who can do something about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Septet does, for as long as it measures.
    Septet,
    /// An administrator, by exactly this.
    Administrator(String),
    /// Nobody on this host; what to do instead.
    Elsewhere(String),
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The finding's name, for scripts.
    pub name: &'static str,
    /// How much it harms.
    pub harm: Harm,
    /// How it is now.
    pub is: String,
    /// What that does to results.
    pub does: &'static str,
    /// What can be done.
    pub remedy: Remedy,
}

impl Finding {
    /// Whether results stay indicative with it, whatever Septet does.
    pub fn forbids_paper_grade(&self) -> bool {
        self.harm == Harm::Grade && self.remedy != Remedy::Septet
    }
}

/// Everything that stands in the way, worst first.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        virtualisation(facts),
        frequency(facts),
        turbo(facts),
        cores(facts),
        clock(facts),
        idle(facts),
        isolation(facts),
        interrupts(facts),
        hyper_threads(facts),
        hybrid(facts),
        huge_pages(facts),
        iommu(facts),
        numa_balancing(facts),
        watchdog(facts),
        mitigations(facts),
        transparent_hugepages(facts),
        nics(facts),
        pressure(facts),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Stable: within a kind the order above is that of harm.
    findings.sort_by_key(|finding| finding.harm);
    findings
}

/// In one line, which right this agent lacks to change settings; none if it lacks none.
pub fn missing_right(facts: &Facts) -> Option<String> {
    let advice = "run septet as root to have settings changed";
    match facts.privilege {
        Privilege::Root if facts.knobs.settable.is_empty() => {
            Some("/sys and /proc cannot be written to here (a container?): start it with rights on them".into())
        }
        Privilege::Root => None,
        Privilege::UserNamespace => {
            Some(format!("this user may not write below /sys and /proc/sys (CAP_SYS_ADMIN): {advice}"))
        }
        Privilege::None => Some(format!("this user may make no namespaces either (CAP_SYS_ADMIN): {advice}")),
    }
}

/// Septet if this agent can change the setting, else an administrator.
fn septet_or(facts: &Facts, setting: &str, line: impl Into<String>) -> Remedy {
    match facts.virtualisation.is_none() && facts.knobs.can_set(setting) {
        true => Remedy::Septet,
        false => Remedy::Administrator(line.into()),
    }
}

fn boot(parameters: &str) -> Remedy {
    let line = format!("add to GRUB_CMDLINE_LINUX in /etc/default/grub: {parameters}; then update-grub and reboot");
    Remedy::Administrator(line)
}

fn found(name: &'static str, harm: Harm, is: impl Into<String>, does: &'static str, remedy: Remedy) -> Option<Finding> {
    Some(Finding { name, harm, is: is.into(), does, remedy })
}

fn virtualisation(facts: &Facts) -> Option<Finding> {
    let kind = facts.virtualisation.as_deref()?;
    let steal = facts.aside.steal_ratio.filter(|ratio| *ratio > 0.0005);
    let steal = steal.map(|ratio| format!(", {:.1} % of all time was stolen since boot", ratio * 100.0));
    let is = format!("the host is virtual ({kind}){}", steal.unwrap_or_default());
    let does = "what else its hardware does is unknown and cannot be controlled: numbers move without a cause in sight";
    found("virtualisation", Harm::Grade, is, does, Remedy::Elsewhere("measure on bare metal".into()))
}

fn frequency(facts: &Facts) -> Option<Finding> {
    let does = "the clock changes with load and temperature, and with it packets a second, by tens of percent";
    let Some(governor) = &facts.tuning.governor else {
        let line = "in the firmware set the power profile to \"OS controlled\", and boot without cpufreq.off=1 and \
                    intel_pstate=disable";
        let remedy = match facts.virtualisation {
            Some(_) => Remedy::Elsewhere("a guest has no control of its frequency: measure on bare metal".into()),
            None => Remedy::Administrator(line.into()),
        };
        return found("frequency", Harm::Grade, "the processor's frequency cannot be controlled", does, remedy);
    };
    if governor == planned::GOVERNOR {
        return None;
    }
    let offered =
        facts.knobs.frequency.iter().all(|policy| policy.governors.iter().any(|name| name == planned::GOVERNOR));
    let remedy = match offered {
        true => septet_or(facts, "governor", "cpupower frequency-set -g performance"),
        false => Remedy::Administrator("modprobe cpufreq_performance".into()),
    };
    found("governor", Harm::Grade, format!("the frequency governor is {governor}"), does, remedy)
}

fn turbo(facts: &Facts) -> Option<Finding> {
    let does = "the clock depends on how many other cores are busy, and on heat: later repetitions are slower";
    if facts.tuning.turbo != Some(true) {
        return None;
    }
    let remedy = septet_or(facts, "turbo", "switch turbo (boost) off in the firmware");
    found("turbo", Harm::Grade, "turbo is on", does, remedy)
}

/// The smallest test has two generators, and one core for everything else.
fn cores(facts: &Facts) -> Option<Finding> {
    const WANTED: usize = 3;
    let mut cores: Vec<(u32, u32)> = facts.topology.iter().map(|core| (core.package, core.core)).collect();
    cores.sort_unstable();
    cores.dedup();
    if cores.len() >= WANTED {
        return None;
    }
    let is = format!("there are {} cores; a pair of generators and everything else want {WANTED}", cores.len());
    let does = "generators and switches take turns on a core: what is measured is the scheduler";
    found("cores", Harm::Grade, is, does, Remedy::Elsewhere("measure on a host with more cores".into()))
}

fn clock(facts: &Facts) -> Option<Finding> {
    let source = facts.tuning.clocksource.as_deref()?;
    let does =
        "every look at the clock is slow, which bounds rates, and may differ between cores, which bends latencies";
    let slow = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(&source);
    if slow {
        let is = format!("the kernel's clock source is {source}");
        let remedy = match facts.knobs.clocksources.iter().any(|name| name == "tsc") {
            true => boot("clocksource=tsc tsc=reliable"),
            false => Remedy::Elsewhere("the time stamp counter of this processor is not usable".into()),
        };
        return found("clocksource", Harm::Grade, is, does, remedy);
    }
    let is_x86 = facts.knobs.clocksources.iter().any(|name| name == "tsc");
    if is_x86 && !facts.cpu.tsc_invariant {
        let remedy = Remedy::Elsewhere("use a processor with an invariant time stamp counter".into());
        return found("tsc", Harm::Spread, "the time stamp counter is not invariant", does, remedy);
    }
    None
}

fn idle(facts: &Facts) -> Option<Finding> {
    let deepest =
        facts.knobs.idle_states.iter().filter(|state| !state.disabled).max_by_key(|state| state.latency_us)?;
    if deepest.latency_us <= u64::from(planned::IDLE_LATENCY_US) {
        return None;
    }
    let is = format!("idle CPUs may sleep in {} and need {} us to wake up", deepest.name, deepest.latency_us);
    let does = "the first packet after a pause waits for its core to wake up: latencies at low rates are too long";
    let remedy =
        septet_or(facts, "idle-latency", "hold /dev/cpu_dma_latency open: tuned-adm profile latency-performance");
    found("idle-states", Harm::Spread, is, does, remedy)
}

fn isolation(facts: &Facts) -> Option<Finding> {
    if facts.topology.len() < 4 || facts.topology.iter().any(|core| core.isolated) {
        return None;
    }
    let list = cpulist::format(&planned::sparable(facts));
    if list.is_empty() {
        return None;
    }
    let does = "other programs and the timer's tick interrupt measuring threads: tails of latency are theirs";
    let remedy = boot(&format!("isolcpus={list} nohz_full={list} rcu_nocbs={list}"));
    found("isolation", Harm::Spread, "no core is kept free of other programs", does, remedy)
}

fn interrupts(facts: &Facts) -> Option<Finding> {
    let interrupts = &facts.knobs.interrupts;
    if facts.topology.len() < 4 || interrupts.irqs.is_empty() {
        return None;
    }
    let does = "devices interrupt measuring threads: bursts of loss, and tails of latency";
    let balancer = match interrupts.irqbalance {
        Some(pid) => format!(", and irqbalance (process {pid}) moves them about"),
        None => String::new(),
    };
    let is = format!("{} interrupts are spread over all CPUs{balancer}", interrupts.irqs.len());
    let remedy = match planned::moves_interrupts(facts) {
        true => Remedy::Septet,
        false if interrupts.irqbalance.is_some() && !facts.knobs.can_set("irqbalance") => {
            Remedy::Administrator("systemctl stop irqbalance".into())
        }
        false => Remedy::Administrator("write the housekeeping CPUs into /proc/irq/*/smp_affinity_list".into()),
    };
    found("interrupts", Harm::Spread, is, does, remedy)
}

fn hyper_threads(facts: &Facts) -> Option<Finding> {
    (facts.tuning.smt.as_deref() == Some("on")).then_some(())?;
    let does = "none as long as nothing else runs: Septet leaves the siblings of measuring cores idle";
    let remedy = Remedy::Administrator("echo off > /sys/devices/system/cpu/smt/control, or nosmt at boot".into());
    found("hyper-threads", Harm::Note, "hyper-threads are on", does, remedy)
}

fn hybrid(facts: &Facts) -> Option<Finding> {
    let efficient = facts.topology.iter().filter(|core| core.kind.as_deref() == Some("efficiency")).count();
    if efficient == 0 {
        return None;
    }
    let fast = facts.topology.len() - efficient;
    let is = format!("{fast} performance and {efficient} efficiency cores");
    let does =
        "a role that gets an efficiency core is slower: Septet takes performance cores first and says when they end";
    found("hybrid", Harm::Note, is, does, Remedy::Septet)
}

fn huge_pages(facts: &Facts) -> Option<Finding> {
    let is = "there are no hugepages";
    match facts.knobs.hugepages.is_empty() {
        false if facts.knobs.hugepages.iter().any(|pages| pages.total > 0) || facts.knobs.can_set("hugepages") => None,
        _ => {
            let does = "DPDK programs run on ordinary pages (--no-huge), which is slower; ovs cannot, and is skipped";
            found("hugepages", Harm::Tests, is, does, Remedy::Administrator("sysctl -w vm.nr_hugepages=1024".into()))
        }
    }
}

fn iommu(facts: &Facts) -> Option<Finding> {
    let has_devices =
        facts.nics.iter().any(|nic| nic.address.len() == "0000:00:00.0".len() && nic.address.contains(':'));
    if facts.knobs.iommu_groups > 0 || !has_devices || facts.virtualisation.is_some() {
        return None;
    }
    let does = "no network device can be given to DPDK (VFIO): L=remote and V=sriov with io=dpdk are skipped";
    let parameters = if facts.cpu.model.contains("AMD") { "amd_iommu=on iommu=pt" } else { "intel_iommu=on iommu=pt" };
    found("iommu", Harm::Tests, "there is no IOMMU in use", does, boot(parameters))
}

fn numa_balancing(facts: &Facts) -> Option<Finding> {
    (facts.knobs.numa_balancing == Some(true)).then_some(())?;
    let does = "the kernel unmaps pages to see who uses them: page faults in measuring threads";
    let remedy = Remedy::Administrator("sysctl -w kernel.numa_balancing=0".into());
    found("numa-balancing", Harm::Spread, "the kernel balances memory between NUMA nodes", does, remedy)
}

fn watchdog(facts: &Facts) -> Option<Finding> {
    (facts.knobs.nmi_watchdog == Some(true)).then_some(())?;
    let does = "a counter interrupts every core every few seconds, and one counter is lost to profilers";
    let remedy = Remedy::Administrator("sysctl -w kernel.nmi_watchdog=0".into());
    found("watchdog", Harm::Note, "the NMI watchdog is on", does, remedy)
}

fn mitigations(facts: &Facts) -> Option<Finding> {
    let active: Vec<&str> = facts
        .knobs
        .mitigations
        .iter()
        .filter(|(_, state)| state.starts_with("Mitigation"))
        .map(|(name, _)| name.as_str())
        .collect();
    if active.is_empty() {
        return None;
    }
    let is = format!("the kernel mitigates {}", active.join(", "));
    let does = "system calls cost more: say so in a paper; switch it off only where nobody else has an account";
    found("mitigations", Harm::Note, is, does, boot("mitigations=off"))
}

fn transparent_hugepages(facts: &Facts) -> Option<Finding> {
    (facts.memory.transparent_hugepages.as_deref() == Some("always")).then_some(())?;
    let does = "the kernel joins pages behind a program's back, which stalls it now and then";
    let line = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
    let is = "transparent hugepages are always used";
    found("transparent-hugepages", Harm::Note, is, does, Remedy::Administrator(line.into()))
}

fn nics(facts: &Facts) -> Option<Finding> {
    let kept: Vec<String> =
        facts.nics.iter().filter_map(|nic| Some(format!("{} {}", nic.name, nic.must_stay.as_deref()?))).collect();
    if kept.is_empty() {
        return None;
    }
    let does = "it is never touched, so it cannot be measured through";
    found("interfaces", Harm::Note, kept.join("; "), does, Remedy::Elsewhere("use another interface".into()))
}

fn pressure(facts: &Facts) -> Option<Finding> {
    if facts.knobs.pressure {
        return None;
    }
    let does = "waiting for processor, memory or disk is not counted";
    found("pressure", Harm::Note, "the kernel does not count pressure (PSI)", does, boot("psi=1"))
}
