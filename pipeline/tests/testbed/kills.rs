//! Sudden deaths at random instants while tests are measured over ssh: of the client, an agent, a host, an ssh. Tests
//! that stay on a host, spread over two, and tests between hosts, on two stands of two. `SEPTET_KILLS` says how many, and
//! `SEPTET_KILL_SEED` where to begin; each on hosts of its own.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::afar::Afar;
use super::bed::until;
use super::cabled::REMOTE;
use super::faults::{at_work, ended, kept};

/// The children of a process that run this program.
fn children(parent: u32, program: &str) -> Vec<Pid> {
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let runs = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(program));
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(runs).map(Pid::from_raw).collect()
}

/// Random enough, and the same again by its seed.
struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: usize) -> usize {
        // xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// Kills something of a run that is at work on these hosts; what, and of which host.
fn strike(afar: &Afar, child: &mut Child, hosts: &[&str], chance: &mut Chance) -> (String, String) {
    std::thread::sleep(Duration::from_millis(chance.draw(1500) as u64));
    let host = hosts[chance.draw(hosts.len())];
    let victim = ["client", "ssh", "agent", "agent", "host", "host"][chance.draw(6)];
    println!("victim: {victim} (of {host})");
    match victim {
        "client" => child.kill().expect("it is a child"),
        "ssh" => {
            let all = children(child.id(), "ssh");
            if let Some(ssh) = all.get(chance.draw(all.len().max(1))) {
                // One that has ended is dead as well.
                kill(*ssh, Signal::SIGKILL).unwrap_or_default();
            }
        }
        "agent" => match afar.agents(host).iter().min() {
            Some(agent) => drop(afar.bed.said(host, &format!("kill -9 {agent}"))),
            None => println!("it had ended"),
        },
        _ => afar.bed.crash(host),
    }
    (victim.to_string(), host.to_string())
}

/// Kills so often, each time on new hosts.
fn kills(begin: impl Fn() -> Option<(Afar, Child)>, hosts: &[&str], file: &str, tests: usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count = number("SEPTET_KILLS").unwrap_or(3);
    let mut chance = Chance(number("SEPTET_KILL_SEED").unwrap_or(1).max(1));
    for number in 0..count {
        println!("kill {number} by SEPTET_KILL_SEED={}", chance.0);
        let Some((afar, mut child)) = begin() else { return };
        let (victim, of_host) = strike(&afar, &mut child, hosts, &mut chance);
        let began = Instant::now();
        let code = ended(&afar, &mut child);
        let alive = || hosts.iter().filter(|host| victim != "host" || of_host != **host);
        if victim == "agent" {
            // Who was killed could put nothing back: whoever comes next does.
            afar.bed.said(&of_host, "~root/.cache/septet/programs/*/septet-host restore");
        }
        for host in alive() {
            until("hosts are clean", || afar.is_clean(host));
        }
        println!("over after {:.1} s, code {code}", began.elapsed().as_secs_f64());
        let words = afar.words("words");
        if victim == "client" {
            // What it had stored is whole, and the next run goes on from there.
            let before = kept(&afar);
            let again = afar.septet(&["run", file, "-k", "--no-report", "--wait", "20s"]);
            assert!(again.code == 0 || again.stderr.contains("GIVEN UP"), "{again:?}");
            assert!(before >= 1 && kept(&afar) >= tests, "{before} were kept, then {}", kept(&afar));
        } else {
            assert!(code == 0 || words.contains("GIVEN UP") || words.contains("FAILED"), "code {code}: {words}");
            assert!(kept(&afar) >= tests, "{} kept: {words}", kept(&afar));
        }
        afar.septet(&["store", "verify", "--store", ".septet"]).code(0);
        // Who ends tidily gives its end of the cable back. A veth ends with the namespace that it is in, and its other end
        // with it, which no card of a real host does.
        let lost = if victim == "host" || victim == "agent" { 2 } else { 0 };
        let cabled = |host: &&&str| afar.bed.said(host, "ls /sys/class/net").contains("cable0");
        let have = alive().filter(cabled).count();
        assert!(have + lost >= hosts.len(), "{have} of {} hosts have their cable", hosts.len());
    }
}

#[test]
fn whatever_is_killed_hosts_are_clean_and_results_are_kept() {
    kills(at_work, &["north", "south"], "many.toml", 8);
}

/// Two stands of two cabled hosts, at work.
fn at_work_over_cables() -> Option<(Afar, Child)> {
    let afar = Afar::up(&["north", "south", "east", "west"])?;
    afar.bench.write("remote.toml", REMOTE);
    let child = afar.start(&["run", "remote.toml", "-k", "--no-report"], "words");
    until("both stands have stored a test", || {
        let words = afar.words("words");
        ["north-south", "east-west"].iter().all(|stand| words.contains(&format!("  on {stand}")))
    });
    Some((afar, child))
}

#[test]
fn whatever_is_killed_between_hosts_they_are_clean_and_results_are_kept() {
    kills(at_work_over_cables, &["north", "south", "east", "west"], "remote.toml", 6);
}

/// Pages of this machine, which emulated hosts have in common; none where there are no such.
fn hugepages() -> Option<u64> {
    fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages").ok()?.trim().parse().ok()
}

#[test]
fn huge_pages_of_a_crashed_host_are_this_machines_again() {
    if !std::path::Path::new("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk").is_file() {
        println!("skipped: there is no ovs with DPDK");
        return;
    }
    let Some(before) = hugepages() else {
        println!("skipped: this machine has no hugepages of 2 MiB");
        return;
    };
    let Some(afar) = Afar::up(&["north"]) else { return };
    if !afar.has_dpdk() {
        return;
    }
    let text =
        REMOTE.replace("\"remote\"\nS", "\"local\"\nS").replace("linux-bridge", "ovs").replace("io = \"udp\"", "");
    afar.bench.write("local.toml", &text.replace("600ms", "5s"));
    let mut child = afar.start(&["run", "local.toml", "--no-report"], "words");
    until("pages are reserved", || hugepages() > Some(before) || child.try_wait().is_ok_and(|end| end.is_some()));
    if hugepages() == Some(before) {
        println!("skipped: {}", afar.words("words"));
        return;
    }
    afar.bed.crash("north");
    assert_eq!(ended(&afar, &mut child), 3, "its only stand is lost");
    drop(afar);
    assert_eq!(hugepages(), Some(before));
}
