//! The tests that a claim is about, with values numbered so that selecting is comparing small integers. It
//! must not know expressions.

use std::collections::BTreeMap;

use results::axes::Axis;
use results::metric::Metric;
use results::tuple::{Tuple, Value};

use super::ClaimError;
use super::condition::Condition;
use crate::model::TestView;
use crate::select::{self, Coordinate};
use crate::suggest;

/// A test and, when the claim is judged, what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub tuple: &'a Tuple,
    pub view: Option<&'a TestView>,
}

/// Number of axes.
pub(super) const AXES: usize = Axis::ALL.len();

/// The place of an axis in [`Axis::ALL`].
pub(super) fn slot(axis: Axis) -> usize {
    axis as usize
}

/// A value's number on each axis that is bound.
pub(super) type Binding = [Option<u32>; AXES];

/// Tests and the values that occur among them, each axis in the order of reports.
pub(super) struct Universe<'a> {
    pub subjects: Vec<Subject<'a>>,
    rows: Vec<[u32; AXES]>,
    values: Vec<Vec<Value>>,
    shown: Vec<Vec<String>>,
}

impl<'a> Universe<'a> {
    pub fn new(subjects: Vec<Subject<'a>>) -> Universe<'a> {
        let mut rows = vec![[0; AXES]; subjects.len()];
        let (mut values, mut shown) = (Vec::with_capacity(AXES), Vec::with_capacity(AXES));
        for axis in Axis::ALL {
            let coordinates: Vec<Coordinate> =
                subjects.iter().map(|subject| Coordinate::of(subject.tuple, axis)).collect();
            let first: BTreeMap<&Coordinate, usize> =
                coordinates.iter().enumerate().rev().map(|(place, coordinate)| (coordinate, place)).collect();
            let numbers: BTreeMap<&Coordinate, u32> =
                first.keys().enumerate().map(|(number, coordinate)| (*coordinate, number as u32)).collect();
            for (row, coordinate) in rows.iter_mut().zip(&coordinates) {
                row[slot(axis)] = numbers[coordinate];
            }
            values.push(first.keys().map(|coordinate| coordinate.value.clone()).collect());
            shown.push(first.values().map(|&place| subjects[place].tuple.shown(axis)).collect());
        }
        Universe { subjects, rows, values, shown }
    }

    /// A value as reports write it.
    pub fn shown(&self, axis: Axis, number: u32) -> &str {
        &self.shown[slot(axis)][number as usize]
    }

    /// A value, if it is a number.
    pub fn numeric(&self, axis: Axis, number: u32) -> Option<f64> {
        match &self.values[slot(axis)][number as usize] {
            Value::Number(number) => Some(*number as f64),
            Value::Name(_) => None,
        }
    }

    /// Which of an axis's values a condition takes. Fails when it names one that no test has.
    fn accepted(&self, condition: &Condition) -> Result<Vec<bool>, ClaimError> {
        let values = &self.values[slot(condition.axis)];
        for named in condition.accepts.named() {
            if !values.contains(named) {
                let name = match named {
                    Value::Number(number) => number.to_string(),
                    Value::Name(name) => name.clone(),
                };
                let there = self.shown[slot(condition.axis)].iter().take(12).cloned().collect::<Vec<_>>().join(", ");
                let message = format!("no test of this claim has {}={name}; there are {there}", condition.axis);
                let near = suggest::nearest(&name, self.shown[slot(condition.axis)].iter().map(String::as_str));
                return Err(ClaimError::new(condition.at.clone(), message).suggesting(near));
            }
        }
        Ok(values.iter().map(|value| condition.accepts.takes(value)).collect())
    }

    /// Places of the tests that `conditions` and `binding` leave; conditions that pin an axis override it.
    /// With a metric, only of those that can have it.
    pub fn select(
        &self,
        metric: Option<Metric>,
        conditions: &[Condition],
        binding: &Binding,
    ) -> Result<Vec<usize>, ClaimError> {
        let mut bound = *binding;
        let mut accepted = Vec::with_capacity(conditions.len());
        for condition in conditions {
            accepted.push((slot(condition.axis), self.accepted(condition)?));
            if condition.accepts.pins() {
                bound[slot(condition.axis)] = None;
            }
        }
        let bound: Vec<(usize, u32)> =
            bound.iter().enumerate().filter_map(|(slot, number)| Some((slot, (*number)?))).collect();
        let takes = |place: &usize| {
            let row = &self.rows[*place];
            bound.iter().all(|&(slot, number)| row[slot] == number)
                && accepted.iter().all(|(slot, takes)| takes[row[*slot] as usize])
                && metric.is_none_or(|metric| select::can_have(self.subjects[*place].tuple, metric))
        };
        Ok((0..self.rows.len()).filter(takes).collect())
    }

    /// The numbers of a test's values on some axes.
    pub fn coordinates(&self, place: usize, axes: &[Axis]) -> Vec<u32> {
        axes.iter().map(|&axis| self.rows[place][slot(axis)]).collect()
    }

    /// Axes in which two tests differ.
    pub fn differing(&self, first: usize, second: usize) -> Vec<&'static str> {
        let differs = |axis: &Axis| self.rows[first][slot(*axis)] != self.rows[second][slot(*axis)];
        Axis::ALL.into_iter().filter(differs).map(Axis::name).collect()
    }
}
