//! The network card whose virtual functions are given to containers, and what of DPDK drives those. Pure. It must not
//! know how functions are made.

use super::{Facts, Nic};

/// A kind of card, by the kernel's driver.
struct Kind {
    /// The kernel's driver of the card.
    card: &'static str,
    /// The kernel's driver of its functions.
    function: &'static str,
    /// Libraries of DPDK that drive its functions, in the order in which they are loaded. The bus is among what the
    /// generator loads anyway.
    dpdk: &'static [&'static str],
}

/// Cards whose functions an IOMMU can keep to one program, so that DPDK drives them through vfio-pci.
const KINDS: [Kind; 4] = [
    Kind { card: "igb", function: "igbvf", dpdk: &["net_e1000"] },
    Kind { card: "ixgbe", function: "ixgbevf", dpdk: &["net_ixgbe"] },
    Kind { card: "i40e", function: "iavf", dpdk: &["common_iavf", "net_iavf"] },
    Kind { card: "ice", function: "iavf", dpdk: &["common_iavf", "net_iavf"] },
];

fn kind(driver: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.card == driver)
}

/// Libraries of DPDK that drive functions of a card with this driver of the kernel's, in the order in which they are
/// loaded; absent for one of which that is not known.
pub fn function_drivers(driver: &str) -> Option<&'static [&'static str]> {
    kind(driver).map(|kind| kind.dpdk)
}

/// The kernel's driver of such a card's functions.
pub fn function_module(driver: &str) -> Option<&'static str> {
    kind(driver).map(|kind| kind.function)
}

/// The card whose functions are given to containers: the first that has SR-IOV and that nobody needs.
///
/// # Errors
/// Why there is none, in words that complete "skipped: ...".
pub fn card(nics: &[Nic]) -> Result<&Nic, String> {
    let able = || nics.iter().filter(|nic| nic.vfs_max.is_some_and(|most| most > 0));
    if let Some(card) = able().find(|nic| taken(nic).is_none()) {
        return Ok(card);
    }
    let reasons: Vec<String> = able().filter_map(taken).collect();
    match reasons.is_empty() {
        true => Err("no network card here has SR-IOV".into()),
        false => Err(format!("no network card with SR-IOV is free: {}", reasons.join("; "))),
    }
}

/// Why no functions are made of a card that could have some.
fn taken(nic: &Nic) -> Option<String> {
    match (&nic.must_stay, nic.vfs) {
        (Some(why), _) => Some(format!("{} {why}", nic.name)),
        (None, Some(vfs @ 1..)) => {
            Some(format!("{} has {vfs} virtual functions already, which may be in use", nic.name))
        }
        _ => None,
    }
}

impl Facts {
    /// The card at the end of a cable, if functions can be made of it; what drives them must be what is fingerprinted
    /// here, that of [`Facts::card`].
    ///
    /// # Errors
    /// Why not, in words that complete "skipped: ...".
    pub fn card_at(&self, device: &str) -> Result<&Nic, String> {
        let Some(nic) = self.nics.iter().find(|nic| nic.name == device || nic.address == device) else {
            return Err(format!("{device}, at the end of the cable, is no network card"));
        };
        if nic.vfs_max.unwrap_or(0) == 0 {
            return Err(format!("{device}, at the end of the cable, has no SR-IOV"));
        }
        match taken(nic) {
            Some(why) => Err(why),
            None if nic.driver != self.card()?.driver => {
                Err(format!("{device} has another driver than other cards here"))
            }
            None => Ok(nic),
        }
    }

    /// The card whose functions are given to containers here; see [`card`].
    ///
    /// # Errors
    /// Why there is none, in words that complete "skipped: ...".
    pub fn card(&self) -> Result<&Nic, String> {
        card(&self.nics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Privilege;
    use crate::survey::Around;

    fn around() -> Around {
        Around { allowed: vec![0], privilege: Privilege::Root, signature: None, firmware: |_| None }
    }

    #[test]
    fn the_first_card_that_nobody_needs() {
        let nic = |name: &str, vfs, vfs_max, must_stay: Option<&str>| Nic {
            name: name.into(),
            vfs,
            vfs_max,
            must_stay: must_stay.map(str::to_owned),
            ..Nic::default()
        };
        let plain = nic("eth0", None, None, None);
        let route = nic("eth1", Some(0), Some(7), Some("carries the default route"));
        let used = nic("eth2", Some(2), Some(7), None);
        let free = nic("eth3", Some(0), Some(7), None);
        assert_eq!(card(&[plain.clone(), route.clone(), used.clone(), free]).map(|card| &*card.name), Ok("eth3"));
        let error = card(&[plain.clone(), route, used]).expect_err("none is free");
        assert!(error.contains("eth1 carries the default route; eth2 has 2 virtual functions"), "{error}");
        assert_eq!(card(std::slice::from_ref(&plain)).expect_err("none has them"), "no network card here has SR-IOV");
        let nics = vec![plain, nic("eth4", Some(0), Some(7), None)];
        let facts = Facts { nics, ..crate::survey::of_tree(std::path::Path::new("/nowhere"), &around()) };
        assert_eq!(facts.card_at("eth4").map(|card| &*card.name), Ok("eth4"));
        assert!(facts.card_at("eth0").is_err_and(|why| why.contains("has no SR-IOV")));
        assert!(facts.card_at("eth9").is_err_and(|why| why.contains("is no network card")));
        assert_eq!(function_drivers("igb"), Some(&["net_e1000"][..]));
        assert_eq!((function_drivers("mlx5_core"), function_module("ice")), (None, Some("iavf")));
    }
}
