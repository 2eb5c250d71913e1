//! What whoever has the store hands over: tests with their summaries, and what the report says of the
//! experiment and its host. Plain data, already read and ordered; it must not know where it came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use results::flags::Flag;
use results::metric::Quantity;
use results::summary::{Grade, Summary};
use results::tuple::Tuple;

use crate::spec::Id;
use crate::templates::Prepared;
use crate::topology::Route;

/// One test as reports see it.
#[derive(Clone, Debug, PartialEq)]
pub struct TestView {
    /// The test's coordinates.
    pub tuple: Tuple,
    /// The test's unique name.
    pub name: String,
    /// The test's key, lower-case hexadecimal; absent for a skipped test. Names the page `tests/KEY.html`.
    pub key: Option<String>,
    /// How its packets get from one container to the other.
    pub route: Route,
    /// The groups of the experiment that it is in.
    pub groups: Vec<Id>,
    /// Whether there is something to show.
    pub state: State,
    /// Over its valid repetitions; present exactly when `state` is [`State::Measured`].
    pub summary: Option<Summary>,
    /// Changes that somebody has declared harmless, by which results of before them count here.
    pub accepted: Vec<Arc<Accepted>>,
}

impl TestView {
    /// The summary, if the test was measured.
    pub fn measured(&self) -> Option<&Summary> {
        match self.state {
            State::Measured => self.summary.as_ref(),
            State::NotMeasured | State::Skipped(_) => None,
        }
    }
}

/// Whether a test has results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is at least one valid repetition.
    Measured,
    /// The test could be measured here and has not been, or every repetition was suspect.
    NotMeasured,
    /// The test cannot be measured here; the reason completes "skipped: ".
    Skipped(String),
}

/// A labelled value, shown as it is: `Kernel`, `6.1.0-18-amd64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub label: String,
    /// The fact's value, unit included.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { label: label.into(), value: value.into() }
    }
}

/// Facts under one heading, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactList {
    /// `Host`, or the host's name where there are two.
    pub heading: String,
    /// In the order shown.
    pub facts: Vec<Fact>,
}

/// A piece of software that measurements ran through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentRow {
    /// `ovs`, `kernel`, `septet-gen`.
    pub name: String,
    /// A version to read; empty when it has none.
    pub version: String,
    /// The digest of its content, hexadecimal; shown shortened.
    pub digest: String,
}

/// What a report says of the experiment besides its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The experiment's name.
    pub name: Id,
    /// The experiment's title; the name stands in for an absent one.
    pub title: Option<String>,
    /// Names of authors, none for an anonymous report.
    pub authors: Vec<String>,
    /// What names the generation shown; a digest or a name, never a date.
    pub generation: String,
    /// The worst grade of all results shown; [`Grade::Indicative`] when there are none.
    pub grade: Grade,
    /// The hosts.
    pub facts: Vec<FactList>,
    /// Components in the order shown.
    pub components: Vec<ComponentRow>,
    /// The protocol: window, warm-up, cool-down, repetitions, order and its seed.
    pub protocol: Vec<Fact>,
    /// What a reader must know: mixed generations, missing BusyBox. One sentence each.
    pub notes: Vec<String>,
}

/// A change of a measurement's inputs that was declared harmless, so that older results stay in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// The day on which it was declared so: `2026-01-31`.
    pub day: String,
    /// What changed: `kernel`.
    pub trigger: String,
    /// From what to what.
    pub change: String,
    /// Why it is harmless, in the words of who accepted it.
    pub reason: String,
}

/// The accepted changes that tests lean on, in order of day and name, each with the number of those tests.
pub fn accepted_changes<'t>(tests: &[&'t TestView]) -> Vec<(&'t Accepted, usize)> {
    let mut counts = BTreeMap::new();
    for accepted in tests.iter().flat_map(|test| &test.accepted) {
        *counts.entry(&**accepted).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// What a test's own page shows besides its summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Every repetition, suspect ones included, in order of measurement.
    pub repetitions: Vec<RepetitionView>,
    /// Received and sent rate over time; absent when there are no interval records.
    pub rates: Option<RatesOverTime>,
    /// How round-trip times were distributed; absent for throughput tests.
    pub round_trips: Option<Distribution>,
    /// The host, and when and for how long it was measured: [`crate::html::facts`].
    pub facts: Vec<Prepared>,
    /// Every input of the test's key, by section: [`crate::html::inputs`].
    pub inputs: Vec<Prepared>,
    /// Components of this test alone: [`crate::html::components`].
    pub components: Option<Prepared>,
    /// The command that measures this test again: `septet run FILE --force NAME`.
    pub command: Option<String>,
}

/// One repetition of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct RepetitionView {
    /// What names it in the store, hexadecimal; shown shortened.
    pub id: String,
    /// Whether it is left out of averages.
    pub suspect: bool,
    /// The repetition's flags in order of harm.
    pub flags: Vec<Flag>,
    /// What the host did that raised some of them, in words.
    pub seen: Vec<(Flag, String)>,
    /// The repetition's values in base units.
    pub values: BTreeMap<Quantity, f64>,
    /// Packet accounting of each program that took part.
    pub counts: Vec<PartyCounts>,
    /// The end of its log, if there is one.
    pub log: Option<String>,
}

/// The packet accounting of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyCounts {
    /// The generator's container: `sender-0`.
    pub name: String,
    /// Labelled counts: attempted, sent, rejected, received, lost, ...
    pub counts: Vec<(&'static str, u64)>,
}

/// Rates in fixed intervals of one repetition.
#[derive(Clone, Debug, PartialEq)]
pub struct RatesOverTime {
    /// Length of an interval, nanoseconds.
    pub interval_ns: u64,
    /// Sent rate of each interval, packets/s, all senders together.
    pub tx_pps: Vec<f64>,
    /// Received rate of each interval, packets/s, all receivers together.
    pub rx_pps: Vec<f64>,
    /// First interval of the window and the first one behind it: what lies outside is warm-up and cool-down.
    pub window: (usize, usize),
}

/// Points of a cumulative distribution, ascending in both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// (round-trip time in ns, part of the round trips that took no longer, 0 to 1).
    pub cumulative: Vec<(f64, f64)>,
    /// (from ns, to ns, round trips in between), ascending, adjoining.
    pub histogram: Vec<(f64, f64, u64)>,
}
