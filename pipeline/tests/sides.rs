//! Tests between two hosts, as plans and keys see them: invented hosts, no measurement.

use std::collections::BTreeMap;
use std::path::Path;

use host_setup::facts::{Component, Core, Facts, Nic, Offer, Privilege};
use host_setup::survey::{Around, of_tree};
use host_setup::switch;
use host_setup::switch::uplink::By;
use pipeline::conditions::{Conditions, KnownSurroundings, Prospect};
use pipeline::experiment::{self, Experiment, Test};
use pipeline::manifest::Listing;
use pipeline::ready::{Ready, Side};
use pipeline::sections::SectionName;
use pipeline::stand::{Cable, CableEnd, Ground, Site};
use pipeline::traffic;

fn experiment(rest: &str) -> Experiment {
    let text = format!(
        "[experiment]\nname = \"all\"\n[protocol]\nduration = \"1s\"\nwarmup = \"200ms\"\ncooldown = \"200ms\"\nrepetitions = 3\n[[tests]]\nid = \"all\"\nD = \
         \"throughput\"\nP = 64\nR = \"10k\"\nB = 4\n{rest}\n"
    );
    experiment::parse(&text, "all.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// A host of two cores with the switches that reach another one.
fn host(name: &str) -> Facts {
    let root = tempfile::tempdir().expect("a folder");
    let around = Around { allowed: vec![0, 1], privilege: Privilege::Root, signature: None, firmware: |_| None };
    let mut facts = of_tree(root.path(), &around);
    facts.aside.hostname = name.into();
    facts.memory.hugepages_2m = vec![(0, 0, 0)];
    let offer = |name: &str, components: &[&str], io: &[&str]| {
        let text = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        Offer { name: name.into(), missing: None, components: text(components), io: text(io) }
    };
    facts.runtimes = vec![offer("netns", &[], &[])];
    facts.applications =
        vec![offer("septet-gen", &["septet-gen"], &["udp"]), offer("septet-gen-dpdk", &["septet-gen-dpdk"], &["dpdk"])];
    facts.switches = vec![offer("linux-bridge", &[], &[]), offer("ovs", &["ovs"], &[])];
    let component = |name: &str| Component { name: name.into(), digest: format!("of {name}"), ..Component::default() };
    facts.components = ["septet-gen", "septet-gen-dpdk", "ovs", "ovs-af-packet", "ovs-af-xdp"].map(component).into();
    facts
}

fn two(north: Facts, south: Facts, dpdk: By) -> Ground {
    let site = |facts: Facts| Site { name: facts.aside.hostname.clone(), facts };
    let end = |_| CableEnd { device: "cable0".into(), dpdk };
    Ground { hosts: vec![site(north), site(south)], cable: Some(Cable { ends: [0, 1].map(end) }) }
}

fn alike(dpdk: By) -> Ground {
    two(host("north"), host("south"), dpdk)
}

fn judged(ground: &Ground, test: &Test) -> Result<Ready, String> {
    match Conditions::new(ground).judge(test, &mut KnownSurroundings::default()) {
        Prospect::Ready(ready) => Ok(*ready),
        Prospect::Skipped(reason) => Err(reason),
    }
}

fn listing(ground: &Ground, test: &Test) -> Listing {
    judged(ground, test).expect("it can be measured").manifest.listing()
}

const REMOTE: &str = "L = \"remote\"\nS = \"2vs2\"\nV = \"linux-bridge\"\nio = \"udp\"";

#[test]
fn a_local_test_does_not_know_that_there_is_another_host() {
    let experiment = experiment("L = \"local\"\nS = \"1vs1\"\nV = [\"linux-bridge\", \"ovs\"]\n");
    for test in &experiment.matrix.tests {
        let alone = listing(&Ground::from(host("north")), test);
        assert_eq!(alone.key(), listing(&alike(By::AfPacket), test).key());
        let others = SectionName::ALL.map(|name| name.of_host(1).name());
        let foreign = alone.sections.keys().filter(|name| name.starts_with("peer-") && others.contains(&name.as_str()));
        assert_eq!(foreign.count(), 0);
    }
}

#[test]
fn what_changes_on_the_other_host_is_told_by_names_of_its_own() {
    let experiment = experiment(REMOTE);
    let test = &experiment.matrix.tests[0];
    let before = listing(&alike(By::AfPacket), test);
    let mut south = host("south");
    south.kernel.release = "9.9".into();
    let now = listing(&two(host("north"), south.clone(), By::AfPacket), test);
    let changes: Vec<String> = before.changes_to(&now).iter().map(|change| change.section.clone()).collect();
    assert_eq!(changes, ["peer-kernel"]);
    // Which of the two it is matters: one sends, the other receives.
    let swapped = listing(&two(south, host("north"), By::AfPacket), test);
    assert_ne!(now.key(), swapped.key());
    // How hosts are called does not.
    assert_eq!(before.key(), listing(&two(host("east"), host("west"), By::AfPacket), test).key());
}

#[test]
fn each_side_has_its_own_containers_and_no_address_is_on_both() {
    let of = |switch: &str, io: &str| {
        experiment(&format!("L = \"remote\"\nS = [\"1vs1\", \"2vs2\", \"8vs8\"]\nV = \"{switch}\"\nio = \"{io}\""))
    };
    for (experiment, by) in [(of("linux-bridge", "udp"), By::Kernel), (of("ovs", "dpdk"), By::AfXdp)] {
        for test in &experiment.matrix.tests {
            two_sides(test, by);
        }
    }
}

/// What is on each of two hosts for a test, whose switches reach each other so.
fn two_sides(test: &Test, by: By) {
    let dpdk = if by == By::Kernel { By::AfPacket } else { by };
    let ready = judged(&alike(dpdk), test).expect("it can be measured");
    let seats: Vec<_> = ready.sides.iter().map(|side| side.seating()).collect();
    let parties = traffic::parties(&test.tuple, &test.times, &seats);
    let scenes: Vec<_> =
        (0..2).map(|place| traffic::scene(&test.tuple, place, &ready.sides[place], &parties)).collect();
    let names = |place: usize| scenes[place].containers.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let pairs = test.tuple.pairs.get();
    let wanted = ["send", "receive"].map(|role| (0..pairs).map(|pair| format!("{role}-{pair}")).collect::<Vec<_>>());
    assert_eq!([names(0), names(1)], wanted);
    for scene in &scenes {
        let uplink = scene.switch.uplink.as_ref().expect("it reaches the other host");
        assert_eq!((uplink.device.as_str(), uplink.by), ("cable0", by));
        switch::check(scene).expect("the agent takes it");
    }
    let macs = |scene: &host_setup::scene::Scene| {
        let text = serde_json::to_string(scene).expect("JSON");
        let words = text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != ':').map(str::to_owned);
        words.filter(|word| word.len() == 17).collect::<std::collections::BTreeSet<String>>()
    };
    // A container knows its peer's address by heart; addresses of switches and of own ends are on one side only.
    let own = |place: usize| {
        let peers: Vec<String> =
            parties.iter().filter(|it| it.side != place).map(|it| it.request.local.mac.clone()).collect();
        macs(&scenes[place]).into_iter().filter(|mac| !peers.contains(mac)).collect::<Vec<_>>()
    };
    assert!(own(0).iter().all(|mac| !own(1).contains(mac)), "{:?} {:?}", own(0), own(1));
}

#[test]
fn by_what_the_cable_is_got_at_is_in_the_key_with_its_driver() {
    let experiment = experiment("L = \"remote\"\nS = \"1vs1\"\nV = \"ovs\"\n");
    let test = &experiment.matrix.tests[0];
    let [packet, xdp] = [By::AfPacket, By::AfXdp].map(|by| listing(&alike(by), test));
    assert_ne!(packet.key(), xdp.key());
    let mut newer = host("south");
    newer.components.iter_mut().find(|it| it.name == "ovs-af-packet").expect("it").digest = "another".into();
    let now = listing(&two(host("north"), newer.clone(), By::AfPacket), test);
    let changes: Vec<String> =
        packet.changes_to(&now).iter().map(|it| format!("{} {}", it.section, it.field)).collect();
    assert_eq!(changes, ["peer-switch uplink"]);
    assert_eq!(xdp.key(), listing(&two(host("north"), newer, By::AfXdp), test).key());
    let mut without = host("south");
    without.components.retain(|component| component.name != "ovs-af-xdp");
    let reason = judged(&two(host("north"), without, By::AfXdp), test).expect_err("there is no driver");
    assert_eq!(reason, "on host south: ovs has no driver here for an uplink by af-xdp");
}

#[test]
fn a_switch_that_keeps_house_on_another_node_has_memory_there_too() {
    let experiment = experiment("L = \"remote\"\nS = [\"1vs1\", \"2vs2\"]\nV = \"ovs\"\nswitch_cores = 2\n");
    let cabled = two(large("north"), large("south"), By::AfPacket);
    let nodes = |test: &Test| {
        let ready = judged(&cabled, test).expect("it can be measured");
        let pages = Conditions::new(&cabled).hugepages(&ready, 0);
        pages.into_iter().map(|(node, _)| node).collect::<Vec<_>>()
    };
    // Three of the node's four cores, and all four.
    let [small, full] = &experiment.matrix.tests[..] else { panic!("there are two") };
    assert_eq!((nodes(small), nodes(full)), (vec![1], vec![1, 0]));
}

#[test]
fn a_card_by_its_address_is_had_whole_where_an_iommu_keeps_it_to_one_program() {
    let experiment = experiment("L = \"remote\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nio = \"udp\"\n");
    let kernel = &experiment.matrix.tests[0];
    let experiment = self::experiment("L = \"remote\"\nS = \"1vs1\"\nV = \"ovs\"\n");
    let test = &experiment.matrix.tests[0];
    let able = |name: &str| {
        let mut facts = large(name);
        facts.knobs.vfio = true;
        facts.nics[0].iommu_group = Some("17".into());
        facts.components.push(Component {
            name: "ovs-pci-igb".into(),
            digest: "of net_e1000".into(),
            ..Component::default()
        });
        facts
    };
    let ready = judged(&two(able("north"), able("south"), By::Pci), test).expect("it can be measured");
    for side in &*ready.sides {
        let uplink = side.uplink.as_ref().expect("it reaches the other host");
        assert_eq!((uplink.device.as_str(), uplink.by, uplink.card.as_deref()), ("0000:81:00.0", By::Pci, Some("igb")));
        assert_eq!(side.cores.node, Some(1), "near the card");
    }
    let whole = ready.manifest.listing();
    let by_packets = listing(&two(able("north"), able("south"), By::AfPacket), test);
    let changes: Vec<String> =
        by_packets.changes_to(&whole).iter().map(|it| format!("{} {}", it.section, it.field)).collect();
    for change in ["cable first", "cable second", "switch configuration", "switch uplink", "peer-switch uplink"] {
        assert!(changes.iter().any(|told| told == change), "{change} of {changes:?}");
    }
    type Spoil = fn(&mut Facts);
    let reason = |spoil: Spoil| {
        let mut south = able("south");
        spoil(&mut south);
        judged(&two(able("north"), south, By::Pci), test).expect_err("it cannot be had")
    };
    let why: [(&str, Spoil); 7] = [
        ("it is in no IOMMU group; switch VT-d", |facts| facts.nics[0].iommu_group = None),
        ("vfio-pci is not loaded; modprobe vfio-pci", |facts| facts.knobs.vfio = false),
        ("no driver of DPDK's is known for cards of mlx5_core", |facts| {
            facts.nics[0].driver = Some("mlx5_core".into())
        }),
        ("it has virtual functions, which may be in use", |facts| facts.nics[0].vfs = Some(2)),
        ("it is no card on the PCI bus", |facts| facts.nics.clear()),
        ("ovs has no driver here for an uplink by pci of a card of igb", |facts| {
            facts.components.retain(|component| component.name != "ovs-pci-igb");
        }),
        ("cable0 is not given to a switch: it carries the default route", |facts| {
            facts.nics[0].must_stay = Some("carries the default route".into());
        }),
    ];
    for (words, spoil) in why {
        let reason = reason(spoil);
        assert!(reason.starts_with("on host south: ") && reason.contains(words), "{reason:?} does not say {words:?}");
    }
    // The same by its address, which the kernel's own switches have no use for; they share the card otherwise.
    let mut cabled = two(able("north"), able("south"), By::Pci);
    judged(&cabled, kernel).expect("it goes over the interface");
    if let Some(cable) = &mut cabled.cable {
        cable.ends.iter_mut().for_each(|end| end.device = "0000:81:00.0".into());
        assert_eq!(cable.interfaces([&able("north"), &able("south")].into_iter()), ["cable0", "cable0"]);
    }
    assert_eq!(judged(&cabled, test).expect("it can be measured").manifest.key(), ready.manifest.key());
    let bridge = judged(&cabled, kernel).expect_err("it needs an interface");
    assert!(bridge.contains("needs an interface, and the site file gives the PCI address 0000:81:00.0"), "{bridge}");
}

/// A host of two NUMA nodes of four cores each, whose card for the cable is on the second one.
fn large(name: &str) -> Facts {
    let mut facts = host(name);
    let core = |cpu| Core { cpu, core: cpu, node: cpu / 4, package: cpu / 4, ..facts.topology[0].clone() };
    facts.topology = (0..8).map(core).collect();
    facts.memory.hugepages_2m = vec![(0, 0, 0), (1, 0, 0)];
    facts.nics = vec![Nic {
        name: "cable0".into(),
        address: "0000:81:00.0".into(),
        driver: Some("igb".into()),
        node: Some(1),
        vfs: Some(0),
        vfs_max: Some(7),
        ..Nic::default()
    }];
    facts
}

#[test]
fn cores_and_memory_of_each_side_are_near_its_end_of_the_cable() {
    for rest in ["V = \"linux-bridge\"\nio = \"udp\"", "V = \"ovs\""] {
        let experiment = experiment(&format!("L = \"remote\"\nS = \"1vs1\"\n{rest}"));
        let test = &experiment.matrix.tests[0];
        let small = host("south");
        let cabled = two(large("north"), small.clone(), By::AfPacket);
        let ready = judged(&cabled, test).expect("it can be measured");
        let [north, south] = &*ready.sides else { panic!("it has two sides") };
        let used = |side: &Side| {
            let generators = side.cores.generators.iter().flat_map(|it| it.cpus.clone());
            side.cores.switch.iter().copied().chain(generators).collect::<Vec<_>>()
        };
        assert!(used(north).iter().all(|cpu| *cpu >= 4), "{:?}", north.cores);
        assert!(north.cores.housekeeping >= Some(4), "{:?}", north.cores);
        assert_eq!((north.cores.node, north.near, south.near), (Some(1), Some(1), None));
        let pages = |place| Conditions::new(&cabled).hugepages(&ready, place).first().map(|(node, _)| *node);
        let memory = north.memory.is_some();
        assert_eq!([pages(0), pages(1)], [memory.then_some(1), memory.then_some(0)]);
        // Which node it is makes no other key, and one that is not known is as it was.
        let mut elsewhere = large("north");
        elsewhere.nics[0].node = Some(0);
        assert_eq!(listing(&cabled, test).key(), listing(&two(elsewhere.clone(), small, By::AfPacket), test).key());
        let ready = judged(&two(host("south"), elsewhere, By::AfPacket), test).expect("it can be measured");
        assert_eq!(ready.sides[1].cores.node, Some(0));
    }
}

#[test]
fn with_two_hosts_no_test_of_the_paper_is_skipped_for_want_of_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/paper.toml");
    let paper = experiment::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let reasons = |ground: &Ground| {
        let conditions = Conditions::new(ground);
        let mut known = KnownSurroundings::default();
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for test in &paper.matrix.tests {
            if let Prospect::Skipped(reason) = conditions.judge(test, &mut known) {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        reasons
    };
    let for_want = |reasons: &BTreeMap<String, usize>| {
        reasons.iter().filter(|(reason, _)| reason.contains("two hosts")).map(|(_, count)| count).sum::<usize>()
    };
    assert!(for_want(&reasons(&Ground::from(host("north")))) > 300);
    assert_eq!(for_want(&reasons(&alike(By::AfPacket))), 0);
}
