//! Hugepages of a node and size: so many that those asked for are free, compacting memory if the kernel finds
//! too little in one piece, and never so many that little is left for everything else. It must not know what they
//! are for.

use super::{Change, refused};
use crate::failure::During;
use crate::lease::tree::{Tree, number};
use crate::protocol::Failure;

/// Of the memory of a node that nobody uses, what pages may be made of. The kernel would take the last of it, and the
/// host with it.
const PARTS_MAX: (u64, u64) = (3, 4);

/// Sizes that measurements use.
#[derive(Clone, Copy)]
pub(super) enum Size {
    Mib2,
    Gib1,
}

impl Size {
    fn folder(self) -> &'static str {
        match self {
            Size::Mib2 => "hugepages-2048kB",
            Size::Gib1 => "hugepages-1048576kB",
        }
    }

    fn kib(self) -> u64 {
        match self {
            Size::Mib2 => 2 << 10,
            Size::Gib1 => 1 << 20,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Size::Mib2 => "2 MiB",
            Size::Gib1 => "1 GiB",
        }
    }
}

/// Pages of each node, all of them counted.
pub(super) fn apply(change: &mut Change<'_>, size: Size, wanted: &[(u32, u64)]) -> Result<Vec<(u32, u64)>, Failure> {
    wanted.iter().map(|(node, pages)| Ok((*node, reserve(change, size, *node, *pages)?))).collect()
}

fn reserve(change: &mut Change<'_>, size: Size, node: u32, pages: u64) -> Result<u64, Failure> {
    let folder = format!("sys/devices/system/node/node{node}/hugepages/{}", size.folder());
    let doing = || format!("have {pages} free {} hugepages on node {node}", size.name());
    let count = |change: &Change<'_>, file: &str| number::<u64>(change.tree, &format!("{folder}/{file}"));
    let Some(total) = count(change, "nr_hugepages") else {
        return Err(refused(
            format!("{}: there are none of that size or no such node", doing()),
            "see septet host facts",
        ));
    };
    let free = count(change, "free_hugepages").unwrap_or(total);
    // What others use stays theirs, and what they have reserved is not taken from them.
    let used = total.saturating_sub(free);
    let Some(needed) = used.checked_add(pages) else {
        return Err(refused(doing(), "ask for fewer"));
    };
    if total >= needed {
        return Ok(total);
    }
    let wanted_kib = (needed - total).saturating_mul(size.kib());
    if let Some(unused_kib) = unused_kib(change.tree, node)
        && wanted_kib > unused_kib / PARTS_MAX.1 * PARTS_MAX.0
    {
        let message = format!(
            "{}: {} MiB more are more than {} of {} parts of the {} MiB that nobody uses there",
            doing(),
            wanted_kib >> 10,
            PARTS_MAX.0,
            PARTS_MAX.1,
            unused_kib >> 10
        );
        return Err(refused(message, "ask for fewer, free memory on that node, or reserve them at boot"));
    }
    let path = format!("{folder}/nr_hugepages");
    let became = |value: String| value.parse::<u64>().host(doing);
    let mut now = became(change.to(&path, &needed.to_string()).host(doing)?)?;
    if now < needed {
        // Memory in pieces: the kernel is asked to move what is in the way. Where it cannot, that is no loss.
        let _ = change.tree.write("proc/sys/vm/compact_memory", "1");
        now = became(change.to(&path, &needed.to_string()).host(doing)?)?;
    }
    if now < needed {
        let found = now.saturating_sub(used);
        let message = format!("{}: the kernel found memory for {found}, also after compaction", doing());
        return Err(refused(message, "free memory on that node, ask for fewer, or reserve them at boot"));
    }
    change.says(format!("{} {} hugepages were added on node {node}", now - total, size.name()));
    Ok(now)
}

/// Memory of a node that is free or that the kernel gives up for the asking; absent where it does not say.
fn unused_kib(tree: &dyn Tree, node: u32) -> Option<u64> {
    let info = tree.read(&format!("sys/devices/system/node/node{node}/meminfo")).ok()?;
    // Node 0 MemFree:   123 kB
    let value = |name: &str| {
        let line = info.lines().find_map(|line| line.split_once(name)?.1.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    let free = value("MemFree")?;
    let given_up = ["Active(file)", "Inactive(file)", "SReclaimable"].into_iter().filter_map(value);
    Some(given_up.fold(free, u64::saturating_add))
}
