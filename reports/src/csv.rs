//! Figures and tables as CSV (RFC 4180): a header with names and units, one row a value, missing ones left
//! out. Columns know what they mean, so that a data package says it of the same ones. It must not know how they
//! are drawn.

use results::axes::Axis;
use results::dictionary::{self, Column, ColumnKind};
use results::metric::Metric;
use results::statistics::positive;
use results::tuple::{Tuple, Value};

use crate::figure::Figure;
use crate::number::machine;
use crate::plot::PointSource;
use crate::published::{Comparison, ComparisonRow};
use crate::spec::Bound;
use crate::table::{Table, TableCell};
use crate::text;

/// Columns, and rows with a field for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// In order.
    pub columns: Vec<Column>,
    /// In order.
    pub rows: Vec<Vec<String>>,
}

/// A figure's values as CSV.
pub fn figure(figure: &Figure) -> String {
    figure_sheet(figure).text()
}

/// A table's values as CSV.
pub fn table(table: &Table) -> String {
    table_sheet(table).text()
}

/// A figure's values: series, x, value, interval, repetitions, folded value, flags, test and key; then the numbers
/// that others have published of it, if there are any.
pub fn figure_sheet(figure: &Figure) -> Sheet {
    let points = || figure.plot.series.iter().flat_map(|series| &series.points);
    let tuples: Vec<&Tuple> = points().filter_map(|point| point.source.as_ref()?.tuple.as_ref()).collect();
    let mut axes: Vec<Axis> = figure.series_axis.into_iter().collect();
    axes.push(figure.x_axis);
    let places = Places::new(axes, figure.over.map(|(axis, _)| axis), &tuples, figure.published.as_ref());
    let mut sheet = Sheet { columns: places.columns(&dictionary::metric(figure.metric), false), rows: Vec::new() };
    for point in points() {
        let Some(source) = &point.source else { continue };
        sheet.rows.push(places.measured(figure.metric, point.y, point.interval, source, false));
    }
    sheet.rows.extend(places.published(|row| row.in_unit_of(figure.metric), false));
    sheet
}

/// A table's values, one row a cell; where its cells have several metrics, each row names its own and the unit.
pub fn table_sheet(table: &Table) -> Sheet {
    let cells = || table.rows.iter().flat_map(|row| table.columns.iter().zip(&row.cells));
    let tuples: Vec<&Tuple> = cells()
        .filter_map(|(_, cell)| match cell {
            Some(TableCell::Value { source, .. }) => source.tuple.as_ref(),
            _ => None,
        })
        .collect();
    let axes = std::iter::once(table.rows_axis).chain(table.columns_axis).collect();
    let places = Places::new(axes, table.over.map(|(axis, _)| axis), &tuples, table.published.as_ref());
    let metrics: Vec<Metric> = table.columns.iter().map(|column| column.metric).collect();
    let only = metrics.first().copied().filter(|first| metrics.iter().all(|metric| metric == first));
    let value = match only {
        Some(metric) => dictionary::metric(metric),
        None => Column::new("value", ColumnKind::Number, None, "The value, in the unit of the row."),
    };
    let mut sheet = Sheet { columns: places.columns(&value, only.is_none()), rows: Vec::new() };
    for (column, cell) in cells() {
        let Some(TableCell::Value { mean, half_width, source }) = cell else { continue };
        let interval = half_width.map(|half| positive::ends(*mean, half));
        sheet.rows.push(places.measured(column.metric, *mean, interval, source, only.is_none()));
    }
    let in_unit = |row: &ComparisonRow| match only {
        Some(metric) => row.in_unit_of(metric),
        None => Some(row.published),
    };
    sheet.rows.extend(places.published(in_unit, only.is_none()));
    sheet
}

/// Where values stand: the axes that rows name.
struct Places<'a> {
    axes: Vec<(Axis, Column)>,
    folded: Option<(Axis, Column)>,
    others: Option<&'a Comparison>,
}

impl<'a> Places<'a> {
    fn new(axes: Vec<Axis>, folded: Option<Axis>, tuples: &[&Tuple], others: Option<&'a Comparison>) -> Places<'a> {
        let column = |axis: Axis| {
            // A searched rate has a name among numbers: then all of them are texts.
            let is_numeric =
                axis.is_numeric() && tuples.iter().all(|tuple| !matches!(tuple.value(axis), Value::Name(_)));
            (axis, dictionary::axis(axis, is_numeric))
        };
        Places { axes: axes.into_iter().map(column).collect(), folded: folded.map(column), others }
    }

    fn columns(&self, value: &Column, named: bool) -> Vec<Column> {
        let mut columns: Vec<Column> = self.axes.iter().map(|(_, column)| column.clone()).collect();
        if named {
            columns.push(Column::new("metric", ColumnKind::Text, None, "What the value is."));
            columns.push(Column::new("unit", ColumnKind::Text, None, "The unit of the value; empty for a ratio."));
        }
        columns.push(value.clone());
        for (end, word) in [("low", "Lower"), ("high", "Upper")] {
            let meaning = format!("{word} end of the 95 % interval of {}.", value.name);
            columns.push(Column::new(format!("{}_ci95_{end}", value.name), ColumnKind::Number, value.unit, meaning));
        }
        let count = "Valid repetitions that the value is a mean of.";
        columns.push(Column::new("n", ColumnKind::Integer, Some("repetitions"), count));
        columns.extend(self.folded.iter().map(|(_, column)| Column {
            name: format!("{}_chosen", column.name),
            meaning: format!("{} Of several, that of the value that was chosen.", column.meaning),
            ..column.clone()
        }));
        columns.extend([
            Column::new("flags", ColumnKind::Text, None, "Doubts about the repetitions, by name, with blanks between."),
            Column::new("test", ColumnKind::Text, None, "The test's name."),
            Column::new(
                "key",
                ColumnKind::Text,
                None,
                "The test's key: the digest of all that could change the value.",
            ),
        ]);
        if self.others.is_some() {
            columns.extend([
                Column::new(
                    "origin",
                    ColumnKind::Text,
                    None,
                    "Whether the value was measured here or published elsewhere.",
                ),
                Column::new(
                    "bound",
                    ColumnKind::Text,
                    None,
                    "How a published value is meant: exactly, at-most, at-least.",
                ),
                Column::new("published_in", ColumnKind::Text, None, "Where a published value comes from."),
            ]);
        }
        columns
    }

    fn measured(
        &self,
        metric: Metric,
        value: f64,
        interval: Option<(f64, f64)>,
        source: &PointSource,
        named: bool,
    ) -> Vec<String> {
        let at = |axis: Axis| source.tuple.as_ref().map(|tuple| data(&tuple.value(axis))).unwrap_or_default();
        let mut fields: Vec<String> = self.axes.iter().map(|(axis, _)| at(*axis)).collect();
        if named {
            fields.extend([metric.to_string(), metric.unit.symbol().to_string()]);
        }
        let end = |pick: fn((f64, f64)) -> f64| interval.map(|interval| machine(pick(interval))).unwrap_or_default();
        fields.extend([machine(value), end(|ends| ends.0), end(|ends| ends.1), source.n.to_string()]);
        fields.extend(self.folded.iter().map(|(axis, _)| at(*axis)));
        fields.push(source.flags.iter().map(|(flag, _)| flag.name()).collect::<Vec<_>>().join(" "));
        fields.extend([source.test.clone(), source.key.clone().unwrap_or_default()]);
        if self.others.is_some() {
            fields.extend(["measured".to_string(), String::new(), String::new()]);
        }
        fields
    }

    /// Published numbers as rows; those that `value` has nothing of are of another quantity.
    fn published(&self, value: impl Fn(&ComparisonRow) -> Option<f64>, named: bool) -> Vec<Vec<String>> {
        let Some(others) = self.others else { return Vec::new() };
        let row = |row: &ComparisonRow| {
            let at = |axis: Axis| row.at.iter().find(|(other, _)| *other == axis).map(|(_, value)| data(value));
            let mut fields: Vec<String> = self.axes.iter().map(|(axis, _)| at(*axis).unwrap_or_default()).collect();
            if named {
                fields.extend([row.metric.to_string(), row.metric.unit.symbol().to_string()]);
            }
            fields.extend([machine(value(row)?), String::new(), String::new(), String::new()]);
            fields.extend(self.folded.iter().map(|_| String::new()));
            fields.extend([String::new(), String::new(), String::new()]);
            fields.extend(["published".to_string(), bound(row.bound).to_string(), others.source.clone()]);
            Some(fields)
        };
        others.rows.iter().filter_map(row).collect()
    }
}

/// How a published value is meant, for programs.
pub fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::Exactly => "exactly",
        Bound::AtMost => "at-most",
        Bound::AtLeast => "at-least",
    }
}

pub(crate) fn data(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Name(name) => name.clone(),
    }
}

impl Sheet {
    /// The file.
    pub fn text(&self) -> String {
        let header: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        lines(std::iter::once(&header).chain(&self.rows))
    }
}

/// Rows of fields as text.
pub(crate) fn lines<'a>(rows: impl Iterator<Item = &'a Vec<String>>) -> String {
    let mut text = String::new();
    for row in rows {
        let fields: Vec<String> = row.iter().map(|field| quoted(field)).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

/// Quoted where RFC 4180 asks for it; a text that a spreadsheet would run as a formula starts with a
/// blank.
fn quoted(field: &str) -> String {
    let field = text::cleaned(field, text::PROSE_MAX);
    let formula = field.starts_with(['=', '+', '@']) || (field.starts_with('-') && field.parse::<f64>().is_err());
    let field = if formula { format!(" {field}") } else { field };
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}
