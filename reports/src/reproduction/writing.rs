//! A reproduction for programs: `reproduction.json`, and every value of a figure or table as CSV. It must not judge.

use results::axes::Axis;
use results::dictionary;
use results::tuple::Value as Coordinate;
use serde_json::{Value, json};

use super::claims::{ClaimPair, Tally};
use super::values::{PairRow, Quotient, Sided};
use super::{Reproduction, Word};
use crate::csv;
use crate::number;

/// Version of the file.
const VERSION: u32 = 1;

/// The text of `reproduction.json`.
pub(crate) fn json(reproduction: &Reproduction) -> String {
    let tally = Tally::of(reproduction.claims);
    let value = json!({
        "version": VERSION,
        "experiment": reproduction.meta.name.to_string(),
        "archive": reproduction.archive,
        "generation": {"theirs": reproduction.generation_theirs, "ours": reproduction.meta.generation},
        "verified": reproduction.verified,
        "scale": reproduction.scale,
        "tests": {"all": reproduction.tests, "both": reproduction.tests_both},
        "is_other_hardware": reproduction.is_other_hardware,
        "sum": {
            "claims": reproduction.claims.len(),
            "reproduced": tally.count(Word::Reproduced),
            "not_reproduced": tally.count(Word::NotReproduced),
            "inconclusive": tally.count(Word::Inconclusive),
            "not_measured_here": tally.count(Word::NotMeasuredHere),
        },
        "claims": reproduction.claims.iter().map(claim).collect::<Vec<_>>(),
        "figures": reproduction.figures.iter().map(|pair| drawn(pair.figure.id.as_str(), &pair.axes, &pair.rows)).collect::<Vec<_>>(),
        "tables": reproduction.tables.iter().map(|pair| drawn(pair.id.as_str(), &pair.axes, &pair.rows)).collect::<Vec<_>>(),
        "inputs": reproduction.inputs.iter().map(|change| json!({
            "input": change.input, "theirs": change.was, "ours": change.is, "tests": change.tests,
        })).collect::<Vec<_>>(),
        "facts": reproduction.facts.iter().map(|fact| json!({
            "label": fact.label, "theirs": fact.theirs, "ours": fact.ours,
        })).collect::<Vec<_>>(),
        "not_measured_here": reproduction.unmeasured.iter().map(|some| json!({
            "reason": some.reason, "tests": some.tests,
        })).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn claim(pair: &ClaimPair) -> Value {
    let outcome = |view: &crate::report::ClaimView| view.verdict.as_ref().map(|verdict| verdict.outcome.name());
    json!({
        "id": pair.ours.id.to_string(),
        "text": pair.ours.text,
        "test": pair.ours.expression,
        "theirs": outcome(&pair.theirs),
        "ours": outcome(&pair.ours),
        "over_both": {"theirs": pair.theirs_both.name(), "ours": pair.ours_both.name()},
        "tests_one_sided": pair.one_sided,
        "word": pair.word.name(),
    })
}

fn drawn(id: &str, axes: &[Axis], rows: &[PairRow]) -> Value {
    let row = |row: &PairRow| {
        let at: serde_json::Map<String, Value> =
            axes.iter().zip(&row.at).map(|(axis, value)| (axis.name().to_string(), coordinate(value))).collect();
        json!({
            "at": at,
            "metric": row.metric.to_string(),
            "unit": dictionary::unit(row.metric),
            "theirs": row.theirs.as_ref().map(sided),
            "ours": row.ours.as_ref().map(sided),
            "ratio": row.ratio.map(quotient),
            "relative": row.relative.as_ref().map(|relative| json!({
                "base": relative.base,
                "theirs": quotient(relative.theirs),
                "ours": quotient(relative.ours),
                "ratio": quotient(relative.ratio),
            })),
        })
    };
    json!({"id": id, "rows": rows.iter().map(row).collect::<Vec<_>>()})
}

fn coordinate(value: &Coordinate) -> Value {
    match value {
        Coordinate::Number(number) => json!(number),
        Coordinate::Name(name) => json!(name),
    }
}

fn digits(value: f64) -> Value {
    number::machine(value).parse::<f64>().map_or(Value::Null, |value| json!(value))
}

fn ends(interval: Option<(f64, f64)>) -> Value {
    interval.map_or(Value::Null, |(low, high)| json!([digits(low), digits(high)]))
}

fn sided(sided: &Sided) -> Value {
    json!({"value": digits(sided.mean), "ci95": ends(sided.interval), "n": sided.n, "key": sided.key})
}

fn quotient(quotient: Quotient) -> Value {
    json!({"value": digits(quotient.value), "ends": ends(quotient.interval)})
}

/// Every value of both sides as CSV.
pub(crate) fn rows_csv(axes: &[Axis], rows: &[PairRow]) -> String {
    let mut header: Vec<String> = axes.iter().map(|axis| axis.name().to_string()).collect();
    let names =
        ["metric", "theirs", "theirs_low", "theirs_high", "theirs_n", "ours", "ours_low", "ours_high", "ours_n"];
    header.extend(names.map(String::from));
    header.extend(["ratio", "ratio_low", "ratio_high"].map(String::from));
    header.extend(["base", "theirs_relative", "ours_relative", "relative_ratio"].map(String::from));
    let machine = |value: f64| number::machine(value);
    let bounds = |interval: Option<(f64, f64)>| match interval {
        Some((low, high)) => [machine(low), machine(high)],
        None => [String::new(), String::new()],
    };
    let mut lines = vec![header];
    for row in rows {
        let mut fields: Vec<String> = row.at.iter().map(csv::data).collect();
        fields.push(row.metric.to_string());
        for side in [&row.theirs, &row.ours] {
            match side {
                Some(side) => {
                    fields.push(machine(side.mean));
                    fields.extend(bounds(side.interval));
                    fields.push(side.n.to_string());
                }
                None => fields.extend([const { String::new() }; 4]),
            }
        }
        match &row.ratio {
            Some(ratio) => {
                fields.push(machine(ratio.value));
                fields.extend(bounds(ratio.interval));
            }
            None => fields.extend([const { String::new() }; 3]),
        }
        match &row.relative {
            Some(relative) => {
                let values = [relative.theirs, relative.ours, relative.ratio].map(|part| machine(part.value));
                fields.push(relative.base.clone());
                fields.extend(values);
            }
            None => fields.extend([const { String::new() }; 4]),
        }
        lines.push(fields);
    }
    csv::lines(lines.iter())
}
