//! What the host's counters before and after a window say of it: settings that somebody changed, frequency,
//! heat, interrupts, migrations, page faults, pressure. Pure. It must not know how counters are read; the
//! thresholds and what they mean are with the flags.

use std::collections::BTreeMap;

use host_setup::cores::CorePlan;
use host_setup::protocol::{Achieved, Snapshot};
use results::flags::{
    FREQUENCY_RATIO_MAX, Flag, INTERRUPTS_PER_S_MAX, MIGRATIONS_PER_S_MAX, PAGE_FAULTS_PER_S_MAX, PRESSURE_RATIO_MAX,
};

/// Doubts about a window on the CPUs of a plan. Counters that this host does not have raise none.
pub fn flags(achieved: &Achieved, before: &Snapshot, after: &Snapshot, cores: &CorePlan) -> Vec<Flag> {
    let window = Window { before, after, measuring: &measuring(cores) };
    let found = [
        (Flag::Drift, settings_changed(achieved, before, after)),
        (Flag::Throttled, window.throttled()),
        (Flag::FrequencyDrift, window.frequency_off()),
        (Flag::Migrations, window.migrated()),
        (Flag::Interrupts, window.interrupted()),
        (Flag::PageFaults, window.faulted()),
        // Where roles share cores somebody always waits, and the plan is flagged for it already.
        (Flag::Pressure, !cores.oversubscribed && window.pressed()),
    ];
    found.into_iter().filter_map(|(flag, holds)| holds.then_some(flag)).collect()
}

/// CPUs that generators and switch run on.
pub fn measuring(cores: &CorePlan) -> Vec<u32> {
    let generators = cores.generators.iter().flat_map(|assignment| assignment.cpus.iter());
    let mut cpus: Vec<u32> = cores.switch.iter().chain(generators).copied().collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// Whether a setting is not what it was after preparation, before the window or after it.
fn settings_changed(achieved: &Achieved, before: &Snapshot, after: &Snapshot) -> bool {
    let differ =
        |one: &[(String, String)], other: &[(String, String)]| !one.is_empty() && !other.is_empty() && one != other;
    differ(&achieved.settings, &before.settings) || differ(&before.settings, &after.settings)
}

struct Window<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    measuring: &'a [u32],
}

impl Window<'_> {
    fn span_s(&self) -> f64 {
        self.after.mono_ns.saturating_sub(self.before.mono_ns) as f64 / 1e9
    }

    /// The largest increase of a counter among measuring CPUs.
    fn increase(&self, counter: impl Fn(&Snapshot) -> &[(u32, u64)]) -> u64 {
        let first: BTreeMap<u32, u64> = counter(self.before).iter().copied().collect();
        let increase = |(cpu, count): &(u32, u64)| Some(count.saturating_sub(*first.get(cpu)?));
        let here = counter(self.after).iter().filter(|(cpu, _)| self.measuring.contains(cpu));
        here.filter_map(increase).max().unwrap_or(0)
    }

    fn throttled(&self) -> bool {
        self.increase(|snapshot| &snapshot.throttled) > 0
    }

    fn interrupted(&self) -> bool {
        self.increase(|snapshot| &snapshot.interrupts) as f64 > self.span_s() * INTERRUPTS_PER_S_MAX
    }

    /// By the cycles that a core counted in the window where that is known, else by two looks at it.
    fn frequency_off(&self) -> bool {
        let off = |ratio: f64| (ratio - 1.0).abs() > FREQUENCY_RATIO_MAX;
        let first: BTreeMap<u32, (u64, u64)> =
            self.before.cycles.iter().map(|(cpu, real, nominal)| (*cpu, (*real, *nominal))).collect();
        let mut counted = false;
        for (cpu, real, nominal) in self.after.cycles.iter().filter(|(cpu, ..)| self.measuring.contains(cpu)) {
            let Some((real_before, nominal_before)) = first.get(cpu) else { continue };
            let nominal = nominal.wrapping_sub(*nominal_before);
            if nominal > 0 {
                counted = true;
                if off(real.wrapping_sub(*real_before) as f64 / nominal as f64) {
                    return true;
                }
            }
        }
        let first: BTreeMap<u32, u64> = self.before.frequency_khz.iter().copied().collect();
        let looked = self.after.frequency_khz.iter().filter(|(cpu, _)| !counted && self.measuring.contains(cpu));
        looked.filter_map(|(cpu, khz)| Some(*khz as f64 / *first.get(cpu)? as f64)).any(off)
    }

    /// The increases of each thread's counters that was there before and after.
    fn threads(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.after.threads.iter().filter_map(|after| {
            let before = self.before.threads.iter().find(|before| before.thread == after.thread)?;
            let migrations = after.migrations.unwrap_or(0).saturating_sub(before.migrations.unwrap_or(0));
            let minor = after.minor_faults.saturating_sub(before.minor_faults);
            Some((migrations, minor, after.major_faults.saturating_sub(before.major_faults)))
        })
    }

    fn migrated(&self) -> bool {
        let most = self.threads().map(|(migrations, ..)| migrations).max().unwrap_or(0);
        most as f64 > self.span_s() * MIGRATIONS_PER_S_MAX
    }

    fn faulted(&self) -> bool {
        let most = self.span_s() * PAGE_FAULTS_PER_S_MAX;
        self.threads().any(|(_, minor, major)| major > 0 || minor as f64 > most)
    }

    fn pressed(&self) -> bool {
        let first: BTreeMap<&str, u64> =
            self.before.pressure_us.iter().map(|(resource, us)| (resource.as_str(), *us)).collect();
        let waited = self
            .after
            .pressure_us
            .iter()
            .filter_map(|(resource, us)| Some(us.saturating_sub(*first.get(resource.as_str())?)));
        waited.max().unwrap_or(0) as f64 > self.span_s() * 1e6 * PRESSURE_RATIO_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_setup::cores::Assignment;
    use host_setup::protocol::ThreadCounters;

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
            interrupts: (0..4).map(|cpu| (cpu, 10)).collect(),
            frequency_khz: (0..4).map(|cpu| (cpu, 2_200_000)).collect(),
            throttled: (0..4).map(|cpu| (cpu, 5)).collect(),
            pressure_us: vec![("cpu".into(), 1000)],
            threads: vec![thread],
            settings: vec![("governor".into(), "performance".into())],
            ..Snapshot::default()
        }
    }

    #[track_caller]
    fn raises(change: impl FnOnce(&mut Snapshot), expected: &[Flag]) {
        let mut after = quiet(2_000_000_000);
        change(&mut after);
        assert_eq!(flags(&Achieved::default(), &quiet(1_000_000_000), &after, &plan()), expected);
    }

    #[test]
    fn a_quiet_host_raises_nothing_and_each_disturbance_its_flag() {
        raises(|_| {}, &[]);
        raises(|after| after.settings[0].1 = "powersave".into(), &[Flag::Drift]);
        raises(|after| after.throttled[2].1 += 1, &[Flag::Throttled]);
        raises(|after| after.throttled[0].1 += 1, &[]);
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
    fn cycles_are_believed_before_looks() {
        let (mut before, mut after) = (quiet(1), quiet(1_000_000_001));
        before.cycles = vec![(2, 1000, 1000)];
        after.cycles = vec![(2, 2010, 2000)];
        after.frequency_khz[2].1 = 1_000_000;
        assert_eq!(flags(&Achieved::default(), &before, &after, &plan()), []);
        after.cycles[0].1 = 2500;
        assert_eq!(flags(&Achieved::default(), &before, &after, &plan()), [Flag::FrequencyDrift]);
    }

    #[test]
    fn a_setting_changed_since_preparation_is_drift() {
        let achieved = Achieved { settings: vec![("governor".into(), "powersave".into())], ..Achieved::default() };
        assert_eq!(flags(&achieved, &quiet(1), &quiet(2_000_000_000), &plan()), [Flag::Drift]);
        let older = Snapshot { settings: Vec::new(), ..quiet(1) };
        assert_eq!(flags(&Achieved::default(), &older, &older, &plan()), []);
    }
}
