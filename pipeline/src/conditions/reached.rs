//! How the switch of a test reaches another host, and of which card it has virtual functions. Pure. It must not know
//! what else a test runs through.

use host_setup::facts::{Facts, Nic, Privilege, function_drivers};
use host_setup::scene::Uplink;
use host_setup::scene::checked::is_pci_address;
use host_setup::switch::uplink::{By, card_drivers};
use host_setup::switch::{Descriptor, Ends};
use results::tuple::Tuple;

use super::containers_a_side;
use super::written::nic_at;
use crate::ready::Card;
use crate::stand::CableEnd;

/// How a switch reaches the other host over an end of a cable, or why it cannot.
pub(super) fn uplink(facts: &Facts, descriptor: &Descriptor, end: &CableEnd, place: usize) -> Result<Uplink, String> {
    let by = match descriptor.uplinks() {
        [By::Kernel] => By::Kernel,
        _ => end.dpdk,
    };
    let CableEnd { device, .. } = end;
    let name = &descriptor.name;
    if by == By::Kernel && is_pci_address(device) {
        return Err(format!("{name} needs an interface, and the site file gives the PCI address {device}"));
    }
    if descriptor.ends == Ends::Functions && end.dpdk == By::Pci {
        let why = "which the site file gives to switches whole (uplink = \"pci\")";
        return Err(format!("{name} makes virtual functions of {device}, {why}"));
    }
    let nic = nic_at(facts, end);
    if let Some(why) = nic.and_then(|nic| nic.must_stay.as_ref()) {
        return Err(format!("{device} is not given to a switch: it {why}"));
    }
    if facts.privilege != Privilege::Root {
        return Err("only root can give a switch a network card".to_string());
    }
    let (device, card) = match by {
        By::Pci => whole(facts, device, nic).map_err(|why| format!("{name} cannot have {device} whole: {why}"))?,
        _ => (device.clone(), None),
    };
    let uplink = Uplink { device, by, side: u8::try_from(place).unwrap_or(u8::MAX), card };
    facts.component_of_uplink(name, &uplink)?;
    Ok(uplink)
}

/// Why a switch that is here cannot reach the other host over an end of a cable, in words.
pub(crate) fn cannot_reach(facts: &Facts, descriptor: &Descriptor, end: &CableEnd) -> Option<String> {
    uplink(facts, descriptor, end, 0).err()
}

/// The PCI address of a card that a switch gets whole, and the kernel's driver of it; or why it cannot have it.
fn whole(facts: &Facts, device: &str, nic: Option<&Nic>) -> Result<(String, Option<String>), String> {
    let Some(nic) = nic.filter(|nic| is_pci_address(&nic.address)) else {
        return Err(match is_pci_address(device) {
            true => {
                "the kernel has no interface of it, by which the cable is tried out first: give it back to its driver"
            }
            false => "it is no card on the PCI bus",
        }
        .to_string());
    };
    let driver = nic.driver.clone().unwrap_or_default();
    if card_drivers(&driver).is_none() {
        return Err(format!("no driver of DPDK's is known for cards of {driver}"));
    }
    if nic.vfs.is_some_and(|vfs| vfs > 0) {
        return Err("it has virtual functions, which may be in use".to_string());
    }
    if nic.iommu_group.is_none() {
        let advice = "switch VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on iommu=pt";
        return Err(format!("it is in no IOMMU group; {advice}"));
    }
    if !facts.knobs.vfio {
        return Err("the driver vfio-pci is not loaded; modprobe vfio-pci".to_string());
    }
    Ok((nic.address.clone(), Some(driver)))
}

/// The card whose virtual functions a test is measured over; absent where the switch is no card, or why there is none.
pub(super) fn card(
    facts: &Facts,
    tuple: &Tuple,
    descriptor: &Descriptor,
    end: Option<&CableEnd>,
) -> Result<Option<Card>, String> {
    if descriptor.ends != Ends::Functions {
        return Ok(None);
    }
    let nic = end.map_or_else(|| facts.card(), |end| facts.card_at(&end.device))?;
    let (most, wanted) = (nic.vfs_max.unwrap_or(0), containers_a_side(tuple));
    if wanted > most {
        return Err(format!("{} can have {most} virtual functions, and it takes {wanted}", nic.name));
    }
    let driver = nic.driver.as_deref().unwrap_or_default();
    Ok(Some(Card { interface: nic.name.clone(), drivers: function_drivers(driver).unwrap_or_default() }))
}
