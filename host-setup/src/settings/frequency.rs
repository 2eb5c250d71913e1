//! Turbo, governor and bounds of the CPUs' frequency, for intel_pstate, acpi-cpufreq, amd-pstate and what else
//! has policies. It must not know which of them is wanted for a measurement.

use super::{Change, refused};
use crate::lease::tree::{Tree, number, numbered};
use crate::protocol::{Failure, FailureKind, Setup};

const CPU: &str = "sys/devices/system/cpu";

/// A switch of turbo: its file, and what is in it for on.
pub(crate) struct Turbo {
    pub path: String,
    on: &'static str,
    off: &'static str,
}

impl Turbo {
    pub(crate) fn word(&self, on: bool) -> &'static str {
        if on { self.on } else { self.off }
    }
}

/// The files that switch turbo on this host: one, or one each of `policies`; none where it cannot be switched.
pub(crate) fn turbos(tree: &dyn Tree, policies: &[String]) -> Vec<Turbo> {
    let intel = format!("{CPU}/intel_pstate/no_turbo");
    if tree.read(&intel).is_ok() {
        return vec![Turbo { path: intel, on: "0", off: "1" }];
    }
    let common = format!("{CPU}/cpufreq/boost");
    if tree.read(&common).is_ok() {
        return vec![Turbo { path: common, on: "1", off: "0" }];
    }
    let each = policies.iter().map(|policy| format!("{policy}/boost"));
    each.filter(|path| tree.read(path).is_ok()).map(|path| Turbo { path, on: "1", off: "0" }).collect()
}

/// The paths by which turbo is set, for facts.
pub(crate) fn turbo_paths(tree: &dyn Tree) -> Vec<String> {
    turbos(tree, &policies(tree)).into_iter().map(|turbo| turbo.path).collect()
}

/// Folders of the frequency policies. Those of CPUs that are offline stay there, and have no governor.
pub(crate) fn policies(tree: &dyn Tree) -> Vec<String> {
    let folder = format!("{CPU}/cpufreq");
    let all = numbered(tree, &folder, "policy").into_iter().map(|policy| format!("{folder}/policy{policy}"));
    all.filter(|policy| tree.read(&format!("{policy}/scaling_governor")).is_ok()).collect()
}

/// Folders of the frequency policies of some CPUs, of all if there are none. One may be there more than once.
pub(crate) fn policies_of(tree: &dyn Tree, cpus: &[u32]) -> Vec<String> {
    if cpus.is_empty() {
        return policies(tree);
    }
    cpus.iter().map(|cpu| format!("{CPU}/cpu{cpu}/cpufreq")).collect()
}

pub(super) fn apply(change: &mut Change<'_>, setup: &Setup) -> Result<(), Failure> {
    if let Some(on) = setup.turbo {
        turbo(change, on)?;
    }
    if let Some(governor) = &setup.governor {
        self::governor(change, governor)?;
    }
    if let Some((min_khz, max_khz)) = setup.frequency_khz {
        bounds(change, min_khz, max_khz)?;
    }
    Ok(())
}

fn turbo(change: &mut Change<'_>, on: bool) -> Result<(), Failure> {
    let word = if on { "on" } else { "off" };
    let turbos = turbos(change.tree, &policies(change.tree));
    if turbos.is_empty() {
        let message = format!("switch turbo {word}: no file of this host does that");
        return Err(refused(message, "switch it in the firmware, or load a frequency driver that can"));
    }
    let already = turbos.iter().all(|turbo| change.tree.read(&turbo.path).is_ok_and(|now| now == turbo.word(on)));
    for turbo in &turbos {
        change.exactly(&turbo.path, turbo.word(on))?;
    }
    if !already {
        change.says(format!("turbo is {word}"));
    }
    Ok(())
}

fn governor(change: &mut Change<'_>, governor: &str) -> Result<(), Failure> {
    let policies = policies(change.tree);
    if policies.is_empty() {
        let message = format!("set governor {governor}: this host does not control its frequency");
        return Err(refused(message, "give the system control of performance states in the firmware"));
    }
    let mut changed = 0;
    for policy in &policies {
        let offered = change.tree.read(&format!("{policy}/scaling_available_governors")).unwrap_or_default();
        if !offered.split_ascii_whitespace().any(|offer| offer == governor) {
            let message = format!("set governor {governor}: /{policy} offers {offered:?}");
            return Err(refused(message, format!("load it: modprobe cpufreq_{governor}")));
        }
        let path = format!("{policy}/scaling_governor");
        changed += u32::from(change.tree.read(&path).is_ok_and(|now| now != governor));
        change.exactly(&path, governor)?;
    }
    if changed > 0 {
        change.says(format!("governor is {governor} for {changed} of {} policies", policies.len()));
    }
    Ok(())
}

fn bounds(change: &mut Change<'_>, min_khz: u64, max_khz: u64) -> Result<(), Failure> {
    if min_khz > max_khz {
        let message = format!("bound the frequency: {min_khz} kHz is above {max_khz} kHz");
        return Err(Failure::new(FailureKind::Request, message));
    }
    let policies = policies(change.tree);
    if policies.is_empty() {
        let message = "bound the frequency: this host does not control it";
        return Err(refused(message, "give the system control of performance states in the firmware"));
    }
    for policy in &policies {
        let least = number(change.tree, &format!("{policy}/cpuinfo_min_freq")).unwrap_or(0);
        let most = number(change.tree, &format!("{policy}/cpuinfo_max_freq")).unwrap_or(u64::MAX);
        if min_khz < least || max_khz > most {
            let message = format!("bound the frequency of /{policy} to {min_khz} to {max_khz} kHz");
            return Err(refused(message, format!("it can have {least} to {most} kHz")));
        }
        let (min, max) = (format!("{policy}/scaling_min_freq"), format!("{policy}/scaling_max_freq"));
        // A bound that would pass the other one is refused by the kernel: the one that makes room goes first.
        let above = number::<u64>(change.tree, &max).is_some_and(|now| min_khz > now);
        let order = if above { [(&max, max_khz), (&min, min_khz)] } else { [(&min, min_khz), (&max, max_khz)] };
        for (path, khz) in order {
            change.exactly(path, &khz.to_string())?;
        }
    }
    change.says(format!("frequency is bound to {min_khz} to {max_khz} kHz"));
    Ok(())
}
