//! What Open vSwitch is told, as words for its control program, and as text for keys. Pure. It must not know how it is
//! run.

use super::super::Shape;
use super::super::forwarder::{Names, pages};
use super::super::uplink::{By, UPLINK, Uplink};
use super::{BRIDGE, MEMORY_MIB};
use crate::eal::{self, NO_PCI};

/// The daemon's settings.
pub(super) fn settings(shape: &Shape, names: &Names, mask: impl Fn(&[String]) -> String) -> Vec<String> {
    // Memory is taken as needed, cores are said by masks.
    let mut eal: Vec<String> = eal::arguments(pages(shape), MEMORY_MIB, &[])
        .into_iter()
        .filter(|word| word != "-m" && *word != MEMORY_MIB.to_string())
        .collect();
    // Of all cards it is to look at the one that is given to it, and at no other.
    if shape.uplink.is_some_and(|uplink| uplink.by == By::Pci) {
        eal.iter_mut().filter(|word| *word == NO_PCI).for_each(|word| *word = format!("-a {}", names.uplink));
    }
    vec![
        "other_config:dpdk-init=true".into(),
        format!("other_config:dpdk-extra=\"{} --no-telemetry\"", eal.join(" ")),
        format!("other_config:dpdk-lcore-mask={}", mask(std::slice::from_ref(&names.main))),
        format!("other_config:pmd-cpu-mask={}", mask(&names.cores)),
        "other_config:n-handler-threads=1".into(),
        "other_config:n-revalidator-threads=1".into(),
        "other_config:emc-insert-inv-prob=100".into(),
        "other_config:smc-enable=false".into(),
        "other_config:tx-flush-interval=0".into(),
        "other_config:userspace-tso-enable=false".into(),
        "other_config:pmd-auto-lb=false".into(),
    ]
}

/// Each side of a test has an address of its own.
pub(super) fn bridge_settings(uplink: Option<Uplink>) -> [String; 6] {
    let side = uplink.map_or(0, |uplink| uplink.side);
    [
        "datapath_type=netdev".into(),
        "fail_mode=standalone".into(),
        "stp_enable=false".into(),
        "mcast_snooping_enable=false".into(),
        "other-config:mac-aging-time=300".into(),
        format!("other-config:hwaddr=\\\"02:73:65:70:ff:{side:02x}\\\""),
    ]
}

/// How a port is added, as words for the control program.
fn added(name: &str, kind: &str, place: usize, option: &str) -> Vec<String> {
    let number = place + 1;
    let words = format!(
        "-- add-port {BRIDGE} {name} -- set Interface {name} type={kind} ofport_request={number} options:{option}"
    );
    words.split(' ').map(str::to_owned).collect()
}

/// A port at a socket.
pub(super) fn port(port: usize, socket: &str) -> Vec<String> {
    added(&format!("p{port}"), "dpdkvhostuserclient", port, &format!("vhost-server-path={socket}"))
}

/// The words that make a port, and those that lead it to its socket once that is there.
pub(super) fn in_two(mut words: Vec<String>) -> (Vec<String>, Vec<String>) {
    // `-- add-port BRIDGE NAME -- set Interface NAME type=... ofport_request=... options:...`
    let option = words.pop().unwrap_or_default();
    let name = words.get(3).cloned().unwrap_or_default();
    (words, vec!["--".to_owned(), "set".into(), "Interface".into(), name, option])
}

/// The port that leads to another host.
pub(super) fn uplink_port(by: By, device: &str, ports: usize) -> Vec<String> {
    added(UPLINK, "dpdk", ports, &format!("dpdk-devargs={}", by.device(device)))
}

/// All of it, for keys.
pub(super) fn render(shape: &Shape) -> String {
    let names = Names::neutral(shape.cores, shape.ports);
    let mut text = String::from("ovsdb-server, ovs-vswitchd-dpdk; action NORMAL\n");
    for setting in settings(shape, &names, |cpus| format!("mask({})", cpus.join(","))) {
        text.push_str(&format!("set Open_vSwitch . {setting}\n"));
    }
    for setting in bridge_settings(shape.uplink) {
        text.push_str(&format!("set Bridge {BRIDGE} {setting}\n"));
    }
    for (place, socket) in names.sockets.iter().enumerate() {
        text.push_str(&format!("{}\n", port(place, socket).join(" ")));
    }
    if let Some(Uplink { by, .. }) = shape.uplink {
        text.push_str(&format!("{}\n", uplink_port(by, &names.uplink, names.sockets.len()).join(" ")));
    }
    text.push_str(&format!("queues {}, as each port's driver says\n", shape.queues));
    text
}

/// The hexadecimal mask of CPUs, by number.
pub(super) fn mask(cpus: &[String]) -> String {
    let mut digits = vec![0u8; 1];
    for cpu in cpus.iter().filter_map(|cpu| cpu.parse::<usize>().ok()) {
        let digit = cpu / 4;
        if digits.len() <= digit {
            digits.resize(digit + 1, 0);
        }
        digits[digit] |= 1 << (cpu % 4);
    }
    digits.iter().rev().fold(String::from("0x"), |text, digit| format!("{text}{digit:x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_made_and_led_to_its_socket_in_the_words_of_the_key() {
        let words = port(1, "/a");
        let (made, led) = in_two(words.clone());
        assert_eq!(made[..], words[..words.len() - 1]);
        assert_eq!(led.join(" "), "-- set Interface p1 options:vhost-server-path=/a");
    }

    #[test]
    fn masks_are_hexadecimal() {
        let mask_of = |cpus: &[&str]| mask(&cpus.iter().map(|cpu| (*cpu).to_owned()).collect::<Vec<_>>());
        assert_eq!([mask_of(&["0"]), mask_of(&["1", "4"]), mask_of(&["35"])], ["0x1", "0x12", "0x800000000"]);
    }
}
