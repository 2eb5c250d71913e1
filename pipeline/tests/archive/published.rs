//! Files as programs of others write them (`tests/published`), brought in by the maps that `docs/published.md` gives.
//! Those of iperf3 and testpmd are from runs of them; those of TRex and CSIT hold the keys around the numbers, of both
//! layouts that CSIT has had, as their projects describe them.

use std::path::Path;

use super::bench::Bench;

/// The file, the map's format, and for each number: metric, its unit there, where it is, and what is printed.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str, &'static str)]);

const CASES: [Case; 7] = [
    // In 3.12 `end.sum` is what was sent, which is 4.4 times as much as arrived.
    (
        "iperf3-udp.json",
        "json",
        &[
            ("rx_mbps", "bps", r#"path = "end.sum_received.bits_per_second""#, "rx_mbps = 45.5233"),
            ("loss_ratio", "%", r#"path = "end.sum.lost_percent""#, "loss_ratio = 0.774594"),
        ],
    ),
    (
        "iperf3-tcp.json",
        "json",
        &[("rx_gbps", "bps", r#"path = "end.sum_received.bits_per_second""#, "rx_gbps = 13.8885")],
    ),
    (
        "trex.json",
        "json",
        &[
            ("rx_kpps", "pps", r#"path = "total.rx_pps""#, "rx_kpps = 465.7396"),
            ("rx_kpps", "pps", r#"path = "1.rx_pps""#, "rx_kpps = 261.9524"),
            ("rtt_us_mean", "us", r#"path = "latency.1.latency.average""#, "rtt_us_mean = 63.375"),
        ],
    ),
    (
        "csit-mrr.json",
        "json",
        &[
            ("rx_mpps", "pps", r#"path = "result.receive_rate.rate.avg""#, "rx_mpps = 33.0498"),
            ("rx_mpps", "pps", "path = \"result.receive_rate.rate.values[*]\"\npick = \"max\"", "rx_mpps = 33.3050"),
        ],
    ),
    (
        "csit-ndrpdr.json",
        "json",
        &[
            ("rx_mpps", "pps", r#"path = "result.pdr.lower.rate.value""#, "rx_mpps = 36.013"),
            ("rtt_us_mean", "us", r#"path = "result.latency_forward.pdr_90.avg""#, "rtt_us_mean = 21"),
        ],
    ),
    (
        "csit-0.1.json",
        "json",
        &[
            ("rx_mpps", "pps", r#"path = "results.throughput.ndr.value.lower""#, "rx_mpps = 33.8604"),
            ("rtt_us_mean", "us", r#"path = "results.latency.forward.pdr_90.avg""#, "rtt_us_mean = 21"),
        ],
    ),
    // The first show is of nothing yet; of the rest there is one number a port.
    ("testpmd.txt", "text", &[("rx_mpps", "pps", "after = \"Rx-pps:\"\npick = \"max\"", "rx_mpps = 33.3529")]),
];

#[test]
fn files_of_others_are_read_by_the_maps_of_the_page() {
    let page = include_str!("../../../docs/published.md");
    let bench = Bench::measured();
    for (file, format, values) in CASES {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/published").join(file);
        std::fs::copy(&from, bench.path(file)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let mut map = format!("source = \"x\"\nformat = \"{format}\"\n");
        for (metric, unit, place, _) in values {
            map += &format!("[[value]]\nmetric = \"{metric}\"\nunit = \"{unit}\"\n{place}\n");
            let place = place.lines().next().and_then(|line| line.split('"').nth(1)).expect("it has a place");
            assert!(
                page.contains(&format!("`{place}`")) || page.contains(&format!("\"{place}\"")),
                "{place}: not there"
            );
        }
        bench.write("map.toml", &map);
        let ran = bench.septet(&["import", file, "--map", "map.toml"]).code(0);
        for (.., printed) in values {
            assert!(ran.stdout.contains(printed), "{file}: no {printed} in {}", ran.stdout);
        }
    }
    // The parts of a table are not one number, nor is what is no number a number.
    bench.write(
        "map.toml",
        "source = \"x\"\nformat = \"json\"\n[[value]]\nmetric = \"rx_pps\"\npath = \"flow_stats.1.rx_pps.0\"\n",
    );
    let ran = bench.septet(&["import", "trex.json", "--map", "map.toml"]).code(2);
    assert!(ran.stderr.contains("it is a text, and no number"), "{}", ran.stderr);
}
