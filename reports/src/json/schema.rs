//! `summary.json` as a JSON Schema (draft 7), made of the same tables of names as the file. Fields may be added to the
//! file within a version, so nothing is refused for being there. It must not know values.

use results::axes::Axis;
use results::dictionary;
use results::flags::Flag;
use results::metric::{Metric, Quantity};
use serde_json::{Map, Value, json};

use super::SUMMARY_VERSION;
use crate::claim::Outcome;

/// The schema.
pub fn summary() -> Value {
    let count = |what: &str| json!({"type": "integer", "minimum": 0, "description": what});
    let list = |items: Value| json!({"type": "array", "items": items});
    object(
        "What a report of septet shows",
        &[
            "version",
            "experiment",
            "generation",
            "grade",
            "tests_total",
            "measured",
            "not_measured",
            "skipped",
            "figures",
            "tables",
            "claims",
            "tests",
        ],
        json!({
            "version": {"const": SUMMARY_VERSION},
            "experiment": text("Name of the experiment"),
            "generation": text("Digest of what the report stands on"),
            "grade": grade(),
            "tests_total": count("Tests of the experiment"),
            "measured": count("Tests with a valid repetition"),
            "not_measured": count("Tests that could be measured and are not"),
            "skipped": count("Tests that cannot be measured there"),
            "figures": list(figure()),
            "tables": list(table()),
            "claims": list(claim()),
            "tests": list(test()),
            "accepted": list(object("A change that somebody called harmless", &["change", "reason"], json!({
                "trigger": text("What changed"),
                "change": text("From what to what"),
                "accepted_on": text("The day"),
                "reason": text("Why it is harmless"),
                "tests": count("Tests that lean on it"),
            }))),
        }),
    )
}

/// The whole schema, with its dialect.
pub fn document() -> Value {
    let mut schema = summary();
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "Septet summary".into();
    schema
}

fn object(description: &str, required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "description": description, "required": required, "properties": properties})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn nullable(kind: &str, description: &str) -> Value {
    json!({"type": [kind, "null"], "description": description})
}

fn grade() -> Value {
    json!({"enum": ["paper-grade", "indicative"]})
}

fn flags() -> Value {
    let names: Vec<&str> = Flag::ALL.iter().map(|flag| flag.name()).collect();
    json!({"type": "array", "items": {"enum": names}, "description": "Doubts about the repetitions"})
}

fn ci95() -> Value {
    json!({
        "type": ["array", "null"],
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
        "description": "Ends of the 95 % interval, above 0 where the mean is; null with one repetition",
    })
}

fn metric() -> Value {
    let names: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
    json!({"enum": names, "description": "What it is; the name ends in its unit"})
}

fn unit() -> Value {
    nullable("string", "Unit of the values; null for a ratio")
}

/// The properties of the source of a value.
fn sourced(mut properties: Map<String, Value>) -> Value {
    let more = json!({
        "ci95": ci95(),
        "n": {"type": "integer", "minimum": 1, "description": "Valid repetitions"},
        "flags": flags(),
        "test": text("Name of the test"),
        "key": nullable("string", "Key of the test"),
        "chosen": text("Where the value was chosen along an axis: the axis's value, as shown"),
    });
    properties.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(properties)
}

fn coordinate(description: &str) -> Value {
    json!({"type": ["number", "string"], "description": description})
}

fn published() -> Value {
    let at: Map<String, Value> = Axis::ALL
        .into_iter()
        .map(|axis| (axis.name().to_string(), coordinate(dictionary::meaning_of_axis(axis))))
        .collect();
    let item = object(
        "A number that others have published, beside what was measured here",
        &["source", "of", "at", "metric", "unit", "bound", "value", "ours"],
        json!({
            "source": text("Where it was published"),
            "of": text("Of which tests, as shown"),
            "at": {"type": "object", "properties": at, "description": "Values that all its tests share"},
            "metric": metric(),
            "unit": unit(),
            "bound": {"enum": ["exactly", "at-most", "at-least"]},
            "value": {"type": ["number", "null"]},
            "ours": {"type": "object", "description": "value and ci95 of one test, least and most of several, or missing"},
        }),
    );
    json!({"type": "array", "items": item})
}

fn figure() -> Value {
    let point = object(
        "A value",
        &["x", "y", "ci95"],
        sourced(Map::from_iter([
            ("x".to_string(), coordinate("Value on the horizontal axis, in x_unit")),
            ("y".to_string(), json!({"type": ["number", "null"], "description": "In the figure's unit"})),
        ])),
    );
    let series = object(
        "A line or a set of bars",
        &["label", "points"],
        json!({
            "label": text("As shown; empty where there is one"),
            "points": {"type": "array", "items": point},
        }),
    );
    object(
        "A figure",
        &["id", "metric", "unit", "x", "x_unit", "series", "published"],
        json!({
            "id": text("Names its files"),
            "metric": metric(),
            "unit": unit(),
            "x": axis(),
            "x_unit": nullable("string", "Unit of the numbers on the horizontal axis"),
            "series_by": {"anyOf": [axis(), {"type": "null"}]},
            "grade": grade(),
            "series": {"type": "array", "items": series},
            "published": published(),
            "missing": {"type": "array", "items": {"type": "object"}, "description": "Places without a value, and why"},
        }),
    )
}

fn axis() -> Value {
    json!({"enum": Axis::ALL.map(Axis::name)})
}

fn table() -> Value {
    let cell = object(
        "A value, or why there is none",
        &[],
        sourced(Map::from_iter([
            ("value".to_string(), json!({"type": ["number", "null"], "description": "In the unit of the column"})),
            ("missing".to_string(), text("Why there is none")),
        ])),
    );
    let column = object(
        "A column",
        &["heading", "metric", "unit"],
        json!({
            "heading": text("As shown"), "metric": metric(), "unit": unit(),
        }),
    );
    let row = object(
        "A row",
        &["heading", "cells"],
        json!({
            "heading": text("As shown"),
            "cells": {"type": "array", "items": {"anyOf": [cell, {"type": "null"}]}},
        }),
    );
    object(
        "A table",
        &["id", "columns", "rows", "published"],
        json!({
            "id": text("Names its files"),
            "grade": grade(),
            "rows_by": axis(),
            "columns_by": {"anyOf": [axis(), {"type": "null"}]},
            "columns": {"type": "array", "items": column},
            "rows": {"type": "array", "items": row},
            "published": published(),
        }),
    )
}

fn claim() -> Value {
    let outcomes = [Outcome::Holds, Outcome::Refuted, Outcome::Inconclusive, Outcome::NotMeasured].map(Outcome::name);
    let value = object(
        "A value of it",
        &["what", "value", "ci95", "unit"],
        json!({
            "what": text("As the claim writes it; of a shape the axis's value"),
            "value": {"type": ["number", "null"]},
            "ci95": ci95(),
            "unit": unit(),
        }),
    );
    let comparison = object(
        "A comparison that the outcome rests on",
        &["outcome", "at", "relation", "values"],
        json!({
            "outcome": {"enum": outcomes},
            "at": {"type": "object", "description": "Axes that are bound, with their values as shown"},
            "relation": text("< and the like, or a shape as written"),
            "values": {"type": "array", "items": value},
        }),
    );
    let texts = |what: &str| json!({"type": ["array", "null"], "items": {"type": "string"}, "description": what});
    object(
        "A statement that can be true",
        &["id", "text", "test", "outcome", "published"],
        json!({
            "id": text("Its name"),
            "text": text("In words"),
            "test": text("As an expression"),
            "outcome": {"enum": [outcomes[0], outcomes[1], outcomes[2], outcomes[3], null]},
            "grade": {"anyOf": [grade(), {"type": "null"}]},
            "comparisons": {"type": ["array", "null"], "items": comparison},
            "numbers": texts("The comparisons in words"),
            "missing": texts("What it would need and was not measured"),
            "doubts": texts("Why it is inconclusive"),
            "published": published(),
        }),
    )
}

fn test() -> Value {
    let estimate = |quantity: Quantity| {
        let column = dictionary::quantity(quantity);
        let schema = object(
            &column.meaning,
            &["mean", "ci95", "half_width", "n", "unit"],
            json!({
                "mean": {"type": ["number", "null"]},
                "ci95": ci95(),
                "half_width": nullable("number", "Half of the 95 % interval as if it were symmetric; null with one repetition"),
                "n": {"type": "integer", "minimum": 1},
                "unit": {"const": column.unit},
            }),
        );
        (column.name, schema)
    };
    let values: Map<String, Value> = Quantity::ALL.into_iter().map(estimate).collect();
    let (mut properties, mut variant) = (Map::new(), Map::new());
    for axis in Axis::ALL {
        let unit = dictionary::axis(axis, axis.is_numeric()).unit.map(|unit| format!(", {unit}")).unwrap_or_default();
        let described = format!("{}{unit}", dictionary::meaning_of_axis(axis));
        match axis {
            Axis::Touch => {
                drop(variant.insert(axis.name().into(), json!({"type": "boolean", "description": described})))
            }
            Axis::D | Axis::L | Axis::S | Axis::V | Axis::P | Axis::R | Axis::B => {
                properties.insert(axis.name().into(), coordinate(&described));
            }
            _ => drop(variant.insert(axis.name().into(), coordinate(&described))),
        }
    }
    let count = json!({"type": "integer", "minimum": 0});
    let more = json!({
        "name": text("The tuple, and every variant that is not the default"),
        "key": nullable("string", "Digest of all that could change it; null for a skipped test"),
        "variant": {"type": "object", "properties": variant, "description": "What else tells two tests apart"},
        "groups": {"type": "array", "items": {"type": "string"}},
        "state": {"enum": ["measured", "not_measured", "skipped"]},
        "reason": text("Why it was skipped"),
        "values": {"type": "object", "properties": values, "additionalProperties": false},
        "outliers": {"type": "array", "items": {"type": ["number", "null"]}},
        "refused": {"type": "object", "description": "Percentiles that too few bursts allow"},
        "valid": count,
        "suspect": count,
        "grade": grade(),
        "flags": {"type": "object", "description": "Repetitions that have each flag"},
        "accepted": {"type": "array", "items": {"type": "string"}},
    });
    properties.extend(more.as_object().cloned().unwrap_or_default());
    let required = ["name", "key", "D", "L", "S", "V", "P", "R", "B", "variant", "groups", "state"];
    object("A test", &required, Value::Object(properties))
}
