//! `summary.json`: what a report shows, for programs: numbers as numbers, each with its unit. Within a version fields
//! are only added; `json/schema.rs` describes them. It must not know pages.

pub mod schema;

use results::statistics::positive;
use std::sync::Arc;

use results::axes::Axis;
use results::dictionary::{self, Column};
use results::tuple;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::claim;
use crate::csv;
use crate::model::{Accepted, State, TestView, accepted_changes};
use crate::number;
use crate::plot::{Point, PointSource};
use crate::published::{Comparison, ComparisonRow, Ours};
use crate::report::{ClaimView, Report};
use crate::table::TableCell;
use crate::text;

/// Version of the file's shape.
pub const SUMMARY_VERSION: u32 = 2;

/// The file's text: base units in `tests`, units of the figure or table elsewhere, each named by `unit`.
pub fn summary(report: &Report) -> String {
    let counts = |state: fn(&State) -> bool| report.tests.iter().filter(|test| state(&test.state)).count();
    let mut value = json!({
        "version": SUMMARY_VERSION,
        "experiment": report.meta.name.as_str(),
        "generation": text::cleaned(&report.meta.generation, text::LABEL_MAX),
        "grade": report.meta.grade,
        "tests_total": report.tests.len(),
        "measured": counts(|state| *state == State::Measured),
        "not_measured": counts(|state| *state == State::NotMeasured),
        "skipped": counts(|state| matches!(state, State::Skipped(_))),
        "figures": report.figures.iter().map(|figure| json!({
            "id": figure.id.as_str(),
            "metric": figure.metric.to_string(),
            "unit": dictionary::unit(figure.metric),
            "x": figure.x_axis.name(),
            "x_unit": axis_unit(figure.x_axis),
            "series_by": figure.series_axis.map(|axis| axis.name()),
            "grade": figure.grade,
            "series": figure.plot.series.iter().map(|series| json!({
                "label": series.label,
                "points": series.points.iter().map(|point| self::point(point, figure.x_axis)).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "published": published(figure.published.as_ref()),
            "missing": figure.missing.iter().map(|missing| json!({
                "what": missing.what, "reason": missing.reason,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "tables": report.tables.iter().map(|table| json!({
            "id": table.id.as_str(),
            "grade": table.grade,
            "rows_by": table.rows_axis.name(),
            "columns_by": table.columns_axis.map(|axis| axis.name()),
            "published": published(table.published.as_ref()),
            "columns": table.columns.iter().map(|column| json!({
                "heading": column.heading, "metric": column.metric.to_string(), "unit": dictionary::unit(column.metric),
            })).collect::<Vec<_>>(),
            "rows": table.rows.iter().map(|row| json!({
                "heading": row.heading,
                "cells": row.cells.iter().map(cell).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "claims": report.claims.iter().map(claim).collect::<Vec<_>>(),
        "tests": null,
    });
    let accepted = accepted_changes(report.tests);
    if !accepted.is_empty() {
        value["accepted"] = accepted.into_iter().map(|(change, tests)| self::accepted(change, tests)).collect();
    }
    let Value::Object(fields) = value else { return String::new() };
    let mut text = serde_json::to_string_pretty(&Summary { fields, tests: report.tests }).unwrap_or_default();
    text.push('\n');
    text
}

/// The file: of its tests, of which there may be many, one is made of values at a time.
struct Summary<'a> {
    fields: Map<String, Value>,
    tests: &'a [&'a TestView],
}

impl Serialize for Summary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            match name.as_str() {
                "tests" => map.serialize_entry(name, &Tests(self.tests))?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

struct Tests<'a>(&'a [&'a TestView]);

impl Serialize for Tests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|test| self::test(test)))
    }
}

/// With a fixed number of digits; null for what is no number.
fn number(value: f64) -> Value {
    number::machine(value).parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

fn interval(ends: Option<(f64, f64)>) -> Value {
    ends.map_or(Value::Null, |(low, high)| json!([number(low), number(high)]))
}

/// The unit of numbers on an axis.
fn axis_unit(axis: Axis) -> Option<&'static str> {
    dictionary::axis(axis, axis.is_numeric()).unit
}

/// A value on an axis: a number where it is one.
fn coordinate(value: &tuple::Value) -> Value {
    match value {
        tuple::Value::Number(number) => json!(number),
        tuple::Value::Name(name) => json!(name),
    }
}

/// Numbers of others, each with the values that all its tests share.
fn published(comparison: Option<&Comparison>) -> Vec<Value> {
    let row = |source: &str, row: &ComparisonRow| {
        let at: Map<String, Value> =
            row.at.iter().map(|(axis, value)| (axis.name().to_string(), coordinate(value))).collect();
        let ours = match &row.ours {
            Ours::One { mean, half_width, key } => {
                let interval = half_width.map(|half| positive::ends(*mean, half));
                json!({"value": number(*mean), "ci95": self::interval(interval), "key": key})
            }
            Ours::Several { least, most, count } => {
                json!({"least": number(*least), "most": number(*most), "tests": count})
            }
            Ours::Missing(reason) => json!({"missing": reason}),
        };
        json!({
            "source": source,
            "of": row.what,
            "at": at,
            "metric": row.metric.to_string(),
            "unit": dictionary::unit(row.metric),
            "bound": csv::bound(row.bound),
            "value": number(row.published),
            "ours": ours,
        })
    };
    let rows = comparison.iter().flat_map(|comparison| comparison.rows.iter().map(|one| row(&comparison.source, one)));
    rows.collect()
}

/// What a claim's verdict rests on, as numbers.
fn compared(comparison: &claim::Comparison) -> Value {
    let at: Map<String, Value> =
        comparison.at.iter().map(|(axis, shown)| (axis.name().to_string(), json!(shown))).collect();
    let value = |compared: &claim::Compared| {
        json!({
            "what": compared.what,
            "value": number(compared.value),
            "ci95": interval(compared.interval),
            "unit": Some(compared.unit).filter(|unit| !unit.is_empty()),
        })
    };
    json!({
        "outcome": comparison.outcome.name(),
        "at": at,
        "relation": comparison.relation,
        "values": comparison.values.iter().map(value).collect::<Vec<_>>(),
    })
}

fn source(source: &PointSource, object: &mut Map<String, Value>) {
    object.insert("n".into(), json!(source.n));
    object.insert("flags".into(), json!(source.flags.iter().map(|(flag, _)| flag.name()).collect::<Vec<_>>()));
    object.insert("test".into(), json!(source.test));
    object.insert("key".into(), json!(source.key));
    if let Some(chosen) = &source.chosen {
        object.insert("chosen".into(), json!(chosen));
    }
}

fn point(point: &Point, x_axis: Axis) -> Value {
    let mut object = Map::new();
    if let Some(from) = &point.source {
        let x = from.tuple.as_ref().map(|tuple| coordinate(&tuple.value(x_axis)));
        object.insert("x".into(), x.unwrap_or_else(|| json!(from.x_data)));
        source(from, &mut object);
    }
    object.insert("y".into(), number(point.y));
    object.insert("ci95".into(), interval(point.interval));
    Value::Object(object)
}

fn cell(cell: &Option<TableCell>) -> Value {
    match cell {
        None => Value::Null,
        Some(TableCell::Missing { reason }) => json!({ "missing": reason }),
        Some(TableCell::Value { mean, half_width, source: from }) => {
            let mut object = Map::new();
            object.insert("value".into(), number(*mean));
            object.insert("ci95".into(), interval(half_width.map(|half| positive::ends(*mean, half))));
            source(from, &mut object);
            Value::Object(object)
        }
    }
}

fn claim(claim: &ClaimView) -> Value {
    let verdict = claim.verdict.as_ref();
    json!({
        "id": claim.id.as_str(),
        "text": text::cleaned(&claim.text, text::PROSE_MAX),
        "test": claim.expression,
        "outcome": verdict.map(|verdict| verdict.outcome.name()),
        "grade": verdict.map(|verdict| verdict.grade),
        "numbers": verdict.map(|verdict| &verdict.numbers),
        "comparisons": verdict.map(|verdict| verdict.comparisons.iter().map(compared).collect::<Vec<_>>()),
        "published": published(claim.published.as_ref()),
        "missing": verdict.map(|verdict| &verdict.missing),
        "doubts": verdict.map(|verdict| &verdict.doubts),
    })
}

fn accepted(change: &Accepted, tests: usize) -> Value {
    json!({
        "trigger": text::cleaned(&change.trigger, text::LABEL_MAX),
        "change": text::cleaned(&change.change, text::PROSE_MAX),
        "accepted_on": text::cleaned(&change.day, text::LABEL_MAX),
        "reason": text::cleaned(&change.reason, text::PROSE_MAX),
        "tests": tests,
    })
}

fn test(test: &TestView) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), json!(test.name));
    object.insert("key".into(), json!(test.key));
    let mut variant = Map::new();
    for axis in Axis::ALL {
        let value = match (axis, test.tuple.variant.touch) {
            (Axis::Touch, touch) => json!(touch),
            _ => coordinate(&test.tuple.value(axis)),
        };
        match axis {
            Axis::D | Axis::L | Axis::S | Axis::V | Axis::P | Axis::R | Axis::B => {
                object.insert(axis.name().into(), value);
            }
            _ => drop(variant.insert(axis.name().into(), value)),
        }
    }
    object.insert("variant".into(), Value::Object(variant));
    object.insert("groups".into(), json!(test.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>()));
    let state = match &test.state {
        State::Measured => "measured",
        State::NotMeasured => "not_measured",
        State::Skipped(reason) => {
            object.insert("reason".into(), json!(text::cleaned(reason, text::PROSE_MAX)));
            "skipped"
        }
    };
    object.insert("state".into(), json!(state));
    if !test.accepted.is_empty() {
        let change = |accepted: &Arc<Accepted>| text::cleaned(&accepted.change, text::PROSE_MAX);
        object.insert("accepted".into(), json!(test.accepted.iter().map(change).collect::<Vec<_>>()));
    }
    if let Some(summary) = test.measured() {
        let values: Map<String, Value> = summary
            .values
            .iter()
            .map(|(quantity, estimate)| {
                let Column { name, unit, .. } = dictionary::quantity(*quantity);
                let (mean, half) = (number(estimate.mean), estimate.half_width.map_or(Value::Null, number));
                let ends = interval(estimate.half_width.map(|half| positive::ends(estimate.mean, half)));
                (name, json!({ "mean": mean, "ci95": ends, "half_width": half, "n": estimate.n, "unit": unit }))
            })
            .collect();
        object.insert("values".into(), Value::Object(values));
        if !summary.outliers.is_empty() {
            let far: Vec<Value> = summary.outliers.iter().map(|&value| number(value)).collect();
            object.insert("outliers".into(), Value::Array(far));
        }
        let refused: Map<String, Value> = summary
            .refused
            .iter()
            .map(|(quantity, bursts)| (dictionary::quantity(*quantity).name, json!({ "bursts": bursts })))
            .collect();
        if !refused.is_empty() {
            object.insert("refused".into(), Value::Object(refused));
        }
        object.insert("valid".into(), json!(summary.valid));
        object.insert("suspect".into(), json!(summary.suspect));
        object.insert("grade".into(), json!(summary.grade));
        let flags: Map<String, Value> =
            summary.flags.iter().map(|(flag, count)| (flag.name().to_string(), json!(count))).collect();
        object.insert("flags".into(), Value::Object(flags));
    }
    Value::Object(object)
}
