//! Reads network devices: what they are, what drives them, and whether they may be touched. It must not judge
//! whether one is fit for a measurement.

use super::tree::Tree;
use crate::facts::Nic;
use crate::settings::protected::{SSH_PORT, protected};

const NET: &str = "sys/class/net";

/// Every interface with a device below it, in order of name. `firmware` is asked for a version by name.
pub(super) fn read(tree: &Tree, firmware: &dyn Fn(&str) -> Option<String>) -> Vec<Nic> {
    let protected = protected(&tree.settings(), &[SSH_PORT]);
    let nic = |name: String| {
        let device = format!("{NET}/{name}/device");
        if !tree.exists(&device) {
            return None;
        }
        let count = |file: &str| tree.number::<u32>(&format!("{device}/{file}"));
        Some(Nic {
            // The device's folder is called by its address.
            address: tree.target(&device).unwrap_or_default(),
            driver: tree.target(&format!("{device}/driver")),
            vendor_device: tree
                .text(&format!("{device}/vendor"))
                .zip(tree.text(&format!("{device}/device")))
                .map(|(vendor, device)| format!("{}:{}", hex(&vendor), hex(&device))),
            firmware: firmware(&name),
            carrier: tree.number::<u8>(&format!("{NET}/{name}/carrier")).map(|carrier| carrier != 0),
            // -1 while the link is down, and for devices that have no speed.
            speed_mbps: tree.number::<i64>(&format!("{NET}/{name}/speed")).and_then(|speed| u64::try_from(speed).ok()),
            // -1 on machines of one node.
            node: tree.number::<i64>(&format!("{device}/numa_node")).and_then(|node| u32::try_from(node).ok()),
            vfs: count("sriov_numvfs"),
            vfs_max: count("sriov_totalvfs"),
            physical_function: tree.list(&format!("{device}/physfn/net")).into_iter().next(),
            iommu_group: tree.target(&format!("{device}/iommu_group")),
            must_stay: protected.get(&name).cloned(),
            name,
        })
    };
    tree.list(NET).into_iter().filter_map(nic).collect()
}

fn hex(text: &str) -> &str {
    text.strip_prefix("0x").unwrap_or(text)
}
