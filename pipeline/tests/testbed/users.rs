//! Hosts that are reached as an ordinary user: with the documented rule of sudo for an agent of root's, and without it.
//! The user, the rule and the programs are the emulated host's alone.

use std::path::Path;

use super::afar::Afar;
use super::bench::SMALL;

/// A test over the cable, and one that stays on a host.
const BOTH: &str = r#"
[experiment]
name = "both"
[protocol]
duration = "200ms"
warmup = "50ms"
cooldown = "50ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = ["local", "remote"]
S = "1vs1"
V = "linux-bridge"
P = 64
R = "1kpps"
B = 4
io = "udp"
"#;

/// Hosts with an account called tester, whom sudo lets start root's agent as SECURITY.md has it.
fn up() -> Option<Afar> {
    if !Path::new("/usr/bin/sudo").exists() {
        println!("skipped: there is no sudo");
        return None;
    }
    let afar = Afar::up(&["north", "south"])?;
    for host in ["north", "south"] {
        afar.bed.own_folders(host, "/home /opt");
        afar.bed.said(
            host,
            "echo tester:x:4242:4242::/home/tester:/bin/sh >>/etc/passwd; echo tester:x:4242: >>/etc/group; echo \
             'tester:*:19000:0:99999:7:::' >>/etc/shadow; echo 127.0.0.1 $(hostname) >>/etc/hosts; install -d -o 4242 \
             -g 4242 /home/tester; echo 'tester ALL=(root) NOPASSWD: /opt/septet/septet-host agent' \
             >/etc/sudoers.d/septet; chmod 440 /etc/sudoers.d/septet; mkdir -p /opt/septet /etc/septet; printf '[programs]\\nseptet-gen = \
             \"/opt/septet/septet-gen\"\\n' >/etc/septet/host.toml",
        );
        for program in ["septet-host", "septet-gen"] {
            afar.bed.install(host, &afar.bench.path(program));
        }
    }
    Some(afar)
}

const SITE: &str = r#"
[hosts.north]
ssh = "tester@north"
#sudo
[hosts.south]
ssh = "tester@south"
#sudo
[[cables]]
ends = ["north:cable0", "south:cable0"]
"#;

#[test]
fn an_ordinary_user_measures_over_the_cable_through_sudo() {
    let Some(afar) = up() else { return };
    afar.site(&SITE.replace("#sudo", "sudo = \"/opt/septet/septet-host\""));
    let checked = afar.septet(&["site", "check", "--json"]).code(0).json();
    for host in checked["hosts"].as_array().expect("hosts") {
        assert_eq!((&host["root"], &host["problem"]), (&true.into(), &serde_json::Value::Null), "{host}");
    }
    assert_eq!(checked["cables"][0]["joined"], true, "{checked}");
    afar.bench.write("both.toml", BOTH);
    // The hosts share cores here, and what is measured may be suspect: that it is measured is what counts.
    let ran = afar.septet(&["run", "both.toml", "--json", "--no-report", "--only", "L=remote"]);
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert!(
        ran.json()["measured"].as_u64().is_some_and(|count| count > 0) && !ran.stderr.contains("FAILED"),
        "{ran:?}"
    );
    for host in ["north", "south"] {
        // Nothing is copied where an administrator installs.
        assert_eq!(afar.bed.said(host, "ls -A /home/tester"), "", "{host}");
        assert!(afar.is_clean(host), "{host}");
        assert!(afar.bed.said(host, "ls /sys/class/net").contains("cable0"), "{host} has its end back");
    }
    // Another command of root's is not to be had by it.
    let more = ["tester@north", "sudo -n /opt/septet/septet-host agent --as-root"];
    let refused = afar.bed.in_driver("ssh").args(more).status().expect("ssh starts");
    assert!(!refused.success(), "the rule is for one command line");
}

#[test]
fn without_sudo_a_user_measures_what_needs_no_root_and_is_told_of_the_rest() {
    let Some(afar) = up() else { return };
    afar.site(SITE);
    afar.bench.write("both.toml", BOTH);
    let plan = afar.septet(&["plan", "both.toml", "--json", "--refresh"]).code(0).json();
    let reasons: Vec<String> =
        plan["tests"].as_array().expect("tests").iter().map(|test| test["why"].to_string()).collect();
    assert!(reasons.iter().any(|why| why.contains("only root can give a switch a network card")), "{plan:#}");
    afar.bench.write("small.toml", SMALL);
    let ran = afar.septet(&["run", "small.toml", "--json", "--no-report", "--only", "P=64"]);
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert!(ran.json()["measured"].as_u64().is_some_and(|count| count > 0), "{ran:?}");
    let copied = afar.bed.said("north", "stat -c %U:%a /home/tester/.cache/septet/programs/*/septet-host");
    assert_eq!(copied, "tester:755");
    for host in ["north", "south"] {
        assert!(afar.is_clean(host), "{host}");
    }
}
