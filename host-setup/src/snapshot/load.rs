//! Who had the processors between two readings of `/proc`: the agent and what descends from it, the kernel's threads, or
//! others. Read twice, before a window and after it, and never within. It must not know windows, scenes or thresholds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::NS_PER_TICK;
use crate::protocol::{Busy, Load};

/// Processes of others that are named.
const NAMED_MAX: usize = 3;
/// What stands for the name of a process that is neither the system's nor of who measures: it would be published with the
/// results. Its number tells who is there now.
const UNNAMED: &str = "another-user's";
/// The flag of a kernel's thread (`PF_KTHREAD`).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// Longer than any `stat` of a process: 52 numbers of at most 20 digits, and a name of at most 64 characters.
const STAT_BYTES_MAX: usize = 2048;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    parent: u32,
    /// When it began: numbers of processes come again.
    began: u64,
    name: String,
    /// Whose it is.
    user: u32,
    kernel: bool,
    /// The CPU that it ran on last.
    cpu: u32,
    own_ticks: u64,
    /// The time that its ended children took, in clock ticks.
    children_ticks: u64,
}

/// What processors and processes had done by some time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    mono_ns: u64,
    /// Time for programs and for the kernel on their behalf, as `(cpu, ticks)`; interrupts are nobody's.
    busy: Vec<(u32, u64)>,
    processes: BTreeMap<u32, Process>,
}

impl Reading {
    /// What is so now. What cannot be read is absent.
    pub(crate) fn take(root: &Path, mono_ns: u64) -> Reading {
        let busy = busy(&fs::read_to_string(root.join("proc/stat")).unwrap_or_default());
        let entries = fs::read_dir(root.join("proc")).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        // There are many, and each repetition waits for them twice: one call reads one, and only of those that may be
        // named is it asked whose they are.
        let mut bytes = [0; STAT_BYTES_MAX];
        let mut stat = |pid: u32| {
            let folder = root.join(format!("proc/{pid}"));
            let length = File::open(folder.join("stat")).and_then(|mut file| file.read(&mut bytes)).ok()?;
            let found = process(pid, &bytes[..length])?;
            match found.kernel {
                true => Some(found),
                // The folder is the user's also where a process lets nobody look into it; its files are root's then.
                false => Some(Process { user: fs::metadata(&folder).ok()?.uid(), ..found }),
            }
        };
        let processes = numbers.filter_map(&mut stat).map(|process| (process.pid, process));
        Reading { mono_ns, busy, processes: processes.collect() }
    }

    /// A process and all that descend from it.
    fn family(&self, of: u32) -> BTreeSet<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for process in self.processes.values() {
            children.entry(process.parent).or_default().push(process.pid);
        }
        let (mut family, mut open) = (BTreeSet::new(), vec![of]);
        while let Some(pid) = open.pop() {
            if family.insert(pid) {
                open.extend(children.get(&pid).into_iter().flatten());
            }
        }
        family
    }

    /// Ticks on `cpus` of the agent's family, of whoever started it, and of the kernel's threads. What ended children
    /// had is their parent's, so that nothing of the family is lost when one of it ends.
    fn ours(&self, agent: u32, starter: u32, cpus: &BTreeSet<u32>) -> u64 {
        let family = self.family(agent);
        let ticks = |process: &Process| {
            let there = if cpus.contains(&process.cpu) { process.own_ticks } else { 0 };
            match family.contains(&process.pid) {
                true => there + process.children_ticks,
                false if process.kernel || process.pid == starter => there,
                false => 0,
            }
        };
        self.processes.values().map(ticks).sum()
    }
}

/// What was spent on `cpus` from one reading to a later one; `agent` is the root of what is ours.
pub(crate) fn between(before: &Reading, after: &Reading, cpus: &[u32], (agent, starter): (u32, u32)) -> Load {
    let cpus: BTreeSet<u32> = cpus.iter().copied().collect();
    let busy = |reading: &Reading| {
        reading.busy.iter().filter(|(cpu, _)| cpus.contains(cpu)).map(|(_, ticks)| *ticks).sum::<u64>()
    };
    let spent = |of: &dyn Fn(&Reading) -> u64| of(after).saturating_sub(of(before)).saturating_mul(NS_PER_TICK);
    let family = after.family(agent);
    let own = after.processes.get(&starter).map_or(0, |process| process.user);
    let name = |of: &Process| if [0, own].contains(&of.user) { of.name.clone() } else { UNNAMED.to_string() };
    let others = after.processes.values().filter(|process| {
        !process.kernel && process.pid != starter && !family.contains(&process.pid) && cpus.contains(&process.cpu)
    });
    let mut busiest: Vec<Busy> = others
        .map(|process| {
            let same = before.processes.get(&process.pid).filter(|older| older.began == process.began);
            let ticks = process.own_ticks.saturating_sub(same.map_or(0, |older| older.own_ticks));
            Busy { name: name(process), pid: process.pid, cpu_ns: ticks.saturating_mul(NS_PER_TICK) }
        })
        .filter(|busy| busy.cpu_ns > 0)
        .collect();
    busiest.sort_by(|a, b| (b.cpu_ns, a.pid).cmp(&(a.cpu_ns, b.pid)));
    busiest.truncate(NAMED_MAX);
    Load {
        span_ns: after.mono_ns.saturating_sub(before.mono_ns),
        cpus: u32::try_from(cpus.len()).unwrap_or(u32::MAX),
        busy_ns: spent(&busy),
        ours_ns: spent(&|reading| reading.ours(agent, starter, &cpus)),
        busiest,
    }
}

/// Ticks in user, nice and system mode of each CPU.
fn busy(stat: &str) -> Vec<(u32, u64)> {
    let of_cpu = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let cpu = words.next()?.strip_prefix("cpu")?.parse().ok()?;
        Some((cpu, words.take(3).filter_map(|word| word.parse::<u64>().ok()).sum()))
    };
    stat.lines().filter_map(of_cpu).collect()
}

/// A process out of its `stat` line, which does not say whose it is: root's, as the kernel's threads are. The name may
/// hold anything, brackets too.
fn process(pid: u32, stat: &[u8]) -> Option<Process> {
    // Names are cut to 15 bytes, in the midst of a character too.
    let stat = String::from_utf8_lossy(stat);
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    // state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime ... start ... cpu
    let words: Vec<&str> = tail.split_ascii_whitespace().collect();
    let number = |place: usize| words.get(place)?.parse::<u64>().ok();
    Some(Process {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        began: number(19)?,
        name: name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(15).collect(),
        user: 0,
        kernel: number(6)? & KERNEL_THREAD != 0,
        cpu: u32::try_from(number(36)?).ok()?,
        own_ticks: number(11)?.saturating_add(number(12)?),
        children_ticks: number(13)?.saturating_add(number(14)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel_or_system(pid: u32) -> bool {
        pid < 9 || pid == 22
    }

    fn line(pid: u32, name: &str, parent: u32, flags: u64, (own, children): (u64, u64), cpu: u32) -> Process {
        let stat = format!(
            "{pid} ({name}) R {parent} 1 1 0 -1 {flags} 1 0 7 0 {own} 0 {children} 0 20 0 1 0 {} 1 1 1 1 1 1 1 1 1 1 1 1 1 \
             1 1 17 {cpu} 0 0",
            100 + pid
        );
        let user = if kernel_or_system(pid) { 0 } else { 1000 + u32::from(pid == 23) };
        let found = process(pid, stat.as_bytes()).expect("it is one");
        Process { user, ..found }
    }

    fn reading(mono_ns: u64, busy: &[(u32, u64)], processes: Vec<Process>) -> Reading {
        let processes = processes.into_iter().map(|process| (process.pid, process)).collect();
        Reading { mono_ns, busy: busy.to_vec(), processes }
    }

    #[test]
    fn what_neither_the_family_nor_the_kernel_had_was_others() {
        // 10 is the agent, 9 its starter, 11 its worker, 12 a generator that ends, 13 one that stays.
        let before = reading(
            0,
            &[(0, 100), (1, 100), (2, 0)],
            vec![
                line(2, "kthreadd", 0, KERNEL_THREAD, (0, 0), 0),
                line(3, "ksoftirqd/1", 2, KERNEL_THREAD, (5, 0), 1),
                line(9, "septet", 1, 0, (50, 0), 0),
                line(10, "septet-host", 9, 0, (10, 2), 2),
                line(11, "septet-host", 10, 0, (1, 0), 2),
                line(12, "septet-gen", 11, 0, (20, 0), 0),
                line(13, "septet-gen", 11, 0, (20, 0), 1),
                line(20, "a) b", 1, 0, (7, 90), 1),
                line(21, "elsewhere", 1, 0, (0, 0), 2),
            ],
        );
        let after = reading(
            1_000_000_000,
            &[(0, 190), (1, 180), (2, 70)],
            vec![
                line(2, "kthreadd", 0, KERNEL_THREAD, (0, 0), 0),
                line(3, "ksoftirqd/1", 2, KERNEL_THREAD, (15, 0), 1),
                line(9, "septet", 1, 0, (52, 0), 0),
                line(10, "septet-host", 9, 0, (60, 2), 2),
                line(11, "septet-host", 10, 0, (2, 60), 2),
                line(13, "septet-gen", 11, 0, (50, 0), 1),
                line(20, "a) b", 1, 0, (47, 90), 1),
                line(21, "elsewhere", 1, 0, (60, 0), 2),
                line(22, "new\u{1b}", 20, 0, (5, 0), 0),
                line(23, "secret", 1, 0, (4, 0), 0),
            ],
        );
        let load = between(&before, &after, &[0, 1], (10, 9));
        let ticks = |count: u64| count * NS_PER_TICK;
        assert_eq!((load.span_ns, load.cpus), (1_000_000_000, 2));
        assert_eq!(load.busy_ns, ticks(90 + 80));
        // The ended one's 60 less the 20 of before, the other's 30, the kernel's 10, the starter's 2.
        assert_eq!(load.ours_ns, ticks(40 + 30 + 10 + 2));
        assert_eq!(load.others_ns(), ticks(170 - 82));
        let named: Vec<(&str, u32, u64)> =
            load.busiest.iter().map(|busy| (busy.name.as_str(), busy.pid, busy.cpu_ns)).collect();
        assert_eq!(named, [("a)?b", 20, ticks(40)), ("new?", 22, ticks(5)), (UNNAMED, 23, ticks(4))]);
        // The same number is another process if it began at another time.
        assert_eq!(process(1, b"1 (x) R 1"), None);
        let cut = line(30, "long name of 1", 1, 0, (0, 0), 0);
        let stat = format!(
            "30 (long name of 1X) R 1 1 1 0 -1 0 1 0 7 0 0 0 0 0 20 0 1 0 {}",
            "130 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 17 0 0 0"
        );
        let stat: Vec<u8> = stat.bytes().map(|byte| if byte == b'X' { 0xc3 } else { byte }).collect();
        let found = process(30, &stat).expect("a name that is cut in a character hides no process");
        assert_eq!((found.began, found.name.as_str()), (cut.began, "long?name?of?1?"));
    }

    #[test]
    fn a_machine_can_be_read() {
        let reading = Reading::take(Path::new("/"), 1);
        assert!(!reading.busy.is_empty() && reading.processes.contains_key(&std::process::id()));
        assert!(reading.family(std::process::id()).contains(&std::process::id()));
    }
}
