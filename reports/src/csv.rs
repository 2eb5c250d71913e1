//! Figures and tables as CSV (RFC 4180): a header with names and units, one row a value, missing ones left
//! out. It must not know how they are drawn.

use crate::figure::Figure;
use crate::number::machine;
use crate::plot::PointSource;
use crate::table::{Table, TableCell};
use crate::text;
use results::statistics::positive;

/// A figure's values: series, x, value, interval, repetitions, folded value, flags, test and key.
pub fn figure(figure: &Figure) -> String {
    let metric = figure.metric.to_string();
    let mut header: Vec<String> = figure.series_axis.iter().map(|axis| axis.name().to_string()).collect();
    header.push(figure.x_axis.name().to_string());
    header.extend(value_columns(&metric, figure.over.map(|(axis, _)| axis.name())));
    let mut csv = Csv::new(&header);
    for series in &figure.plot.series {
        for point in &series.points {
            let Some(source) = &point.source else { continue };
            let mut row: Vec<String> = figure.series_axis.iter().map(|_| series.label.clone()).collect();
            row.push(source.x_data.clone());
            row.extend(value_fields(point.y, point.interval, source, figure.over.is_some()));
            csv.row(&row);
        }
    }
    csv.text
}

/// A table's values, one row a cell.
pub fn table(table: &Table) -> String {
    let mut header = vec![table.rows_axis.name().to_string()];
    header.extend(table.columns_axis.map(|axis| axis.name().to_string()));
    header.push("metric".to_string());
    header.extend(value_columns("value", table.over.map(|(axis, _)| axis.name())));
    let mut csv = Csv::new(&header);
    for row in &table.rows {
        for (column, cell) in table.columns.iter().zip(&row.cells) {
            let Some(TableCell::Value { mean, half_width, source }) = cell else { continue };
            let mut fields = vec![source.x_data.clone()];
            fields.extend(table.columns_axis.map(|_| column.heading.clone()));
            fields.push(column.metric.to_string());
            let interval = half_width.map(|half| positive::ends(*mean, half));
            fields.extend(value_fields(*mean, interval, source, table.over.is_some()));
            csv.row(&fields);
        }
    }
    csv.text
}

fn value_columns(value: &str, over: Option<&str>) -> Vec<String> {
    let mut columns =
        vec![value.to_string(), format!("{value}_ci95_low"), format!("{value}_ci95_high"), "n".to_string()];
    columns.extend(over.map(|axis| format!("{axis}_chosen")));
    columns.extend(["flags", "test", "key"].map(String::from));
    columns
}

fn value_fields(value: f64, interval: Option<(f64, f64)>, source: &PointSource, folded: bool) -> Vec<String> {
    let end = |pick: fn((f64, f64)) -> f64| interval.map(|interval| machine(pick(interval))).unwrap_or_default();
    let mut fields = vec![machine(value), end(|ends| ends.0), end(|ends| ends.1), source.n.to_string()];
    if folded {
        fields.push(source.chosen.clone().unwrap_or_default());
    }
    fields.push(source.flags.iter().map(|(flag, _)| flag.name()).collect::<Vec<_>>().join(" "));
    fields.push(source.test.clone());
    fields.push(source.key.clone().unwrap_or_default());
    fields
}

/// Rows with quoted fields where needed.
struct Csv {
    text: String,
}

impl Csv {
    fn new(header: &[String]) -> Csv {
        let mut csv = Csv { text: String::new() };
        csv.row(header);
        csv
    }

    fn row(&mut self, fields: &[String]) {
        let fields: Vec<String> = fields.iter().map(|field| Csv::field(field)).collect();
        self.text.push_str(&fields.join(","));
        self.text.push('\n');
    }

    /// Quoted where RFC 4180 asks for it; a text that a spreadsheet would run as a formula starts with a
    /// blank.
    fn field(field: &str) -> String {
        let field = text::cleaned(field, text::PROSE_MAX);
        let formula = field.starts_with(['=', '+', '@']) || (field.starts_with('-') && field.parse::<f64>().is_err());
        let field = if formula { format!(" {field}") } else { field };
        if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    }
}
