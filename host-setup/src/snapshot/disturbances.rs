//! What disturbs measuring CPUs and threads, as far as this kernel and this user's rights show it: what cannot
//! be read is absent. The parsers are pure. It must not know windows or thresholds.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::protocol::{Snapshot, ThreadCounters};

/// Counters of cycles at nominal and at real frequency, as Intel and AMD number them.
const MSR_MPERF: u64 = 0xe7;
const MSR_APERF: u64 = 0xe8;

/// Everything but times, ports and settings. Interrupts are those of all CPUs, the rest of `cpus`.
pub(super) fn read(root: &Path, cpus: &[u32]) -> Snapshot {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let each = |file: &dyn Fn(u32) -> Option<u64>| cpus.iter().filter_map(|cpu| Some((*cpu, file(*cpu)?))).collect();
    let number = |path: String| fs::read_to_string(root.join(path)).ok()?.trim().parse::<u64>().ok();
    let cpu_file = |cpu: u32, file: &str| number(format!("sys/devices/system/cpu/cpu{cpu}/{file}"));
    let throttled = |cpu: u32| {
        let core = cpu_file(cpu, "thermal_throttle/core_throttle_count")?;
        Some(core.saturating_add(cpu_file(cpu, "thermal_throttle/package_throttle_count").unwrap_or(0)))
    };
    let pressure =
        |resource: &&str| Some(((*resource).to_owned(), waited_us(&text(&format!("proc/pressure/{resource}")))?));
    Snapshot {
        interrupts: interrupts(&text("proc/interrupts")),
        frequency_khz: each(&|cpu| cpu_file(cpu, "cpufreq/scaling_cur_freq")),
        cycles: cpus.iter().filter_map(|cpu| cycles(root, *cpu)).collect(),
        throttled: each(&throttled),
        pressure_us: ["cpu", "io", "memory"].iter().filter_map(pressure).collect(),
        threads: threads(root),
        ..Snapshot::default()
    }
}

/// Devices' interrupts a CPU: the numbered lines. Those with names are the processors' own, of which the
/// timer's never stop.
fn interrupts(text: &str) -> Vec<(u32, u64)> {
    let mut lines = text.lines();
    let heads = lines.next().unwrap_or_default().split_ascii_whitespace();
    let mut sums: Vec<(u32, u64)> =
        heads.filter_map(|head| Some((head.strip_prefix("CPU")?.parse().ok()?, 0))).collect();
    for line in lines {
        let mut words = line.split_ascii_whitespace();
        let numbered = words.next().and_then(|head| head.strip_suffix(':')?.parse::<u32>().ok()).is_some();
        if numbered {
            for ((_, sum), count) in sums.iter_mut().zip(words.map_while(|word| word.parse::<u64>().ok())) {
                *sum = sum.saturating_add(count);
            }
        }
    }
    sums
}

/// Needs the module `msr` and root.
fn cycles(root: &Path, cpu: u32) -> Option<(u32, u64, u64)> {
    let file = File::open(root.join(format!("dev/cpu/{cpu}/msr"))).ok()?;
    let register = |number: u64| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, number).ok()?;
        Some(u64::from_ne_bytes(bytes))
    };
    Some((cpu, register(MSR_APERF)?, register(MSR_MPERF)?))
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345`, microseconds.
fn waited_us(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_ascii_whitespace().find_map(|word| word.strip_prefix("total=")?.parse().ok())
}

/// Threads of every process but the first in the worker's own process namespace; none elsewhere, where there
/// would be those of a whole host.
fn threads(root: &Path) -> Vec<ThreadCounters> {
    let own = fs::read_link(root.join("proc/self")).unwrap_or_default();
    if own != Path::new("1") {
        return Vec::new();
    }
    let numbered = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    };
    let mut threads = Vec::new();
    for process in numbered(&root.join("proc")).into_iter().filter(|process| *process != 1) {
        let tasks = root.join(format!("proc/{process}/task"));
        for thread in numbered(&tasks) {
            let folder = tasks.join(thread.to_string());
            let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
            // One that has ended meanwhile has no counts.
            if let Some((name, minor_faults, major_faults)) = faults(&text("stat")) {
                let migrations = migrations(&text("sched"));
                let cpus = allowed(&text("status"));
                threads.push(ThreadCounters { thread, name, migrations, cpus, minor_faults, major_faults });
            }
        }
    }
    threads
}

/// Name, minor and major faults out of a `stat` line; the name may hold anything, brackets too.
fn faults(stat: &str) -> Option<(String, u64, u64)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    // state ppid pgrp session tty tpgid flags minflt cminflt majflt
    let words: Vec<&str> = tail.split_ascii_whitespace().collect();
    Some((name, words.get(7)?.parse().ok()?, words.get(9)?.parse().ok()?))
}

/// `se.nr_migrations : 12`.
fn migrations(sched: &str) -> Option<u64> {
    let line = sched.lines().find(|line| line.starts_with("se.nr_migrations"))?;
    line.rsplit_once(':')?.1.trim().parse().ok()
}

/// `Cpus_allowed_list:\t0-3`.
fn allowed(status: &str) -> Option<String> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(list.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_of_devices_only() {
        let text = "           CPU0       CPU2\n 24:          1          5  IO-APIC   5-edge      ACPI:Ged\n \
                    25:          2          0  PCI-MSIX-0000:00:01.0   0-edge      eth0\nLOC:    450    434   Local\nERR:  0\n";
        assert_eq!(interrupts(text), [(0, 3), (2, 5)]);
        assert!(interrupts("").is_empty());
    }

    #[test]
    fn times_waited_and_counts_of_threads() {
        assert_eq!(waited_us("some avg10=1.00 avg60=0.00 avg300=0.00 total=77\nfull total=5\n"), Some(77));
        assert_eq!(waited_us(""), None);
        let stat = "12 (a) b (c)) R 1 1 1 0 -1 4194304 321 0 7 0 5 5 0 0 20 0 1 0 100 1 1";
        assert_eq!(faults(stat), Some(("a) b (c)".into(), 321, 7)));
        assert_eq!(faults("12 (x) R 1"), None);
        assert_eq!(migrations("gen (12, #threads: 1)\n-----\nse.nr_migrations       :      9\n"), Some(9));
        assert_eq!(migrations(""), None);
        assert_eq!(allowed("Cpus_allowed:\tf\nCpus_allowed_list:\t0-3\n"), Some("0-3".into()));
        assert_eq!(allowed(""), None);
    }

    #[test]
    fn reads_what_a_machine_shows() {
        let root = tempfile::tempdir().expect("a folder");
        let file = |path: &str, bytes: &[u8]| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, bytes).expect("a file");
        };
        file("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", b"2200000\n");
        file("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", b"3\n");
        file("sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", b"4\n");
        let mut registers = vec![0; 256];
        registers[0xe7..0xef].copy_from_slice(&100u64.to_ne_bytes());
        // Registers overlap in a file, unlike in a processor: only the second is whole.
        registers[0xe8..0xf0].copy_from_slice(&90u64.to_ne_bytes());
        file("dev/cpu/1/msr", &registers);
        let snapshot = read(root.path(), &[0, 1]);
        assert_eq!(snapshot.frequency_khz, [(1, 2_200_000)]);
        assert_eq!(snapshot.throttled, [(1, 7)]);
        assert_eq!((snapshot.cycles[0].0, snapshot.cycles[0].1), (1, 90));
        assert!(snapshot.threads.is_empty() && snapshot.pressure_us.is_empty());
    }
}
