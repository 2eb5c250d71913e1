//! Properties of the experiment file's parser and of the matrix, for any input.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pipeline::experiment::matrix::{Group, expand};
use pipeline::experiment::{STARTER, parse, parse_bytes, select};
use proptest::prelude::*;

const QUICK: &str = include_str!("../../experiments/quick.toml");
const PAPER: &str = include_str!("../../experiments/paper.toml");

/// Pieces that a wrong file is likely to be made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            [
                "[[tests]]\n",
                "[[figure]]\n",
                "[[claim]]\n",
                "[[table]]\n",
                "[protocol]\n",
                "[experiment]\n",
                "tests = 3\n",
                "P = [64, 64]\n",
                "R = { from = 1, to = 1000000000, step = 1 }\n",
                "S = \"0vs0\"\n",
                "where = { P = 1 }\n",
                "exclude = [{}]\n",
                "over = {}\n",
                "id = \"a\"\n",
                "from = []\n",
                "= ",
                "{",
                "}",
                "[",
                "]",
                "\"",
                "\"\"\"",
                "'",
                "\n",
                "\0",
                "\u{feff}",
                "#",
                ",",
                ".",
                "0x",
                "1e999",
                "nan",
                "-",
                "é",
                "\u{202e}",
            ]
            .map(str::to_string)
            .to_vec()
        ),
        "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_an_experiment_or_errors(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(errors) = parse_bytes(&bytes, "a.toml") {
            prop_assert!(!errors.list().is_empty());
            prop_assert!(errors.to_string().starts_with("a.toml:"));
        }
    }

    #[test]
    fn a_changed_file_is_an_experiment_or_errors(
        start in 0..STARTER.len(), length in 0usize..60, pieces in prop::collection::vec(piece(), 0..4),
    ) {
        let mut bytes = STARTER.as_bytes().to_vec();
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, pieces.concat().into_bytes());
        if let Err(errors) = parse_bytes(&bytes, "a.toml") {
            prop_assert!(errors.to_string().starts_with("a.toml:"));
        }
    }

    #[test]
    fn a_cut_file_is_an_experiment_or_errors(at in 0..PAPER.len()) {
        if let Err(errors) = parse_bytes(&PAPER.as_bytes()[..at], "a.toml") {
            prop_assert!(errors.to_string().starts_with("a.toml:"));
        }
    }

    #[test]
    fn any_selection_is_understood_or_told(text in "\\PC{0,40}|([A-Za-z_]{1,8}=[a-z0-9|]{0,6},?){0,4}|[a-z0-9]{1,8}(/[a-zA-Z0-9-]{0,12}){0,7}[+a-z=]{0,8}") {
        if let Err(error) = select::parse(&text) {
            prop_assert!(!error.message.is_empty());
        }
    }
}

#[test]
fn names_are_unique_and_select_their_test() {
    for source in [QUICK, PAPER, STARTER] {
        let tests = parse(source, "a.toml").unwrap_or_else(|errors| panic!("{errors}")).matrix.tests;
        let names: BTreeSet<String> = tests.iter().map(|test| test.tuple.to_string()).collect();
        assert_eq!(names.len(), tests.len());
        for test in &tests {
            assert_eq!(select::name(&test.tuple.to_string()).as_ref(), Ok(&test.tuple));
        }
    }
}

#[test]
fn groups_in_another_order_have_the_same_tests() {
    let experiment = parse(PAPER, "a.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let reversed: Vec<Group> = experiment.groups.iter().rev().cloned().collect();
    let (matrix, errors) = expand(&reversed);
    assert!(errors.is_empty());
    let sorted =
        |tests: &[pipeline::experiment::Test]| -> BTreeSet<_> { tests.iter().map(|test| test.tuple.clone()).collect() };
    assert_eq!(sorted(&matrix.tests), sorted(&experiment.matrix.tests));
}

#[test]
fn a_million_tests_are_expanded_while_one_looks() {
    let group = |id: &str, ends: &str| {
        format!(
            "[[tests]]\nid = \"{id}\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = [64, 1500]\nR = {{ {ends}, step = 1000 }}\nB = {{ from = 1, to = 1000, step = 1 }}\n"
        )
    };
    let head = "[experiment]\nname = \"large\"\n[protocol]\nduration = \"1s\"\nwarmup = \"0s\"\ncooldown = \"0s\"\nrepetitions = 1\n";
    let source =
        format!("{head}{}{}", group("a", "from = 1000, to = 300000"), group("b", "from = 200000, to = 500000"));
    let start = Instant::now();
    let experiment = parse(&source, "a.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let took = start.elapsed();
    assert_eq!(experiment.matrix.tests.len(), 1_000_000);
    assert_eq!(experiment.matrix.tests.iter().filter(|test| test.groups.len() == 2).count(), 202_000);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
