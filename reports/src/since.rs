//! What changed between two reports of one experiment: tests, figures, tables, verdicts. It must not say
//! whether a difference is real, nor know where reports come from.

use std::collections::BTreeMap;

use results::metric::{Metric, Quantity, Unit};
use results::summary::Estimate;

use crate::model::{State, TestView};
use crate::report::{ClaimView, Report};

/// An input of keys that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputChange {
    /// `kernel.release`.
    pub input: String,
    /// What it was; empty if it was not there.
    pub was: String,
    /// What it is; empty if it is not there any more.
    pub is: String,
    /// How many tests have other keys by it.
    pub tests: usize,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The generation that is compared with.
    pub base: String,
    /// Why keys differ, in order of name.
    pub inputs: Vec<InputChange>,
    /// Ids of figures with anything new, in order of declaration.
    pub figures: Vec<String>,
    /// Likewise of tables.
    pub tables: Vec<String>,
    /// Claims with another verdict or other numbers.
    pub claims: Vec<ClaimChange>,
    /// Tests with other results, in order of the experiment.
    pub tests: Vec<TestChange>,
    /// Tests that are as they were.
    pub unchanged: usize,
}

/// A claim with another verdict or other numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimChange {
    /// The claim's identifier.
    pub id: String,
    /// The verdict that it had; absent for a claim that is new.
    pub was: Option<&'static str>,
    /// The verdict that it has.
    pub is: &'static str,
}

/// A test with other results.
#[derive(Clone, Debug, PartialEq)]
pub struct TestChange {
    /// The test's name.
    pub name: String,
    /// The key that it has.
    pub key: Option<String>,
    /// What was done to it: `1 repetition more`, `measured for the first time`.
    pub what: String,
    /// The value that it is known by.
    pub metric: Metric,
    /// What it was, in base units.
    pub was: Option<Estimate>,
    /// What it is, in base units.
    pub is: Option<Estimate>,
}

/// What is different in `after`. Both must be of one experiment; tests are known by name.
pub fn changes(base: String, inputs: Vec<InputChange>, before: &Report, after: &Report) -> Changes {
    let old: BTreeMap<&str, &TestView> = before.tests.iter().map(|test| (test.name.as_str(), *test)).collect();
    let tests: Vec<TestChange> =
        after.tests.iter().filter_map(|test| test_change(old.get(test.name.as_str()).copied(), test)).collect();
    let figures = after.figures.iter().filter(|figure| !before.figures.contains(figure));
    let tables = after.tables.iter().filter(|table| !before.tables.contains(table));
    Changes {
        base,
        inputs,
        figures: figures.map(|figure| figure.id.to_string()).collect(),
        tables: tables.map(|table| table.id.to_string()).collect(),
        claims: after.claims.iter().filter_map(|claim| claim_change(before.claims, claim)).collect(),
        unchanged: after.tests.len() - tests.len(),
        tests,
    }
}

fn claim_change(before: &[ClaimView], claim: &ClaimView) -> Option<ClaimChange> {
    let held = before.iter().find(|held| held.id == claim.id);
    if held == Some(claim) {
        return None;
    }
    let outcome = |claim: &ClaimView| claim.verdict.as_ref().map_or("not judged", |verdict| verdict.outcome.name());
    Some(ClaimChange { id: claim.id.to_string(), was: held.map(outcome), is: outcome(claim) })
}

fn test_change(before: Option<&TestView>, test: &TestView) -> Option<TestChange> {
    if before == Some(test) {
        return None;
    }
    let metric = headline(test).or_else(|| before.and_then(headline))?;
    let estimate = |test: &TestView| test.measured()?.get(metric.quantity).copied();
    Some(TestChange {
        name: test.name.clone(),
        key: test.measured().and(test.key.clone()),
        what: what(before, test),
        metric,
        was: before.and_then(estimate),
        is: estimate(test),
    })
}

fn what(before: Option<&TestView>, test: &TestView) -> String {
    let repetitions = |test: &TestView| test.measured().map(|summary| summary.valid + summary.suspect);
    match (before.and_then(repetitions), repetitions(test)) {
        (None, Some(_)) => "measured for the first time".to_string(),
        (_, None) => match &test.state {
            State::Skipped(_) => "skipped now".to_string(),
            State::Measured | State::NotMeasured => "not measured now".to_string(),
        },
        (Some(_), Some(_)) if before.is_some_and(|before| before.key != test.key) => "measured anew".to_string(),
        (Some(was), Some(is)) if is > was => {
            format!(
                "{} more",
                if is - was == 1 { "1 repetition".to_string() } else { format!("{} repetitions", is - was) }
            )
        }
        _ => "other repetitions".to_string(),
    }
}

/// The value that a test is known by: its mean round trip, or its received rate.
pub fn headline(test: &TestView) -> Option<Metric> {
    let summary = test.measured()?;
    if summary.get(Quantity::RttMean).is_some() {
        return Some(Metric { quantity: Quantity::RttMean, unit: Unit::Us });
    }
    let mean = summary.get(Quantity::RxPps)?.mean;
    let units = [Unit::Mpps, Unit::Kpps];
    let unit = units.into_iter().find(|unit| mean >= unit.scale()).unwrap_or(Unit::Pps);
    Some(Metric { quantity: Quantity::RxPps, unit })
}
