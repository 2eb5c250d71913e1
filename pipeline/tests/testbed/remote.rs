//! Tests between two hosts, on emulated ones: the real programs, real switches, a veth pair as the cable.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::bed::{Testbed, until};
use super::prefix::Prefix;

/// A folder with an experiment and a site of two cabled hosts, for `septet` run where clients run.
struct Client {
    folder: tempfile::TempDir,
}

impl Client {
    fn new(uplink: &str) -> Client {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Emulated hosts share the CPUs of this machine: each is given a half of them.
        let cpus = std::thread::available_parallelism().expect("a number").get();
        let cores = |from: usize, to: usize| match to - from {
            0 | 1 => from.to_string(),
            _ => format!("{from}-{}", to - 1),
        };
        let halves = [cores(0, cpus / 2), cores(cpus / 2, cpus)];
        let host =
            |(name, cores): (&str, &String)| format!("[hosts.{name}]\nuplink = \"{uplink}\"\ncores = \"{cores}\"\n\n");
        let hosts: String = ["north", "south"].into_iter().zip(&halves).map(host).collect();
        let site = format!("{hosts}[[cables]]\nends = [\"north:cable0\", \"south:cable0\"]\n");
        std::fs::create_dir_all(folder.path().join("config/septet")).expect("a folder");
        std::fs::write(folder.path().join("config/septet/site.toml"), site).expect("a file");
        Client { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn septet(&self, bed: &Testbed, arguments: &[&str]) -> Output {
        self.command(bed, arguments).output().expect("nsenter starts")
    }

    fn command(&self, bed: &Testbed, arguments: &[&str]) -> Command {
        // Whoever enters a mount namespace is at its root.
        let mut command = bed.in_driver("env");
        command.arg("-C").arg(self.path("")).arg(env!("CARGO_BIN_EXE_septet")).args(arguments);
        command.env("XDG_CONFIG_HOME", self.path("config")).env("HOME", self.path(""));
        command.env("XDG_CACHE_HOME", self.path("cache")).env("SEPTET_STORE", self.path("store"));
        command
    }

    /// The records of everything that was stored.
    fn records(&self) -> Vec<serde_json::Value> {
        let mut records = Vec::new();
        for shelf in std::fs::read_dir(self.path("store/results")).expect("results").flatten() {
            for result in std::fs::read_dir(shelf.path()).expect("a shelf").flatten() {
                let bytes = std::fs::read(result.path().join("record.json")).expect("a record");
                records.push(serde_json::from_slice(&bytes).expect("JSON"));
            }
        }
        records
    }
}

#[track_caller]
fn well(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr));
}

/// An experiment of short windows with these tests.
pub fn tests(text: &str) -> String {
    format!(
        "[experiment]\nname = \"between\"\ntitle = \"Between\"\n\n[protocol]\nduration = \"200ms\"\nwarmup = \
         \"50ms\"\ncooldown = \"50ms\"\nrepetitions = 1\n\n{text}"
    )
}

fn count(record: &serde_json::Value, party: &str, name: &str) -> u64 {
    record["evidence"]["parties"][party]["totals"][name].as_u64().unwrap_or(0)
}

#[test]
fn paced_packets_all_arrive_over_two_bridges_and_both_hosts_are_told() {
    let Some(bed) = Testbed::up(&["north", "south"]) else { return };
    let client = Client::new("af-packet");
    let text = tests(
        "[[tests]]\nid = \"paced\"\nD = \"throughput\"\nL = \"remote\"\nS = [\"1vs1\", \"2vs2\"]\nV = \
         \"linux-bridge\"\nP = [64, 1500]\nR = \"2kpps\"\nB = 8\nio = \"udp\"\n\n[[tests]]\nid = \"rtt\"\nD = \
         \"latency\"\nL = \"remote\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = 64\nR = 1000\nB = 4\nio = \"raw\"\n",
    );
    std::fs::write(client.path("between.toml"), text).expect("a file");
    well(&client.septet(&bed, &["run", "between.toml"]));
    let records = client.records();
    assert_eq!(records.len(), 5);
    for record in &records {
        assert_eq!(
            (&record["format"], &record["status"]["state"]),
            (&2.into(), &"valid".into()),
            "{}",
            record["flags"]
        );
        println!("{}: {} ms beyond window and trims", record["test"], beyond_ms(record));
        let names = [&record["host"]["aside"]["hostname"], &record["peers"][0]["host"]["aside"]["hostname"]];
        assert_eq!(names, ["north", "south"]);
        let clocks = &record["evidence"]["clocks"];
        let [offset, off] = ["offset_ns", "uncertainty_ns"].map(|name| clocks[name].as_i64().expect("a number"));
        // Emulated hosts have one clock: what is told of two must be within what is said of its doubt.
        assert!(offset.abs() <= off, "{clocks}");
        for pair in 0..record["tuple"]["pairs"].as_u64().expect("a number") {
            match record["tuple"]["dimension"].as_str() {
                Some("throughput") => {
                    let sent = count(record, &format!("send-{pair}"), "sent");
                    assert!(sent > 0);
                    assert_eq!(count(record, &format!("receive-{pair}"), "received"), sent, "{}", record["test"]);
                }
                _ => assert_eq!(count(record, "client-0", "received"), count(record, "client-0", "sent")),
            }
        }
    }
    // The hosts are what they were.
    for host in ["north", "south"] {
        assert_eq!(bed.said(host, "ls /sys/class/net"), "cable0\nlo\nmanagement");
        // The kernel tells of a link a moment after it is so.
        until("the cable is up", || bed.said(host, "cat /sys/class/net/cable0/operstate") == "up");
    }
    let sections = sections(&client, &records[0]);
    for name in ["kernel", "peer-kernel", "peer-switch", "nic", "peer-nic", "cable"] {
        assert!(sections.contains_key(name), "{name} is not in the key: {:?}", sections.keys());
    }
    // What is stored is not measured again, and an archive of it proves itself.
    let again = client.septet(&bed, &["run", "between.toml", "--json"]);
    well(&again);
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(told["measured"], 0);
    well(&client.septet(&bed, &["archive", "create", "between.toml", "-o", "between.tar.zst"]));
    well(&client.septet(&bed, &["archive", "verify", "between.tar.zst"]));
    let page = std::fs::read_dir(client.path("out/between/tests")).expect("pages").flatten().next().expect("a page");
    let page = std::fs::read_to_string(page.path()).expect("text");
    assert!(page.contains("Host of those who answer") && page.contains("Drift over the test"));
}

/// What a test took besides its window and what is cut off at both ends, ms.
fn beyond_ms(record: &serde_json::Value) -> u64 {
    let times = ["duration_ns", "warmup_ns", "cooldown_ns"].map(|name| record["times"][name].as_u64().expect("a time"));
    record["cost"]["total_ms"].as_u64().expect("a time").saturating_sub(times.iter().sum::<u64>() / 1_000_000)
}

fn sections(client: &Client, record: &serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    let key = record["key"].as_str().expect("a key");
    let path = client.path("store/manifests").join(&key[..2]).join(format!("{key}.json"));
    let bytes = std::fs::read(path).expect("a manifest");
    let listing: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    listing["sections"].as_object().expect("sections").clone()
}

/// What ovs says of its ports: received or dropped, by what is at the end.
fn port(record: &serde_json::Value, peer: bool, when: &str, end: &str, name: &str) -> u64 {
    let evidence = if peer { &record["evidence"]["peers"][0] } else { &record["evidence"] };
    let ports = evidence[when]["ports"].as_array().expect("ports");
    let port = ports.iter().find(|port| port["container"] == end).expect("a port");
    port[name].as_u64().expect("a number")
}

/// Whether there is a generator over DPDK.
fn has_dpdk() -> bool {
    let built = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-gen-dpdk").is_file();
    if !built {
        println!("skipped: there is no septet-gen-dpdk");
    }
    built
}

/// Hugepages that a switch and a generator of two hosts want, at most.
const PAGES: u32 = 1280;

/// Through a switch that polls, of the system or of the stack that is at a prefix: every packet is accounted for.
fn over(switch: &str, prefix: Option<&Prefix>, uplink: &str) {
    let Some(bed) = Testbed::up_with_pages(&["north", "south"], PAGES) else { return };
    let client = Client::new(uplink);
    let site = client.path("config/septet/site.toml");
    let hosts = std::fs::read_to_string(&site).expect("it is there");
    let stack = prefix.map(Prefix::stack).unwrap_or_default();
    std::fs::write(site, format!("{hosts}\n{stack}")).expect("a file");
    let of = if prefix.is_some() { "stack = \"here\"\n" } else { "" };
    let text = tests(&format!(
        "[[tests]]\nid = \"{switch}\"\nD = \"throughput\"\nL = \"remote\"\nS = \"1vs1\"\nV = \"{switch}\"\nP = 64\nR = \
         \"5kpps\"\nB = 8\n{of}"
    ));
    std::fs::write(client.path("between.toml"), text).expect("a file");
    let output = client.septet(&bed, &["run", "between.toml"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) && errors.contains("free 2 MiB hugepages") {
        println!("skipped: {errors}");
        return;
    }
    let records = client.records();
    let context: Vec<String> = records.iter().map(|record| record["evidence"].to_string()).collect();
    assert!(output.status.success(), "{}\n{errors}\n{context:#?}", output.status);
    let record = &records[0];
    // With two hosts on the cores of one this is an upper bound.
    println!("over {switch} by {uplink}: {} ms beyond window and trims; {}", beyond_ms(record), record["cost"]);
    let (sent, received) = (count(record, "send-0", "sent"), count(record, "receive-0", "received"));
    let grown = |peer, end, name| port(record, peer, "after", end, name) - port(record, peer, "before", end, name);
    let dropped: u64 = [(false, "uplink"), (true, "receive-0"), (true, "uplink")]
        .map(|(peer, end)| grown(peer, end, "sent_dropped") + grown(peer, end, "received_dropped"))
        .iter()
        .sum();
    assert!(received > 0 && received <= sent, "{received} of {sent}; {record:#}");
    assert_eq!(received + dropped, sent, "{record:#}");
    assert!(grown(true, "uplink", "received") >= received);
    let sections = sections(&client, record);
    assert!(sections["switch"]["uplink"].is_string() && sections["peer-switch"]["uplink"].is_string());
    for host in ["north", "south"] {
        assert_eq!(bed.said(host, "ls /sys/class/net"), "cable0\nlo\nmanagement");
        assert!(!bed.said(host, "ip -details link show cable0").contains("xdp"), "a program is left on the cable");
    }
}

/// One after the other: emulated hosts share the hugepages of this machine, as two at once would.
#[test]
fn ovs_accounts_for_every_packet_over_packet_and_xdp_sockets() {
    if !has_dpdk() {
        return;
    }
    if !Path::new("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk").is_file() {
        println!("skipped: there is no ovs with DPDK");
        return;
    }
    over("ovs", None, "af-packet");
    over("ovs", None, "af-xdp");
}

#[test]
fn vpp_accounts_for_every_packet_over_packet_sockets() {
    if !has_dpdk() {
        return;
    }
    let Some(prefix) = Prefix::of("vpp") else { return };
    over("vpp", Some(&prefix), "af-packet");
}

/// A test of some seconds, under way.
fn under_way(bed: &Testbed, client: &Client) -> (Child, impl FnOnce(Child) -> (i32, String)) {
    let text = tests(
        "[[tests]]\nid = \"long\"\nD = \"throughput\"\nL = \"remote\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = 64\nR = \
         \"1kpps\"\nB = 8\nio = \"udp\"\n",
    );
    let text = text.replace("duration = \"200ms\"", "duration = \"5s\"");
    std::fs::write(client.path("between.toml"), text).expect("a file");
    let mut command = client.command(bed, &["run", "between.toml"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("nsenter starts");
    // Both have a generator that has counted packets for a while.
    for host in ["north", "south"] {
        until("a generator runs", || !bed.said(host, "if pidof septet-gen; then :; fi").is_empty());
    }
    let end = |child: Child| {
        let output = child.wait_with_output().expect("it ends");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    (child, end)
}

#[test]
fn with_one_agent_the_stand_is_lost_and_the_other_host_is_given_back() {
    let Some(bed) = Testbed::up(&["north", "south"]) else { return };
    let client = Client::new("af-packet");
    let (child, end) = under_way(&bed, &client);
    bed.said("south", "kill -9 $(pidof septet-host)");
    let (code, errors) = end(child);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("south"), "{errors}");
    for host in ["north", "south"] {
        until("nothing runs there", || bed.said(host, "pidof septet-host septet-gen; test $? -le 1").is_empty());
    }
    // Who was killed could put nothing back: the next one does.
    let program = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-host");
    bed.said("south", &format!("{} restore", program.display()));
    for host in ["north", "south"] {
        assert_eq!(bed.said(host, "if [ -d /run/septet ]; then ls /run/septet; fi"), "", "{host}");
    }
}

#[test]
fn a_cable_that_is_pulled_fails_the_test_that_was_under_way() {
    let Some(bed) = Testbed::up(&["north", "south"]) else { return };
    let client = Client::new("af-packet");
    let (child, end) = under_way(&bed, &client);
    // The interface is where the switch is.
    let pull = "for p in $(pidof septet-host); do nsenter -t $p -n ip link set cable0 down 2>/dev/null && exit 0; done; exit 1";
    bed.said("south", pull);
    let (code, errors) = end(child);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("it lost its link during the test (at host "), "{errors}");
    for host in ["north", "south"] {
        assert_eq!(bed.said(host, "ls /sys/class/net"), "cable0\nlo\nmanagement");
        // The kernel tells of a link a moment after it is so.
        until("the cable is up", || bed.said(host, "cat /sys/class/net/cable0/operstate") == "up");
    }
}

#[test]
fn a_cable_to_nowhere_is_noticed_before_anything_is_measured() {
    let Some(bed) = Testbed::up(&["north", "south"]) else { return };
    let client = Client::new("af-packet");
    // Another cable, whose other end nobody holds.
    bed.said("south", "ip link add cable1 type veth peer name nowhere && ip link set nowhere up");
    let site = std::fs::read_to_string(client.path("config/septet/site.toml")).expect("it is there");
    std::fs::write(client.path("config/septet/site.toml"), site.replace("south:cable0", "south:cable1"))
        .expect("a file");
    let text = tests(
        "[[tests]]\nid = \"one\"\nD = \"throughput\"\nL = \"remote\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = 64\nR = \
         \"1kpps\"\nB = 8\nio = \"udp\"\n",
    );
    std::fs::write(client.path("between.toml"), text).expect("a file");
    let output = client.septet(&bed, &["run", "between.toml"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("failed to use the cable") && errors.contains("of host "), "{errors}");
}
