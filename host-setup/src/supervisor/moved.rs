//! An interface that is in the namespace of scenes, and who drives the card below it: the kernel, or DPDK in a switch, to
//! which the kernel gives it whole meanwhile. It must not know scenes, or what the card is at the other end of.

use nix::unistd::Pid;

use crate::failure::During;
use crate::lease::interface::{Interface, Returned};
use crate::lease::tree::Tree;
use crate::lease::{JournalFile, list, returned};
use crate::links::{self, HostLinks};
use crate::protocol::{Failure, FailureKind};
use crate::scene::Uplink;
use crate::settings;
use crate::switch::uplink::By;

/// An interface that was moved in.
pub(super) struct Moved {
    /// What it was before.
    pub(super) interface: Interface,
    /// The card below it, where there is one on the PCI bus.
    card: Option<Card>,
}

/// A network card.
#[derive(Debug, PartialEq, Eq)]
struct Card {
    address: String,
    /// The kernel's driver of it.
    driver: String,
}

impl Moved {
    /// One that is still where it was.
    pub(super) fn new(tree: &dyn Tree, interface: Interface) -> Moved {
        let device = format!("sys/class/net/{}/device", interface.name);
        let address = tree.target(&device).filter(|address| list::is_pci(address));
        let driver = tree.target(&format!("{device}/driver"));
        Moved { interface, card: address.zip(driver).map(|(address, driver)| Card { address, driver }) }
    }

    /// Whether it is what an uplink goes over.
    pub(super) fn is_of(&self, uplink: &Uplink) -> bool {
        match (uplink.by, &self.card) {
            (By::Pci, Some(card)) => card.address == uplink.device && uplink.card.as_ref() == Some(&card.driver),
            (By::Pci, None) => false,
            _ => self.interface.name == uplink.device,
        }
    }

    /// Has it driven as an uplink by that needs it. Whatever is changed is in the journal first.
    pub(super) fn drive(
        &self,
        by: By,
        tree: &mut dyn Tree,
        journal: &mut JournalFile,
        worker: Pid,
    ) -> Result<(), Failure> {
        let Some(Card { address, driver }) = &self.card else { return Ok(()) };
        let bound = tree.target(&format!("sys/bus/pci/devices/{address}/driver"));
        let is_kernels = bound.as_ref() == Some(driver);
        match (by, is_kernels) {
            (By::Pci, _) => settings::give_whole(tree, journal, address),
            (_, true) => Ok(()),
            (_, false) => {
                settings::give_to_kernel(tree, journal, address, driver)?;
                self.again(worker)
            }
        }
    }

    /// Moves the interface in that the kernel has made of the card again.
    fn again(&self, worker: Pid) -> Result<(), Failure> {
        let name = &self.interface.name;
        let doing = || format!("move {name} into the namespace of scenes again");
        match returned(&mut HostLinks, &self.interface) {
            Returned::Back => links::send_to(name, worker).host(doing),
            Returned::Gone(problem) | Returned::Failed(problem) => {
                Err(Failure::new(FailureKind::Host, format!("{}: {problem}", doing())))
            }
            Returned::NotYet => {
                Err(Failure::new(FailureKind::Host, format!("{}: the kernel makes none of its card", doing())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::lease::tree::HostTree;

    #[test]
    fn an_uplink_is_found_by_its_interface_or_by_the_card_below_it() {
        let root = tempfile::tempdir().expect("a folder");
        let net = root.path().join("sys/class/net");
        let device = root.path().join("sys/devices/pci0000:80/0000:81:00.0");
        for folder in [&net.join("ens1"), &net.join("veth0"), &device] {
            fs::create_dir_all(folder).expect("folders");
        }
        symlink("../../../devices/pci0000:80/0000:81:00.0", net.join("ens1/device")).expect("a link");
        symlink("../../../bus/pci/drivers/ice", device.join("driver")).expect("a link");
        let tree = HostTree::at(root.path());
        let moved = |name: &str| {
            let (mac, kind) = ("02:00:00:00:00:01".into(), None);
            let interface =
                Interface { name: name.into(), mac, kind, mtu_bytes: 1500, up: true, addresses: Vec::new() };
            Moved::new(&tree, interface)
        };
        let uplink = |device: &str, by, card: Option<&str>| Uplink {
            device: device.into(),
            by,
            side: 0,
            card: card.map(str::to_owned),
        };
        let real = moved("ens1");
        assert_eq!(real.card, Some(Card { address: "0000:81:00.0".into(), driver: "ice".into() }));
        assert!(real.is_of(&uplink("ens1", By::Kernel, None)));
        assert!(real.is_of(&uplink("0000:81:00.0", By::Pci, Some("ice"))));
        assert!(!real.is_of(&uplink("0000:81:00.0", By::Pci, Some("igb"))), "it would be given the wrong driver");
        assert!(!real.is_of(&uplink("0000:81:00.1", By::Pci, Some("ice"))));
        let made = moved("veth0");
        assert_eq!(made.card, None);
        assert!(!made.is_of(&uplink("0000:81:00.0", By::Pci, Some("ice"))));
        assert!(made.is_of(&uplink("veth0", By::AfXdp, None)));
    }
}
