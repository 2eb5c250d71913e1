//! A table of the report as rows of ready cells for the page.

use serde::Serialize;

use super::comparison::{self, ComparisonView};
use crate::number;
use crate::plot::PointSource;
use crate::svg;
use crate::table::{Row, Table, TableCell};

#[derive(Serialize)]
pub(super) struct TableView {
    label: String,
    id: String,
    caption: String,
    stub: String,
    spanner: String,
    span: usize,
    columns: Vec<String>,
    rows: Vec<RowView>,
    notes: Vec<String>,
    published: Option<ComparisonView>,
}

#[derive(Serialize)]
struct RowView {
    heading: String,
    cells: Vec<CellView>,
}

#[derive(Serialize)]
struct CellView {
    value: String,
    doubt: String,
    sort: String,
    tip: String,
    link: String,
}

pub(super) fn view(label: String, table: &Table) -> TableView {
    TableView {
        label,
        id: table.id.to_string(),
        caption: table.caption.clone().unwrap_or_default(),
        stub: table.rows_axis.label().to_string(),
        spanner: table.spanner.clone().unwrap_or_default(),
        span: table.columns.len(),
        columns: table.columns.iter().map(|column| column.heading.clone()).collect(),
        rows: table.rows.iter().map(|row| row_view(table, row)).collect(),
        notes: table.notes.clone(),
        published: table.published.as_ref().map(comparison::view),
    }
}

fn row_view(table: &Table, row: &Row) -> RowView {
    let cells = table.columns.iter().zip(&row.cells).map(|(column, cell)| cell_view(column.decimals, cell.as_ref()));
    RowView { heading: row.heading.clone(), cells: cells.collect() }
}

fn cell_view(decimals: usize, cell: Option<&TableCell>) -> CellView {
    match cell {
        None => CellView {
            value: String::new(),
            doubt: String::new(),
            sort: String::new(),
            tip: String::new(),
            link: String::new(),
        },
        Some(TableCell::Missing { reason }) => CellView {
            value: "–".to_string(),
            doubt: String::new(),
            sort: String::new(),
            tip: reason.clone(),
            link: String::new(),
        },
        Some(TableCell::Value { mean, half_width, source }) => CellView {
            value: number::shown(*mean, decimals),
            doubt: half_width.map(|half| number::doubt(*mean, half, decimals)).unwrap_or_default(),
            sort: number::machine(*mean),
            tip: tip(source),
            link: svg::test_page(source.key.as_deref()).unwrap_or_default(),
        },
    }
}

fn tip(source: &PointSource) -> String {
    let mut parts = vec![format!("n = {}", source.n)];
    parts.extend(source.chosen.as_ref().map(|chosen| format!("at {chosen}")));
    if !source.flags.is_empty() {
        let flags: Vec<&str> = source.flags.iter().map(|(flag, _)| flag.name()).collect();
        parts.push(format!("flags: {}", flags.join(", ")));
    }
    parts.join("; ")
}
