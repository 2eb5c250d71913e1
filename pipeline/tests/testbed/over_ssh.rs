//! An agent on another host by ssh: its programs are copied by content, checked, and used.

use super::afar::Afar;
use super::bench::SMALL;

const PROGRAMS: &str = "/root/.cache/septet/programs";

#[test]
fn programs_are_copied_once_and_what_is_measured_is_measured_there() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    afar.bench.write("small.toml", SMALL);
    let ran = afar.septet(&["run", "small.toml", "--json"]).code(0);
    assert!(ran.json()["measured"].as_u64().is_some_and(|count| count > 0), "{}", ran.stdout);
    let copies = afar.bed.said("north", &format!("ls {PROGRAMS}"));
    assert_eq!(copies.lines().count(), 1, "{copies}");
    let sums = |host: &str| afar.bed.said(host, &format!("cd {PROGRAMS}/*; sha256sum septet-host septet-gen"));
    let ours = std::process::Command::new("sha256sum")
        .args(["septet-host", "septet-gen"])
        .current_dir(afar.bench.path(""))
        .output()
        .expect("sha256sum starts");
    assert_eq!(sums("north"), String::from_utf8_lossy(&ours.stdout).trim());
    // Another run copies nothing.
    let inodes = || afar.bed.said("north", &format!("ls -i {PROGRAMS}/*"));
    let before = inodes();
    let ran = afar.septet(&["run", "small.toml", "--force", "P=64", "--json"]).code(0);
    assert!(ran.json()["measured"].as_u64().is_some_and(|count| count > 0), "{}", ran.stdout);
    assert_eq!(inodes(), before);
    // A build of other content is another folder, and the old one stays for whoever has it.
    afar.bench.upgrade("septet-host");
    afar.septet(&["plan", "small.toml", "--refresh"]).code(0);
    assert_eq!(afar.bed.said("north", &format!("ls {PROGRAMS}")).lines().count(), 2);
    assert!(afar.is_clean("north") && afar.is_clean("south"));
}

#[test]
fn an_agent_of_another_version_is_refused_with_what_to_do() {
    let Some(afar) = Afar::up(&["north"]) else { return };
    afar.bench.write("small.toml", SMALL);
    // A copy that somebody has changed.
    afar.septet(&["plan", "small.toml", "--refresh"]).code(0);
    afar.bed.said("north", &format!("cd {PROGRAMS}/*; cp septet-host new; printf x >>new; mv new septet-host"));
    let ran = afar.septet(&["plan", "small.toml", "--refresh"]).code(3);
    assert!(ran.stderr.contains("failed to use septet-host on north: septet-host is "), "{}", ran.stderr);
    assert!(ran.stderr.contains("rm -r .cache/septet/programs/"), "{}", ran.stderr);

    // One that an administrator installed, of another build: what to install is said, and nothing is copied.
    afar.bed.said("north", &format!("mkdir /root/septet; mv {PROGRAMS}/*/* /root/septet; rm -r {PROGRAMS}"));
    afar.site("[hosts.north]\nsudo = \"/root/septet/septet-host\"\n");
    let ran = afar.septet(&["plan", "small.toml", "--refresh"]).code(3);
    assert!(ran.stderr.contains("an administrator of north installs the programs of this build"), "{}", ran.stderr);
    assert!(ran.stderr.contains("install -m 755 septet-host septet-gen"), "{}", ran.stderr);
    assert_eq!(afar.bed.said("north", "ls /root/.cache/septet"), "");

    // One that is not there.
    afar.site("[hosts.north]\nsudo = \"/root/nowhere/septet-host\"\n");
    let ran = afar.septet(&["plan", "small.toml", "--refresh"]).code(3);
    assert!(ran.stderr.contains("septet-host on north") && ran.stderr.contains("nowhere"), "{}", ran.stderr);
}

#[test]
fn a_host_that_cannot_be_reached_is_an_error_that_says_how_to_try() {
    let Some(afar) = Afar::up(&["north"]) else { return };
    afar.bench.write("small.toml", SMALL);
    afar.site("[hosts.nowhere]\nssh = \"10.77.0.99\"\n");
    let ran = afar.septet(&["plan", "small.toml", "--refresh"]).code(3);
    assert!(ran.stderr.contains("ssh -o BatchMode=yes -- 10.77.0.99 true"), "{}", ran.stderr);
}

/// The block of `docs/extending.md` that is called so.
fn block(name: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/extending.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let from = page.split_once(&format!(" {name}\n")).map(|(_, rest)| rest).expect("it has that block");
    from.split("\n```").next().unwrap_or_default().to_string() + "\n"
}

#[test]
fn programs_of_a_sites_own_are_measured_on_another_host_by_the_adapter_that_is_copied_there() {
    if !std::path::Path::new("/usr/bin/iperf3").is_file() {
        println!("skipped: there is no iperf3");
        return;
    }
    let Some(afar) = Afar::up(&["north"]) else { return };
    let adapter = env!("CARGO_BIN_EXE_septet-adapter");
    let copied = std::process::Command::new("cp").arg("-p").arg(adapter).arg(afar.bench.path("")).status();
    assert!(copied.is_ok_and(|status| status.success()), "the adapter can be copied");
    afar.site(&format!("[hosts.north]\n\n{}", block("iperf3.site.toml")));
    afar.bench.write("iperf3.toml", &block("iperf3.toml"));
    let ran = afar.septet(&["run", "iperf3.toml", "--only", "P=64", "--no-report", "--json"]);
    assert!(ran.code == 0 || ran.stderr.contains("GIVEN UP"), "{ran:?}");
    assert!(ran.json()["measured"].as_u64().is_some_and(|count| count >= 2), "{ran:?}");
    assert!(!ran.stderr.contains("FAILED"), "{ran:?}");
    assert!(afar.bed.said("north", &format!("ls {PROGRAMS}/*")).contains("septet-adapter"));
    assert!(afar.is_clean("north"));
}

#[test]
fn a_host_behind_a_jump_host_is_reached_as_the_users_ssh_configuration_says() {
    let Some(afar) = Afar::up(&["north", "south"]) else { return };
    afar.bench.write("small.toml", SMALL);
    // From where clients run there is no way to south's address; from north there is.
    let driver = |script: &str| {
        let done = afar.bed.in_driver("sh").arg("-c").arg(script).status().expect("nsenter starts");
        assert!(done.success(), "{script}");
    };
    driver("ip route add blackhole $(ssh -G south | sed -n 's/^hostname //p')/32");
    afar.site("[hosts.south]\n");
    let ran = afar.septet(&["plan", "small.toml", "--refresh"]).code(3);
    assert!(ran.stderr.contains("ssh -o BatchMode=yes -- south true"), "{}", ran.stderr);
    driver("printf 'Host south\\n    ProxyJump north\\n' >>/etc/ssh/ssh_config");
    let ran = afar.septet(&["run", "small.toml", "--json"]).code(0);
    assert!(ran.json()["measured"].as_u64().is_some_and(|count| count > 0), "{}", ran.stdout);
    assert!(!afar.bed.said("south", &format!("ls {PROGRAMS}")).is_empty());
    // The one on the way is only that.
    assert_eq!(afar.bed.said("north", "ls -A /root"), "");
    assert!(afar.is_clean("south"));
}
