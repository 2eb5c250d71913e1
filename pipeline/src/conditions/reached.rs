//! How the switch of a test reaches another host, and of which card it has virtual functions. Pure. It must not know
//! what else a test runs through.

use host_setup::facts::{Facts, Privilege, function_drivers};
use host_setup::scene::Uplink;
use host_setup::scene::checked::is_pci_address;
use host_setup::switch::uplink::By;
use host_setup::switch::{Descriptor, Ends};
use results::tuple::Tuple;

use super::containers_a_side;
use crate::ready::Card;
use crate::stand::CableEnd;

/// How a switch reaches the other host over an end of a cable, or why it cannot.
pub(super) fn uplink(facts: &Facts, descriptor: &Descriptor, end: &CableEnd, place: usize) -> Result<Uplink, String> {
    let by = match descriptor.uplinks() {
        [By::Kernel] => By::Kernel,
        _ => end.dpdk,
    };
    let name = &descriptor.name;
    if by == By::Kernel && is_pci_address(&end.device) {
        return Err(format!("{name} needs an interface, and the site file gives the PCI address {}", end.device));
    }
    if let Some(why) = facts.nics.iter().find(|nic| nic.name == end.device).and_then(|nic| nic.must_stay.as_ref()) {
        return Err(format!("{} is not given to a switch: it {why}", end.device));
    }
    if by == By::Pci {
        let why = "a device by its PCI address would have to be taken from the kernel, which this version does not do";
        return Err(format!("{name} cannot reach the other host: {why}; name the interface in the site file"));
    }
    if facts.privilege != Privilege::Root {
        return Err("only root can give a switch a network card".to_string());
    }
    facts.component_of_uplink(name, by)?;
    Ok(Uplink { device: end.device.clone(), by, side: u8::try_from(place).unwrap_or(u8::MAX) })
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
