//! From a table's specification and the tests to rows of cells. It must not know how it is set.

use std::collections::BTreeMap;

use results::axes::Axis;
use results::flags::Flag;
use results::metric::Metric;
use results::summary::Grade;
use results::tuple::Tuple;

use crate::figure::{Missing, grade_notes, missing_note};
use crate::model::TestView;
use crate::number;
use crate::plot::PointSource;
use crate::published::{self, Comparison};
use crate::select::{self, Cell, Coordinate, Layout, SpecError};
use crate::spec::{Fold, Id, TableSpec};
use crate::text;

/// A table that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The table's identifier; names its files.
    pub id: Id,
    /// Caption, cleaned.
    pub caption: Option<String>,
    /// What rows differ in.
    pub rows_axis: Axis,
    /// What columns differ in; absent when there is one column a metric.
    pub columns_axis: Option<Axis>,
    /// The folded axis.
    pub over: Option<(Axis, Fold)>,
    /// Heading above all columns: the metric where columns differ in an axis.
    pub spanner: Option<String>,
    /// In order.
    pub columns: Vec<Column>,
    /// In order.
    pub rows: Vec<Row>,
    /// Sentences below.
    pub notes: Vec<String>,
    /// Numbers of others beside ours.
    pub published: Option<Comparison>,
    /// The worst grade in it.
    pub grade: Grade,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The heading.
    pub heading: String,
    /// The metric that the cells show.
    pub metric: Metric,
    /// Decimals of its numbers.
    pub decimals: usize,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The heading.
    pub heading: String,
    /// A cell for each column; absent where no test stands.
    pub cells: Vec<Option<TableCell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableCell {
    /// A value in the unit of its column.
    Value {
        /// Mean over repetitions.
        mean: f64,
        /// Half width of its 95 % interval.
        half_width: Option<f64>,
        /// Where it comes from.
        source: PointSource,
    },
    /// No value; the reason completes "missing: ".
    Missing {
        /// Why there is no value, in words.
        reason: String,
    },
}

/// Whether the table can be made of `tuples` (the tests of its groups), whatever will be measured.
pub fn check_table(spec: &TableSpec, tuples: &[&Tuple]) -> Result<(), SpecError> {
    if spec.columns.is_some() && spec.values.len() != 1 {
        return Err(SpecError::SeveralValues(spec.values.len()));
    }
    let axes = std::iter::once(spec.rows).chain(spec.columns).collect();
    select::check(&Layout { selection: &spec.selection, axes, over: spec.over, metrics: &spec.values }, tuples)
}

/// The table of `spec` over `tests` (all of the experiment). Fails as [`check_table`] does.
pub fn build_table(spec: &TableSpec, tests: &[&TestView]) -> Result<Table, SpecError> {
    let chosen = select::selected(&spec.from, &spec.selection, &spec.values, tests);
    check_table(spec, &chosen.iter().map(|test| &test.tuple).collect::<Vec<_>>())?;

    let mut places: BTreeMap<(Coordinate, Option<Coordinate>), Vec<&TestView>> = BTreeMap::new();
    for &test in &chosen {
        let column = spec.columns.map(|axis| Coordinate::of(&test.tuple, axis));
        places.entry((Coordinate::of(&test.tuple, spec.rows), column)).or_default().push(test);
    }
    let heads: Vec<Head> = match spec.columns {
        None => spec.values.iter().map(|&metric| Head { coordinate: None, metric, heading: metric.label() }).collect(),
        Some(axis) => select::values(axis, &chosen)
            .into_iter()
            .flat_map(|(coordinate, test)| {
                let heading = text::cleaned(&select::value_shown(axis, &test.tuple), text::LABEL_MAX);
                spec.values.iter().map(move |&metric| Head {
                    coordinate: Some(coordinate.clone()),
                    metric,
                    heading: heading.clone(),
                })
            })
            .collect(),
    };

    let mut draft = Draft { missing: Vec::new(), grade: Grade::PaperGrade, flags: Vec::new(), values: 0 };
    let mut rows = Vec::new();
    for (row, test) in select::values(spec.rows, &chosen) {
        let heading = text::cleaned(&select::value_shown(spec.rows, &test.tuple), text::LABEL_MAX);
        let cells = heads
            .iter()
            .map(|head| {
                let members = places.get(&(row.clone(), head.coordinate.clone()))?;
                draft.cell(members, head, spec, &heading)
            })
            .collect();
        rows.push(Row { heading, cells });
    }

    let columns = heads.into_iter().enumerate().map(|(place, head)| column(place, head, &rows)).collect();
    let mut notes = match draft.values {
        0 => vec!["Nothing of this table has been measured.".to_string()],
        _ => grade_notes(draft.grade, &draft.flags),
    };
    notes.extend(missing_note(&draft.missing));
    let caption = spec.caption.as_deref().map(|caption| text::cleaned(caption, text::CAPTION_MAX));
    Ok(Table {
        id: spec.id.clone(),
        caption: caption.filter(|caption| !caption.is_empty()),
        rows_axis: spec.rows,
        columns_axis: spec.columns,
        over: spec.over,
        spanner: spec.columns.and_then(|_| spec.values.first()).map(|metric| metric.label()),
        columns,
        rows,
        notes,
        published: spec
            .published
            .as_ref()
            .map(|published| published::compare(published, &chosen, spec.over.map(|(_, fold)| fold))),
        grade: draft.grade,
    })
}

/// What a column will hold.
struct Head {
    coordinate: Option<Coordinate>,
    metric: Metric,
    heading: String,
}

fn column(place: usize, head: Head, rows: &[Row]) -> Column {
    let largest = rows
        .iter()
        .filter_map(|row| match row.cells.get(place) {
            Some(Some(TableCell::Value { mean, .. })) => Some(mean.abs()),
            _ => None,
        })
        .fold(0.0, f64::max);
    Column { heading: head.heading, metric: head.metric, decimals: number::decimals_for(largest) }
}

/// What building gathers besides cells.
struct Draft {
    missing: Vec<Missing>,
    grade: Grade,
    flags: Vec<Flag>,
    values: usize,
}

impl Draft {
    fn cell(&mut self, members: &[&TestView], head: &Head, spec: &TableSpec, row: &str) -> Option<TableCell> {
        let able: Vec<&TestView> =
            members.iter().copied().filter(|test| select::can_have(&test.tuple, head.metric)).collect();
        match select::cell(&able, head.metric, spec.over)? {
            Cell::Value { test, estimate, chosen, .. } if estimate.mean.is_finite() => {
                let scale = head.metric.unit.scale();
                let summary = test.measured()?;
                self.values += 1;
                self.grade = self.grade.max(summary.grade);
                for (flag, _) in &summary.flags {
                    if !self.flags.contains(flag) {
                        self.flags.push(*flag);
                    }
                }
                self.flags.sort();
                Some(TableCell::Value {
                    mean: estimate.mean / scale,
                    half_width: estimate.half_width.map(|half| half / scale).filter(|half| half.is_finite()),
                    source: PointSource {
                        test: test.name.clone(),
                        key: test.key.clone(),
                        n: estimate.n,
                        flags: summary.flags.clone(),
                        x_data: test.tuple.shown(spec.rows),
                        chosen,
                        tuple: Some(test.tuple.clone()),
                    },
                })
            }
            Cell::Value { .. } => Some(TableCell::Missing { reason: "the value is not a number".to_string() }),
            Cell::Missing { reason, .. } => {
                let what = match &head.coordinate {
                    Some(_) => format!("{row}, {}", head.heading),
                    None => row.to_string(),
                };
                let missing = Missing { what, reason: reason.clone() };
                if !self.missing.contains(&missing) {
                    self.missing.push(missing);
                }
                Some(TableCell::Missing { reason: text::cleaned(&reason, text::LABEL_MAX) })
            }
        }
    }
}
