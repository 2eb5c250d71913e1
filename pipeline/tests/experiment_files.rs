//! The experiments that are shipped: they load, and plan to the tests that they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline::experiment::{Experiment, STARTER, load, parse};

fn shipped(name: &str) -> Experiment {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments").join(name);
    load(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// Tests by group: those of several groups count for the first.
fn split(experiment: &Experiment) -> BTreeMap<String, usize> {
    let mut split = BTreeMap::new();
    for test in &experiment.matrix.tests {
        *split.entry(experiment.groups[usize::from(test.groups[0])].id.to_string()).or_default() += 1;
    }
    split
}

#[test]
fn the_paper_has_its_tests_tables_figures_and_claims() {
    let paper = shipped("paper.toml");
    assert_eq!(paper.matrix.tests.len(), 1_096);
    let expected = [
        ("bursts", 30),
        ("latency-local", 180),
        ("latency-remote", 108),
        ("local", 270),
        ("local-pairs", 180),
        ("remote", 162),
        ("remote-pairs", 162),
        ("sockets", 4),
    ];
    assert_eq!(split(&paper), expected.map(|(id, count)| (id.to_string(), count)).into());
    let names: std::collections::BTreeSet<String> =
        paper.matrix.tests.iter().map(|test| test.tuple.to_string()).collect();
    assert_eq!(names.len(), 1_096, "names are unique");
    let figures: Vec<&str> = paper.report.figures.iter().map(|figure| figure.id.as_str()).collect();
    assert_eq!(figures, ["4a", "4b", "4c", "4d", "4e", "4f", "4g", "4h", "5a", "5b", "5c", "5d", "5e", "5f"]);
    assert_eq!(paper.report.tables.iter().map(|table| table.id.as_str()).collect::<Vec<_>>(), ["2"]);
    let claims: Vec<String> = paper.report.claims.iter().map(|claim| claim.id.to_string()).collect();
    assert_eq!(claims, (1..=18).map(|number| format!("claim-{number}")).collect::<Vec<_>>());
    let seconds: u64 = paper.matrix.tests.iter().map(|test| traffic(&test.times).as_secs()).sum();
    assert_eq!(seconds, 1_096 * 60);
}

#[test]
fn quick_is_quick_and_shows_what_it_should() {
    let quick = shipped("quick.toml");
    assert_eq!(split(&quick), [("bursts".to_string(), 10), ("techniques".to_string(), 8)].into());
    let repetitions = quick.protocol.repetitions;
    assert_eq!((repetitions.min, repetitions.max, repetitions.ci), (3, 3, None));
    assert!(quick.matrix.tests.iter().all(|test| traffic(&test.times) == Duration::from_millis(1_400)));
    assert_eq!(quick.report.claims.len(), 3);
    let measuring: Duration = quick.matrix.tests.iter().map(|test| 3 * traffic(&test.times)).sum();
    assert!(measuring < Duration::from_secs(90), "{measuring:?}");
}

#[test]
fn the_starter_is_an_experiment() {
    let starter = parse(STARTER, "starter.toml").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(starter.matrix.tests.len(), 9);
    assert_eq!((starter.report.figures.len(), starter.report.tables.len(), starter.report.claims.len()), (2, 1, 1));
}

fn traffic(times: &pipeline::experiment::Times) -> Duration {
    Duration::from_nanos(times.warmup_ns + times.duration_ns + times.cooldown_ns)
}
