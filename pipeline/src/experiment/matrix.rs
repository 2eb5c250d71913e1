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
use super::limits::Limit;
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
            if let Some(fault) = Fault::of(&tuple).filter(|fault| faults.insert(fault.clone())) {
                let place = group.axes.iter().position(|axis| axis.axis == fault.axis());
                let value = place.map_or(0, |place| digits[place]);
                errors.push(MatrixError::Impossible { group: index, axis: fault.axis(), value, fault });
            }
            if let Some(limit) = Limit::of(&tuple, &group.times).filter(|limit| limits.insert(*limit)) {
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
