//! Reproductions of invented experiments: pages as they were, the word for each claim, and what is compared with what.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use reports::model::{State, TestView};
use reports::render;
use reports::reproduction::{
    ClaimPair, FactPair, FigurePair, Reproduction, TablePair, Tally, Unmeasured, Word, pair_claims, pair_figure,
    pair_table,
};
use reports::since::InputChange;
use reports::spec::ClaimSpec;
use results::axes::Io;
use results::flags::Flag;
use results::metric::Quantity;
use support::*;

/// Tests of the sockets on a host of its own cores, so that nothing forbids a ranking.
fn theirs() -> Vec<TestView> {
    let mut tests = quick_tests();
    for test in &mut tests {
        if let Some(summary) = &mut test.summary {
            summary.flags = vec![(Flag::Virtualised, 3)];
        }
    }
    tests
}

/// Another host: everything at 1.5 times the rate, but for one technique that lost 30 % of it; and a switch is missing.
fn ours() -> Vec<TestView> {
    let mut tests = theirs();
    for test in &mut tests {
        if test.tuple.vswitch == switch("ovs") {
            *test =
                TestView { state: State::Skipped("ovs is not installed".to_string()), summary: None, ..test.clone() };
        }
        let slower = if test.tuple.variant.io == Io::UdpMmsg { 0.7 } else { 1.0 };
        for (quantity, estimate) in test.summary.iter_mut().flat_map(|summary| &mut summary.values) {
            let factor = match quantity {
                Quantity::RxPps | Quantity::RxBps => 1.5 * slower,
                Quantity::RttMean | Quantity::RttP50 | Quantity::RttP99 => 1.0 / 1.5,
                _ => 1.0,
            };
            estimate.mean *= factor;
            estimate.half_width = estimate.half_width.map(|half| half * factor);
        }
    }
    tests
}

fn claims() -> Vec<ClaimSpec> {
    vec![
        claim("batching-helps", &["sockets"], "for P: rx_pps[io=udp-mmsg] > rx_pps[io=udp]"),
        claim("raw-batching-helps", &["sockets"], "for P: rx_pps[io=raw-mmsg] > rx_pps[io=raw]"),
        claim("tenfold", &["sockets"], "for P: rx_pps[io=raw-mmsg] > 10 * rx_pps[io=udp]"),
        claim("ovs-wins", &["rtt"], "for B <= 32: rtt_us_mean[V=ovs] < rtt_us_mean[V=linux-bridge]"),
        claim("under-200us", &["rtt"], "for V, B: rtt_us_mean < 200us"),
    ]
}

struct Made {
    claims: Vec<ClaimPair>,
    figures: Vec<FigurePair>,
    tables: Vec<TablePair>,
}

fn made() -> Made {
    let (theirs, ours) = (theirs(), ours());
    let (theirs, ours): (Vec<&TestView>, Vec<&TestView>) = (theirs.iter().collect(), ours.iter().collect());
    Made {
        claims: pair_claims(&claims(), &theirs, &ours),
        figures: quick_figures().iter().map(|spec| pair_figure(spec, &theirs, &ours).expect("a figure")).collect(),
        tables: vec![pair_table(&quick_table(), &theirs, &ours).expect("a table")],
    }
}

fn files(made: &Made, title: &str) -> BTreeMap<String, Vec<u8>> {
    let meta = meta(title);
    let input = |input: &str, was: &str, is: &str| InputChange {
        input: input.to_string(),
        was: was.to_string(),
        is: is.to_string(),
        tests: 18,
    };
    let fact = |label: &str, theirs: &str, ours: &str| FactPair {
        label: label.to_string(),
        theirs: theirs.to_string(),
        ours: ours.to_string(),
    };
    let reproduction = Reproduction {
        meta: &meta,
        archive: "0123456789abcdef",
        generation_theirs: "fedcba9876543210",
        verified: vec!["The archive has 54 results of 18 tests and is verified up to level 3 of 3.".to_string()],
        scale: Some(0.1),
        tests: 18,
        tests_both: 13,
        is_other_hardware: true,
        claims: &made.claims,
        figures: &made.figures,
        tables: &made.tables,
        inputs: &[input("kernel.release", "6.1.0-18-amd64", "6.12.9"), input("runtime.kind", "lxc", "netns")],
        facts: &[fact("Name", "lab", "desk"), fact("Processor", "Xeon <Gold>", "Ryzen & co")],
        unmeasured: &[Unmeasured {
            reason: "ovs is not installed".to_string(),
            tests: (0..14).map(|number| format!("latency/local/1vs1/ovs/64B/1kpps/b{number}")).collect(),
        }],
    };
    let files = render::render_reproduction(built_in(), &reproduction).expect("it can be rendered");
    files.into_iter().map(|file| (file.path, file.bytes)).collect()
}

#[test]
fn each_claim_has_its_word() {
    let made = made();
    let words: Vec<(&str, Word)> = made.claims.iter().map(|pair| (pair.ours.id.as_str(), pair.word)).collect();
    assert_eq!(
        words,
        [
            ("batching-helps", Word::NotReproduced),
            ("raw-batching-helps", Word::Reproduced),
            ("tenfold", Word::Reproduced),
            ("ovs-wins", Word::NotMeasuredHere),
            ("under-200us", Word::Reproduced),
        ]
    );
    assert_eq!(Tally::of(&made.claims).to_string(), "3 of 5 claims reproduced, 1 not, 1 not measured here");
    let partly = made.claims.last().expect("a claim");
    assert!(partly.one_sided > 0, "it was judged over what both measured");
}

#[test]
fn values_of_other_hardware_are_compared_in_parts_of_a_base() {
    let made = made();
    let table = &made.tables[0];
    let row = |io: &str| table.rows.iter().find(|row| row.place[0] == io).expect("a row");
    let near = |value: f64, expected: f64| (value - expected).abs() < 1e-9 * expected.abs();
    assert!(row("udp").relative.is_none(), "the base is not in parts of itself");
    assert!(near(row("udp").ratio.expect("a ratio").value, 1.5));
    let raw = row("raw").relative.as_ref().expect("it has a base");
    assert!(near(raw.ratio.value, 1.0) && raw.base == "udp", "{raw:?}");
    let slower = row("udp-mmsg").relative.as_ref().expect("it has a base");
    assert!(near(slower.ratio.value, 0.7), "{slower:?}");
    let (low, high) = slower.ratio.interval.expect("both have intervals");
    assert!(low < 0.7 && 0.7 < high && high < 1.0, "{slower:?}");
}

#[test]
fn pages_are_as_they_were() {
    let files = files(&made(), "Kernel networking <b>between</b> two containers");
    if let Some(root) = std::env::var_os("KEEP_REPORT") {
        for (path, bytes) in &files {
            let path = Path::new(&root).join("reproduction").join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            std::fs::write(path, bytes).expect("it can be written");
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for path in ["index.html", "reproduction.json", "figures/throughput.svg", "figures/latency.svg", "tables/2.csv"] {
        let kept = golden.join(format!("reproduction-{}", path.replace('/', "-")));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&kept, &files[path]).expect("write golden file");
        }
        let expected = std::fs::read_to_string(&kept).unwrap_or_default();
        let found = String::from_utf8(files[path].clone()).expect("text");
        assert!(found == expected, "{path} differs; run with UPDATE_GOLDEN=1 and look at the change");
    }
    let page = String::from_utf8(files["index.html"].clone()).expect("text");
    assert!(!page.contains("<b>between</b>") && page.contains("Xeon &lt;Gold&gt;"), "text of others is text");
    assert!(page.contains("and 2 more"), "long lists are cut visibly");
}
