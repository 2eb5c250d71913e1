//! Moves devices' interrupts away from CPUs, and pauses irqbalance, which would move them back. It must not
//! know which CPUs measure.

use std::collections::BTreeMap;

use super::{Change, refused};
use crate::cpulist;
use crate::failure::During;
use crate::lease::list::is_setting;
use crate::lease::tree::{Tree, numbered};
use crate::protocol::{Failure, FailureKind};

const IRQS: &str = "proc/irq";

/// The process that spreads interrupts over CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Balancer {
    pub pid: u32,
    /// The file that freezes it; absent where it is in a control group with others, or in none.
    pub freezer: Option<String>,
}

/// irqbalance, if it runs.
pub(crate) fn balancer(tree: &dyn Tree) -> Option<Balancer> {
    let is_balancer = |pid: &u32| tree.read(&format!("proc/{pid}/comm")).is_ok_and(|name| name == "irqbalance");
    let pid = numbered(tree, "proc", "").into_iter().find(is_balancer)?;
    let groups = tree.read(&format!("proc/{pid}/cgroup")).unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let freezer = group.map(|group| format!("sys/fs/cgroup/{group}/cgroup.freeze"));
    Some(Balancer { pid, freezer: freezer.filter(|path| is_setting(path) && tree.read(path).is_ok()) })
}

pub(super) fn pause_balancer(change: &mut Change<'_>) -> Result<(), Failure> {
    match balancer(change.tree) {
        None => Ok(()),
        Some(Balancer { freezer: Some(path), pid }) => {
            if change.tree.read(&path).is_ok_and(|frozen| frozen == "0") {
                change.says(format!("irqbalance (process {pid}) is paused"));
            }
            change.exactly(&path, "1")
        }
        Some(Balancer { freezer: None, pid }) => {
            let message = format!("pause irqbalance (process {pid}): it has no control group of its own");
            Err(refused(message, "stop it: systemctl stop irqbalance"))
        }
    }
}

/// Interrupts that the kernel does not let go of a CPU (managed queues, timers) are told, and stay.
pub(super) fn quiet(change: &mut Change<'_>, quiet: &[u32]) -> Result<(), Failure> {
    if quiet.is_empty() {
        return Ok(());
    }
    let doing = || format!("move interrupts away from CPUs {}", cpulist::format(quiet));
    let online = cpulist::parse(&change.tree.read("sys/devices/system/cpu/online").host(doing)?);
    let others: Vec<u32> = online.iter().copied().filter(|cpu| !quiet.contains(cpu)).collect();
    if others.is_empty() {
        let message = format!("{}: no other CPU is online", doing());
        return Err(Failure::new(FailureKind::Request, message));
    }
    let (mut moved, mut stayed) = (0, Vec::new());
    for irq in numbered(change.tree, IRQS, "") {
        let path = format!("{IRQS}/{irq}/smp_affinity_list");
        let Ok(list) = change.tree.read(&path) else { continue };
        let now = cpulist::parse(&list);
        if now.is_empty() || !now.iter().any(|cpu| quiet.contains(cpu)) {
            continue;
        }
        let left: Vec<u32> = now.into_iter().filter(|cpu| others.contains(cpu)).collect();
        let target = cpulist::format(if left.is_empty() { &others } else { &left });
        match change.to(&path, &target) {
            Ok(became) if became == target => moved += 1,
            Ok(_) | Err(_) => stayed.push(irq),
        }
    }
    if let Ok(mask) = change.tree.read("proc/irq/default_smp_affinity") {
        let wanted = mask_of(&others, &mask);
        // New interrupts only: one that cannot be set is no loss for those that are there.
        let _ = change.to("proc/irq/default_smp_affinity", &wanted);
    }
    if moved > 0 {
        change.says(format!("{moved} interrupts were moved away from CPUs {}", cpulist::format(quiet)));
    }
    if !stayed.is_empty() {
        let list = cpulist::format(&stayed);
        change.limit(format!("interrupts {list} cannot be moved away from measuring CPUs"));
    }
    Ok(())
}

/// Moves interrupts that only second threads of cores serve to the first ones, before those go offline: the kernel would
/// move them anywhere and forget where they were.
pub(super) fn leave_siblings(change: &mut Change<'_>) {
    const CPUS: &str = "sys/devices/system/cpu";
    let online = cpulist::parse(&change.tree.read(&format!("{CPUS}/online")).unwrap_or_default());
    let first = |cpu: u32| {
        let siblings = change.tree.read(&format!("{CPUS}/cpu{cpu}/topology/thread_siblings_list")).unwrap_or_default();
        (cpu, cpulist::parse(&siblings).into_iter().min().unwrap_or(cpu))
    };
    let firsts: BTreeMap<u32, u32> = online.into_iter().map(first).collect();
    for irq in numbered(change.tree, IRQS, "") {
        let path = format!("{IRQS}/{irq}/smp_affinity_list");
        let now = cpulist::parse(&change.tree.read(&path).unwrap_or_default());
        if now.is_empty() || now.iter().any(|cpu| firsts.get(cpu).is_none_or(|first| first == cpu)) {
            continue;
        }
        let mut stay: Vec<u32> = now.iter().filter_map(|cpu| firsts.get(cpu).copied()).collect();
        stay.sort_unstable();
        stay.dedup();
        // One that the kernel does not let go is the kernel's to move.
        let _ = change.to(&path, &cpulist::format(&stay));
    }
}

/// A mask of CPUs as the kernel writes them: words of 32 bits in hex with commas in between, as many digits as
/// `like` has, so that what is read back is what was written.
fn mask_of(cpus: &[u32], like: &str) -> String {
    let words: Vec<&str> = like.split(',').collect();
    let word = |(place, text): (usize, &&str)| {
        let low = u32::try_from((words.len() - 1 - place).saturating_mul(32)).unwrap_or(u32::MAX);
        let bits = cpus
            .iter()
            .filter_map(|cpu| cpu.checked_sub(low).filter(|bit| *bit < 32))
            .fold(0u32, |word, bit| word | 1 << bit);
        format!("{bits:0width$x}", width = text.len().min(8))
    };
    words.iter().enumerate().map(word).collect::<Vec<_>>().join(",")
}

/// CPUs that an interrupt may be served by; for facts.
pub(crate) fn affinity(tree: &dyn Tree, irq: u32) -> Option<Vec<u32>> {
    Some(cpulist::parse(&tree.read(&format!("{IRQS}/{irq}/smp_affinity_list")).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_look_as_the_kernel_writes_them() {
        assert_eq!(mask_of(&[0], "3"), "1");
        assert_eq!(mask_of(&[0, 1, 39], "ff,ffffffff"), "80,00000003");
        assert_eq!(mask_of(&[], "ffffffff,ffffffff"), "00000000,00000000");
    }
}
