//! Settings on invented machines: what is asked for is had and read back, what must not be touched is not, and
//! whatever goes wrong every file gets its first value back.

mod machines;

use std::io;

use host_setup::lease::list::is_setting;
use host_setup::lease::tree::Tree as _;
use host_setup::lease::{Entry, Record, Restored, restore};
use host_setup::protocol::{Achieved, Failure, FailureKind, Setup, Vf, Vfs};
use host_setup::settings::{apply, give_to_kernel, give_whole};
use machines::{CPU, Machine, NODES, PCI};
use proptest::prelude::*;

#[derive(Default)]
struct Notes {
    entries: Vec<Entry>,
    left: Option<usize>,
}

impl Record for Notes {
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
        }
        self.entries.push(entry.clone());
        Ok(())
    }
}

fn try_apply(machine: &mut Machine, notes: &mut Notes, setup: &Setup) -> Result<Achieved, Failure> {
    apply(machine, notes, setup, &mut |_, _, _| Ok(()))
}

/// Applies, lets a test look, restores, and demands that all is as before.
#[track_caller]
fn holds(mut machine: Machine, setup: &Setup, look: impl FnOnce(&Machine, &Achieved)) {
    let before = machine.clone();
    let mut notes = Notes::default();
    let achieved = try_apply(&mut machine, &mut notes, setup).unwrap_or_else(|failure| panic!("{failure}"));
    look(&machine, &achieved);
    let outcomes = restore(&mut machine, &notes.entries, &mut |_| {});
    assert!(outcomes.iter().all(|outcome| *outcome == Restored::Back), "{outcomes:?}");
    assert_eq!(machine.differences(&before), []);
}

/// Fails with all of the words, and leaves all as it was.
#[track_caller]
fn fails(mut machine: Machine, setup: &Setup, words: &[&str]) -> Failure {
    let before = machine.clone();
    let mut notes = Notes::default();
    let failure = try_apply(&mut machine, &mut notes, setup).expect_err("it cannot be had");
    for word in words {
        assert!(failure.to_string().contains(word), "{failure}");
    }
    restore(&mut machine, &notes.entries, &mut |_| {});
    assert_eq!(machine.differences(&before), []);
    failure
}

fn steady(cpus: u32) -> Setup {
    Setup {
        governor: Some("performance".into()),
        turbo: Some(false),
        quiet_cpus: (1..cpus).collect(),
        irqbalance: Some(false),
        transparent_hugepages: Some("never".into()),
        hugepages_2m: vec![(0, 512)],
        ..Setup::default()
    }
}

#[test]
fn servers_and_a_laptop_are_made_steady() {
    for (machine, cpus) in
        [(Machine::r630("active"), 40), (Machine::r630("passive"), 40), (Machine::epyc(), 32), (Machine::laptop(), 12)]
    {
        let balanced = machine.files.contains_key("proc/900/comm");
        holds(machine, &steady(cpus), |machine, achieved| {
            for cpu in 0..cpus {
                assert_eq!(machine.files[&format!("{CPU}/cpufreq/policy{cpu}/scaling_governor")], "performance");
            }
            let value =
                |name: &str| achieved.settings.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            assert_eq!(value("turbo"), Some("off"), "{achieved:?}");
            assert_eq!(value("governor"), Some("performance"));
            assert_eq!(value("transparent_hugepages"), Some("never"));
            assert_eq!(achieved.hugepages_2m, [(0, 512)]);
            for (path, list) in &machine.files {
                if path.ends_with("smp_affinity_list") {
                    assert_eq!(list, "0", "{path}");
                }
            }
            let frozen = machine.files.get("sys/fs/cgroup/system.slice/irqbalance.service/cgroup.freeze");
            assert_eq!(frozen.map(String::as_str), balanced.then_some("1"));
            assert!(achieved.limits.is_empty() && !achieved.changed.is_empty(), "{achieved:?}");
        });
    }
}

#[test]
fn what_a_machine_does_not_have_is_refused_by_name() {
    let turbo = Setup { turbo: Some(false), ..Setup::default() };
    let governor = |name: &str| Setup { governor: Some(name.into()), ..Setup::default() };
    fails(Machine::arm(), &turbo, &["switch turbo off", "no file of this host"]);
    holds(Machine::arm(), &governor("performance"), |_, _| {});
    fails(Machine::guest(), &governor("performance"), &["does not control its frequency"]);
    fails(Machine::r630("active"), &governor("schedutil"), &["policy0 offers", "modprobe cpufreq_schedutil"]);
    fails(Machine::container(), &turbo, &["no_turbo", "permission denied"]);
    let node = Setup { hugepages_2m: vec![(7, 1)], ..Setup::default() };
    fails(Machine::epyc(), &node, &["no such node"]);
    fails(Machine::arm(), &Setup { smt: Some(true), ..Setup::default() }, &["notsupported"]);
    holds(Machine::arm(), &Setup { smt: Some(false), ..Setup::default() }, |_, _| {});
    holds(Machine::r630("active"), &Setup { smt: Some(false), ..Setup::default() }, |machine, _| {
        assert_eq!(machine.files[&format!("{CPU}/smt/control")], "off");
    });
    let all = Setup { quiet_cpus: vec![0, 1], ..Setup::default() };
    let failure = fails(Machine::guest(), &all, &["no other CPU is online"]);
    assert_eq!(failure.kind, FailureKind::Request);
}

#[test]
fn bounds_of_the_frequency_never_pass_each_other() {
    let setup = |khz| Setup { frequency_khz: Some(khz), ..Setup::default() };
    holds(Machine::r630("active"), &setup((2_200_000, 2_200_000)), |machine, _| {
        for file in ["scaling_min_freq", "scaling_max_freq"] {
            assert_eq!(machine.files[&format!("{CPU}/cpufreq/policy39/{file}")], "2200000");
        }
    });
    // From bounds that are below the wanted ones, and above.
    for (min, max) in [(1_200_000, 1_300_000), (3_000_000, 3_100_000)] {
        let mut machine = Machine::r630("active");
        for cpu in 0..40 {
            machine.file(format!("{CPU}/cpufreq/policy{cpu}/scaling_min_freq"), min);
            machine.file(format!("{CPU}/cpufreq/policy{cpu}/scaling_max_freq"), max);
        }
        holds(machine, &setup((2_200_000, 2_200_000)), |_, _| {});
    }
    fails(Machine::r630("active"), &setup((1, 2_200_000)), &["it can have 1200000 to 3100000 kHz"]);
    fails(Machine::r630("active"), &setup((2, 1)), &["is above"]);
}

#[test]
fn hugepages_leave_memory_for_everything_else() {
    // 10 GiB that nobody uses: 4 GiB free, 6 GiB of files.
    let machine = || {
        let mut machine = Machine::epyc();
        let info = "Node 1 MemTotal: 33554432 kB\nNode 1 MemFree: 4194304 kB\nNode 1 Active(file): 2097152 kB\n\
                    Node 1 Inactive(file): 4194304 kB\n";
        machine.file(format!("{NODES}/node1/meminfo"), info);
        machine
    };
    let want = |pages| Setup { hugepages_2m: vec![(1, pages)], ..Setup::default() };
    holds(machine(), &want(3840), |_, achieved| assert_eq!(achieved.hugepages_2m, [(1, 3840)]));
    fails(machine(), &want(3841), &["7682 MiB", "10240 MiB", "ask for fewer"]);
    fails(machine(), &want(u64::MAX >> 12), &["nobody uses"]);
    // Pages that are there already take nothing.
    let folder = format!("{NODES}/node1/hugepages/hugepages-2048kB");
    let mut reserved = machine();
    reserved.file(format!("{folder}/nr_hugepages"), 9000).file(format!("{folder}/free_hugepages"), 9000);
    holds(reserved, &want(9000), |_, achieved| assert_eq!(achieved.hugepages_2m, [(1, 9000)]));
}

#[test]
fn hugepages_are_compacted_for_and_told_when_too_few() {
    let want = |pages| Setup { hugepages_2m: vec![(1, pages)], ..Setup::default() };
    holds(Machine::epyc(), &want(5000), |machine, achieved| {
        assert_eq!(achieved.hugepages_2m, [(1, 5000)]);
        assert!(machine.written.contains("proc/sys/vm/compact_memory"));
    });
    fails(Machine::epyc(), &want(9000), &["found memory for 8192, also after compaction"]);
    fails(Machine::epyc(), &want(u64::MAX), &["hugepages"]);
    // What others use is not counted, and what there is is not taken away.
    let mut machine = Machine::epyc();
    let folder = format!("{NODES}/node1/hugepages/hugepages-2048kB");
    machine.file(format!("{folder}/nr_hugepages"), 100).file(format!("{folder}/free_hugepages"), 60);
    holds(machine.clone(), &want(60), |machine, _| assert!(machine.written.is_empty()));
    let mut notes = Notes::default();
    let achieved = try_apply(&mut machine, &mut notes, &want(61)).expect("one more");
    assert_eq!(achieved.hugepages_2m, [(1, 101)]);
}

#[test]
fn a_value_that_is_read_back_different_is_a_failure() {
    let mut machine = Machine::r630("active");
    machine.stubborn.insert(format!("{CPU}/intel_pstate/no_turbo"));
    fails(machine, &steady(40), &["no_turbo to 1", "the kernel made \"0\" of it"]);
}

#[test]
fn interrupts_that_stay_are_told() {
    let mut machine = Machine::epyc();
    machine.refusing.insert("proc/irq/30/smp_affinity_list".into());
    holds(machine, &Setup { quiet_cpus: (1..32).collect(), ..Setup::default() }, |_, achieved| {
        assert_eq!(achieved.limits, ["interrupts 30 cannot be moved away from measuring CPUs"]);
    });
}

#[test]
fn interrupts_that_only_second_threads_serve_move_to_the_first_ones_and_back() {
    // CPUs 20 to 39 are second threads; the kernel forgets what they served.
    let of = |irq: u32| format!("proc/irq/{irq}/smp_affinity_list");
    let mut machine = Machine::r630("active");
    machine.file(of(64), "21,25").file(of(65), "3,25");
    holds(machine, &Setup { smt: Some(false), ..Setup::default() }, |machine, _| {
        assert_eq!([63, 64, 65].map(|irq| &*machine.files[&of(irq)]), ["19", "1,5", "3,25"]);
    });
    // One that the kernel lets nobody move is no reason to fail.
    let mut machine = Machine::r630("active");
    machine.refusing.insert(of(63));
    let mut notes = Notes::default();
    try_apply(&mut machine, &mut notes, &Setup { smt: Some(false), ..Setup::default() }).expect("it goes on");
    assert_eq!(machine.files[&of(63)], "39");
}

#[test]
fn irqbalance_beside_others_is_not_frozen() {
    let mut machine = Machine::r630("active");
    machine.file("proc/900/cgroup", "0::/user.slice/session-1.scope");
    machine.file("sys/fs/cgroup/user.slice/session-1.scope/cgroup.freeze", 0);
    fails(
        machine,
        &Setup { irqbalance: Some(false), ..Setup::default() },
        &["no control group of its own", "systemctl"],
    );
}

fn vfs(interface: &str, count: usize) -> Vfs {
    let vf = |number| Vf {
        mac: Some(format!("02:00:00:00:01:{number:02x}")),
        trust: Some(true),
        spoofchk: Some(false),
        driver: None,
    };
    Vfs { interface: interface.into(), each: (0..count).map(vf).collect() }
}

#[test]
fn virtual_functions_are_made_set_up_bound_and_gone() {
    let mut machine = Machine::r630("active");
    let before = machine.clone();
    let setup = Setup {
        vfs: vec![vfs("enp3s0f0", 2)],
        drivers: vec![("0000:3b:02.1".into(), "vfio-pci".into())],
        ..Setup::default()
    };
    let mut set = Vec::new();
    let mut notes = Notes::default();
    let achieved = apply(&mut machine, &mut notes, &setup, &mut |interface, number, vf| {
        set.push((interface.to_owned(), number, vf.mac.clone()));
        Ok(())
    });
    let achieved = achieved.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(achieved.vfs, [("enp3s0f0".to_owned(), vec!["0000:3b:02.0".to_owned(), "0000:3b:02.1".to_owned()])]);
    assert_eq!(set[1], ("enp3s0f0".to_owned(), 1, Some("02:00:00:00:01:01".into())));
    assert_eq!(machine.target(&format!("{PCI}/devices/0000:3b:02.1/driver")).as_deref(), Some("vfio-pci"));
    assert!(restore(&mut machine, &notes.entries, &mut |_| {}).iter().all(|outcome| *outcome == Restored::Back));
    assert_eq!(machine.differences(&before), []);

    let mut whole = vfs("enp3s0f0", 2);
    whole.each[0].driver = Some("vfio-pci".into());
    holds(Machine::r630("active"), &Setup { vfs: vec![whole], ..Setup::default() }, |machine, _| {
        let driver = |address: &str| machine.target(&format!("{PCI}/devices/{address}/driver"));
        assert_eq!(driver("0000:3b:02.0").as_deref(), Some("vfio-pci"));
        assert_ne!(driver("0000:3b:02.1").as_deref(), Some("vfio-pci"), "the kernel's own is left to the kernel");
    });
}

#[test]
fn a_restore_that_is_cut_short_anywhere_is_finished_by_the_next_one() {
    let mut whole = vfs("enp3s0f0", 2);
    whole.each[0].driver = Some("vfio-pci".into());
    let setup = Setup { vfs: vec![whole], smt: Some(false), ..steady(20) };
    for writes in 0.. {
        let mut machine = Machine::r630("active");
        let before = machine.clone();
        let mut notes = Notes::default();
        try_apply(&mut machine, &mut notes, &setup).unwrap_or_else(|failure| panic!("{failure}"));
        machine.writes_left = Some(writes);
        restore(&mut machine, &notes.entries, &mut |_| {});
        let is_through = machine.writes_left != Some(0);
        machine.writes_left = None;
        // The journal is still there: whoever comes next goes by it.
        let outcomes = restore(&mut machine, &notes.entries, &mut |_| {});
        assert!(outcomes.iter().all(|outcome| *outcome == Restored::Back), "after {writes} writes: {outcomes:?}");
        assert_eq!(machine.differences(&before), [], "after {writes} writes");
        if is_through {
            assert!(writes > 50, "{writes}");
            return;
        }
    }
}

#[test]
fn a_device_changes_its_driver_and_gets_it_back() {
    let to = |address: &str, driver: &str| Setup { drivers: vec![(address.into(), driver.into())], ..Setup::default() };
    let bind = to("0000:03:00.0", "vfio-pci");
    holds(Machine::r630("active"), &bind, |machine, achieved| {
        assert_eq!(machine.target(&format!("{PCI}/devices/0000:03:00.0/driver")).as_deref(), Some("vfio-pci"));
        assert_eq!(achieved.changed, ["0000:03:00.0 is bound to vfio-pci, before to ixgbe"]);
    });
    let mut alone = Machine::r630("active");
    alone.links.remove(&format!("{PCI}/devices/0000:03:00.0/iommu_group"));
    fails(alone, &bind, &["no IOMMU group", "intel_iommu=on"]);
    let mut shared = Machine::r630("active");
    shared.device("0000:03:00.1", "0x020000", "40");
    shared.link(format!("{PCI}/devices/0000:03:00.1/driver"), "../drivers/ixgbe");
    fails(shared, &bind, &["0000:03:00.1 is in its IOMMU group"]);
    let mut unloaded = Machine::r630("active");
    unloaded.files.remove(&format!("{PCI}/drivers/vfio-pci/module"));
    fails(unloaded, &bind, &["modprobe vfio-pci"]);
    let mut disk = Machine::r630("active");
    disk.device("0000:00:1f.2", "0x010601", "9");
    fails(disk, &to("0000:00:1f.2", "vfio-pci"), &["no network device"]);
    for (address, driver) in [("../../x", "vfio-pci"), ("0000:03:00.0", "../vfio"), ("", "")] {
        assert_eq!(fails(Machine::r630("active"), &to(address, driver), &[]).kind, FailureKind::Request);
    }
}

/// A card goes from the kernel to a switch and back and again, and the machine dies after so many writes; whoever comes
/// next gives it back to the kernel.
#[test]
fn a_card_that_switches_had_whole_is_the_kernels_again_whenever_they_die() {
    let address = "0000:03:00.0";
    let driver = |machine: &Machine| machine.target(&format!("{PCI}/devices/{address}/driver"));
    for writes in 0.. {
        let mut machine = Machine::r630("active");
        let before = machine.clone();
        let mut notes = Notes::default();
        machine.writes_left = Some(writes);
        let there = |machine: &mut Machine, notes: &mut Notes| {
            give_whole(machine, notes, address)?;
            assert_eq!(driver(machine).as_deref(), Some("vfio-pci"));
            // Once more is nothing more.
            give_whole(machine, notes, address)
        };
        let and_back = |machine: &mut Machine, notes: &mut Notes| {
            give_to_kernel(machine, notes, address, "ixgbe")?;
            assert_eq!(driver(machine).as_deref(), Some("ixgbe"));
            give_to_kernel(machine, notes, address, "ixgbe")
        };
        let all = there(&mut machine, &mut notes)
            .and_then(|()| and_back(&mut machine, &mut notes))
            .and_then(|()| there(&mut machine, &mut notes));
        machine.writes_left = None;
        let outcomes = restore(&mut machine, &notes.entries, &mut |_| {});
        assert!(outcomes.iter().all(|outcome| *outcome == Restored::Back), "after {writes} writes: {outcomes:?}");
        assert_eq!(machine.differences(&before), [], "after {writes} writes");
        if all.is_ok() {
            assert!(writes > 10, "{writes}");
            break;
        }
    }
    let refused = |machine: &mut Machine, address: &str| {
        give_whole(machine, &mut Notes::default(), address).expect_err("it stays").to_string()
    };
    let route = refused(&mut Machine::vfs(), "0000:3b:00.0");
    assert!(route.contains("ens1f0 carries the default route"), "{route}");
    let mut alone = Machine::r630("active");
    alone.links.remove(&format!("{PCI}/devices/{address}/iommu_group"));
    assert!(refused(&mut alone, address).contains("no IOMMU group"));
    let request = give_to_kernel(&mut alone, &mut Notes::default(), address, "../vfio").expect_err("no driver");
    assert_eq!(request.kind, FailureKind::Request);
}

#[test]
fn the_way_in_is_never_touched() {
    let bind = |address: &str| Setup { drivers: vec![(address.into(), "vfio-pci".into())], ..Setup::default() };
    let make = |interface: &str| Setup { vfs: vec![vfs(interface, 4)], ..Setup::default() };
    fails(Machine::vfs(), &bind("0000:3b:00.0"), &["ens1f0 carries the default route"]);
    fails(Machine::vfs(), &make("ens1f0"), &["ens1f0 carries the default route"]);
    fails(Machine::vfs(), &bind("0000:3b:00.1"), &["has a route to 192.168.0.0/16"]);
    // One of the 30 virtual functions is free to go.
    holds(Machine::vfs(), &bind("0000:3b:03.2"), |_, _| {});

    // The connection of an administrator, over a VLAN on a bond.
    let mut machine = Machine::r630("active");
    machine.file(
        "proc/net/route",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
         vlan7 0000000A 00000000 0001 0 0 0 000000FF 0 0 0\n",
    );
    machine.file("proc/net/tcp", "sl local_address rem_address st\n0: 0100000A:0016 0500000A:C000 01 0 0\n");
    machine
        .link("sys/class/net/vlan7/lower_bond0", "../bond0")
        .link("sys/class/net/bond0/lower_enp3s0f0", "../enp3s0f0");
    fails(machine.clone(), &bind("0000:03:00.0"), &["enp3s0f0 carries bond0, which must stay"]);
    fails(machine, &make("enp3s0f0"), &["enp3s0f0 carries bond0"]);
    // The default route on a virtual function keeps its physical one.
    let mut machine = Machine::r630("active");
    machine.file(
        "proc/net/ipv6_route",
        format!("{z} 00 {z} 00 {z} 00000400 00000001 00000000 00000003 vf0\n", z = "0".repeat(32)),
    );
    machine.file("sys/class/net/vf0/device/physfn/net/enp3s0f0/address", "");
    fails(machine, &make("enp3s0f0"), &["is the physical function of vf0"]);
}

#[test]
fn what_somebody_else_changed_is_reported_and_left_alone() {
    let mut machine = Machine::r630("active");
    let mut notes = Notes::default();
    try_apply(&mut machine, &mut notes, &steady(40)).expect("a steady host");
    let theirs = format!("{CPU}/cpufreq/policy3/scaling_governor");
    // Neither what it was nor what was made of it.
    machine.file(theirs.clone(), "userspace");
    machine.files.remove("proc/irq/30/smp_affinity_list");
    let outcomes = restore(&mut machine, &notes.entries, &mut |_| {});
    let left: Vec<_> = outcomes.iter().filter(|outcome| **outcome != Restored::Back).collect();
    assert_eq!(left, [&Restored::ChangedByOthers { path: theirs.clone(), value: "userspace".into() }]);
    assert_eq!(machine.files[&theirs], "userspace");
}

fn any_setup() -> impl Strategy<Value = Setup> {
    let power =
        (prop::option::of(prop::sample::select(vec!["performance", "powersave", "schedutil"])), any::<Option<bool>>());
    let khz = prop::option::of((1_200_000u64..3_200_000, 1_200_000u64..3_200_000));
    let memory = (prop::collection::vec((0u32..3, 0u64..10_000), 0..3), any::<Option<bool>>());
    let cpus = (prop::collection::vec(0u32..40, 0..40), prop::option::of(Just(false)));
    let devices = (0usize..5, any::<bool>());
    (power, khz, memory, cpus, devices).prop_map(
        |((governor, turbo), khz, (pages, smt), (quiet_cpus, irqbalance), (count, bind))| Setup {
            governor: governor.map(str::to_owned),
            turbo,
            frequency_khz: khz,
            hugepages_2m: pages.clone(),
            hugepages_1g: pages.into_iter().take(1).collect(),
            smt,
            quiet_cpus,
            irqbalance,
            transparent_hugepages: turbo.map(|on| if on { "madvise".into() } else { "never".into() }),
            idle_latency_us: None,
            vfs: if count > 0 { vec![vfs("enp3s0f0", count)] } else { Vec::new() },
            drivers: if bind {
                vec![("0000:3b:02.0".into(), "vfio-pci".into()), ("0000:03:00.0".into(), "vfio-pci".into())]
            } else {
                Vec::new()
            },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever is asked for, whichever write is refused, whichever value is read back different, and whenever the journal's medium is full.
    #[test]
    fn every_file_gets_its_first_value_back(
        setup in any_setup(),
        refusing in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        stubborn in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        notes_left in prop::option::of(0usize..120),
        pages_max in (0u64..6000, 0u64..6000),
    ) {
        let mut machine = Machine::r630("passive");
        machine.hugepages_max = (pages_max.0.min(pages_max.1), pages_max.1);
        let settings: Vec<String> = machine.files.keys().filter(|path| is_setting(path)).cloned().collect();
        machine.refusing = refusing.iter().map(|index| index.get(&settings).clone()).collect();
        machine.stubborn = stubborn.iter().map(|index| index.get(&settings).clone()).collect();
        let before = machine.clone();
        let mut notes = Notes { left: notes_left, ..Notes::default() };
        let result = try_apply(&mut machine, &mut notes, &setup);
        if let Err(failure) = result {
            prop_assert!(!failure.message.is_empty());
        }
        machine.refusing.clear();
        machine.stubborn.clear();
        let outcomes = restore(&mut machine, &notes.entries, &mut |_| {});
        prop_assert!(outcomes.iter().all(|outcome| *outcome == Restored::Back), "{:?}", outcomes);
        prop_assert_eq!(machine.differences(&before), vec![]);
        restore(&mut machine, &notes.entries, &mut |_| {});
        prop_assert_eq!(machine.differences(&before), vec![]);
    }
}
