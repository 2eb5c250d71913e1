//! What two snapshots say of the time between them, and what a series of them says of a window: of each
//! disturbance the worst, and where it was. Pure. It must not know how counters are read, or from when on they
//! are a doubt.

use std::collections::BTreeMap;
use std::fmt;

use crate::cpulist;
use crate::protocol::{Disturbance, Peak, SettingChange, Snapshot, ThreadCounters, Watched};

/// Changes of settings that are kept: somebody who changes one all the time is known by then.
const CHANGES_MAX: usize = 16;
/// A frequency that is what it should be, in the unit of [`Disturbance::FrequencyLow`].
const PAR_PPM: u64 = 1_000_000;

/// The setting that says which CPUs the kernel grants, among [`Snapshot::settings`].
pub const CPUS: &str = "cpus";

/// Where a disturbance was, and how much of it, in the unit of the disturbance.
type Disturbed = (Disturbance, String, u64);

/// The worst of each disturbance between two snapshots on some CPUs (all if there are none). Frequencies that
/// are not counted are held against those of `first`. Counters that a host does not have, and what did not
/// happen, are not there.
pub fn worst(first: &Snapshot, before: &Snapshot, after: &Snapshot, cpus: &[u32]) -> Vec<Peak> {
    let at_ns = after.mono_ns;
    let span_ns = after.mono_ns.saturating_sub(before.mono_ns);
    let between = Between { first, before, after, cpus };
    let found = between.found();
    found.map(|(disturbance, of, amount)| Peak { disturbance, of, amount, at_ns, span_ns }).collect()
}

/// Settings that differ between two lists, as `(name, was, became)`.
pub fn changed<'a>(
    was: &'a [(String, String)],
    became: &'a [(String, String)],
) -> Vec<(&'a str, Option<&'a str>, Option<&'a str>)> {
    let mut both: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (name, value) in was {
        both.entry(name).or_default().0 = Some(value);
    }
    for (name, value) in became {
        both.entry(name).or_default().1 = Some(value);
    }
    both.into_iter()
        .filter(|(_, (was, became))| was != became)
        .map(|(name, (was, became))| (name, was, became))
        .collect()
}

/// CPUs of a plan that the kernel did not grant when a snapshot was taken; none if it does not say.
pub fn not_granted(plan: &[u32], snapshot: &Snapshot) -> Vec<u32> {
    let granted = snapshot.settings.iter().find(|(name, _)| name == CPUS).map(|(_, list)| cpulist::parse(list));
    let is_missing = |cpu: &&u32| granted.as_ref().is_some_and(|granted| !granted.contains(cpu));
    plan.iter().filter(is_missing).copied().collect()
}

/// Threads that may run on other CPUs than before, as `(name, was, became)`. One that began or ended in between is none.
pub fn moved<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<(&'a str, &'a str, &'a str)> {
    let moved = |after: &'a ThreadCounters| {
        let before = before.threads.iter().find(|before| before.thread == after.thread)?;
        let (was, became) = (before.cpus.as_deref()?, after.cpus.as_deref()?);
        (was != became).then_some((&*after.name, was, became))
    };
    after.threads.iter().filter_map(moved).collect()
}

/// Looks at a window, reduced as they come.
#[derive(Clone, Debug)]
pub struct Series {
    cpus: Vec<u32>,
    from_mono_ns: u64,
    first: Option<Snapshot>,
    last: Option<Snapshot>,
    seen: Watched,
}

impl Series {
    /// An empty series for a window that begins at `from_mono_ns`.
    pub fn new(cpus: Vec<u32>, from_mono_ns: u64) -> Series {
        Series { cpus, from_mono_ns, first: None, last: None, seen: Watched::default() }
    }

    /// One more look, and the processor time that it took.
    pub fn add(&mut self, look: Snapshot, cpu_ns: u64) {
        self.seen.looks += 1;
        self.seen.cpu_ns = self.seen.cpu_ns.saturating_add(cpu_ns);
        let last = self.last.replace(look);
        let (Some(last), Some(look)) = (last, &self.last) else {
            self.first.clone_from(&self.last);
            return;
        };
        let first = self.first.as_ref().unwrap_or(&last);
        let at_ns = look.mono_ns.saturating_sub(self.from_mono_ns);
        for peak in worst(first, &last, look, &self.cpus) {
            keep_worse(&mut self.seen.peaks, Peak { at_ns, ..peak });
        }
        for (name, was, became) in changed(&last.settings, &look.settings) {
            if self.seen.changes.len() < CHANGES_MAX {
                let [was, became] = [was, became].map(|value| value.map(str::to_owned));
                self.seen.changes.push(SettingChange { name: name.to_owned(), was, became, at_ns });
            }
        }
    }

    /// What they saw.
    pub fn seen(&self) -> &Watched {
        &self.seen
    }
}

/// By rate: looks are not equally far apart.
fn keep_worse(peaks: &mut Vec<Peak>, peak: Peak) {
    let rank = |one: &Peak, other: &Peak| match one.disturbance {
        Disturbance::FrequencyLow => other.amount.cmp(&one.amount),
        Disturbance::FrequencyHigh => one.amount.cmp(&other.amount),
        _ => {
            let times = |peak: &Peak, span_ns: u64| u128::from(peak.amount) * u128::from(span_ns);
            times(one, other.span_ns).cmp(&times(other, one.span_ns))
        }
    };
    match peaks.binary_search_by_key(&peak.disturbance, |peak| peak.disturbance) {
        Ok(place) if rank(&peak, &peaks[place]).is_gt() => peaks[place] = peak,
        Ok(_) => {}
        Err(place) => peaks.insert(place, peak),
    }
}

struct Between<'a> {
    first: &'a Snapshot,
    before: &'a Snapshot,
    after: &'a Snapshot,
    cpus: &'a [u32],
}

impl Between<'_> {
    /// In order of [`Disturbance`].
    fn found(&self) -> impl Iterator<Item = Disturbed> {
        let (low, high) = self.frequencies();
        let found = [
            low,
            high,
            self.of_cpus(Disturbance::Throttled, |snapshot| &snapshot.throttled),
            self.of_cpus(Disturbance::Steal, |snapshot| &snapshot.steal_ns),
            self.of_cpus(Disturbance::Interrupts, |snapshot| &snapshot.interrupts),
            self.of_threads(Disturbance::Migrations, |thread| thread.migrations.unwrap_or(0)),
            self.of_threads(Disturbance::MinorFaults, |thread| thread.minor_faults),
            self.of_threads(Disturbance::MajorFaults, |thread| thread.major_faults),
            self.pressure(),
        ];
        found.into_iter().flatten()
    }

    fn measures(&self, cpu: u32) -> bool {
        self.cpus.is_empty() || self.cpus.contains(&cpu)
    }

    fn of_cpus(&self, disturbance: Disturbance, counter: impl Fn(&Snapshot) -> &[(u32, u64)]) -> Option<Disturbed> {
        let increases = increases(counter(self.before), counter(self.after));
        let (cpu, amount) = increases.filter(|(cpu, _)| self.measures(**cpu)).max_by_key(|(_, amount)| *amount)?;
        (amount > 0).then(|| (disturbance, cpu.to_string(), amount))
    }

    /// The disturbances of threads that were there before and after.
    fn of_threads(&self, disturbance: Disturbance, counter: impl Fn(&ThreadCounters) -> u64) -> Option<Disturbed> {
        let increase = |after: &ThreadCounters| {
            let before = self.before.threads.iter().find(|before| before.thread == after.thread)?;
            Some((after.name.clone(), counter(after).saturating_sub(counter(before))))
        };
        let increases = self.after.threads.iter().filter_map(increase);
        let (name, amount) = increases.max_by_key(|(_, amount)| *amount)?;
        (amount > 0).then_some((disturbance, name, amount))
    }

    fn pressure(&self) -> Option<Disturbed> {
        let increases = increases(&self.before.pressure_us, &self.after.pressure_us);
        let (resource, amount) = increases.max_by_key(|(_, amount)| *amount)?;
        (amount > 0).then(|| (Disturbance::Pressure, resource.clone(), amount))
    }

    /// The lowest and the highest. By the cycles that a CPU counted where that is known, else by two looks.
    fn frequencies(&self) -> (Option<Disturbed>, Option<Disturbed>) {
        let mut ratios: BTreeMap<u32, u64> = BTreeMap::new();
        let first: BTreeMap<u32, u64> = self.first.frequency_khz.iter().copied().collect();
        for (cpu, khz) in &self.after.frequency_khz {
            if let Some(ratio) = first.get(cpu).and_then(|first| ppm(*khz, *first)) {
                ratios.insert(*cpu, ratio);
            }
        }
        for (cpu, real, nominal) in &self.after.cycles {
            let before = self.before.cycles.iter().find(|(other, ..)| other == cpu);
            // The registers may wrap around.
            let counted = before.and_then(|(_, real_before, nominal_before)| {
                ppm(real.wrapping_sub(*real_before), nominal.wrapping_sub(*nominal_before))
            });
            ratios.extend(counted.map(|ratio| (*cpu, ratio)));
        }
        ratios.retain(|cpu, _| self.measures(*cpu));
        let found = |disturbance, (cpu, ratio): (&u32, &u64)| (disturbance, cpu.to_string(), *ratio);
        let low = ratios.iter().min_by_key(|(_, ratio)| **ratio).filter(|(_, ratio)| **ratio < PAR_PPM);
        let high = ratios.iter().max_by_key(|(_, ratio)| **ratio).filter(|(_, ratio)| **ratio > PAR_PPM);
        (low.map(|low| found(Disturbance::FrequencyLow, low)), high.map(|high| found(Disturbance::FrequencyHigh, high)))
    }
}

/// How much each counter grew that is in both.
fn increases<'a, K: Ord>(before: &'a [(K, u64)], after: &'a [(K, u64)]) -> impl Iterator<Item = (&'a K, u64)> {
    let first: BTreeMap<&K, u64> = before.iter().map(|(of, count)| (of, *count)).collect();
    after.iter().filter_map(move |(of, count)| Some((of, count.saturating_sub(*first.get(of)?))))
}

fn ppm(part: u64, whole: u64) -> Option<u64> {
    let ratio = (u128::from(part) * u128::from(PAR_PPM)).checked_div(u128::from(whole))?;
    u64::try_from(ratio).ok()
}

/// In words, without the time.
impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peak { disturbance, of, amount, span_ns, at_ns: _ } = self;
        let span_ms = span_ns / 1_000_000;
        match disturbance {
            Disturbance::FrequencyLow | Disturbance::FrequencyHigh => {
                let percent = *amount as f64 * 100.0 / PAR_PPM as f64;
                write!(f, "CPU {of} ran at {percent:.1} % of its frequency")
            }
            Disturbance::Throttled => write!(f, "CPU {of} was throttled {amount} times in {span_ms} ms"),
            Disturbance::Steal => {
                write!(f, "{:.1} ms of {span_ms} ms of CPU {of} were stolen", *amount as f64 / 1e6)
            }
            Disturbance::Interrupts => write!(f, "CPU {of} served {amount} interrupts of devices in {span_ms} ms"),
            Disturbance::Migrations => write!(f, "a thread of {of} was moved {amount} times in {span_ms} ms"),
            Disturbance::MinorFaults => write!(f, "a thread of {of} had {amount} page faults in {span_ms} ms"),
            Disturbance::MajorFaults => {
                write!(f, "a thread of {of} had {amount} page faults that needed a disk in {span_ms} ms")
            }
            Disturbance::Pressure => {
                write!(f, "something waited for {of} for {:.1} ms of {span_ms} ms", *amount as f64 / 1e3)
            }
        }
    }
}

#[cfg(test)]
mod tests;
