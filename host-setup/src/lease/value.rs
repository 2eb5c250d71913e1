//! How the value of a setting is read and given: most are files, some show a choice in brackets, a driver is
//! a link. It must not know which value is wanted, or that it will be given back.

use std::io;

use super::list::{is_action, is_driver};
use super::tree::Tree;

/// What `driver_override` shows when there is none.
const NO_OVERRIDE: &str = "(null)";

/// The value of a setting, as it can be given back by [`set`].
///
/// # Errors
/// The system's.
pub fn get(tree: &dyn Tree, path: &str) -> io::Result<String> {
    if let Some(device) = device_of(path) {
        // A device without a driver is one with the driver of no name.
        tree.read(&format!("{device}/driver_override"))?;
        return Ok(tree.target(path).unwrap_or_default());
    }
    let text = tree.read(path)?;
    // `always [madvise] never` is `madvise`.
    let chosen = text.split_once('[').and_then(|(_, rest)| Some(rest.split_once(']')?.0.to_owned()));
    Ok(chosen.unwrap_or(text))
}

/// Gives a setting a value. What became of it is for [`get`] to say.
///
/// # Errors
/// The system's.
pub fn set(tree: &mut dyn Tree, path: &str, value: &str) -> io::Result<()> {
    if let Some(device) = device_of(path) {
        return bind(tree, device, value);
    }
    let none = path.ends_with("/driver_override") && value == NO_OVERRIDE;
    tree.write(path, if none { "\n" } else { value })
}

/// Whether a value is but the means by which another setting is changed, so that a foreign value in it is
/// still this program's own.
pub(crate) fn is_means(path: &str) -> bool {
    path.ends_with("/driver_override")
}

/// Whether a setting may be gone with what it belonged to (an interrupt, a service, a virtual function that is given back
/// already), and is no loss then: a device that comes back has forgotten which driver it was bound to.
pub(crate) fn may_vanish(path: &str) -> bool {
    path.starts_with("proc/irq/") || path.ends_with("/cgroup.freeze") || device_of(path).is_some() || is_means(path)
}

fn device_of(path: &str) -> Option<&str> {
    path.strip_suffix("/driver").filter(|device| device.starts_with("sys/bus/pci/devices/"))
}

/// Takes a device from its driver and gives it to another; to none for the empty name.
fn bind(tree: &mut dyn Tree, device: &str, driver: &str) -> io::Result<()> {
    let address = device.rsplit('/').next().unwrap_or_default();
    if !driver.is_empty() {
        if !is_driver(driver) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no driver has such a name"));
        }
        tree.write(&format!("{device}/driver_override"), driver)?;
    }
    if let Some(bound) = tree.target(&format!("{device}/driver")) {
        if bound == driver {
            return Ok(());
        }
        let unbind = format!("sys/bus/pci/drivers/{bound}/unbind");
        if !is_action(&unbind) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("its driver has the name {bound:?}")));
        }
        tree.write(&unbind, address)?;
    }
    if driver.is_empty() { Ok(()) } else { tree.write("sys/bus/pci/drivers_probe", address) }
}
