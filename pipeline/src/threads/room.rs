//! Whether limits leave so much room for threads that none needs to be tried: the user's own limit, that of address
//! space, and those of the groups of processes that this one is in. What cannot be told is no room. It must not know what
//! is done where there is none.

use std::fs;
use std::path::Path;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// Where groups of processes lie, and in which folder of it those that count processes do where each kind has its own.
const GROUPS: &str = "/sys/fs/cgroup";
const COUNTING: &str = "pids";

/// Whether so many threads more can be made beyond doubt.
pub(super) fn is_ample(more: u64) -> bool {
    let unlimited = |resource| getrlimit(resource).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    let text = |path: &str| fs::read_to_string(path).ok();
    let of_user = || {
        let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
        // A user has at most all threads that there are.
        Some(soft == RLIM_INFINITY || soft >= all_threads(&text("/proc/loadavg")?)?.checked_add(more)?)
    };
    let of_groups = || left_in_groups(Path::new(GROUPS), &text("/proc/self/cgroup")?);
    unlimited(Resource::RLIMIT_AS) && of_user() == Some(true) && of_groups().is_some_and(|left| left >= more)
}

/// How many threads there are on this machine: `0.00 0.01 0.05 1/98 27543` has 98.
fn all_threads(loadavg: &str) -> Option<u64> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

/// How many processes may be added to the group that counts them, and to all above it that can be seen.
fn left_in_groups(groups: &Path, of_self: &str) -> Option<u64> {
    let mut lines = of_self.lines().filter_map(|line| line.split_once(':').and_then(|(_, rest)| rest.split_once(':')));
    let counting = |kinds: &str| kinds.split(',').any(|kind| kind == COUNTING);
    let (folder, own) = match lines.clone().find(|(kinds, _)| counting(kinds)) {
        Some((_, own)) => (groups.join(COUNTING), own),
        None => (groups.to_path_buf(), lines.find(|(kinds, _)| kinds.is_empty())?.1),
    };
    let mut left = u64::MAX;
    let mut own = Path::new(own.trim_start_matches('/'));
    loop {
        let here = folder.join(own);
        // One that lies elsewhere, as seen from inside a container, says nothing.
        if !here.is_dir() {
            return None;
        }
        left = left.min(left_in(&here)?);
        match own.parent() {
            Some(above) => own = above,
            None => return Some(left),
        }
    }
}

/// The same of one group; no limit where it counts none.
fn left_in(group: &Path) -> Option<u64> {
    let Ok(most) = fs::read_to_string(group.join("pids.max")) else { return Some(u64::MAX) };
    if most.trim() == "max" {
        return Some(u64::MAX);
    }
    let now: u64 = fs::read_to_string(group.join("pids.current")).ok()?.trim().parse().ok()?;
    Some(most.trim().parse::<u64>().ok()?.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_group_counts_and_what_is_not_seen_is_no_room() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let put = |group: &str, most: &str, now: &str| {
            let group = folder.path().join(group);
            fs::create_dir_all(&group).expect("it is ours");
            fs::write(group.join("pids.max"), most).expect("it is ours");
            fs::write(group.join("pids.current"), now).expect("it is ours");
        };
        let left = |of_self: &str| left_in_groups(folder.path(), of_self);
        put("a/b", "max\n", "7\n");
        assert_eq!(left("0::/a/b\n"), Some(u64::MAX));
        put("a", "100\n", "90\n");
        assert_eq!(left("0::/a/b\n"), Some(10));
        put("a/b", "20\n", "15\n");
        assert_eq!(left("1:cpu:/x\n0::/a/b\n"), Some(5));
        put("a/b", "20\n", "25\n");
        assert_eq!(left("0::/a/b\n"), Some(0));
        // Groups of which each kind has its own folder.
        put("pids/c", "50\n", "20\n");
        assert_eq!(left("8:cpu,pids:/c\n0::/a/b\n"), Some(30));
        assert_eq!(left("8:pids:/\n0::/\n"), Some(u64::MAX));
        for unseen in ["0::/elsewhere\n", "8:pids:/elsewhere\n0::/\n", "", "nonsense\n", "1:cpu:/\n"] {
            assert_eq!(left(unseen), None, "{unseen}");
        }
        put("a", "many\n", "90\n");
        assert_eq!(left("0::/a\n"), None);
    }

    #[test]
    fn threads_of_the_machine_are_counted() {
        assert_eq!(all_threads("0.48 0.96 1.80 1/98 27543\n"), Some(98));
        for nonsense in ["", "1 2 3", "1 2 3 4 5", "1 2 3 4/x 5"] {
            assert_eq!(all_threads(nonsense), None);
        }
    }
}
