//! Virtual functions of a lease: which of a card's has which address, how one comes into the namespace of scenes,
//! and what devices an application needs that gets one whole. It must not know how they are made.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use crate::facts::function_drivers;
use crate::failure::During;
use crate::links;
use crate::protocol::{Achieved, Failure, FailureKind, Setup};
use crate::scene::checked::{CheckedLink, Mac};
use crate::scene::{Link, Scene};

/// Where the kernel shows devices by PCI address.
const DEVICES: &str = "/sys/bus/pci/devices";
/// Where it gives them to programs.
pub(crate) const VFIO: &str = "/dev/vfio";

/// A virtual function of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The function's MAC address, by which scenes name it.
    pub mac: Mac,
    /// The function's PCI address.
    pub address: String,
}

/// The functions that were made as a setup asked; those without an address of their own cannot be named.
pub(crate) fn of(setup: &Setup, achieved: &Achieved) -> Vec<Function> {
    let made = |interface: &str| achieved.vfs.iter().find(|(name, _)| name == interface).map(|(_, made)| made);
    let functions = setup.vfs.iter().flat_map(|vfs| vfs.each.iter().zip(made(&vfs.interface).into_iter().flatten()));
    let named = functions.filter_map(|(vf, address)| {
        let mac = vf.mac.as_deref()?.parse().ok()?;
        Some(Function { mac, address: address.clone() })
    });
    named.collect()
}

/// Libraries of DPDK that drive the functions of a setup which applications get whole, in the order of loading.
pub(crate) fn drivers(setup: &Setup) -> &'static [&'static str] {
    let whole = setup.vfs.iter().find(|vfs| vfs.each.iter().any(|vf| vf.driver.is_some()));
    let driver = whole.and_then(|vfs| {
        let driver = fs::read_link(format!("/sys/class/net/{}/device/driver", vfs.interface)).ok()?;
        Some(driver.file_name()?.to_string_lossy().into_owned())
    });
    driver.and_then(|driver| function_drivers(&driver)).unwrap_or_default()
}

/// The function of a lease that has an address.
pub(crate) fn find(functions: &[Function], mac: Mac) -> Result<&Function, Failure> {
    let found = functions.iter().find(|function| function.mac == mac);
    found.ok_or_else(|| {
        let message = format!("find the virtual function {mac}: the lease has none of that address");
        Failure::new(FailureKind::Request, message).advise("ask for it in the setup of the lease")
    })
}

/// The devices through which an application reaches a function that it gets whole.
pub(crate) fn devices(link: &CheckedLink, functions: &[Function]) -> Result<Vec<PathBuf>, Failure> {
    let CheckedLink::Function { mac, interface: None } = link else { return Ok(Vec::new()) };
    let Function { address, .. } = find(functions, *mac)?;
    let doing = || format!("give {address} to an application");
    let group = fs::read_link(Path::new(DEVICES).join(address).join("iommu_group")).scene(doing)?;
    let group = group.file_name().unwrap_or_default();
    Ok(vec![Path::new(VFIO).join("vfio"), Path::new(VFIO).join(group)])
}

/// Moves the interfaces of a scene's functions into the namespace of `worker`. Those that are not in this one any more
/// are there already.
pub(crate) fn move_in(scene: &Scene, functions: &[Function], worker: Pid) -> Result<(), Failure> {
    for container in &scene.containers {
        let Link::Function(function) = &container.link else { continue };
        // What makes no sense is refused by who checks the scene.
        let (Some(_), Ok(mac)) = (&function.interface, function.mac.parse::<Mac>()) else { continue };
        let Function { address, .. } = find(functions, mac)?;
        let Ok(names) = fs::read_dir(Path::new(DEVICES).join(address).join("net")) else { continue };
        for name in names.flatten() {
            let name = name.file_name().to_string_lossy().into_owned();
            links::send_to(&name, worker).scene(|| format!("move {name}, which is {address}, to its container"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Vf, Vfs};

    #[test]
    fn functions_are_named_by_the_addresses_that_were_asked_for() {
        let vf = |mac: &str| Vf { mac: Some(mac.into()), ..Vf::default() };
        let each = vec![vf("02:00:00:00:00:01"), Vf::default(), vf("02:00:00:00:00:02")];
        let setup = Setup { vfs: vec![Vfs { interface: "eth1".into(), each }], ..Setup::default() };
        let addresses = ["0000:01:10.0", "0000:01:10.2", "0000:01:10.4"].map(String::from).to_vec();
        let achieved = Achieved { vfs: vec![("eth1".into(), addresses)], ..Achieved::default() };
        let functions = of(&setup, &achieved);
        assert_eq!(functions.len(), 2);
        assert_eq!(find(&functions, functions[1].mac).expect("it is there").address, "0000:01:10.4");
        assert!(find(&functions, Mac([2, 0, 0, 0, 0, 9])).is_err());
        assert!(of(&setup, &Achieved::default()).is_empty());
    }
}
