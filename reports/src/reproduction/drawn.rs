//! Figures and tables of two sides: one drawing with theirs hollow and ours filled, and the values of both, place by
//! place. It must not know how they are drawn.

use std::collections::BTreeMap;

use results::axes::Axis;
use results::metric::Metric;
use results::statistics::positive;
use results::tuple::Value;

use super::relative;
use super::values::{PairRow, Sided};
use crate::figure::{Figure, build_figure};
use crate::model::TestView;
use crate::plot::{Plot, PlotAxis, Point, PointSource, Series};
use crate::select::{self, Coordinate, SpecError};
use crate::spec::{FigureSpec, Id, TableSpec};
use crate::table::{Table, TableCell, build_table};
use crate::text;

/// A figure of two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct FigurePair {
    /// Both sides in one plot.
    pub figure: Figure,
    /// Names of the axes of places.
    pub axes: Vec<Axis>,
    /// Every value.
    pub rows: Vec<PairRow>,
}

/// A table of two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePair {
    /// The table's identifier.
    pub id: Id,
    /// The figure's caption, cleaned.
    pub caption: Option<String>,
    /// Names of the axes of places.
    pub axes: Vec<Axis>,
    /// Every value, row by row.
    pub rows: Vec<PairRow>,
    /// What is said below it, side by side.
    pub notes: Vec<String>,
}

/// Values by place and metric, in the order of reports.
type Places = BTreeMap<(Vec<Coordinate>, usize), PairRow>;

/// The figure of `spec` over all tests of both sides.
///
/// # Errors
/// Where the tests do not make the figure.
pub fn pair_figure(spec: &FigureSpec, theirs: &[&TestView], ours: &[&TestView]) -> Result<FigurePair, SpecError> {
    let (there, here) = (build_figure(spec, theirs)?, build_figure(spec, ours)?);
    let axes: Vec<Axis> = spec.series.into_iter().chain([spec.x]).collect();
    let chosen = select::selected(&spec.from, &spec.selection, &[spec.y], ours);
    let mut places = skeleton(&axes, &[spec.y], &chosen);
    for (figure, is_ours) in [(&there, false), (&here, true)] {
        for point in figure.plot.series.iter().flat_map(|series| &series.points) {
            let Some(source) = &point.source else { continue };
            let sided = Sided { mean: point.y, interval: point.interval, n: source.n, key: source.key.clone() };
            fill(&mut places, &axes, 0, source, sided, is_ours);
        }
    }
    let rows = finished(places, &axes, &chosen);
    let notes = notes(&there.notes, &here.notes);
    let plot = both(spec, &there.plot, &here.plot);
    let figure = Figure { plot, notes, grade: there.grade.max(here.grade), ..here };
    Ok(FigurePair { figure, axes, rows })
}

/// The table of `spec` over all tests of both sides.
///
/// # Errors
/// Where the tests do not make the table.
pub fn pair_table(spec: &TableSpec, theirs: &[&TestView], ours: &[&TestView]) -> Result<TablePair, SpecError> {
    let (there, here) = (build_table(spec, theirs)?, build_table(spec, ours)?);
    let axes: Vec<Axis> = std::iter::once(spec.rows).chain(spec.columns).collect();
    let chosen = select::selected(&spec.from, &spec.selection, &spec.values, ours);
    let mut places = skeleton(&axes, &spec.values, &chosen);
    for (table, is_ours) in [(&there, false), (&here, true)] {
        for (metric, source, sided) in cells(table) {
            let metric = spec.values.iter().position(|value| *value == metric).unwrap_or(0);
            fill(&mut places, &axes, metric, source, sided, is_ours);
        }
    }
    let Table { id, caption, notes: of_ours, .. } = here;
    Ok(TablePair { id, caption, rows: finished(places, &axes, &chosen), axes, notes: notes(&there.notes, &of_ours) })
}

/// A row for each place that tests have, without values.
fn skeleton(axes: &[Axis], metrics: &[Metric], tests: &[&TestView]) -> Places {
    let mut places = Places::new();
    for test in tests {
        let at: Vec<Coordinate> = axes.iter().map(|axis| Coordinate::of(&test.tuple, *axis)).collect();
        let shown = |axis: &Axis| text::cleaned(&select::value_shown(*axis, &test.tuple), text::LABEL_MAX);
        for (order, metric) in metrics.iter().enumerate().filter(|(_, metric)| select::can_have(&test.tuple, **metric))
        {
            places.entry((at.clone(), order)).or_insert_with(|| {
                let values: Vec<Value> = at.iter().map(|coordinate| coordinate.value.clone()).collect();
                PairRow::new(axes.iter().map(shown).collect(), values, *metric, None, None)
            });
        }
    }
    places
}

fn fill(places: &mut Places, axes: &[Axis], metric: usize, source: &PointSource, sided: Sided, is_ours: bool) {
    let Some(tuple) = &source.tuple else { return };
    let at: Vec<Coordinate> = axes.iter().map(|axis| Coordinate::of(tuple, *axis)).collect();
    let Some(row) = places.get_mut(&(at, metric)) else { return };
    match is_ours {
        true => row.ours = Some(sided),
        false => row.theirs = Some(sided),
    }
}

fn finished(places: Places, axes: &[Axis], tests: &[&TestView]) -> Vec<PairRow> {
    let made = |row: PairRow| PairRow::new(row.place, row.at, row.metric, row.theirs, row.ours);
    let mut rows: Vec<PairRow> = places.into_values().map(made).collect();
    relative::fill(&mut rows, axes, tests);
    rows
}

/// Cells that have a value.
fn cells(table: &Table) -> impl Iterator<Item = (Metric, &PointSource, Sided)> {
    let cells = table.rows.iter().flat_map(|row| table.columns.iter().zip(&row.cells));
    cells.filter_map(|(column, cell)| match cell {
        Some(TableCell::Value { mean, half_width, source }) => {
            let interval = half_width.map(|half| positive::ends(*mean, half));
            Some((column.metric, source, Sided { mean: *mean, interval, n: source.n, key: source.key.clone() }))
        }
        _ => None,
    })
}

/// What both sides say below a drawing, once; what one side says, with whose it is.
fn notes(theirs: &[String], ours: &[String]) -> Vec<String> {
    let both = theirs.iter().filter(|note| ours.contains(note)).cloned();
    let alone = |of: &'static str, notes: &[String], others: &[String]| -> Vec<String> {
        notes.iter().filter(|note| !others.contains(note)).map(|note| format!("{of}: {note}")).collect()
    };
    both.chain(alone("Theirs", theirs, ours)).chain(alone("Ours", ours, theirs)).collect()
}

/// One plot of both, each of their series before ours.
fn both(spec: &FigureSpec, theirs: &Plot, ours: &Plot) -> Plot {
    let hollow = |series: &Series| Series { hollow: true, ..series.clone() };
    let series: Vec<Series> =
        theirs.series.iter().zip(&ours.series).flat_map(|(theirs, ours)| [hollow(theirs), ours.clone()]).collect();
    let points: Vec<&Point> = series.iter().flat_map(|series| &series.points).collect();
    let means: Vec<f64> = points.iter().map(|point| point.y).collect();
    let tops: Vec<f64> = points.iter().filter_map(|point| Some(point.interval?.1)).collect();
    let y = PlotAxis::vertical(spec.y.label(), spec.y_scale, &means, &tops);
    // What others have published is in the two reports; a third kind of mark would be in the way.
    Plot { y, series, references: Vec::new(), ..ours.clone() }
}
