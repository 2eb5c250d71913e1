//! `datapackage.json`: every file of data in a report, and what each of its columns means, as a Frictionless Data
//! Package. Columns come from the writers of the files. It must not know values.

use results::dictionary::{Column, ColumnKind};
use serde_json::{Value, json};

use crate::csv::{self, Sheet};
use crate::report::Report;
use crate::text;

/// The profile that it follows.
const PROFILE: &str = "tabular-data-resource";

/// The file's text.
pub fn package(report: &Report) -> String {
    let sheet = |folder: &str, id: &str, what: &str, sheet: Sheet| {
        json!({
            // Names are of lower case in a package, ids need not be.
            "name": format!("{}-{}", folder, id.to_lowercase()),
            "title": what,
            "path": format!("{folder}/{id}.csv"),
            "profile": PROFILE,
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "schema": schema(&sheet.columns),
        })
    };
    let mut resources = vec![json!({
        "name": "summary",
        "title": "Every test, figure, table and claim, for programs; `septet schema summary` describes it",
        "path": "summary.json",
        "type": "file",
        "format": "json",
        "mediatype": "application/json",
    })];
    resources.extend(report.figures.iter().map(|figure| {
        let caption = figure.caption.clone().unwrap_or_else(|| format!("The values of figure {}", figure.id));
        sheet("figures", figure.id.as_str(), &caption, csv::figure_sheet(figure))
    }));
    resources.extend(report.tables.iter().map(|table| {
        let caption = table.caption.clone().unwrap_or_else(|| format!("The values of table {}", table.id));
        sheet("tables", table.id.as_str(), &caption, csv::table_sheet(table))
    }));
    let name = report.meta.name.as_str().to_lowercase();
    let title = report.meta.title.as_deref().unwrap_or(&name);
    let package = json!({
        "profile": "data-package",
        "name": name,
        "title": text::cleaned(title, text::CAPTION_MAX),
        "resources": resources,
    });
    let mut text = serde_json::to_string_pretty(&package).unwrap_or_default();
    text.push('\n');
    text
}

/// A Table Schema of columns.
pub fn schema(columns: &[Column]) -> Value {
    let fields: Vec<Value> = columns.iter().map(field).collect();
    json!({"fields": fields, "missingValues": [""]})
}

fn field(column: &Column) -> Value {
    let kind = match column.kind {
        ColumnKind::Text => "string",
        ColumnKind::Integer => "integer",
        ColumnKind::Number => "number",
    };
    let mut field = json!({"name": column.name, "type": kind, "description": column.meaning});
    if let Some(unit) = column.unit {
        field["unit"] = unit.into();
    }
    field
}
