//! Address and rights of a virtual function, which are set by netlink through its physical function. They end
//! with the virtual function, which ends with the lease. It must not know who may have which.

use std::io;

use netlink_packet_route::link::{VfInfo, VfInfoMac, VfInfoSpoofCheck, VfInfoTrust};

use crate::netlink::Netlink;
use crate::protocol::Vf;

/// Sets what is asked for of a virtual function of an interface.
pub(crate) fn set_vf(interface: &str, number: u32, vf: &Vf) -> io::Result<()> {
    let wishes = wishes(number, vf)?;
    if wishes.is_empty() {
        return Ok(());
    }
    Netlink::open().and_then(|mut netlink| netlink.set_vf(interface, wishes)).map_err(io::Error::other)
}

fn wishes(number: u32, vf: &Vf) -> io::Result<Vec<VfInfo>> {
    let mut wishes = Vec::new();
    if let Some(text) = &vf.mac {
        let bytes: Option<Vec<u8>> = text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
        // Neither a group's address nor none.
        let mac = bytes.filter(|bytes| bytes.len() == 6 && bytes[0] & 1 == 0 && bytes.iter().any(|byte| *byte != 0));
        let mac = mac.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{text} is no address")))?;
        wishes.push(VfInfo::Mac(VfInfoMac::new(number, &mac)));
    }
    wishes.extend(vf.trust.map(|on| VfInfo::Trust(VfInfoTrust::new(number, on))));
    wishes.extend(vf.spoofchk.map(|on| VfInfo::SpoofCheck(VfInfoSpoofCheck::new(number, on))));
    Ok(wishes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_host_only() {
        let vf = |mac: &str| Vf { mac: Some(mac.into()), trust: Some(true), spoofchk: Some(false), driver: None };
        assert_eq!(wishes(2, &vf("02:00:00:00:00:01")).map(|wishes| wishes.len()).ok(), Some(3));
        for mac in ["01:00:00:00:00:01", "00:00:00:00:00:00", "02:00:00:00:00", "x", ""] {
            assert!(wishes(2, &vf(mac)).is_err(), "{mac}");
        }
    }
}
