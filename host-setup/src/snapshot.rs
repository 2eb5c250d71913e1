//! Counters of what disturbs a measurement, from `/proc/stat`. The parser is pure; it must not know windows
//! or thresholds.

mod disturbances;
pub(crate) mod load;
mod watch;

use std::path::Path;

use nix::time::{ClockId, clock_gettime};

pub(crate) use self::watch::Watch;
use crate::failure::During;
use crate::lease::tree::HostTree;
use crate::protocol::{Failure, PortCounters, Snapshot};
use crate::{affinity, settings};

/// The unit of `/proc/stat` towards programs, whatever the kernel's own tick is.
const NS_PER_TICK: u64 = 10_000_000;

/// Takes one. What costs a look at each CPU is read of `cpus` only, of all that are online if there are none.
pub(crate) fn take(ports: Vec<PortCounters>, cpus: &[u32]) -> Result<Snapshot, Failure> {
    let root = Path::new("/");
    let stat = std::fs::read_to_string("/proc/stat").host(|| "read /proc/stat".into())?;
    let counted = parse(&stat);
    let online: Vec<u32> = counted.busy_ns.iter().map(|(cpu, _)| *cpu).collect();
    let mut settings = settings::state(&HostTree::at(root), cpus);
    settings.extend(affinity::state());
    let disturbed = disturbances::read(root, if cpus.is_empty() { &online } else { cpus });
    Ok(Snapshot {
        mono_ns: mono_ns()?,
        ports,
        settings,
        steal_ns: counted.steal_ns,
        busy_ns: counted.busy_ns,
        context_switches: counted.context_switches,
        ..disturbed
    })
}

/// `CLOCK_MONOTONIC`, ns.
pub(crate) fn mono_ns() -> Result<u64, Failure> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).host(|| "read the clock".into())?;
    Ok(std::time::Duration::from(now).as_nanos().try_into().unwrap_or(u64::MAX))
}

/// Everything but the clock and the ports. Lines and columns that are not understood count as absent.
fn parse(stat: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for line in stat.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next() else { continue };
        if name == "ctxt" {
            snapshot.context_switches = words.next().and_then(|word| word.parse().ok());
        }
        let Some(cpu) = name.strip_prefix("cpu").and_then(|number| number.parse().ok()) else { continue };
        // user nice system idle iowait irq softirq steal ...
        let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        let sum = |columns: &[usize]| columns.iter().filter_map(|column| ticks.get(*column)).sum::<u64>();
        if ticks.len() > 6 {
            snapshot.busy_ns.push((cpu, sum(&[0, 1, 2, 5, 6]).saturating_mul(NS_PER_TICK)));
        }
        if let Some(steal) = ticks.get(7) {
            snapshot.steal_ns.push((cpu, steal.saturating_mul(NS_PER_TICK)));
        }
    }
    snapshot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_nothing_else() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 7 4 5 6 0 0\ncpu1 1 1 1 1 1 1 1\nintr 5 1 2\nctxt 77\n";
        let snapshot = parse(stat);
        assert_eq!(snapshot.busy_ns, [(0, 150_000_000), (1, 50_000_000)]);
        assert_eq!(snapshot.steal_ns, [(0, 60_000_000)], "an old kernel has no column for it");
        assert_eq!(snapshot.context_switches, Some(77));
        assert_eq!(parse("nonsense\ncpux 1\n"), Snapshot::default());
    }
}
