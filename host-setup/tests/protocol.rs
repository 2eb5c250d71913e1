//! The protocol and the scene as other programs see them: JSON that must not change within a version, and a
//! checker that takes anything.

use host_setup::eal::Memory;
use host_setup::protocol::*;
use host_setup::scene::{Container, Function, Interface, Link, Runtime, Scene, Switch, Uplink, VhostUser};
use host_setup::switch::check;
use host_setup::switch::uplink::By;
use host_setup::switch::{self, Shape};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

fn is<T: serde::Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).expect("JSON"), json);
    assert_eq!(&serde_json::from_str::<T>(json).expect("a value"), value);
}

#[test]
fn requests_are_pinned() {
    is(
        &Request { id: 1, op: Op::Hello { protocol: 1, names: Default::default() } },
        r#"{"id":1,"op":"hello","protocol":1}"#,
    );
    is(&Request { id: 2, op: Op::Facts { refresh: true } }, r#"{"id":2,"op":"facts","refresh":true}"#);
    let lease = Op::Lease { wait_ms: 5, setup: Setup { hugepages_2m: vec![(0, 512)], ..Setup::default() } };
    is(&Request { id: 3, op: lease }, r#"{"id":3,"op":"lease","wait_ms":5,"setup":{"hugepages_2m":[[0,512]]}}"#);
    let start = Op::Start { container: "send-0".into(), line: "{}".into() };
    is(&Request { id: 4, op: start }, r#"{"id":4,"op":"start","container":"send-0","line":"{}"}"#);
    is(&Request { id: 5, op: Op::Join }, r#"{"id":5,"op":"join"}"#);
    is(&Request { id: 5, op: Op::Mapped }, r#"{"id":5,"op":"mapped"}"#);
    let watch = Op::Watch { cpus: vec![2], from_mono_ns: 7, until_mono_ns: 8, every_ms: 250 };
    let json = r#"{"id":5,"op":"watch","cpus":[2],"from_mono_ns":7,"until_mono_ns":8,"every_ms":250}"#;
    is(&Request { id: 5, op: watch }, json);
    is(&Request { id: 5, op: Op::Watched }, r#"{"id":5,"op":"watched"}"#);
    is(&Request { id: 5, op: Op::Bye }, r#"{"id":5,"op":"bye"}"#);
}

#[test]
fn messages_are_pinned() {
    let reply = |outcome| Message::Reply(Reply { id: 7, outcome });
    is(&reply(Outcome::Ok(Answer::Done {})), r#"{"id":7,"ok":{"done":{}}}"#);
    is(&reply(Outcome::Ok(Answer::Clock { mono_ns: 5 })), r#"{"id":7,"ok":{"clock":{"mono_ns":5}}}"#);
    is(
        &reply(Outcome::Ok(Answer::Leased { achieved: Achieved::default() })),
        r#"{"id":7,"ok":{"leased":{"achieved":{}}}}"#,
    );
    let peak = Peak { disturbance: Disturbance::FrequencyLow, of: "3".into(), amount: 9, at_ns: 5, span_ns: 4 };
    let change = SettingChange { name: "turbo".into(), was: Some("off".into()), became: Some("on".into()), at_ns: 5 };
    let watched = Watched { looks: 2, cpu_ns: 6, peaks: vec![peak], changes: vec![change] };
    is(
        &reply(Outcome::Ok(Answer::Watched(watched))),
        concat!(
            r#"{"id":7,"ok":{"watched":{"looks":2,"cpu_ns":6,"peaks":[{"disturbance":"frequency-low","of":"3","amount":9,"#,
            r#""at_ns":5,"span_ns":4}],"changes":[{"name":"turbo","was":"off","became":"on","at_ns":5}]}}}"#
        ),
    );
    let failure = Failure::new(FailureKind::Busy, "lease the host: another holds it");
    is(
        &reply(Outcome::Error(failure)),
        r#"{"id":7,"error":{"kind":"busy","message":"lease the host: another holds it"}}"#,
    );
    is(&Message::Event(Event::Heartbeat), r#"{"event":"heartbeat"}"#);
    let line = Event::Line { container: "a".into(), line: "b".into() };
    is(&Message::Event(line), r#"{"event":"line","container":"a","line":"b"}"#);
    let bulk = Bulk { bulk: "rtt.bin".into(), len: 3, blake3: "00".into() };
    is(&Message::Bulk(bulk), r#"{"bulk":"rtt.bin","len":3,"blake3":"00"}"#);
}

#[test]
fn an_older_snapshot_without_ports_is_read() {
    let json = r#"{"mono_ns":1,"steal_ns":[],"busy_ns":[[0,5]],"context_switches":null}"#;
    assert!(serde_json::from_str::<Snapshot>(json).expect("a snapshot").ports.is_empty());
}

fn render(kind: &str, cores: u32, memory: Option<Memory>) -> String {
    switch::render(kind, &Shape { ports: 2, cores, queues: 1, memory, uplink: None }).expect("a switch of two ports")
}

/// The scene's containers on a switch with sockets for ports, each of a folder of its own.
fn through(kind: &str, folders: [&str; 2]) -> Scene {
    let mut scene = scene();
    let memory = (kind != "direct").then_some(Memory::NoHuge);
    scene.switch.cpus = memory.iter().map(|_| 0).collect();
    scene.switch.configuration = render(kind, scene.switch.cpus.len() as u32, memory);
    (scene.switch.kind, scene.switch.memory) = (kind.into(), memory);
    for (container, folder) in scene.containers.iter_mut().zip(folders) {
        let mac = interface(container).mac.clone();
        container.link = Link::VhostUser(VhostUser { folder: folder.into(), mac });
    }
    scene
}

#[test]
fn sockets_are_shared_by_those_who_are_joined_and_nobody_else() {
    check(&through("testpmd", ["a", "b"])).expect("a folder each");
    check(&through("direct", ["a", "a"])).expect("a folder for both");
    assert!(check(&through("testpmd", ["a", "a"])).is_err());
    assert!(check(&through("direct", ["a", "b"])).is_err());
    assert!(check(&through("testpmd", ["a", "../b"])).is_err());
    let mut mixed = through("testpmd", ["a", "b"]);
    mixed.containers[0].link = scene().containers[0].link.clone();
    assert!(check(&mixed).is_err_and(|error| error.to_string().contains("no link of its kind")));
}

#[test]
fn a_switch_is_refused_what_it_cannot_use() {
    let shape = Shape { ports: 2, cores: 1, queues: 1, memory: Some(Memory::Hugepages2m), uplink: None };
    let refused = |kind, shape: Shape| switch::render(kind, &shape).expect_err("a refusal").to_string();
    assert_eq!(
        refused("basicfwd", Shape { cores: 2, ..shape }),
        "basicfwd cannot use 2 switch cores: it forwards on one core"
    );
    assert!(refused("basicfwd", Shape { queues: 2, ..shape }).contains("2 queues"));
    assert!(refused("testpmd", Shape { cores: 3, ..shape }).contains("fewer queues than cores"));
    assert!(refused("testpmd", Shape { ports: 3, ..shape }).contains("3 ports"));
    assert!(refused("ovs", Shape { memory: Some(Memory::NoHuge), ..shape }).contains("without hugepages"));
    assert!(refused("direct", shape).contains("1 switch cores"));
    for kind in ["testpmd", "basicfwd", "ovs"] {
        assert!(refused(kind, Shape { memory: None, ..shape }).contains("without memory"), "{kind}");
    }
}

/// If one of these must change, every measurement through its switch becomes dirty.
#[test]
fn configurations_are_pinned() {
    let pinned = |kind, cores, memory| blake3::hash(render(kind, cores, memory).as_bytes()).to_hex()[..16].to_string();
    let huge = Some(Memory::Hugepages2m);
    let digests =
        [pinned("direct", 0, None), pinned("testpmd", 1, huge), pinned("basicfwd", 1, huge), pinned("ovs", 1, huge)];
    assert_eq!(digests, ["0fbba8d33458a573", "a982853a445e8313", "60cf790944251abb", "4c8ec621dba94388"]);
    let digests = [pinned("snabb", 1, huge), pinned("vpp", 1, huge), pinned("vpp", 2, Some(Memory::NoHuge))];
    assert_eq!(digests, ["f1d5160f935f3a51", "7df360f54e00e498", "fd5fdd064bd900d4"]);
}

/// What VPP is started with, and what it is told.
#[test]
fn a_configuration_of_vpp_is_what_it_is_given() {
    let expected = "unix { nodaemon nosyslog nocolor nobanner runtime-dir /run/septet/vpp cli-listen \
                    /run/septet/vpp/cli.sock pidfile /run/septet/vpp/vpp.pid }\n\
                    api-segment { prefix septet }\n\
                    socksvr { socket-name /run/septet/vpp/api.sock }\n\
                    statseg { socket-name /run/septet/vpp/stats.sock size 32M page-size default }\n\
                    memory { main-heap-size 256M main-heap-page-size default-hugepage }\n\
                    cpu { main-core HOUSEKEEPING corelist-workers CORE0,CORE1 }\n\
                    buffers { buffers-per-numa 16384 default data-size 2048 page-size default-hugepage }\n\
                    plugins { path PLUGINS plugin default { disable } plugin vhost_plugin.so { enable } }\n\
                    create bridge-domain 1 learn 1 forward 1 flood 1 uu-flood 1 arp-term 0 mac-age 5\n\
                    create vhost-user socket PORT0\n\
                    set interface l2 bridge VirtualEthernet0/0/0 1\n\
                    set interface state VirtualEthernet0/0/0 up\n\
                    create vhost-user socket PORT1\n\
                    set interface l2 bridge VirtualEthernet0/0/1 1\n\
                    set interface state VirtualEthernet0/0/1 up\n\
                    queues 1, as each port's driver says\n";
    assert_eq!(render("vpp", 2, Some(Memory::Hugepages2m)), expected);
}

fn interface(container: &mut Container) -> &mut Interface {
    match &mut container.link {
        Link::Interface(interface) => interface,
        Link::VhostUser(_) | Link::Function(_) => panic!("no interface of a veth pair"),
    }
}

fn scene() -> Scene {
    let container = |name: &str, end: u8| Container {
        name: name.into(),
        application: "septet-gen".into(),
        cpus: vec![1],
        output_bytes_max: 1 << 20,
        link: Link::Interface(Interface {
            name: "eth0".into(),
            mac: format!("02:00:00:00:00:{end:02x}"),
            ipv4: Some(format!("10.0.0.{end}/16")),
            neighbours: vec![("10.0.0.9".into(), "02:00:00:00:00:09".into())],
        }),
    };
    Scene {
        runtime: Runtime::Netns,
        switch: Switch {
            kind: "linux-bridge".into(),
            stack: "system".into(),
            cpus: Vec::new(),
            queues: 1,
            memory: None,
            uplink: None,
            configuration: render("linux-bridge", 0, None),
        },
        containers: vec![container("send-0", 1), container("receive-0", 2)],
        housekeeping: Some(0),
    }
}

fn uplinked(scene: &mut Scene, device: &str, by: By, side: u8) {
    let card = (by == By::Pci).then(|| "ice".into());
    scene.switch.uplink = Some(Uplink { device: device.into(), by, side, card });
}

fn of_card(scene: &mut Scene, by: By, card: Option<&str>) {
    let device = if by == By::Pci { "0000:01:00.0" } else { "cable0" };
    scene.switch.uplink = Some(Uplink { device: device.into(), by, side: 0, card: card.map(str::to_owned) });
}

/// Puts the scene on virtual functions of a card; each is a kernel interface if the scene's links are.
fn over_card(scene: &mut Scene, functions: bool) {
    scene.switch.kind = "sriov".into();
    scene.switch.configuration = render("sriov", 0, None);
    for container in scene.containers.iter_mut().filter(|_| functions) {
        let interface = interface(container).clone();
        container.link = Link::Function(Function { mac: interface.mac.clone(), interface: Some(interface) });
    }
}

#[test]
fn functions_of_a_card_are_links_whole_and_as_interfaces() {
    let mut scene = scene();
    over_card(&mut scene, true);
    check(&scene).expect("interfaces of the kernel's");
    scene.containers[1].link = Link::Function(Function { mac: "02:00:00:00:00:02".into(), interface: None });
    check(&scene).expect("one that its application gets whole");
}

/// What makes a good scene a bad one.
type Change = fn(&mut Scene);

#[test]
fn a_scene_is_checked_in_every_part() {
    check(&scene()).expect("a good scene");
    let wrong: [(&str, Change); 32] = [
        ("containers: there are 0", |scene| scene.containers.clear()),
        ("no switch called", |scene| scene.switch.kind = "magic".into()),
        ("has no link of its kind", |scene| over_card(scene, false)),
        ("has another address than the function", |scene| {
            over_card(scene, true);
            if let Link::Function(function) = &mut scene.containers[0].link {
                function.mac = "02:00:00:00:00:07".into();
            }
        }),
        ("not a unicast address", |scene| {
            over_card(scene, true);
            scene.containers[1].link = Link::Function(Function { mac: "/dev/vfio/1".into(), interface: None });
        }),
        ("not what this agent renders", |scene| scene.switch.configuration.clear()),
        ("cannot use 1 switch cores", |scene| scene.switch.cpus = vec![0]),
        ("switch: there is no CPU", |scene| scene.switch.cpus = vec![5000]),
        ("housekeeping: there is no CPU", |scene| scene.housekeeping = Some(1024)),
        ("is not a name", |scene| scene.containers[0].name = "../x".into()),
        ("is not a name", |scene| scene.containers[0].name = "A".into()),
        ("is not a name", |scene| scene.containers[0].name = "thirteen-long".into()),
        ("names must differ", |scene| scene.containers[0].name = "receive-0".into()),
        ("not the name of an application", |scene| scene.containers[0].application = "/bin/sh".into()),
        ("there is no CPU 1024", |scene| scene.containers[0].cpus = vec![1024]),
        ("an output folder of 5 bytes", |scene| scene.containers[0].output_bytes_max = 5),
        ("name of an interface", |scene| interface(&mut scene.containers[0]).name = "lo".into()),
        ("not a unicast address", |scene| interface(&mut scene.containers[0]).mac = "01:00:00:00:00:01".into()),
        ("MAC addresses must differ", |scene| interface(&mut scene.containers[0]).mac = "02:00:00:00:00:02".into()),
        ("IPv4 addresses must differ", |scene| interface(&mut scene.containers[0]).ipv4 = Some("10.0.0.2/8".into())),
        ("address with a prefix length", |scene| interface(&mut scene.containers[0]).ipv4 = Some("10.0.0.1/33".into())),
        ("is not the name of an interface", |scene| uplinked(scene, "../x", By::Kernel, 0)),
        // What stands in options of DPDK must not become more of them.
        ("is not the name of an interface", |scene| uplinked(scene, "e0,iface=e1", By::AfXdp, 0)),
        ("is not the name of an interface", |scene| uplinked(scene, "lo", By::AfPacket, 0)),
        ("is not a PCI address", |scene| uplinked(scene, "cable0", By::Pci, 0)),
        ("no driver of DPDK's is known", |scene| of_card(scene, By::Pci, Some("../net_ice"))),
        ("which driver the kernel has", |scene| of_card(scene, By::Pci, None)),
        ("stays with the kernel's driver", |scene| of_card(scene, By::AfXdp, Some("ice"))),
        ("there is no side 2", |scene| uplinked(scene, "cable0", By::Kernel, 2)),
        ("cannot reach a second host by af-packet", |scene| uplinked(scene, "cable0", By::AfPacket, 0)),
        ("is the port to another host", |scene| scene.containers[0].name = "uplink".into()),
        ("neighbours and no address", |scene| interface(&mut scene.containers[0]).ipv4 = None),
    ];
    for (words, change) in wrong {
        let mut scene = scene();
        change(&mut scene);
        let error = check(&scene).expect_err(words).to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}

proptest! {
    /// Whatever a client sends: an answer, not a panic; and what passes holds only what may be.
    #[test]
    fn any_scene_is_answered(
        name in ".{0,14}", application in ".{0,70}", mac in "[0-9a-f:+ ]{0,18}", ipv4 in "[0-9./]{0,20}",
        interface in ".{0,17}", cpus in prop::collection::vec(any::<u32>(), 0..3), bytes in any::<u64>(),
    ) {
        let mut scene = scene();
        let container = &mut scene.containers[0];
        container.name = name;
        container.application = application;
        container.cpus = cpus;
        container.output_bytes_max = bytes;
        self::interface(container).mac = mac;
        self::interface(container).ipv4 = Some(ipv4);
        self::interface(container).name = interface;
        if let Ok(checked) = check(&scene) {
            let container = &checked.containers[0];
            prop_assert!(container.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            prop_assert!(container.link.mac().0[0] & 1 == 0);
        }
    }

    #[test]
    fn an_address_survives_its_text(bytes in any::<[u8; 6]>()) {
        use host_setup::scene::checked::Mac;
        let mac = Mac([bytes[0] & 0xfe, bytes[1], bytes[2], bytes[3], bytes[4], bytes[5] | 1]);
        prop_assert_eq!(mac.to_string().parse::<Mac>(), Ok(mac));
    }
}

#[test]
fn ovs_and_vpp_are_rendered_with_an_uplink_and_the_others_refuse_one() {
    let rendered = |kind: &str, by: By, side: u8| {
        let uplink = Some(host_setup::switch::Uplink { by, side });
        let shape = Shape { ports: 1, cores: 1, queues: 1, memory: Some(Memory::Hugepages2m), uplink };
        switch::render(kind, &shape).map_err(|error| error.to_string())
    };
    for (by, device) in [
        (By::Pci, "options:dpdk-devargs=UPLINK\n"),
        (By::AfPacket, "options:dpdk-devargs=eth_af_packet0,iface=UPLINK,qdisc_bypass=1\n"),
        (By::AfXdp, "options:dpdk-devargs=net_af_xdp0,iface=UPLINK,start_queue=0,queue_count=1\n"),
    ] {
        let [first, second] = [0, 1].map(|side| rendered("ovs", by, side).expect("it reaches another host"));
        assert!(
            first.contains("set Interface uplink type=dpdk ofport_request=2 ") && first.contains(device),
            "{first}"
        );
        assert!(first.contains("02:73:65:70:ff:00") && second.contains("02:73:65:70:ff:01"), "{second}");
    }
    let vpp = rendered("vpp", By::AfPacket, 0).expect("it reaches another host");
    for line in [
        "plugin vhost_plugin.so { enable } plugin af_packet_plugin.so { enable }",
        "set interface l2 bridge host-UPLINK 1\n",
    ] {
        assert!(vpp.contains(line), "{vpp}");
    }
    // Of a card that it has whole, and of no other, whatever is on the bus.
    let [ovs, vpp] = ["ovs", "vpp"].map(|kind| rendered(kind, By::Pci, 0).expect("it reaches another host"));
    assert!(ovs.contains("dpdk-extra=\"-a UPLINK --iova-mode=va") && !ovs.contains("--no-pci"), "{ovs}");
    for line in [
        "plugin vhost_plugin.so { enable } plugin dpdk_plugin.so { enable }",
        "dpdk { uio-driver vfio-pci dev UPLINK { name uplink } }\n",
        "set interface l2 bridge uplink 1\nset interface state uplink up\n",
    ] {
        assert!(vpp.contains(line), "{vpp}");
    }
    assert!(!vpp.contains("host-interface"), "{vpp}");
    for kind in ["basicfwd", "testpmd", "direct", "snabb"] {
        let refused = rendered(kind, By::AfPacket, 0).expect_err("it does not");
        assert!(refused.contains("does not reach a second host"), "{refused}");
    }
    assert!(rendered("ovs", By::Kernel, 0).is_err());
}
