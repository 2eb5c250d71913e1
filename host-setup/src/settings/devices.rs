//! Virtual functions and drivers of network devices. Interfaces that must stay are refused here, whoever asks.
//! It must not know what the devices are for.

use super::protected::{SSH_PORT, in_use, leads_elsewhere, protected};
use super::{Change, SetVf, refused};
use crate::failure::During;
use crate::lease::list::{is_driver, is_interface, is_pci};
use crate::lease::tree::{Tree, number};
use crate::lease::{Record, change};
use crate::protocol::{Achieved, Failure, FailureKind, Vfs};

const PCI: &str = "sys/bus/pci";
/// PCI classes, by their beginnings: network devices, and what only leads to others.
const CLASS_NETWORK: &str = "0x02";
const CLASS_BRIDGE: &str = "0x06";
/// The driver that gives a device to a program, safely behind an IOMMU.
const VFIO: &str = "vfio-pci";

/// Makes virtual functions where there are none yet; those that are there may be in use.
pub(super) fn make_vfs(change: &mut Change<'_>, vfs: &Vfs, set_vf: &mut SetVf<'_>) -> Result<(), Failure> {
    let Vfs { interface, each } = vfs;
    let doing = || format!("make {} virtual functions on {interface}", each.len());
    may_have_functions(change.tree, interface)?;
    let device = format!("sys/class/net/{interface}/device");
    let Some(most) = number::<usize>(change.tree, &format!("{device}/sriov_totalvfs")) else {
        return Err(refused(format!("{}: it has no SR-IOV", doing()), "switch SR-IOV on in the firmware"));
    };
    let is = number::<usize>(change.tree, &format!("{device}/sriov_numvfs")).unwrap_or(0);
    if is != 0 {
        let advice = format!("if nobody needs them: echo 0 > /{device}/sriov_numvfs");
        return Err(refused(format!("{}: it has {is} already, which may be in use", doing()), advice));
    }
    if each.len() > most {
        return Err(refused(format!("{}: it can have {most}", doing()), "ask for fewer"));
    }
    // Addresses are set before a driver sees them.
    change.exactly(&format!("{device}/sriov_drivers_autoprobe"), "0")?;
    change.exactly(&format!("{device}/sriov_numvfs"), &each.len().to_string())?;
    let mut addresses = Vec::new();
    for (place, vf) in each.iter().enumerate() {
        let place = u32::try_from(place).request(doing)?;
        let address = change.tree.target(&format!("{device}/virtfn{place}"));
        let address = address.filter(|address| is_pci(address));
        let Some(address) = address else {
            return Err(refused(format!("{}: number {place} did not appear", doing()), "look at the kernel's log"));
        };
        set_vf(interface, place, vf).host(|| format!("set up virtual function {place} of {interface}"))?;
        addresses.push(address);
    }
    for (vf, address) in each.iter().zip(&addresses) {
        if let Some(driver) = &vf.driver {
            bind(change, address, driver)?;
        }
    }
    // The rest is the kernel's, which looks at no function as long as this says so.
    change.exactly(&format!("{device}/sriov_drivers_autoprobe"), "1")?;
    for (_, address) in each.iter().zip(&addresses).filter(|(vf, _)| vf.driver.is_none()) {
        // Without a driver for it a virtual function is there all the same.
        let _ = change.tree.write(&format!("{PCI}/drivers_probe"), address);
    }
    change.says(format!("{interface} has {} virtual functions", addresses.len()));
    change.achieved.vfs.push((interface.clone(), addresses));
    Ok(())
}

/// Gives a network device to a driver.
pub(super) fn bind(change: &mut Change<'_>, address: &str, driver: &str) -> Result<(), Failure> {
    let doing = || format!("bind {address} to {driver}");
    if !is_pci(address) || !is_driver(driver) {
        let message = format!("{}: a device is named like 0000:3b:02.1, a driver like vfio-pci", doing());
        return Err(Failure::new(FailureKind::Request, message));
    }
    let device = format!("{PCI}/devices/{address}");
    let class = change.tree.read(&format!("{device}/class")).host(|| format!("{}: find the device", doing()))?;
    if !class.starts_with(CLASS_NETWORK) {
        let message = format!("{}: it is no network device but of class {class}", doing());
        return Err(Failure::new(FailureKind::Request, message));
    }
    for interface in change.tree.list(&format!("{device}/net")) {
        must_not_stay(change.tree, &interface, &doing)?;
    }
    if number::<u32>(change.tree, &format!("{device}/sriov_numvfs")).is_some_and(|vfs| vfs > 0) {
        return Err(refused(format!("{}: it has virtual functions", doing()), "bind those instead"));
    }
    if driver == VFIO {
        has_iommu(change.tree, address, &device, &doing)?;
    }
    if change.tree.read(&format!("{device}/driver_override")).is_err() {
        return Err(refused(format!("{}: this kernel lacks driver_override", doing()), "use Linux 3.16 or later"));
    }
    let bound = change.tree.target(&format!("{device}/driver"));
    if bound.as_deref() == Some(driver) {
        return Ok(());
    }
    change.to(&format!("{device}/driver_override"), driver).host(doing)?;
    let became = change.to(&format!("{device}/driver"), driver);
    match became.host(|| format!("{}; is the driver loaded? modprobe {driver}", doing()))? {
        now if now == driver => {
            change.says(format!("{address} is bound to {driver}, before to {}", bound.as_deref().unwrap_or("none")));
            Ok(())
        }
        now => {
            let message = format!("{}: the kernel gave it to {:?}", doing(), now);
            Err(refused(message, format!("load the driver: modprobe {driver}")))
        }
    }
}

/// Gives a network device to programs whole: from the kernel's driver to the one that does so behind an IOMMU.
///
/// # Errors
/// When it must not be given away, or cannot be.
pub fn give_whole(tree: &mut dyn Tree, record: &mut dyn Record, address: &str) -> Result<(), Failure> {
    bind(&mut Change { tree, record, achieved: Achieved::default() }, address, VFIO)
}

/// Gives a network device that programs had whole back to the kernel's driver, for now: what it was before all of that
/// the journal knows.
///
/// # Errors
/// When the driver does not take it.
pub fn give_to_kernel(
    tree: &mut dyn Tree,
    record: &mut dyn Record,
    address: &str,
    driver: &str,
) -> Result<(), Failure> {
    let doing = || format!("give {address} back to {driver}");
    if !is_pci(address) || !is_driver(driver) {
        return Err(Failure::new(FailureKind::Request, doing()));
    }
    let became = change(tree, record, &format!("{PCI}/devices/{address}/driver"), driver).host(doing)?;
    match became == driver {
        true => Ok(()),
        false => Err(refused(format!("{}: the kernel gave it to {became:?}", doing()), format!("modprobe {driver}"))),
    }
}

/// Refuses an interface of which no functions may be made.
pub(crate) fn may_have_functions(tree: &dyn Tree, interface: &str) -> Result<(), Failure> {
    let doing = || format!("make virtual functions on {interface}");
    if !is_interface(interface) {
        return Err(Failure::new(FailureKind::Request, format!("{}: no interface has such a name", doing())));
    }
    must_not_stay(tree, interface, &doing)
}

fn must_not_stay(tree: &dyn Tree, interface: &str, doing: &dyn Fn() -> String) -> Result<(), Failure> {
    let advice = "name another device: Septet never touches such an interface";
    if let Some(why) = protected(tree, &ssh_ports()).remove(interface) {
        return Err(refused(format!("{}: {interface} {why}", doing()), advice));
    }
    match in_use(tree, interface) {
        None => Ok(()),
        Some(why) => Err(refused(format!("{}: {interface} {why}, so somebody uses it", doing()), advice)),
    }
}

/// Refuses an interface that must stay where it is: what is reached through it, or stands on it, would be lost.
pub(crate) fn may_move(tree: &dyn Tree, interface: &str) -> Result<(), Failure> {
    let doing = format!("move {interface} away");
    let advice = "name another interface: Septet never touches such a one";
    if !is_interface(interface) {
        return Err(Failure::new(FailureKind::Request, format!("{doing}: no interface has such a name")));
    }
    let why = protected(tree, &ssh_ports()).remove(interface).or_else(|| leads_elsewhere(tree, interface));
    why.map_or(Ok(()), |why| Err(refused(format!("{doing}: it {why}"), advice)))
}

/// The port of ssh, and the one that this very program was started through.
fn ssh_ports() -> Vec<u16> {
    let connection = std::env::var("SSH_CONNECTION").unwrap_or_default();
    let own = connection.split_ascii_whitespace().nth(3).and_then(|port| port.parse().ok());
    own.into_iter().chain([SSH_PORT]).collect()
}

/// A program may have a device only if an IOMMU keeps it to that program's memory.
fn has_iommu(tree: &dyn Tree, address: &str, device: &str, doing: &dyn Fn() -> String) -> Result<(), Failure> {
    let Some(group) = tree.target(&format!("{device}/iommu_group")) else {
        let advice = "switch VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on iommu=pt";
        return Err(refused(format!("{}: it is in no IOMMU group", doing()), advice));
    };
    if tree.list(&format!("{PCI}/drivers/{VFIO}")).is_empty() {
        return Err(refused(format!("{}: the driver is not loaded", doing()), format!("modprobe {VFIO}")));
    }
    for other in tree.list(&format!("sys/kernel/iommu_groups/{group}/devices")) {
        let device = format!("{PCI}/devices/{other}");
        let is_bridge = tree.read(&format!("{device}/class")).is_ok_and(|class| class.starts_with(CLASS_BRIDGE));
        let driver = tree.target(&format!("{device}/driver"));
        if other != address && !is_bridge && driver.as_deref().is_some_and(|driver| driver != VFIO) {
            let message = format!("{}: {other} is in its IOMMU group {group} and has another driver", doing());
            return Err(refused(message, format!("bind {other} to {VFIO} first, if it can be spared")));
        }
    }
    Ok(())
}
