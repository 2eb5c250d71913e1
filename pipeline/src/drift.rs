//! What the host's counters say of a window, before, during and after it: settings that somebody changed,
//! frequency, heat, stolen time, interrupts, migrations, page faults, pressure. Pure. It must not know how counters
//! are read or reduced; the thresholds and what they mean are with the flags.

use host_setup::cores::CorePlan;
use host_setup::disturbance::{changed, moved, not_granted, worst};
use host_setup::protocol::{Achieved, Busy, Disturbance, Load, Peak};
use results::flags::{
    BURST_FACTOR, FOREIGN_LOAD_RATIO_HIGH, FOREIGN_LOAD_RATIO_MAX, FREQUENCY_RATIO_MAX, Flag, INTERRUPTS_PER_S_MAX,
    MIGRATIONS_PER_S_MAX, PAGE_FAULTS_PER_S_MAX, PRESSURE_RATIO_MAX, STEAL_RATIO_MAX,
};

use crate::store::{HostEvidence, Seen};

/// Doubts about a window on the CPUs of a plan, those about all of it first. Counters that this host does not have
/// raise none.
pub fn seen(achieved: &Achieved, evidence: &HostEvidence, cores: &CorePlan) -> Vec<Seen> {
    let HostEvidence { before, after, watched, .. } = *evidence;
    let mut seen = Vec::new();
    let mut compare = |was: &[(String, String)], became: &[(String, String)], when: &str| {
        // Records of older versions have none.
        if !was.is_empty() && !became.is_empty() {
            seen.extend(changed(was, became).into_iter().map(|(name, was, became)| drifted(name, was, became, when)));
        }
    };
    compare(&achieved.settings, &before.settings, "between preparation and the test");
    compare(&before.settings, &after.settings, "from before the window to after it");
    seen.extend(lost(evidence, cores));
    let raised = |peak: &Peak, factor: f64| {
        // Where roles share cores somebody always waits, and the plan is flagged for it already.
        flag(peak, factor).filter(|flag| !(*flag == Flag::Pressure && cores.oversubscribed))
    };
    for peak in worst(before, before, after, &measuring(cores)) {
        seen.extend(raised(&peak, 1.0).map(|flag| Seen { flag, words: format!("{peak}, around the window") }));
    }
    for change in watched.iter().flat_map(|watched| &watched.changes) {
        let when = at(change.at_ns);
        seen.push(drifted(&change.name, change.was.as_deref(), change.became.as_deref(), &when));
    }
    for peak in watched.iter().flat_map(|watched| &watched.peaks) {
        let words = || format!("{peak}, {}", at(peak.at_ns));
        seen.extend(raised(peak, BURST_FACTOR).map(|flag| Seen { flag, words: words() }));
    }
    seen.extend(evidence.load.iter().flat_map(|load| foreign(load, cores.oversubscribed)));
    seen
}

/// Doubts about what others took of the measuring CPUs. Where these are the measurement's own, nobody else has any
/// business there.
fn foreign(load: &Load, oversubscribed: bool) -> Vec<Seen> {
    let ratio = load.others_ratio();
    let words = others(load);
    let raised = [
        (ratio > FOREIGN_LOAD_RATIO_MAX, Flag::ForeignLoad),
        (ratio > FOREIGN_LOAD_RATIO_MAX && !oversubscribed, Flag::ForeignLoadOnOwnCores),
        (ratio > FOREIGN_LOAD_RATIO_HIGH, Flag::ForeignLoadHigh),
    ];
    raised.into_iter().filter(|(too_much, _)| *too_much).map(|(_, flag)| Seen { flag, words: words.clone() }).collect()
}

/// Whether others leave the measuring CPUs alone.
pub fn is_quiet(load: &Load) -> bool {
    load.others_ratio() <= FOREIGN_LOAD_RATIO_MAX
}

/// What others took, in words, and who they were.
pub fn others(load: &Load) -> String {
    let all_ns = load.span_ns.max(1) as f64 * f64::from(load.cpus.max(1));
    let named =
        |busy: &Busy| format!("{} (process {}) {:.0} %", busy.name, busy.pid, busy.cpu_ns as f64 / all_ns * 100.0);
    let named: Vec<String> = load.busiest.iter().map(named).collect();
    let who = if named.is_empty() { "of which none is still there".to_string() } else { named.join(", ") };
    format!("other processes took {:.0} % of the measuring CPUs: {who}", load.others_ratio() * 100.0)
}

/// CPUs of the plan that went offline or out of the cpuset: what ran there was moved by the kernel.
fn lost(evidence: &HostEvidence, cores: &CorePlan) -> Vec<Seen> {
    let HostEvidence { before, after, .. } = *evidence;
    let mut cpus = [before, after].map(|snapshot| not_granted(&measuring(cores), snapshot)).concat();
    cpus.sort_unstable();
    cpus.dedup();
    let cpus = cpus.into_iter().map(|cpu| format!("CPU {cpu} of the core plan went offline, or out of the cpuset"));
    let moved = moved(before, after).into_iter().map(|(name, was, became)| {
        format!("a thread of {name} was kept to CPU {was}, and to CPU {became} after the window")
    });
    cpus.chain(moved).map(|words| Seen { flag: Flag::Drift, words }).collect()
}

fn at(since_begin_ns: u64) -> String {
    format!("{:.2} s into the window", since_begin_ns as f64 / 1e9)
}

fn drifted(name: &str, was: Option<&str>, became: Option<&str>, when: &str) -> Seen {
    let [was, became] = [was, became].map(|value| value.unwrap_or("not there"));
    Seen { flag: Flag::Drift, words: format!("{name} was {was} and became {became}, {when}") }
}

/// The doubt that a disturbance raises, if it is too much; rates may be `factor` times what they may be in the
/// mean of a window.
fn flag(peak: &Peak, factor: f64) -> Option<Flag> {
    let amount = peak.amount as f64;
    // Of a second.
    let per_s = amount * 1e9 / peak.span_ns.max(1) as f64;
    let (flag, too_much) = match peak.disturbance {
        Disturbance::FrequencyLow | Disturbance::FrequencyHigh => {
            (Flag::FrequencyDrift, (amount / 1e6 - 1.0).abs() > FREQUENCY_RATIO_MAX)
        }
        Disturbance::Throttled => (Flag::Throttled, true),
        Disturbance::Steal => (Flag::StealTime, per_s / 1e9 > STEAL_RATIO_MAX * factor),
        Disturbance::Interrupts => (Flag::Interrupts, per_s > INTERRUPTS_PER_S_MAX * factor),
        Disturbance::Migrations => (Flag::Migrations, per_s > MIGRATIONS_PER_S_MAX * factor),
        Disturbance::MinorFaults => (Flag::PageFaults, per_s > PAGE_FAULTS_PER_S_MAX * factor),
        Disturbance::MajorFaults => (Flag::PageFaults, true),
        Disturbance::Pressure => (Flag::Pressure, per_s / 1e6 > PRESSURE_RATIO_MAX * factor),
    };
    too_much.then_some(flag)
}

/// CPUs that generators and switch run on.
pub fn measuring(cores: &CorePlan) -> Vec<u32> {
    let generators = cores.generators.iter().flat_map(|assignment| assignment.cpus.iter());
    let mut cpus: Vec<u32> = cores.switch.iter().chain(generators).copied().collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Evidence;
    use host_setup::cores::Assignment;
    use host_setup::protocol::{SettingChange, Snapshot, ThreadCounters, Watched};

    /// Doubts about the one host of some evidence.
    fn seen(achieved: &Achieved, evidence: &Evidence, cores: &CorePlan) -> Vec<Seen> {
        evidence.hosts().flat_map(|host| super::seen(achieved, &host, cores)).collect()
    }

    fn plan() -> CorePlan {
        let generators = [2, 3].map(|cpu| Assignment { cpus: vec![cpu], dedicated: true }).to_vec();
        let housekeeping = Some(0);
        CorePlan { switch: vec![1], generators, housekeeping, limits: Vec::new(), oversubscribed: false, node: Some(0) }
    }

    fn quiet(mono_ns: u64) -> Snapshot {
        let thread =
            ThreadCounters { thread: 7, name: "septet-gen".into(), migrations: Some(1), ..ThreadCounters::default() };
        Snapshot {
            mono_ns,
            steal_ns: (0..4).map(|cpu| (cpu, 10)).collect(),
            interrupts: (0..4).map(|cpu| (cpu, 10)).collect(),
            frequency_khz: (0..4).map(|cpu| (cpu, 2_200_000)).collect(),
            throttled: (0..4).map(|cpu| (cpu, 5)).collect(),
            pressure_us: vec![("cpu".into(), 1000)],
            threads: vec![thread],
            settings: vec![("governor".into(), "performance".into())],
            ..Snapshot::default()
        }
    }

    fn evidence(before: Snapshot, after: Snapshot) -> Evidence {
        Evidence { before, after, ..Evidence::default() }
    }

    fn flags(evidence: &Evidence) -> Vec<Flag> {
        seen(&Achieved::default(), evidence, &plan()).into_iter().map(|seen| seen.flag).collect()
    }

    #[track_caller]
    fn raises(change: impl FnOnce(&mut Snapshot), expected: &[Flag]) {
        let mut after = quiet(2_000_000_000);
        change(&mut after);
        assert_eq!(flags(&evidence(quiet(1_000_000_000), after)), expected);
    }

    #[test]
    fn a_quiet_host_raises_nothing_and_each_disturbance_its_flag() {
        raises(|_| {}, &[]);
        raises(|after| after.settings[0].1 = "powersave".into(), &[Flag::Drift]);
        raises(|after| after.throttled[2].1 += 1, &[Flag::Throttled]);
        raises(|after| after.throttled[0].1 += 1, &[]);
        raises(|after| after.steal_ns[1].1 += 10_000_001, &[Flag::StealTime]);
        raises(|after| after.steal_ns[1].1 += 10_000_000, &[]);
        raises(|after| after.steal_ns[0].1 += 99_000_000, &[]);
        raises(|after| after.frequency_khz[3].1 = 2_100_000, &[Flag::FrequencyDrift]);
        raises(|after| after.frequency_khz[3].1 = 2_190_000, &[]);
        raises(|after| after.threads[0].migrations = Some(3), &[Flag::Migrations]);
        raises(|after| after.interrupts[1].1 = 111, &[Flag::Interrupts]);
        raises(|after| after.interrupts[0].1 = 99_999, &[]);
        raises(|after| after.threads[0].minor_faults = 101, &[Flag::PageFaults]);
        raises(|after| after.threads[0].major_faults = 1, &[Flag::PageFaults]);
        raises(|after| after.pressure_us[0].1 = 60_000, &[Flag::Pressure]);
    }

    #[test]
    fn cpus_that_go_and_threads_that_are_moved_are_drift() {
        let granted = |list: &str, cpus: &str| {
            let mut snapshot = quiet(1);
            snapshot.settings.push(("cpus".into(), list.into()));
            snapshot.threads[0].cpus = Some(cpus.into());
            snapshot
        };
        let words = |before: Snapshot, after: Snapshot| -> Vec<String> {
            let seen = seen(&Achieved::default(), &evidence(before, after), &plan());
            assert!(seen.iter().all(|seen| seen.flag == Flag::Drift), "{seen:?}");
            seen.into_iter().map(|seen| seen.words).collect()
        };
        assert_eq!(words(granted("0-3", "3"), granted("0-3", "3")), Vec::<String>::new());
        let changed = "cpus was 0-3 and became 0-2, from before the window to after it";
        let gone = "CPU 3 of the core plan went offline, or out of the cpuset";
        let moved = "a thread of septet-gen was kept to CPU 3, and to CPU 0-2 after the window";
        assert_eq!(words(granted("0-3", "3"), granted("0-2", "0-2")), [changed, gone, moved]);
        // Gone before it was started.
        assert_eq!(words(granted("0-2", "0-2"), granted("0-2", "0-2")), [gone]);
        // A pin that was lost though its CPU came back.
        assert_eq!(words(granted("0-3", "3"), granted("0-3", "0-3")).len(), 1);
        // The housekeeping CPU measures nothing, but whoever changes CPUs disturbs.
        assert_eq!(words(granted("0-3", "3"), granted("1-3", "3")).len(), 1);
    }

    #[test]
    fn what_others_take_is_told_by_name_and_the_more_it_is_the_more_it_matters() {
        let load = |others_ns: u64| Load {
            span_ns: 1_000_000_000,
            cpus: 2,
            busy_ns: 900_000_000 + others_ns,
            ours_ns: 900_000_000,
            busiest: vec![Busy { name: "spin".into(), pid: 7, cpu_ns: others_ns }],
        };
        let raised = |others_ns: u64, oversubscribed: bool| {
            let evidence = Evidence { load: Some(load(others_ns)), ..evidence(quiet(1), quiet(1_000_000_001)) };
            let plan = CorePlan { oversubscribed, ..plan() };
            let seen = seen(&Achieved::default(), &evidence, &plan);
            assert!(seen.iter().all(|seen| seen.words.contains("spin (process 7)")), "{seen:?}");
            seen.into_iter().map(|seen| seen.flag).collect::<Vec<_>>()
        };
        assert_eq!(raised(100_000_000, true), []);
        assert_eq!(raised(110_000_000, true), [Flag::ForeignLoad]);
        assert_eq!(raised(110_000_000, false), [Flag::ForeignLoad, Flag::ForeignLoadOnOwnCores]);
        assert_eq!(raised(510_000_000, true), [Flag::ForeignLoad, Flag::ForeignLoadHigh]);
    }

    #[test]
    fn cycles_are_believed_before_looks() {
        let (mut before, mut after) = (quiet(1), quiet(1_000_000_001));
        before.cycles = vec![(2, 1000, 1000)];
        after.cycles = vec![(2, 2010, 2000)];
        after.frequency_khz[2].1 = 1_000_000;
        assert_eq!(flags(&evidence(before.clone(), after.clone())), []);
        after.cycles[0].1 = 2500;
        assert_eq!(flags(&evidence(before, after)), [Flag::FrequencyDrift]);
    }

    #[test]
    fn a_setting_changed_since_preparation_is_drift_and_named() {
        let achieved = Achieved { settings: vec![("governor".into(), "powersave".into())], ..Achieved::default() };
        let noticed = seen(&achieved, &evidence(quiet(1), quiet(2_000_000_000)), &plan());
        let words = "governor was powersave and became performance, between preparation and the test".into();
        assert_eq!(noticed, [Seen { flag: Flag::Drift, words }]);
        let older = Snapshot { settings: Vec::new(), ..quiet(1) };
        assert_eq!(flags(&evidence(older.clone(), older)), []);
    }

    fn peak(disturbance: Disturbance, amount: u64) -> Peak {
        Peak { disturbance, of: "3".into(), amount, at_ns: 1_500_000_000, span_ns: 250_000_000 }
    }

    #[test]
    fn a_burst_is_told_with_its_time_where_the_whole_window_is_quiet() {
        let with = |watched| Evidence { watched: Some(watched), ..evidence(quiet(1), quiet(2_000_000_000)) };
        let burst = |disturbance, amount| {
            flags(&with(Watched { peaks: vec![peak(disturbance, amount)], ..Watched::default() }))
        };
        assert_eq!(burst(Disturbance::FrequencyLow, 979_999), [Flag::FrequencyDrift]);
        assert_eq!(burst(Disturbance::FrequencyHigh, 1_010_000), []);
        assert_eq!(burst(Disturbance::Throttled, 1), [Flag::Throttled]);
        assert_eq!(burst(Disturbance::Steal, 20_000_000), []);
        assert_eq!(burst(Disturbance::Steal, 30_000_000), [Flag::StealTime]);
        assert_eq!(burst(Disturbance::Interrupts, 250), []);
        assert_eq!(burst(Disturbance::Interrupts, 251), [Flag::Interrupts]);
        assert_eq!(burst(Disturbance::Migrations, 2), []);
        assert_eq!(burst(Disturbance::Migrations, 3), [Flag::Migrations]);
        assert_eq!(burst(Disturbance::MinorFaults, 251), [Flag::PageFaults]);
        assert_eq!(burst(Disturbance::MajorFaults, 1), [Flag::PageFaults]);
        assert_eq!(burst(Disturbance::Pressure, 125_000), []);
        assert_eq!(burst(Disturbance::Pressure, 126_000), [Flag::Pressure]);

        let [was, became] = ["always", "never"].map(|value| Some(value.to_owned()));
        let change = SettingChange { name: "transparent_hugepages".into(), was, became, at_ns: 510_000_000 };
        let peaks = vec![peak(Disturbance::Interrupts, 420)];
        let watched = with(Watched { peaks, changes: vec![change], ..Watched::default() });
        let told: Vec<String> =
            seen(&Achieved::default(), &watched, &plan()).into_iter().map(|seen| seen.words).collect();
        let expected = [
            "transparent_hugepages was always and became never, 0.51 s into the window",
            "CPU 3 served 420 interrupts of devices in 250 ms, 1.50 s into the window",
        ];
        assert_eq!(told, expected);
    }
}
