//! The testbed itself: hosts are separate, cabled in pairs, and gone without remains.

use std::fs;
use std::path::Path;

use nix::sys::signal::kill;

use super::bed::{Testbed, until};

#[test]
fn hosts_are_apart_reached_by_name_and_cabled_in_pairs() {
    let Some(bed) = Testbed::up(&["north", "south", "east", "west"]) else { return };
    for host in ["north", "south", "east", "west"] {
        let output = bed.in_driver("ssh").args(["--", host, "hostname"]).output().expect("ssh starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), host, "{output:?}");
        assert_eq!(bed.said(host, "ls /sys/class/net"), "cable0\nlo\nmanagement");
        bed.said(host, &format!("echo {host} >/run/whose; echo {host} >/root/whose; echo {host} >/tmp/whose"));
    }
    assert_eq!(bed.said("north", "cat /run/whose /root/whose /tmp/whose"), "north\nnorth\nnorth");
    assert!(!Path::new("/run/whose").exists() && !Path::new("/tmp/whose").exists(), "it is this machine's");
    // What one end sends arrives at the other one, and nowhere else.
    let received = |host: &str| -> u64 {
        bed.said(host, "cat /sys/class/net/cable0/statistics/rx_packets").parse().expect("a number")
    };
    let before = ["south", "east", "west"].map(received);
    bed.said("north", "ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev cable0; ip addr add 10.1.0.1/24 dev cable0");
    bed.said("north", "bash -c 'for i in 1 2 3; do echo x >/dev/udp/10.1.0.2/9; done'");
    assert!(received("south") >= before[0] + 3);
    // Neighbours may be looked for at any time; what was sent would be more.
    assert!(received("east") < before[1] + 3 && received("west") < before[2] + 3);
}

#[test]
fn nothing_is_left_of_hosts_however_they_end() {
    let Some(bed) = Testbed::up(&["north", "south"]) else { return };
    let processes = ["north", "south"].map(|host| bed.first_process(host));
    let mut daemon = bed.in_host("north", "sleep").arg("1000").spawn().expect("nsenter starts");
    bed.crash("south");
    bed.management("north", false);
    drop(bed);
    for process in processes {
        until("a host's first process is gone", || kill(process, None).is_err());
    }
    // What was started in a host dies with it.
    assert!(!daemon.wait().expect("it is a child").success());
    let mounted = fs::read_to_string("/proc/self/mounts").expect("it can be read");
    assert!(!mounted.contains("/run/testbed"), "{mounted}");
}
