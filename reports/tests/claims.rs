//! The paper's 18 claims as expressions: they parse, fit the paper's tests, and are judged as the model that
//! invented the values says.

mod support;

use reports::claim::{self, Outcome};
use reports::model::{State, TestView};
use results::flags::Flag;
use results::tuple::Tuple;

/// (number, groups, expression, outcome on the invented values)
const CLAIMS: [(u32, &[&str], &str, Outcome); 18] = [
    (
        1,
        &["sockets"],
        "rx_kpps[io=udp] ~ 338kpps within 5% and rx_kpps[io=udp-mmsg] ~ 409kpps within 5% and rx_kpps[io=raw] ~ 360kpps within 5% and rx_kpps[io=raw-mmsg] ~ 440kpps within 5%",
        Outcome::Holds,
    ),
    (
        2,
        &["sockets"],
        "rx_kpps[io=raw-mmsg] > rx_kpps[io=udp-mmsg] > rx_kpps[io=raw] > rx_kpps[io=udp] and rx_kpps[io=udp-mmsg] / rx_kpps[io=udp] ~ 1.21 within 5% and rx_kpps[io=raw-mmsg] / rx_kpps[io=raw] ~ 1.22 within 5%",
        Outcome::Holds,
    ),
    (
        3,
        &["sockets", "local"],
        "(for V = linux-bridge, io: rx_mpps < 1Mpps) and (for V != linux-bridge: max(rx_mpps[P=64], over R) >= 2Mpps)",
        Outcome::Holds,
    ),
    (4, &["local", "bursts"], "for V, P in (64, 1500): flat(rx_mpps[R=20Mpps], over B, within 5%)", Outcome::Holds),
    (
        5,
        &["local"],
        "(for V, P: plateau(rx_pps, offered_pps, over R, within 5%)) and (for V: max(rx_pps[P=64], over R) > max(rx_pps[P=1500], over R))",
        Outcome::Holds,
    ),
    (
        6,
        &["local"],
        "for P = 64: max(rx_mpps[V=sriov], over R) > max(rx_mpps[V=basicfwd], over R) >= max(rx_mpps[V=vpp], over R) and max(rx_mpps[V=vpp], over R) ~ max(rx_mpps[V=basicfwd], over R) within 15% and max(rx_mpps[V=vpp], over R) > max(rx_mpps[V=ovs], over R) and max(rx_mpps[V=vpp], over R) > max(rx_mpps[V=snabb], over R)",
        Outcome::Holds,
    ),
    (
        7,
        &["local"],
        "for V: (for P > 64: max(rx_mpps[P=64], over R) >= max(rx_mpps, over R)) and (for P < 1500: max(rx_gbps[P=1500], over R) >= max(rx_gbps, over R)) and logarithmic(max(rx_gbps, over R), over P, within 20%)",
        Outcome::Holds,
    ),
    (
        8,
        &["local"],
        "flat(max(rx_mpps[V != sriov, P=1500], over R), over V, within 20%) and not flat(max(rx_mpps[V != sriov, P=64], over R), over V, within 20%)",
        Outcome::Holds,
    ),
    (
        9,
        &["remote"],
        "(for V, P: max(rx_gbps_l1, over R) <= 10Gbps) and (for V: max(rx_gbps_l1[P=1500], over R) ~ 10Gbps within 5%) and (for V: max(rx_gbps_l1[P=64], over R) < 9.5Gbps)",
        Outcome::Inconclusive,
    ),
    (
        10,
        &["local", "remote"],
        "for V in (ovs, vpp), P <= 256: max(rx_mpps[L=remote], over R) ~ max(rx_mpps[L=local], over R) within 15%",
        Outcome::Inconclusive,
    ),
    (
        11,
        &["remote"],
        "for V in (ovs, vpp): (for P <= 128: max(rx_mpps[V=sriov], over R) > max(rx_mpps, over R)) and max(rx_mpps[P=1500], over R) >= max(rx_mpps[V=sriov, P=1500], over R)",
        Outcome::Inconclusive,
    ),
    (12, &["local", "local-more"], "for V: flat(max(rx_mpps[P=64], over R), over S, within 10%)", Outcome::Holds),
    (
        13,
        &["local", "local-more"],
        "for P = 1500: max(rx_gbps[V=sriov, S=4vs4], over R) / 4 ~ 0.82 * max(rx_gbps[V=sriov, S=1vs1], over R) within 5% and (for V != sriov: flat(max(rx_gbps, over R), over S, within 10%))",
        Outcome::Refuted,
    ),
    (
        14,
        &["remote", "remote-more"],
        "(for V, S: max(rx_gbps_l1[P=1500], over R) ~ 10Gbps within 5%) and (for V, S > 1vs1: max(rx_mpps[P=64], over R) <= 1.1 * max(rx_mpps[P=64, S=1vs1], over R))",
        Outcome::Holds,
    ),
    (
        15,
        &["latency-local"],
        "(for V != snabb, P: rtt_us_mean[B=4] < 40us) and (for V = snabb, P, B: rtt_us_mean > 60us)",
        Outcome::Holds,
    ),
    (
        16,
        &["latency-local"],
        "(for V != sriov|snabb: min(rtt_us_mean, over P, B) < 10us) and (for V = sriov, P, B: rtt_us_mean >= 10us)",
        Outcome::Holds,
    ),
    (
        17,
        &["latency-local"],
        "for V != sriov|snabb: rtt_us_mean[V=sriov, P=64, B=4] > rtt_us_mean[P=64, B=4] and (for P, B > 32: rtt_us_mean[V=sriov] < rtt_us_mean) and (for P: rtt_us_mean[V=sriov, B=128] / rtt_us_mean[V=sriov, B=4] < rtt_us_mean[B=128] / rtt_us_mean[B=4])",
        Outcome::Holds,
    ),
    (18, &["latency-remote"], "for V != sriov, P, B: rtt_us_mean[V=sriov] < rtt_us_mean", Outcome::Holds),
];

fn among<'a>(tests: &'a [TestView], groups: &[&str]) -> Vec<&'a TestView> {
    tests.iter().filter(|test| test.groups.iter().any(|group| groups.contains(&group.as_str()))).collect()
}

#[test]
fn the_papers_claims_parse_fit_and_are_judged() {
    let tests = support::paper_tests();
    assert_eq!(tests.len(), 1096);
    let mut unexpected = Vec::new();
    for (number, groups, source, expected) in CLAIMS {
        let claim = claim::parse(source).unwrap_or_else(|error| panic!("claim {number}: {error:?}"));
        let members = among(&tests, groups);
        let tuples: Vec<&Tuple> = members.iter().map(|test| &test.tuple).collect();
        claim.check(&tuples).unwrap_or_else(|error| panic!("claim {number}: {error:?}"));
        let verdict = claim.judge(&members);
        assert!(verdict.rests_on_something());
        if verdict.outcome != expected {
            unexpected.push(format!(
                "claim {number}: {:?}, {:#?}",
                verdict.outcome,
                &verdict.numbers[..verdict.numbers.len().min(3)]
            ));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

#[test]
fn what_was_not_measured_is_named_and_the_rest_is_judged() {
    let mut tests = support::paper_tests();
    for test in tests.iter_mut().filter(|test| test.name.contains("/sriov/")) {
        (test.summary, test.state) = (None, State::Skipped("no SR-IOV NIC".to_string()));
    }
    let members = among(&tests, &["latency-local"]);
    let verdict = claim::parse("for V, P: rtt_us_mean[B=4] > 1us").unwrap().judge(&members);
    assert_eq!(verdict.outcome, Outcome::Holds);
    assert_eq!(verdict.missing[0], "any result of sriov");
    assert!(verdict.missing[1].contains("no SR-IOV NIC") && verdict.missing[1].contains("/sriov/"), "{verdict:?}");
    let sriov = claim::parse("for P: rtt_us_mean[B=4, V=sriov] > 1us").unwrap().judge(&members);
    assert_eq!(sriov.outcome, Outcome::NotMeasured);
}

#[test]
fn switches_on_shared_cores_are_not_ranked() {
    let mut tests = support::paper_tests();
    for summary in tests.iter_mut().filter_map(|test| test.summary.as_mut()) {
        summary.flags = vec![(Flag::Oversubscribed, 3)];
    }
    let members = among(&tests, &["latency-local"]);
    let ranking = claim::parse("for P, B: rtt_us_mean[V=ovs] < rtt_us_mean[V=snabb]").unwrap().judge(&members);
    assert_eq!(ranking.outcome, Outcome::Inconclusive);
    assert!(ranking.doubts[0].contains("sleep policy"), "{ranking:?}");
    let alone = claim::parse("for V = ovs, P: rtt_us_mean[B=4] < rtt_us_mean[B=128]").unwrap().judge(&members);
    assert_eq!(alone.outcome, Outcome::Holds);
}

#[test]
fn nonsense_is_told_with_its_place() {
    let told = |source: &str| {
        let error = claim::parse(source).unwrap_err();
        (source[error.at.clone()].to_string(), error.message, error.suggestion)
    };
    assert_eq!(told("rx_mpp > 2Mpps"), ("rx_mpp".into(), "'rx_mpp' is no metric".into(), Some("rx_mpps".into())));
    assert_eq!(told("rx_mpps[W=1] > 2Mpps").0, "W");
    assert_eq!(told("rx_mpps[io=udp-msg] > 2Mpps").2.as_deref(), Some("udp-mmsg"));
    assert_eq!(told("rx_mpps > 2").2.as_deref(), Some("2Mpps"));
    assert_eq!(told("rx_mpps > 2Mps").2.as_deref(), Some("Mpps"));
    assert_eq!(told("rx_mpps > rtt_us_mean").0, "rtt_us_mean");
    assert_eq!(told("rx_mpps").0, "rx_mpps");
    assert_eq!(told("rx_mpps > 1Mpps and").0, "");
    assert_eq!(told("rx_mpps[V=ovs] ~ rx_mpps[V=vpp]").1, "expected 'within' and a percentage after '~'");
    assert_eq!(told("rx_mpps = 1Mpps").0, "=");
    assert!(told(&"(".repeat(5000)).1.contains("bytes"));
    assert!(told(&"(".repeat(4000)).1.contains("nested deeper"));
    assert!(told(&"not ".repeat(900)).1.contains("nested deeper"));
    assert!(told(&"-".repeat(4000)).1.contains("nested deeper"));
    assert!(told(&"for V: ".repeat(500)).1.contains("nested deeper"));
}

#[test]
fn claims_over_tests_that_do_not_exist_or_are_not_one_are_refused() {
    let tests = support::paper_tests();
    let tuples: Vec<&Tuple> = among(&tests, &["local"]).iter().map(|test| &test.tuple).collect();
    let told = |source: &str| claim::parse(source).unwrap().check(&tuples).unwrap_err().message;
    assert!(told("rx_mpps[V=ovs, P=64] > 1Mpps").contains("differ in R"));
    assert!(told("rx_mpps[V=linux-bridge] > 1Mpps").contains("no test of this claim has V=linux-bridge"));
    let slip = claim::parse("rx_mpps[V=osv] > 1Mpps").unwrap().check(&tuples).unwrap_err();
    assert_eq!(slip.suggestion.as_deref(), Some("ovs"));
    let custom = "for V=custom:mine: max(rx_mpps, over R) > 1Mpps";
    assert!(told(custom).contains("no test of this claim has V=custom:mine"));
    assert!(told("rtt_us_mean[V=ovs] < 1us").contains("no test of this claim is"));
    assert!(told("for V = ovs, P > 1500: max(rx_mpps, over R) > 1Mpps").contains("no test of this claim fits 'for'"));
    assert!(told("for V, P: flat(rx_mpps, over V, within 5%)").contains("differ in R"));
    assert!(told("flat(max(rx_mpps[P=64, V=ovs], over R), over V, within 5%)").contains("varies V"));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_panics(source in "\\PC{0,80}") {
        let _ = claim::parse(&source);
    }

    #[test]
    fn no_mutation_of_a_claim_panics(place in 0usize..18, cut in 0usize..200, insert in "[\\[\\]()<>=~|,:a-zV0-9 .%-]{0,6}") {
        let source = CLAIMS[place].2;
        let at = (0..=cut.min(source.len())).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0);
        let mutated = format!("{}{insert}{}", &source[..at], &source[(at + 3).min(source.len())..]);
        if let Err(error) = claim::parse(&mutated) {
            proptest::prop_assert!(error.at.start <= error.at.end && error.at.end <= mutated.len());
            proptest::prop_assert!(mutated.is_char_boundary(error.at.start) && mutated.is_char_boundary(error.at.end));
        }
    }
}
