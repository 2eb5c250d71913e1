//! Hugepages of a node and size: so many that those asked for are free, compacting memory if the kernel finds
//! too little in one piece. It must not know what they are for.

use super::{Change, refused};
use crate::failure::During;
use crate::lease::tree::number;
use crate::protocol::Failure;

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
