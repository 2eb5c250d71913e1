//! `summary.json`: what a report shows, for programs. Version 1; fields are only added. It must not know
//! pages.

use results::statistics::positive;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::{Accepted, State, TestView, accepted_changes};
use crate::number;
use crate::plot::{Point, PointSource};
use crate::report::{ClaimView, Report};
use crate::table::TableCell;
use crate::text;

/// Version of the file's shape.
pub const SUMMARY_VERSION: u32 = 1;

/// The file's text: base units in `tests`, units of the figure or table elsewhere (named by `metric`).
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
            "x": figure.x_axis.name(),
            "series_by": figure.series_axis.map(|axis| axis.name()),
            "grade": figure.grade,
            "series": figure.plot.series.iter().map(|series| json!({
                "label": series.label,
                "points": series.points.iter().map(point).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "missing": figure.missing.iter().map(|missing| json!({
                "what": missing.what, "reason": missing.reason,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "tables": report.tables.iter().map(|table| json!({
            "id": table.id.as_str(),
            "grade": table.grade,
            "columns": table.columns.iter().map(|column| json!({
                "heading": column.heading, "metric": column.metric.to_string(),
            })).collect::<Vec<_>>(),
            "rows": table.rows.iter().map(|row| json!({
                "heading": row.heading,
                "cells": row.cells.iter().map(cell).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "claims": report.claims.iter().map(claim).collect::<Vec<_>>(),
        "tests": report.tests.iter().map(|test| self::test(test)).collect::<Vec<_>>(),
    });
    let accepted = accepted_changes(report.tests);
    if !accepted.is_empty() {
        value["accepted"] = accepted.into_iter().map(|(change, tests)| self::accepted(change, tests)).collect();
    }
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// With a fixed number of digits; null for what is no number.
fn number(value: f64) -> Value {
    number::machine(value).parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

fn interval(ends: Option<(f64, f64)>) -> Value {
    ends.map_or(Value::Null, |(low, high)| json!([number(low), number(high)]))
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

fn point(point: &Point) -> Value {
    let mut object = Map::new();
    if let Some(from) = &point.source {
        object.insert("x".into(), json!(from.x_data));
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
            .filter_map(|(quantity, estimate)| {
                let name = serde_json::to_value(quantity).ok()?.as_str()?.to_string();
                let half = estimate.half_width.map_or(Value::Null, number);
                Some((name, json!({ "mean": number(estimate.mean), "half_width": half, "n": estimate.n })))
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
            .filter_map(|(quantity, bursts)| {
                Some((serde_json::to_value(quantity).ok()?.as_str()?.to_string(), json!({ "bursts": bursts })))
            })
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
