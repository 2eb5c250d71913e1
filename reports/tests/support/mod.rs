//! Invented experiments for tests of rendering: tuples as in the paper, values from a simple model. No host,
//! no store; the same values on every machine.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use reports::html;
use reports::model::{
    Accepted, ComponentRow, Details, Distribution, Fact, FactList, Meta, PartyCounts, RatesOverTime, RepetitionView,
    State, TestView,
};
use reports::report::{ClaimView, Report};
use reports::spec::{Bound, ClaimSpec, FigureSpec, Fold, Id, Published, PublishedValue, Scale, Selection, TableSpec};
use reports::templates::Templates;
use reports::topology::Route;
use results::axes::{Axis, Burst, Dimension, Io, Locality, PacketSize, Pairs, Rate, VSwitch};
use results::flags::Flag;
use results::metric::Quantity;
use results::summary::{Estimate, Grade, Summary};
use results::tuple::{Tuple, Value, Variant};

pub fn id(text: &str) -> Id {
    Id::new(text).expect("a valid id")
}

pub fn name(text: &str) -> Value {
    Value::Name(text.to_string())
}

pub fn tuple(
    dimension: Dimension,
    locality: Locality,
    pairs: u16,
    vswitch: VSwitch,
    packet: u16,
    rate: u32,
    burst: u16,
) -> Tuple {
    Tuple {
        dimension,
        locality,
        pairs: Pairs::new(pairs).expect("pairs"),
        vswitch,
        packet: PacketSize::new(packet).expect("size"),
        rate: Rate::Pps(rate),
        burst: Burst::new(burst).expect("burst"),
        variant: Variant::default_for(vswitch),
    }
}

/// A test with a key made of its name.
pub fn test(group: &str, tuple: Tuple, summary: Option<Summary>) -> TestView {
    let name = tuple.to_string();
    let key = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    TestView {
        route: route(tuple.vswitch),
        tuple,
        name,
        key: Some(format!("{key:016x}{:016x}{key:016x}{:016x}", key.rotate_left(17), key.rotate_left(39))),
        groups: vec![id(group)],
        state: if summary.is_some() { State::Measured } else { State::NotMeasured },
        summary,
        accepted: Vec::new(),
    }
}

/// A change that somebody has accepted.
pub fn accepted(reason: &str) -> Arc<Accepted> {
    Arc::new(Accepted {
        day: "2026-01-31".to_string(),
        trigger: "kernel".to_string(),
        change: "kernel release 6.1.75 → 6.1.76".to_string(),
        reason: reason.to_string(),
    })
}

pub fn summary(values: &[(Quantity, f64, f64)], flags: &[Flag]) -> Summary {
    let estimate =
        |&(quantity, mean, half): &(Quantity, f64, f64)| (quantity, Estimate { n: 3, mean, half_width: Some(half) });
    Summary {
        valid: 3,
        suspect: 0,
        values: values.iter().map(estimate).collect(),
        samples: BTreeMap::new(),
        outliers: Vec::new(),
        refused: BTreeMap::new(),
        rtt_count: 0,
        flags: flags.iter().map(|flag| (*flag, 3)).collect(),
        grade: if flags.iter().any(|flag| flag.indicative()) { Grade::Indicative } else { Grade::PaperGrade },
    }
}

fn throughput(tuple: &Tuple, mpps_max: f64, flags: &[Flag]) -> Summary {
    let offered = tuple.rate.fixed_pps().unwrap_or(0) as f64 * f64::from(tuple.pairs.get());
    let received = offered.min(mpps_max * 1e6);
    let bits = received * f64::from(tuple.packet.get()) * 8.0;
    summary(
        &[
            (Quantity::RxPps, received, received * 0.012),
            (Quantity::TxPps, offered, 0.0),
            (Quantity::OfferedPps, offered, 0.0),
            (Quantity::RxBps, bits, bits * 0.012),
            (Quantity::RxBpsL1, received * f64::from(tuple.packet.get() + 24) * 8.0, bits * 0.012),
            (Quantity::LossRatio, 1.0 - received / offered, 0.0001),
        ],
        flags,
    )
}

fn latency(mean_us: f64, flags: &[Flag]) -> Summary {
    let us = |value: f64| value * 1e3;
    summary(
        &[
            (Quantity::RttMean, us(mean_us), us(mean_us * 0.02)),
            (Quantity::RttP50, us(mean_us * 0.93), us(mean_us * 0.01)),
            (Quantity::RttP99, us(mean_us * 1.9), us(mean_us * 0.2)),
        ],
        flags,
    )
}

pub const SIZES: [u16; 6] = [64, 128, 256, 512, 1024, 1500];
const RATES: [u32; 9] =
    [1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000, 12_500_000, 15_000_000, 17_500_000, 20_000_000];
const V5: [&str; 5] = ["basicfwd", "ovs", "snabb", "sriov", "vpp"];
const V3: [&str; 3] = ["ovs", "sriov", "vpp"];

/// The switch of that name.
pub fn switch(name: &str) -> VSwitch {
    VSwitch::new(name).expect("a name")
}

fn route(vswitch: VSwitch) -> Route {
    match vswitch.name() {
        "linux-bridge" => Route::Kernel,
        "sriov" => Route::Card,
        _ => Route::Virtio,
    }
}

/// Saturation in Mpps, after what the paper says: the line remotely, copying locally.
fn mpps_max(tuple: &Tuple) -> f64 {
    let packet = f64::from(tuple.packet.get());
    let cpu = match tuple.vswitch.name() {
        "sriov" => 14.0,
        "basicfwd" => 11.0,
        "vpp" => 10.4,
        "ovs" => 7.2,
        "snabb" => 4.8,
        _ => 0.4,
    };
    let copy = 1.0 / (1.0 / cpu + packet / 2_700.0 * if tuple.vswitch == switch("sriov") { 0.55 } else { 1.0 });
    let line = 10e9 / ((packet + 24.0) * 8.0) / 1e6;
    if tuple.locality == Locality::Remote { copy.min(line) } else { copy }
}

fn rtt_us(tuple: &Tuple) -> f64 {
    let (base, per_packet) = match tuple.vswitch.name() {
        "sriov" => (18.0, 0.12),
        "snabb" => (66.0, 0.4),
        "basicfwd" => (5.5, 0.35),
        "vpp" => (6.5, 0.36),
        _ => (7.0, 0.42),
    };
    let wire = if tuple.locality == Locality::Remote && tuple.vswitch != switch("sriov") { 20.0 } else { 0.0 };
    base + wire + per_packet * f64::from(tuple.burst.get()) * (1.0 + f64::from(tuple.packet.get()) / 900.0)
}

/// The paper's tests with values, all of them measured on an ideal host.
pub fn paper_tests() -> Vec<TestView> {
    use Dimension::{Latency, Throughput};
    use Locality::{Local, Remote};
    let mut tests = Vec::new();
    for (io, kpps) in [(Io::Udp, 338.0), (Io::UdpMmsg, 409.0), (Io::Raw, 360.0), (Io::RawMmsg, 440.0)] {
        let mut tuple = tuple(Throughput, Local, 1, VSwitch::LINUX_BRIDGE, 64, 1_000_000, 64);
        tuple.variant.io = io;
        let summary = throughput(&tuple, kpps / 1e3, &[]);
        tests.push(test("sockets", tuple, Some(summary)));
    }
    let mut add =
        |group: &str, locality, pairs: u16, switches: &[&str], sizes: &[u16], rates: &[u32], bursts: &[u16]| {
            for vswitch in switches.iter().copied().map(switch) {
                for &packet in sizes {
                    for &rate in rates {
                        for &burst in bursts {
                            let tuple = tuple(Throughput, locality, pairs, vswitch, packet, rate, burst);
                            let summary = throughput(&tuple, mpps_max(&tuple), &[]);
                            tests.push(test(group, tuple, Some(summary)));
                        }
                    }
                }
            }
        };
    add("local", Local, 1, &V5, &SIZES, &RATES, &[32]);
    add("local-more", Local, 2, &V5, &[64, 1500], &RATES, &[32]);
    add("local-more", Local, 4, &V5, &[64, 1500], &RATES, &[32]);
    add("remote", Remote, 1, &V3, &SIZES, &RATES, &[32]);
    for pairs in [2, 4, 8] {
        add("remote-more", Remote, pairs, &V3, &[64, 1500], &RATES, &[32]);
    }
    add("bursts", Local, 1, &V5, &[64, 1500], &[20_000_000], &[64, 128, 256]);
    for (group, locality, switches) in [("latency-local", Local, &V5[..]), ("latency-remote", Remote, &V3[..])] {
        for vswitch in switches.iter().copied().map(switch) {
            for packet in SIZES {
                for burst in [4, 8, 16, 32, 64, 128] {
                    let tuple = tuple(Latency, locality, 1, vswitch, packet, 1000, burst);
                    let summary = latency(rtt_us(&tuple), &[]);
                    tests.push(test(group, tuple, Some(summary)));
                }
            }
        }
    }
    tests
}

pub fn figure(
    figure: &str,
    from: &[&str],
    selection: Vec<(Axis, Vec<Value>)>,
    x: Axis,
    y: &str,
    series: Axis,
) -> FigureSpec {
    FigureSpec {
        id: id(figure),
        from: from.iter().map(|group| id(group)).collect(),
        selection: Selection(selection),
        x,
        x_scale: Scale::Linear,
        y: y.parse().expect("a metric"),
        y_scale: Scale::Linear,
        series: Some(series),
        over: None,
        title: None,
        caption: Some("An invented caption for a figure of the tests.".to_string()),
        published: None,
    }
}

/// The paper's 14 panels.
pub fn paper_figures() -> Vec<FigureSpec> {
    let sized = |packet: u64| vec![(Axis::P, vec![Value::Number(packet)])];
    let max = Some((Axis::R, Fold::Max));
    let mut figures = vec![figure("4a", &["local"], sized(64), Axis::R, "rx_mpps", Axis::V)];
    for (panel, group, metric) in [("4b", "local", "rx_mpps"), ("4c", "local", "rx_gbps"), ("4d", "remote", "rx_gbps")]
    {
        let plain = figure(panel, &[group], Vec::new(), Axis::P, metric, Axis::V);
        figures.push(FigureSpec { x_scale: Scale::Log2, over: max, ..plain });
    }
    for (panel, groups, packet) in [
        ("4e", ["local", "local-more"], 64),
        ("4f", ["local", "local-more"], 1500),
        ("4g", ["remote", "remote-more"], 64),
        ("4h", ["remote", "remote-more"], 1500),
    ] {
        let plain = figure(panel, &groups, sized(packet), Axis::S, "rx_mpps", Axis::V);
        figures.push(FigureSpec { over: max, ..plain });
    }
    for (panel, group, packet) in [
        ("5a", "latency-local", 64),
        ("5b", "latency-local", 512),
        ("5c", "latency-local", 1500),
        ("5d", "latency-remote", 64),
        ("5e", "latency-remote", 512),
        ("5f", "latency-remote", 1500),
    ] {
        let plain = figure(panel, &[group], sized(packet), Axis::B, "rtt_us_mean", Axis::V);
        figures.push(FigureSpec { x_scale: Scale::Log2, ..plain });
    }
    figures
}

/// What the paper's Table 2 states.
pub fn published_table() -> Published {
    let value = |io: &str, value: f64| PublishedValue {
        selection: Selection(vec![(Axis::P, vec![Value::Number(64)]), (Axis::Io, vec![name(io)])]),
        metric: "rx_kpps".parse().expect("a metric"),
        bound: Bound::Exactly,
        value,
    };
    let values = [("udp", 338.0), ("udp-mmsg", 409.0), ("raw", 360.0), ("raw-mmsg", 440.0)];
    let values = values.into_iter().map(|(io, kpps)| value(io, kpps)).collect();
    Published { source: "An invented paper, Table 2".to_string(), values }
}

pub fn paper_table() -> TableSpec {
    TableSpec {
        id: id("2"),
        from: vec![id("sockets")],
        selection: Selection::default(),
        rows: Axis::Io,
        columns: None,
        values: vec!["rx_kpps".parse().expect("a metric"), "loss_ratio".parse().expect("a metric")],
        over: None,
        caption: Some("Maximum throughput of socket techniques.".to_string()),
        published: Some(published_table()),
    }
}

/// A small experiment as `quick`: one switch, shared cores, a skipped and a waiting test.
pub fn quick_tests() -> Vec<TestView> {
    let flags = [Flag::Oversubscribed, Flag::MissedDeadlines, Flag::Virtualised];
    let mut tests = Vec::new();
    for (packet, factor) in [(64, 1.0), (1500, 0.83)] {
        for (io, kpps) in [(Io::Udp, 338.0), (Io::UdpMmsg, 409.0), (Io::Raw, 360.0), (Io::RawMmsg, 440.0)] {
            let mut tuple =
                tuple(Dimension::Throughput, Locality::Local, 1, VSwitch::LINUX_BRIDGE, packet, 1_000_000, 64);
            tuple.variant.io = io;
            let summary = throughput(&tuple, kpps * factor / 1e3, &flags);
            tests.push(test("sockets", tuple, Some(summary)));
        }
    }
    for vswitch in [VSwitch::LINUX_BRIDGE, switch("ovs")] {
        for burst in [4, 16, 32, 64, 128] {
            let tuple = tuple(Dimension::Latency, Locality::Local, 1, vswitch, 64, 1000, burst);
            let summary = latency(rtt_us(&tuple) + 40.0, &flags[..1]);
            tests.push(test("rtt", tuple, Some(summary)));
        }
    }
    for test in &mut tests[..2] {
        test.accepted = vec![accepted("a fix of a driver that is not loaded here")];
    }
    let skipped = tests.len() - 1;
    tests[skipped] = TestView {
        state: State::Skipped("ovs is not installed".to_string()),
        summary: None,
        key: None,
        ..tests[skipped].clone()
    };
    let waiting = tests.len() - 2;
    tests[waiting] = TestView { state: State::NotMeasured, summary: None, ..tests[waiting].clone() };
    tests
}

pub fn quick_figures() -> Vec<FigureSpec> {
    let throughput = figure("throughput", &["sockets"], Vec::new(), Axis::Io, "rx_kpps", Axis::P);
    let rtt = figure("latency", &["rtt"], Vec::new(), Axis::B, "rtt_us_mean", Axis::V);
    vec![
        FigureSpec {
            title: Some("Throughput of socket techniques".to_string()),
            published: Some(published_table()),
            ..throughput
        },
        FigureSpec { x_scale: Scale::Log2, ..rtt },
    ]
}

pub fn quick_table() -> TableSpec {
    TableSpec { columns: Some(Axis::P), values: vec!["rx_kpps".parse().expect("a metric")], ..paper_table() }
}

pub fn claim(name: &str, from: &[&str], test: &str) -> ClaimSpec {
    let text = format!("An invented statement, {name}, about the tests.");
    let from = from.iter().map(|group| id(group)).collect();
    ClaimSpec { id: id(name), from, text, test: test.to_string(), published: None }
}

pub fn meta(title: &str) -> Meta {
    Meta {
        name: id("quick"),
        title: Some(title.to_string()),
        authors: vec!["A. Author".to_string(), "B. Écrivain".to_string()],
        generation: "3f2a9c41".to_string(),
        grade: Grade::Indicative,
        facts: vec![FactList {
            heading: "Host".to_string(),
            facts: vec![
                Fact::new("Processor", "Example CPU @ 2.60 GHz, 2 cores"),
                Fact::new("Kernel", "6.1.0-18-amd64"),
                Fact::new("Memory", "8 GiB, no hugepages"),
            ],
        }],
        components: vec![
            ComponentRow {
                name: "septet-gen".into(),
                version: "0.1.0".into(),
                digest: "8f14e45fceea167a5a36dedd4bea2543".into(),
            },
            ComponentRow {
                name: "kernel".into(),
                version: "6.1.76".into(),
                digest: "c9f0f895fb98ab9159f51fd0297e236d".into(),
            },
        ],
        protocol: vec![
            Fact::new("Window", "1 s"),
            Fact::new("Warm-up and cool-down", "200 ms each"),
            Fact::new("Repetitions", "3"),
            Fact::new("Order", "random in blocks, seed 17"),
        ],
        notes: vec!["BusyBox is not installed; containers hold the generator only.".to_string()],
    }
}

pub fn details(test: &TestView) -> Details {
    let repetition = |number: u64, suspect: bool| RepetitionView {
        id: format!("{:032x}", number * 0x1234_5678_9abc_def1),
        suspect,
        flags: if suspect { vec![Flag::Drift, Flag::Oversubscribed] } else { vec![Flag::Oversubscribed] },
        seen: suspect
            .then(|| (Flag::Drift, "governor was <b>performance</b> and became powersave".to_string()))
            .into_iter()
            .collect(),
        values: test
            .summary
            .iter()
            .flat_map(|summary| &summary.values)
            .map(|(quantity, estimate)| (*quantity, estimate.mean * (1.0 + number as f64 / 100.0)))
            .collect::<BTreeMap<_, _>>(),
        counts: vec![
            PartyCounts {
                name: "sender-0".to_string(),
                counts: vec![("attempted", 1_400_000), ("sent", 1_399_000), ("rejected", 1_000)],
            },
            PartyCounts {
                name: "receiver-0".to_string(),
                counts: vec![("received", 1_399_000 - 1_000 * number), ("lost", 1_000 * number)],
            },
        ],
        log: (number == 0).then(|| "sender: ready\nreceiver: \u{1b}[31mready\u{1b}[0m\n".to_string()),
    };
    let switch = [("kind", "linux-bridge"), ("configuration", "bridge br0\nveth p0\n")];
    let list = |heading: &str, facts: &[(&str, &str)]| {
        let facts = facts.iter().map(|(label, value)| Fact::new(*label, *value)).collect();
        FactList { heading: heading.into(), facts }
    };
    let wave = |at: usize| 4.4e5 + 2e4 * ((at * 7919 % 13) as f64 - 6.0) / 6.0;
    Details {
        repetitions: vec![repetition(0, false), repetition(1, false), repetition(2, true)],
        rates: Some(RatesOverTime {
            interval_ns: 10_000_000,
            tx_pps: (0..140).map(|at| wave(at) * 1.02).collect(),
            rx_pps: (0..140).map(wave).collect(),
            window: (20, 120),
        }),
        round_trips: Some(Distribution {
            cumulative: (1..=200).map(|at| (20_000.0 + f64::from(at * at), f64::from(at) / 200.0)).collect(),
            histogram: (0..40)
                .map(|at| (20e3 + 1e3 * f64::from(at), 21e3 + 1e3 * f64::from(at), (40 - at as u64) * 17))
                .collect(),
        }),
        facts: vec![html::facts(built_in(), &list("Setup", &[("Governor", "not available")])).expect("facts")],
        inputs: vec![html::inputs(built_in(), &list("switch", &switch)).expect("inputs")],
        components: None,
        command: Some(format!("septet run quick.toml --force {}", test.name)),
    }
}

pub fn built_in() -> &'static Templates {
    Templates::built_in().expect("the built-in templates")
}

/// Every file of a report.
pub fn render_all(report: &Report) -> BTreeMap<String, Vec<u8>> {
    use reports::render;
    let mut files = render::render_static(built_in());
    for figure in report.figures {
        files.extend(render::render_figure(built_in(), figure).expect("figure"));
    }
    for table in report.tables {
        files.extend(render::render_table(built_in(), table).expect("table"));
    }
    files.push(render::render_index(built_in(), report).expect("index"));
    files.extend(render::render_claims(built_in(), report).expect("claims"));
    files.push(render::render_latex_document(built_in(), report).expect("document"));
    files.push(render::render_summary(report));
    for test in report.tests.iter().filter(|test| test.measured().is_some()) {
        files.extend(render::render_test_page(built_in(), report.meta, test, &details(test)).expect("test page"));
    }
    files.into_iter().map(|file| (file.path, file.bytes)).collect()
}

/// A whole report of specifications and tests, handed to `then`.
pub fn with_report<T>(
    meta: &Meta,
    figures: &[FigureSpec],
    tables: &[TableSpec],
    claims: &[ClaimSpec],
    tests: &[TestView],
    then: impl FnOnce(&Report) -> T,
) -> T {
    let tests: Vec<&TestView> = tests.iter().collect();
    let figures: Vec<_> =
        figures.iter().map(|spec| reports::figure::build_figure(spec, &tests).expect("a figure")).collect();
    let tables: Vec<_> =
        tables.iter().map(|spec| reports::table::build_table(spec, &tests).expect("a table")).collect();
    let claims: Vec<_> = claims.iter().map(|spec| ClaimView::judged(spec, &tests)).collect();
    then(&Report { meta, figures: &figures, tables: &tables, claims: &claims, tests: &tests })
}
