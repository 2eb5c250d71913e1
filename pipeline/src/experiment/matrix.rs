//! The matrix: groups of axes become an ordered list of distinct tests. Pure; it must not know places in
//! files, figures, or what is stored.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use reports::spec::Id;
use results::axes::Axis;
use results::statistics::precise;
use results::tuple::{Tuple, Variant};
use serde::{Deserialize, Serialize};

use super::axis_value::AxisValue;
use super::index::Index;
use super::limits::{Limit, Timed};
use super::rules::Fault;
use super::units::with_commas;

/// Most tests that groups may have together; more are refused before any is made.
pub const TESTS_MAX: u128 = 10_000_000;

/// What traffic flows for, in nanoseconds. In the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Times {
    /// The window that is averaged; of a test whose window is chosen the shortest one, and of its results the one that
    /// was chosen.
    pub duration_ns: u64,
    /// Traffic before it.
    pub warmup_ns: u64,
    /// Traffic after it.
    pub cooldown_ns: u64,
    /// Whether the window's length is chosen by what results show, so that the asked precision costs least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
}

impl Times {
    /// The times with the longest window that they allow.
    pub fn longest(self) -> Times {
        match self.chosen {
            true => Times { duration_ns: self.duration_ns.max(WINDOW_NS_MAX), ..self },
            false => self,
        }
    }
}

/// The longest window that is chosen, nanoseconds.
pub const WINDOW_NS_MAX: u64 = precise::WINDOW_S_MAX as u64 * 1_000_000_000;
/// The shortest, likewise.
pub const WINDOW_NS_MIN: u64 = precise::WINDOW_S_MIN as u64 * 1_000_000_000;

/// A group of tests: one `[[tests]]` of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Unique among groups.
    pub id: Id,
    /// The first value on every axis, defaults included.
    pub first: Tuple,
    /// The axes that it names, in the order of [`Axis::ALL`].
    pub axes: Vec<AxisValues>,
    /// Partial tuples that are left out.
    pub exclude: Vec<Partial>,
    /// The group's own times, or the protocol's.
    pub times: Times,
}

/// The values of one axis in a group, distinct, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisValues {
    /// The axis.
    pub axis: Axis,
    /// The values as declared; of a range of more than [`TESTS_MAX`], only the first.
    pub values: Vec<AxisValue>,
    /// How many were declared.
    pub count: u64,
}

/// A partial tuple: each axis named has one of the values listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partial(pub Vec<(Axis, Vec<AxisValue>)>);

/// A [`Partial`] beside the axes of a group: what it says of each of their values is looked up once, and not once a test.
struct Exclusion<'g> {
    /// By the place of an axis, which of its values agree.
    of_axes: Vec<(usize, Vec<bool>)>,
    /// What is said of axes that the group does not name.
    others: Vec<&'g [AxisValue]>,
}

impl<'g> Exclusion<'g> {
    fn of(partial: &'g Partial, axes: &[AxisValues]) -> Exclusion<'g> {
        let mut exclusion = Exclusion { of_axes: Vec::new(), others: Vec::new() };
        for (axis, values) in &partial.0 {
            match axes.iter().position(|named| named.axis == *axis) {
                Some(place) => {
                    let agree = axes[place].values.iter().map(|value| values.contains(value));
                    exclusion.of_axes.push((place, agree.collect()));
                }
                None => exclusion.others.push(values),
            }
        }
        exclusion
    }

    /// Whether it takes a test whose axes have the values in these places.
    fn takes(&self, tuple: &Tuple, digits: &[usize]) -> bool {
        self.of_axes.iter().all(|(place, agrees)| agrees.get(digits[*place]) == Some(&true))
            && self.others.iter().all(|values| values.iter().any(|value| value.is_of(tuple)))
    }
}

/// Indices of groups, ascending, at least one; shared by the tests that have the same.
pub type GroupSet = Arc<[u16]>;

/// One test of the matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The test's coordinates, distinct from every other test's.
    pub tuple: Tuple,
    /// How long its traffic flows.
    pub times: Times,
    /// The groups that have it.
    pub groups: GroupSet,
}

impl Test {
    /// A copy of the test with a window of this length.
    pub fn with_window(&self, duration_ns: u64) -> Test {
        Test { times: Times { duration_ns, ..self.times }, ..self.clone() }
    }
}

/// Distinct tests, in order of declaration: group by group, the last axis varying fastest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// The tests.
    pub tests: Vec<Test>,
}

/// What is wrong with groups as a whole. Groups, axes and exclusions are told by their index.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are named in their variant's sentence")]
pub enum MatrixError {
    /// A group has more than [`TESTS_MAX`] tests; `product` says how.
    TooMany { group: usize, product: String },
    /// The groups have more than [`TESTS_MAX`] tests together; `sum` says how.
    TooManyTogether { sum: String },
    /// A value of an axis makes a test impossible.
    Impossible { group: usize, axis: Axis, value: usize, fault: Fault },
    /// A test is beyond what generators do; the value of an axis says so, or the times.
    Beyond { group: usize, place: Option<(Axis, usize)>, limit: Limit },
    /// An exclusion leaves no test out.
    ExcludesNothing { group: usize, exclusion: usize },
    /// Exclusions leave no test.
    Empty { group: usize },
    /// Two groups give one test different times.
    TimesDiffer { first: usize, second: usize, test: String },
}

/// All tests of `groups`, each once, and all that is wrong with them. Without errors every test is possible.
/// When there are too many tests, none is made.
pub fn expand(groups: &[Group]) -> (Matrix, Vec<MatrixError>) {
    let mut errors = too_many(groups);
    if !errors.is_empty() {
        return (Matrix::default(), errors);
    }
    let mut tests: Vec<Test> = Vec::new();
    // Within a group tests are distinct, so that a single group needs no look-up.
    let most = usize::try_from(groups.iter().map(size).sum::<u128>().min(TESTS_MAX)).unwrap_or_default();
    let mut index = (groups.len() > 1).then(|| Index::with_capacity(most));
    let mut unions: HashMap<(GroupSet, u16), GroupSet> = HashMap::new();
    let mut differing = BTreeSet::new();
    for (number, group) in groups.iter().enumerate() {
        let label = u16::try_from(number).unwrap_or(u16::MAX);
        let own: GroupSet = Arc::new([label]);
        walk(number, group, &mut errors, |tuple| {
            let known = index.as_mut().and_then(|index| index.find_or_append(tuple, |place| &tests[place].tuple));
            let Some(test) = known.and_then(|place| tests.get_mut(place)) else {
                tests.push(Test { tuple: tuple.clone(), times: group.times, groups: own.clone() });
                return None;
            };
            let first = usize::from(test.groups[0]);
            let union = unions.entry((test.groups.clone(), label));
            test.groups = union.or_insert_with(|| test.groups.iter().copied().chain([label]).collect()).clone();
            let differs = test.times != group.times && differing.insert((first, number));
            differs.then(|| MatrixError::TimesDiffer { first, second: number, test: tuple.to_string() })
        });
    }
    (Matrix { tests }, errors)
}

/// Calls `visit` for each test of a group that is not excluded.
fn walk(
    index: usize,
    group: &Group,
    errors: &mut Vec<MatrixError>,
    mut visit: impl FnMut(&Tuple) -> Option<MatrixError>,
) {
    let io_is_named = group.axes.iter().any(|axis| axis.axis == Axis::Io);
    let set = |tuple: &mut Tuple, value: &AxisValue| {
        value.apply(tuple);
        if let (AxisValue::VSwitch(vswitch), false) = (value, io_is_named) {
            tuple.variant.io = Variant::default_for(*vswitch).io;
        }
    };
    let mut tuple = group.first.clone();
    let mut digits = vec![0usize; group.axes.len()];
    let exclusions: Vec<Exclusion> = group.exclude.iter().map(|partial| Exclusion::of(partial, &group.axes)).collect();
    let mut excluded = vec![false; group.exclude.len()];
    let mut faults = BTreeSet::new();
    let mut limits = BTreeSet::new();
    // Most tests differ from the one before in nothing that these two look at.
    let timed = Timed::new(&group.times);
    let (mut ask_fault, mut ask_limit) = (true, true);
    let mut kept = false;
    loop {
        let mut keep = true;
        for (exclusion, used) in exclusions.iter().zip(&mut excluded) {
            if exclusion.takes(&tuple, &digits) {
                keep = false;
                *used = true;
            }
        }
        if keep {
            kept = true;
            let fault = std::mem::take(&mut ask_fault).then(|| Fault::of(&tuple)).flatten();
            if let Some(fault) = fault.filter(|fault| faults.insert(fault.clone())) {
                let place = group.axes.iter().position(|axis| axis.axis == fault.axis());
                let value = place.map_or(0, |place| digits[place]);
                errors.push(MatrixError::Impossible { group: index, axis: fault.axis(), value, fault });
            }
            let limit = std::mem::take(&mut ask_limit).then(|| timed.limit(&tuple)).flatten();
            if let Some(limit) = limit.filter(|limit| limits.insert(*limit)) {
                let place = limit.axis().map(|axis| {
                    let place = group.axes.iter().position(|named| named.axis == axis);
                    (axis, place.map_or(0, |place| digits[place]))
                });
                errors.push(MatrixError::Beyond { group: index, place, limit });
            }
            errors.extend(visit(&tuple));
        }
        // The last axis that has a further value takes it; those behind it start again.
        let further = |place: &usize| digits[*place] + 1 < group.axes[*place].values.len();
        let Some(place) = (0..digits.len()).rev().find(further) else { break };
        digits[place] += 1;
        set(&mut tuple, &group.axes[place].values[digits[place]]);
        for (digit, axis) in digits.iter_mut().zip(&group.axes).skip(place + 1) {
            *digit = 0;
            set(&mut tuple, &axis.values[0]);
        }
        for axis in &group.axes[place..] {
            ask_fault |= Fault::depends_on(axis.axis);
            ask_limit |= Limit::depends_on(axis.axis);
        }
    }
    let unused = excluded.iter().enumerate().filter(|(_, used)| !**used);
    errors.extend(unused.map(|(exclusion, _)| MatrixError::ExcludesNothing { group: index, exclusion }));
    if !kept {
        errors.push(MatrixError::Empty { group: index });
    }
}

/// Number of tests of a group before exclusions.
fn size(group: &Group) -> u128 {
    group.axes.iter().fold(1u128, |size, axis| size.saturating_mul(u128::from(axis.count)))
}

fn too_many(groups: &[Group]) -> Vec<MatrixError> {
    let sizes: Vec<u128> = groups.iter().map(size).collect();
    let mut errors = Vec::new();
    for (index, (group, &size)) in groups.iter().zip(&sizes).enumerate() {
        if size > TESTS_MAX {
            let factors =
                group.axes.iter().map(|axis| format!("{} {}", axis.axis, with_commas(u128::from(axis.count))));
            let product = format!("{} = {}", factors.collect::<Vec<_>>().join(" x "), with_commas(size));
            errors.push(MatrixError::TooMany { group: index, product });
        }
    }
    let total = sizes.iter().fold(0u128, |total, size| total.saturating_add(*size));
    if errors.is_empty() && total > TESTS_MAX {
        let mut largest: Vec<(u128, &Id)> = sizes.iter().copied().zip(groups.iter().map(|group| &group.id)).collect();
        largest.sort_by(|a, b| b.cmp(a));
        let named = largest.iter().take(5).map(|(size, id)| format!("{id} {}", with_commas(*size)));
        let rest = if largest.len() > 5 { " + ..." } else { "" };
        let sum = format!("{}{rest} = {}", named.collect::<Vec<_>>().join(" + "), with_commas(total));
        errors.push(MatrixError::TooManyTogether { sum });
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use results::axes::Rate;

    use crate::experiment::axis_value::Scalar;
    use crate::experiment::parse;

    const QUICK: &str = include_str!("../../../experiments/quick.toml");

    fn texts(axis: Axis, texts: &[&str]) -> AxisValues {
        axis_of(axis, texts.iter().map(|text| AxisValue::parse(axis, Scalar::Text(text)).expect("it is one")).collect())
    }

    fn numbers(axis: Axis, numbers: &[i128]) -> AxisValues {
        let parse = |number: &i128| AxisValue::parse(axis, Scalar::Whole(*number)).expect("it is one");
        axis_of(axis, numbers.iter().map(parse).collect())
    }

    fn axis_of(axis: Axis, values: Vec<AxisValue>) -> AxisValues {
        AxisValues { axis, count: values.len() as u64, values }
    }

    /// Every axis, with values that go together and values that do not.
    fn all() -> Vec<AxisValues> {
        let mut rates = numbers(Axis::R, &[1, 1000, 1_000_000_000]).values;
        rates.push(AxisValue::Rate(Rate::Ndr));
        let touch = [true, false].map(AxisValue::Touch).into();
        vec![
            texts(Axis::D, &["throughput", "latency"]),
            texts(Axis::L, &["local", "remote"]),
            texts(Axis::S, &["1vs1", "4vs4", "60vs60"]),
            texts(Axis::V, &["linux-bridge", "ovs", "basicfwd", "snabb", "direct", "sriov"]),
            numbers(Axis::P, &[64, 1500, 1518]),
            axis_of(Axis::R, rates),
            numbers(Axis::B, &[1, 32, 1024]),
            texts(Axis::Io, &["udp", "raw-mmsg", "dpdk"]),
            axis_of(Axis::Touch, touch),
            numbers(Axis::Queues, &[1, 2, 64]),
            numbers(Axis::Flows, &[1, 64, 4096]),
            texts(Axis::Stack, &["system", "other"]),
            numbers(Axis::SwitchCores, &[1, 2, 256]),
            texts(Axis::Runtime, &["netns", "lxc"]),
            texts(Axis::Frame, &["no-fcs", "with-fcs"]),
        ]
    }

    /// One to three values of some axes, in any order.
    fn axes() -> impl Strategy<Value = Vec<AxisValues>> {
        let some = |axis: AxisValues| {
            let most = axis.values.len().min(3);
            let values = prop::sample::subsequence(axis.values, 1..=most).prop_shuffle();
            prop::option::weighted(0.6, values.prop_map(move |values| axis_of(axis.axis, values)))
        };
        let axes: Vec<_> = all().into_iter().map(some).collect();
        axes.prop_map(|axes| axes.into_iter().flatten().collect::<Vec<_>>())
            .prop_filter("a group has at most so many tests", |axes| {
                axes.iter().map(|axis| axis.count).product::<u64>() < 20_000
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_group_has_the_faults_and_limits_of_each_of_its_tests(
            axes in axes(), window in prop::sample::select(vec![1_000, 40_000_000, 1_000_000_000, u64::MAX / 4]), excluded in 0usize..3,
        ) {
            let quick = parse(QUICK, "quick.toml").unwrap_or_else(|errors| panic!("{errors}"));
            let times = Times { duration_ns: window, warmup_ns: 1_000_000, cooldown_ns: 0, chosen: false };
            let mut group = Group { axes: axes.clone(), exclude: Vec::new(), times, ..quick.groups[0].clone() };
            for axis in &axes {
                axis.values[0].apply(&mut group.first);
                if let (AxisValue::VSwitch(vswitch), false) = (&axis.values[0], axes.iter().any(|it| it.axis == Axis::Io)) {
                    group.first.variant.io = Variant::default_for(*vswitch).io;
                }
            }
            let first = |axis: &AxisValues| Partial(vec![(axis.axis, vec![axis.values[0].clone()])]);
            group.exclude = axes.iter().filter(|axis| axis.count > 1).take(excluded).map(first).collect();

            let (matrix, errors) = expand(std::slice::from_ref(&group));
            let timed = Timed::new(&times);
            let (mut faults, mut limits) = (Vec::new(), Vec::new());
            for test in &matrix.tests {
                faults.extend(Fault::of(&test.tuple).filter(|fault| !faults.contains(fault)));
                limits.extend(timed.limit(&test.tuple).filter(|limit| !limits.contains(limit)));
            }
            let found = errors.iter().filter_map(|error| match error {
                MatrixError::Impossible { fault, .. } => Some(fault.clone()),
                _ => None,
            });
            prop_assert_eq!(found.collect::<Vec<_>>(), faults);
            let found = errors.iter().filter_map(|error| match error {
                MatrixError::Beyond { limit, .. } => Some(*limit),
                _ => None,
            });
            prop_assert_eq!(found.collect::<Vec<_>>(), limits);
        }
    }
}
