//! What a request may say.

use generators::traffic::Traffic;
use wire::{Endpoint, Io, Port, Request, Role, Schedule, Wait};

pub fn request() -> Request {
    let endpoint = |last: u8, udp_port| Endpoint {
        mac: format!("02:00:00:00:00:{last:02x}"),
        ipv4: format!("10.0.0.{last}"),
        udp_port,
    };
    let second = 1_000_000_000;
    Request {
        version: wire::VERSION,
        role: Role::Client,
        io: Io::Udp,
        port: Port::Interface { name: "eth0".into() },
        frame_bytes: 64,
        burst: 32,
        rate_pps: Some(1_000),
        flows: 1,
        queues: 1,
        touch: false,
        wait: Wait::Yield,
        schedule: Schedule {
            warmup_ns: second / 5,
            duration_ns: second,
            cooldown_ns: second / 5,
            interval_ns: 10_000_000,
            drain_ns_max: second,
        },
        local: endpoint(1, 5_000),
        remote: endpoint(2, 6_000),
        rtt_samples_max: 500_000,
        output: "/run/out".into(),
    }
}

#[test]
fn what_is_possible_is_accepted() {
    let traffic = Traffic::new(request()).expect("a valid request");
    assert_eq!(traffic.packets_intended(), 44 * 32);
    assert_eq!(traffic.packets_intended(), request().packets_intended());
    for (frame_bytes, burst) in [(60, 1), (1514, 1024)] {
        Traffic::new(Request { frame_bytes, burst, ..request() }).expect("a valid request");
    }
    Traffic::new(Request { role: Role::Server, rate_pps: None, ..request() }).expect("a valid request");
}

#[test]
fn what_is_impossible_is_refused_by_name() {
    type Change = fn(&mut Request);
    let cases: &[(Change, &str)] = &[
        (|r| r.version = 7, "it has version 7, this generator speaks version 1"),
        (|r| r.frame_bytes = 59, "frame_bytes is 59, it must be 60 to 1514"),
        (|r| r.frame_bytes = 1515, "frame_bytes is 1515"),
        (|r| r.burst = 0, "burst is 0, it must be 1 to 1024"),
        (|r| r.burst = 1025, "burst is 1025"),
        (|r| r.rate_pps = Some(0), "rate_pps is 0"),
        (|r| r.rate_pps = None, "rate_pps is absent"),
        (|r| r.role = Role::Receive, "rate_pps is given"),
        (|r| r.rate_pps = Some(u64::MAX), "rate_pps is 18446744073709551615"),
        (|r| r.flows = 0, "flows is 0, it must be 1 to 64"),
        (|r| r.flows = 65, "flows is 65"),
        (|r| r.queues = 0, "queues is 0"),
        (|r| (r.flows, r.local.udp_port) = (64, 65_500), "local.udp_port is 65500, it must be 1 to 65472"),
        (|r| r.schedule.duration_ns = 0, "schedule.duration_ns is 0"),
        (|r| r.schedule.warmup_ns = u64::MAX, "schedule.warmup_ns"),
        (|r| r.schedule.interval_ns = 0, "schedule.interval_ns is 0"),
        (|r| r.schedule.interval_ns = 100_000_000_000_000, "schedule.interval_ns"),
        (|r| (r.schedule.duration_ns, r.schedule.interval_ns) = (80_000_000_000_000, 100_000), "accounting intervals"),
        (|r| r.local.mac = "02:00:00:00:00".into(), "local.mac"),
        (|r| r.local.mac = "02:00:00:00:00:0g".into(), "local.mac"),
        (|r| r.local.mac = "02:00:00:00:00:+1".into(), "local.mac"),
        (|r| r.remote.mac = "ff:ff:ff:ff:ff:ff".into(), "remote.mac"),
        (|r| r.remote.mac = "00:00:00:00:00:00".into(), "remote.mac"),
        (|r| r.remote.ipv4 = "10.0.0.256".into(), "remote.ipv4"),
        (|r| r.remote.ipv4 = "224.0.0.1".into(), "remote.ipv4 224.0.0.1 is not a unicast address"),
        (|r| r.remote.udp_port = 0, "remote.udp_port is 0"),
        (|r| r.port = Port::Interface { name: "../eth0".into() }, "port.name"),
        (|r| r.port = Port::Interface { name: "e".repeat(16) }, "port.name"),
        (|r| r.output.clear(), "output is empty"),
        (
            |r| (r.burst, r.rate_pps, r.schedule.duration_ns) = (1, Some(1_000_000), 10_000_000_000_000),
            "more bursts than records can number",
        ),
    ];
    for (change, words) in cases {
        let mut wrong = request();
        if *words == "accounting intervals" {
            wrong.rate_pps = Some(1);
        }
        change(&mut wrong);
        let message = Traffic::new(wrong).expect_err(words).to_string();
        assert!(message.starts_with("accept the request: ") && message.contains(words), "{message:?} lacks {words:?}");
    }
}
