//! Ratios of ratios: other hardware is faster or slower at everything, so that values of two hosts are compared each in
//! parts of a base of its own host: a path without a switch for switches, the plainest technique for techniques. It must
//! not know which switch that is: how a test is routed says so.

use std::collections::BTreeMap;

use results::axes::{Axis, Io, io_name};
use results::tuple::Value;

use super::values::{PairRow, Quotient};
use crate::claim::interval::Interval;
use crate::model::TestView;
use crate::topology::Route;

/// A value in parts of a base, on two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    /// What it is in parts of, as shown.
    pub base: String,
    /// Theirs over their base.
    pub theirs: Quotient,
    /// Ours over our base.
    pub ours: Quotient,
    /// The second over the first.
    pub ratio: Quotient,
}

/// The value of an axis that others are held against: of the tests shown, if one has it.
fn base(axis: Axis, tests: &[&TestView]) -> Option<Value> {
    let is_base = |test: &&&TestView| match axis {
        Axis::V => test.route == Route::Direct,
        Axis::Io => test.tuple.variant.io == Io::Udp,
        _ => false,
    };
    tests.iter().find(is_base).map(|test| match axis {
        Axis::Io => Value::Name(io_name(Io::Udp).to_string()),
        axis => test.tuple.value(axis),
    })
}

/// Fills in what rows are in parts of their base. `axes` are those of a row's place, `tests` what is shown.
pub(super) fn fill(rows: &mut [PairRow], axes: &[Axis], tests: &[&TestView]) {
    let found = axes.iter().enumerate().find_map(|(place, axis)| Some((place, *axis, base(*axis, tests)?)));
    let Some((along, axis, base)) = found else { return };
    let shown = tests.iter().find(|test| test.tuple.value(axis) == base).map(|test| test.tuple.shown(axis));
    let Some(shown) = shown else { return };
    let place = |row: &PairRow| {
        let mut at = row.at.clone();
        at.remove(along);
        (at, row.metric.to_string())
    };
    let is_base = |row: &PairRow| row.at.get(along) == Some(&base);
    let ranges = |row: &PairRow| -> Option<(Interval, Interval)> {
        Some((row.theirs.as_ref()?.range(), row.ours.as_ref()?.range()))
    };
    let bases: BTreeMap<(Vec<Value>, String), (Interval, Interval)> =
        rows.iter().filter(|row| is_base(row)).filter_map(|row| Some((place(row), ranges(row)?))).collect();
    for row in rows.iter_mut().filter(|row| row.at.len() == axes.len() && !is_base(row)) {
        let Some((their_base, our_base)) = bases.get(&place(row)) else { continue };
        let Some((theirs, ours)) = ranges(row) else { continue };
        let quotients = Quotient::of(theirs, *their_base).zip(Quotient::of(ours, *our_base));
        row.relative = quotients.and_then(|(theirs, ours)| {
            let ratio = Quotient::of(ours.range(), theirs.range())?;
            Some(Relative { base: shown.clone(), theirs, ours, ratio })
        });
    }
}
