//! What is said of invented machines: facts as they are read from files, and what stands between them and
//! numbers for a paper.

mod machines;

use std::time::{Duration, Instant};

use host_setup::check::{Finding, Harm, Remedy, check, missing_right};
use host_setup::facts::{Facts, Privilege};
use host_setup::protocol::Setup;
use host_setup::settings::planned::{left_as_it_is, planned, sparable, tuned};
use host_setup::survey::{Around, of_tree};
use machines::{Machine, PCI};

fn facts(machine: &Machine, cpus: u32, privilege: Privilege) -> Facts {
    let root = tempfile::tempdir().expect("a folder");
    machine.write_below(root.path());
    let around = Around { allowed: (0..cpus).collect(), privilege, signature: None, firmware: |_| None };
    of_tree(root.path(), &around)
}

fn grade(findings: &[Finding]) -> Vec<(&'static str, bool)> {
    let graded = findings.iter().filter(|finding| finding.harm == Harm::Grade);
    graded.map(|finding| (finding.name, finding.remedy == Remedy::Septet)).collect()
}

#[track_caller]
fn remedy(findings: &[Finding], name: &str) -> Remedy {
    let found = findings.iter().find(|finding| finding.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in {findings:?}")).remedy.clone()
}

fn administrator(remedy: Remedy) -> String {
    match remedy {
        Remedy::Administrator(line) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_paper_s_machine_is_what_septet_makes_of_it() {
    for mode in ["active", "passive"] {
        let facts = facts(&Machine::r630(mode), 40, Privilege::Root);
        assert_eq!(facts.knobs.pstate_mode.as_deref(), Some(mode));
        assert_eq!((facts.topology.len(), facts.knobs.frequency.len(), facts.nics.len()), (40, 40, 1));
        assert_eq!(facts.topology[21].core, 1, "CPU 21 is the sibling of CPU 1");
        assert_eq!(facts.knobs.idle_states[3].latency_us, 133);
        assert_eq!(facts.knobs.interrupts.irqs.len(), 81);
        assert!(facts.knobs.interrupts.irqbalance_can_pause);
        let findings = check(&facts);
        assert_eq!(grade(&findings), [("governor", true), ("turbo", true)]);
        assert!(!findings.iter().any(Finding::forbids_paper_grade), "{findings:?}");
        assert!(findings.is_sorted_by_key(|finding| finding.harm));
        for name in ["idle-states", "interrupts"] {
            assert_eq!(remedy(&findings, name), Remedy::Septet);
        }
        let isolation = administrator(remedy(&findings, "isolation"));
        assert!(isolation.contains("isolcpus=2-19,22-39 nohz_full=2-19,22-39"), "{isolation}");
        let setup = planned(&facts, &[2, 4]);
        assert_eq!((setup.governor.as_deref(), setup.turbo), (Some("performance"), Some(false)));
        assert_eq!((setup.idle_latency_us, setup.irqbalance), (Some(2), Some(false)));
        assert_eq!(setup.quiet_cpus, [2, 4]);
        let tuning = tuned(&facts);
        assert_eq!((tuning.governor.as_deref(), tuning.turbo), (Some("performance"), Some(false)));
        assert_eq!(tuning.frequency_driver, facts.tuning.frequency_driver);
    }
}

#[test]
fn other_machines_and_what_they_lack() {
    let epyc = facts(&Machine::epyc(), 32, Privilege::Root);
    assert_eq!(epyc.tuning.turbo, Some(true), "of the policies' own files");
    assert!(!check(&epyc).iter().any(Finding::forbids_paper_grade));

    let laptop = check(&facts(&Machine::laptop(), 12, Privilege::Root));
    assert_eq!(remedy(&laptop, "hybrid"), Remedy::Septet);
    assert!(!laptop.iter().any(Finding::forbids_paper_grade));

    let arm = facts(&Machine::arm(), 80, Privilege::Root);
    assert_eq!((arm.tuning.turbo, arm.cpu.model.as_str()), (None, "0x41 0xd0c"));
    let arm = check(&arm);
    assert_eq!(grade(&arm), [("governor", true)], "no counter of x86 is asked of it");
    assert!(!arm.iter().any(|finding| ["tsc", "clocksource", "watchdog"].contains(&finding.name)));
}

#[test]
fn a_guest_is_indicative_and_nothing_is_set_in_it() {
    let guest = facts(&Machine::guest(), 2, Privilege::Root);
    assert_eq!(guest.aside.steal_ratio, Some(0.1));
    let findings = check(&guest);
    assert_eq!(grade(&findings), [("virtualisation", false), ("frequency", false), ("cores", false)]);
    assert!(findings[0].is.contains("10.0 % of all time was stolen"), "{findings:?}");
    assert_eq!(planned(&guest, &[1]), Setup::default());
    assert_eq!(tuned(&guest), guest.tuning);
}

#[test]
fn a_host_that_is_left_as_it_is_is_planned_as_it_is_and_gives_no_paper_grade() {
    let given = facts(&Machine::r630("active"), 40, Privilege::Root);
    let left = left_as_it_is(given.clone());
    assert!(left.knobs.left && !given.knobs.left);
    assert_eq!(planned(&left, &sparable(&left)), Setup::default(), "nothing is set");
    assert!(left.knobs.can_set("hugepages"), "but the memory that programs need");
    assert_eq!(tuned(&left), given.tuning, "keys say what is");
    assert!(check(&left).iter().any(Finding::forbids_paper_grade));
    // Where nothing would be set there is nothing to leave.
    for other in [facts(&Machine::guest(), 2, Privilege::Root), facts(&Machine::arm(), 80, Privilege::UserNamespace)] {
        assert!(!left_as_it_is(other).knobs.left);
    }
}

#[test]
fn without_rights_the_lines_for_the_administrator_are_exact() {
    let user = facts(&Machine::r630("active"), 40, Privilege::UserNamespace);
    assert!(user.knobs.settable.is_empty());
    let findings = check(&user);
    assert_eq!(administrator(remedy(&findings, "governor")), "cpupower frequency-set -g performance");
    assert!(findings.iter().any(Finding::forbids_paper_grade));
    assert!(missing_right(&user).is_some_and(|line| line.contains("CAP_SYS_ADMIN") && !line.contains('\n')));
    assert_eq!(planned(&user, &[2]), Setup::default());

    let container = facts(&Machine::container(), 40, Privilege::Root);
    assert_eq!(container.virtualisation.as_deref(), Some("docker"));
    assert!(container.knobs.settable.is_empty(), "{:?}", container.knobs.settable);
    assert!(missing_right(&container).is_some_and(|line| line.contains("cannot be written to")));
    assert!(missing_right(&facts(&Machine::epyc(), 32, Privilege::Root)).is_none());
}

#[test]
fn interfaces_that_must_stay_are_named() {
    let machine = Machine::vfs();
    let root = tempfile::tempdir().expect("a folder");
    machine.write_below(root.path());
    // The interface's device is a link to the device's own folder, as in sysfs.
    for (name, address) in [("ens1f0", "0000:3b:00.0"), ("ens1f1", "0000:3b:00.1")] {
        let link = root.path().join(format!("sys/class/net/{name}/device"));
        let device = root.path().join(format!("{PCI}/devices/{address}"));
        for entry in std::fs::read_dir(&link).expect("files") {
            let entry = entry.expect("a file");
            std::fs::rename(entry.path(), device.join(entry.file_name())).expect("moved");
        }
        std::fs::remove_dir(&link).expect("empty");
        std::os::unix::fs::symlink(format!("../../../bus/pci/devices/{address}"), &link).expect("a link");
    }
    let around = Around {
        allowed: (0..32).collect(),
        privilege: Privilege::Root,
        signature: None,
        firmware: |name| (name == "ens1f0").then(|| "4.40 0x8001ba1e".into()),
    };
    let facts = of_tree(root.path(), &around);
    let nics: Vec<_> =
        facts.nics.iter().map(|nic| (nic.name.as_str(), nic.address.as_str(), nic.vfs, nic.vfs_max)).collect();
    assert_eq!(nics, [("ens1f0", "0000:3b:00.0", Some(30), Some(128)), ("ens1f1", "0000:3b:00.1", Some(0), Some(128))]);
    assert_eq!(facts.nics[0].must_stay.as_deref(), Some("carries the default route"));
    assert_eq!(facts.nics[0].firmware.as_deref(), Some("4.40 0x8001ba1e"));
    assert_eq!((facts.nics[1].must_stay.as_deref(), facts.nics[1].driver.as_deref()), (None, Some("ice")));
    assert!(check(&facts).iter().any(|finding| finding.name == "interfaces" && finding.is.contains("ens1f0 carries")));
}

#[test]
fn facts_of_a_server_are_read_quickly() {
    let root = tempfile::tempdir().expect("a folder");
    Machine::r630("active").write_below(root.path());
    let around = Around { allowed: (0..40).collect(), privilege: Privilege::Root, signature: None, firmware: |_| None };
    // The best of a few: others use this machine.
    let once = || {
        let began = Instant::now();
        assert_eq!(of_tree(root.path(), &around).topology.len(), 40);
        began.elapsed()
    };
    let best = (0..10).map(|_| once()).min().expect("one");
    assert!(best < Duration::from_millis(50), "{best:?}");
}
