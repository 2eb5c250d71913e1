//! The whole list of arguments with which a generator's DPDK is started: memory, its one core, its one port.
//! Pure. It must not know which switch is at the other end beyond what that asks of this one.

use host_setup::eal::{self, GENERATOR_MIB, Memory, RING_SIZE};
use host_setup::scene::{PORT_FOLDER, PORT_SOCKET, driver_file};
use host_setup::switch::End;

/// In keys, the name of the CPU, whose number is not what makes a difference.
const CPU: &str = "CPU";
/// In keys, the PCI address of a virtual function, which is known once the host is leased.
pub const FUNCTION: &str = "FUNCTION";

/// The port of one generator.
#[derive(Clone, Copy, Debug)]
pub struct Port<'a> {
    /// What it finds at its end; none for one that is no DPDK port.
    pub end: End,
    /// The port's MAC address.
    pub mac: &'a str,
    /// How many queues the port has.
    pub queues: u16,
    /// Libraries of DPDK that drive a virtual function, in the order in which they are loaded.
    pub drivers: &'a [&'a str],
}

/// The arguments, in order, without the program's name; nothing for a port that is none of DPDK's.
pub fn arguments(port: &Port, memory: Memory, cpus: &[u32]) -> Vec<String> {
    let Port { end, mac, queues, drivers } = port;
    let socket = format!("{PORT_FOLDER}/{PORT_SOCKET}");
    let driver = |server: u8| {
        format!(
            "--vdev=net_virtio_user0,path={socket},mac={mac},queues={queues},queue_size={RING_SIZE},server={server}"
        )
    };
    let port = match end {
        End::Interface => return Vec::new(),
        End::Driver => driver(0),
        End::ListeningDriver => driver(1),
        End::Device => format!("--vdev=net_vhost0,iface={socket},queues={queues},client=1"),
        End::Function => format!("--allow={FUNCTION}"),
    };
    let cpus: Vec<String> = cpus.iter().take(1).map(u32::to_string).collect();
    let mut arguments = eal::arguments(memory, GENERATOR_MIB, &cpus);
    if *end == End::Function {
        arguments.retain(|argument| argument != eal::NO_PCI);
        arguments.extend(drivers.iter().flat_map(|driver| ["-d".to_string(), driver_file(driver)]));
    }
    arguments.push("--no-telemetry".into());
    arguments.push(port);
    arguments
}

/// These arguments for the virtual function at that PCI address.
pub fn at(arguments: &[String], address: &str) -> Vec<String> {
    arguments.iter().map(|argument| argument.replace(FUNCTION, address)).collect()
}

/// These arguments as keys have them: without what differs from run to run.
pub fn neutral(arguments: &[String]) -> Vec<String> {
    let neutral = |argument: &String| match argument.strip_prefix("--lcores=0@") {
        Some(_) => format!("--lcores=0@{CPU}"),
        None => argument.clone(),
    };
    arguments.iter().map(neutral).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_is_told_everything_and_keys_are_told_no_cpu() {
        let port = Port { end: End::Driver, mac: "02:73:70:00:00:01", queues: 2, drivers: &[] };
        let arguments = arguments(&port, Memory::NoHuge, &[5]);
        assert_eq!(
            arguments.join(" "),
            "--no-pci --iova-mode=va --no-huge --no-shconf -m 128 --lcores=0@5 --no-telemetry \
             --vdev=net_virtio_user0,path=/port/vhost.sock,mac=02:73:70:00:00:01,queues=2,queue_size=1024,server=0"
        );
        assert_eq!(neutral(&arguments)[6..8].join(" "), "--lcores=0@CPU --no-telemetry");
    }

    #[test]
    fn a_virtual_function_is_a_device_of_pci_with_its_own_drivers() {
        let drivers = ["common_iavf", "net_iavf"];
        let port = Port { end: End::Function, mac: "02:73:70:00:00:01", queues: 1, drivers: &drivers };
        let arguments = arguments(&port, Memory::Hugepages2m, &[5]);
        assert_eq!(
            at(&arguments, "0000:01:10.0").join(" "),
            "--iova-mode=va --in-memory --single-file-segments -m 128 --lcores=0@5 -d /drivers/common_iavf.so \
             -d /drivers/net_iavf.so --no-telemetry --allow=0000:01:10.0"
        );
        assert!(neutral(&arguments).contains(&"--allow=FUNCTION".to_string()));
    }
}
