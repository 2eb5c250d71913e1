//! The experiment file as a JSON Schema (draft 7), for editors: taplo completes and checks files by it. Made of
//! the same tables of keys and names that the reader goes by, so that it never refuses what the reader takes;
//! what the reader refuses beyond it needs the whole file. It must not read files.

use host_setup::facts::Transparent;
use host_setup::switch;
use reports::spec::Id;
use results::axes::{Axis, Dimension, FrameSize, IO_ALL, Locality, Rate, RuntimeChoice, VSwitch, io_name};
use results::metric::Metric;
use serde_json::{Map, Value, json};

use super::artifact::ARTIFACT_KEYS;
use super::axis_value::units_of;
use super::header::{HEADING_KEYS, ORDER, PROTOCOL_KEYS, REPETITIONS_KEYS, REPETITIONS_MAX};
use super::report::{CLAIM_KEYS, FIGURE_KEYS, TABLE_KEYS};
use super::settings::{FREQUENCY_KEYS, FREQUENCY_MHZ_MAX, HOST, HUGEPAGES_1G_MAX, SETTINGS_KEYS, SMT};
use super::units;
use super::{KEYS, group};

/// The dialect; taplo knows this one.
pub(crate) const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of the experiment file.
pub fn experiment() -> Value {
    let mut schema = table(&KEYS, &["experiment", "protocol", "tests"], "An experiment of septet", |key| match key {
        "experiment" => table(&HEADING_KEYS, &["name"], "What the experiment is called", heading),
        "protocol" => {
            let mut schema = table(&PROTOCOL_KEYS, &["warmup", "cooldown"], "How each test is measured", protocol);
            schema["anyOf"] = json!([{"required": ["duration", "repetitions"]}, {"required": ["precision"]}]);
            schema
        }
        "artifact" => table(&ARTIFACT_KEYS, &[], "What an artifact's appendix says that no store can know", artifact),
        "tests" => {
            let required = ["id", "D", "L", "S", "V", "P", "R", "B"];
            list(table(&group::keys(), &required, "A group of tests: one for each combination of values", tests))
        }
        "figure" => list(table(FIGURE_KEYS, &["id", "from", "x", "y"], "A figure", drawable)),
        "table" => list(table(TABLE_KEYS, &["id", "from", "rows"], "A table", drawable)),
        "claim" => list(table(CLAIM_KEYS, &["id", "from", "text", "test"], "A statement that can be true", drawable)),
        _ => json!({}),
    });
    schema["$schema"] = DIALECT.into();
    schema["title"] = "Septet experiment".into();
    schema
}

/// A name.
pub(crate) const ID: &str = "^[A-Za-z0-9._-]+$";

/// A table with these keys and no others; a key that `of` does not know may have any value.
pub(crate) fn table(keys: &[&str], required: &[&str], description: &str, of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.to_string(), of(key))).collect();
    let mut schema = json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn one_or_more(item: Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})
}

/// What names files: not with a dot at its end, which some file systems drop.
const FILE_ID: &str = "^[A-Za-z0-9._-]*[A-Za-z0-9_-]$";

fn id(description: &str) -> Value {
    json!({"type": "string", "pattern": FILE_ID, "maxLength": Id::LEN_MAX, "description": description})
}

fn said(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

fn text(description: &str) -> Value {
    json!({"type": "string", "minLength": 1, "description": description})
}

fn time(description: &str) -> Value {
    json!({"type": "string", "pattern": units::pattern(units::DURATION), "description": description})
}

fn artifact(key: &str) -> Value {
    let texts = |description: &str| json!({"type": "array", "items": text(description), "maxItems": 20});
    match key {
        "doi" => text("Under which it is published"),
        "url" => text("Where it can be had"),
        "contact" => text("Whom to ask"),
        "badges" => texts("A badge that is asked for"),
        "requirements" => texts("What it needs besides what was measured through"),
        "notes" => text("What a reviewer should know, in paragraphs"),
        _ => json!({}),
    }
}

fn heading(key: &str) -> Value {
    match key {
        "name" => id("Names the report's folder"),
        "title" => text("Of the report"),
        "authors" => json!({
            "type": "array", "items": text("An author"), "maxItems": 100, "description": "Names below the title",
        }),
        "notes" => text("What a reader should know"),
        _ => json!({}),
    }
}

fn protocol(key: &str) -> Value {
    let count = || json!({"type": "integer", "minimum": 1, "maximum": REPETITIONS_MAX});
    match key {
        "duration" => time("The window that is averaged"),
        "warmup" => time("Traffic before it"),
        "cooldown" => time("Traffic after it"),
        "repetitions" => {
            let adaptive = table(&REPETITIONS_KEYS, &["min", "max"], "Until the interval is narrow enough", |key| {
                match key {
                    "min" => said(count(), "The fewest"),
                    "max" => said(count(), "The most"),
                    "ci" => json!({
                        "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1,
                        "description": "Half the width of the 95 % interval that is narrow enough, as a part of the mean",
                    }),
                    _ => json!({}),
                }
            });
            let words = "How often each test is measured: a number, or { min, max, ci }, which stops once the 95 % \
                         interval is within ci of the mean";
            json!({"anyOf": [count(), adaptive], "description": words})
        }
        "precision" => json!({
            "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1,
            "description": "In place of duration and repetitions: half the width of the 95 % interval that is asked for, as \
                            a part of the mean; how long windows are and how often a test is set up is chosen",
        }),
        "cap" => time("What a test may take of the testbed at most, with precision; 30min if it is not given"),
        "order" => json!({"enum": ORDER, "description": "Of the tests in each block of repetitions"}),
        "host" => json!({
            "enum": HOST,
            "description": "Whether settings are made for measuring, stay as they are, or are made in a virtual machine too",
        }),
        "settings" => {
            let mhz = || json!({"type": "integer", "minimum": 1, "maximum": FREQUENCY_MHZ_MAX});
            let transparent = Transparent::ALL.map(Transparent::name);
            table(&SETTINGS_KEYS, &[], "What is set besides; absent settings stay as they are", |key| match key {
                "frequency_mhz" => {
                    table(&FREQUENCY_KEYS, &FREQUENCY_KEYS, "Bounds of every CPU's frequency", |_| mhz())
                }
                "smt" => json!({"enum": SMT, "description": "Hyper-threads"}),
                "transparent_hugepages" => json!({"enum": transparent, "description": "As the kernel has them"}),
                "hugepages_1g" => json!({
                    "type": "integer", "minimum": 1, "maximum": HUGEPAGES_1G_MAX,
                    "description": "Free hugepages of 1 GiB on each NUMA node that is measured on",
                }),
                _ => json!({}),
            })
        }
        "seed" => json!({
            "type": "integer", "minimum": 0, "description": "Of the random order; made of the tests if it is not given",
        }),
        _ => json!({}),
    }
}

fn tests(key: &str) -> Value {
    match key {
        "id" => id("What figures, tables and claims call it"),
        "exclude" => said(list(partial("A combination that is left out")), "Combinations that are left out"),
        "duration" | "warmup" | "cooldown" => protocol(key),
        _ => Axis::from_name(key).map_or(json!({}), axis),
    }
}

/// What can stand behind an axis: a value, a list, a range, or for R a search.
fn axis(axis: Axis) -> Value {
    let one = value(axis);
    let mut forms = vec![one.clone(), json!({"type": "array", "items": one, "minItems": 1, "uniqueItems": true})];
    if axis.is_numeric() {
        let end = || number(axis);
        forms.push(table(&["from", "to", "step"], &["from", "to", "step"], "A range", |_| end()));
    }
    if axis == Axis::R {
        forms.push(search());
        forms[1] = json!({"type": "array", "items": {"anyOf": [one, search()]}, "minItems": 1, "uniqueItems": true});
    }
    json!({"anyOf": forms, "description": axis.label()})
}

/// A search for R.
fn search() -> Value {
    table(&["search", "loss"], &["search"], "A search for the highest rate", |key| match key {
        "search" => json!({"enum": ["ndr", "pdr"]}),
        _ => json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
    })
}

/// A number, bare or with its unit.
fn number(axis: Axis) -> Value {
    let (least, most) = match axis {
        Axis::P => (64, 1518),
        Axis::B => (1, 1024),
        Axis::R => (1, Rate::PPS_MAX),
        _ => (1, u64::from(u16::MAX)),
    };
    json!({"anyOf": [
        {"type": "number", "multipleOf": 1, "minimum": least, "maximum": most},
        {"type": "string", "pattern": units::pattern(units_of(axis))},
    ]})
}

fn value(axis: Axis) -> Value {
    fn names(names: impl Iterator<Item = &'static str>) -> Value {
        json!({"enum": names.collect::<Vec<_>>()})
    }
    match axis {
        Axis::D => names(Dimension::ALL.iter().map(|value| value.name())),
        Axis::L => names(Locality::ALL.iter().map(|value| value.name())),
        Axis::V => json!({"anyOf": [
            {"enum": switch::descriptors().iter().map(|descriptor| &descriptor.name).collect::<Vec<_>>()},
            {"type": "string", "pattern": format!("^{}[A-Za-z0-9._-]+$", VSwitch::CUSTOM)},
        ]}),
        Axis::Io => names(IO_ALL.iter().map(|value| io_name(*value))),
        Axis::Runtime => names(RuntimeChoice::ALL.iter().map(|value| value.name())),
        Axis::Frame => names(FrameSize::ALL.iter().map(|value| value.name())),
        Axis::S => json!({"type": "string", "pattern": "^0*[1-9][0-9]{0,4}vs0*[1-9][0-9]{0,4}$"}),
        Axis::Touch => json!({"type": "boolean"}),
        Axis::Stack => {
            let pattern = ID.replacen('^', "^(application:)?", 1);
            json!({"type": "string", "pattern": pattern, "maxLength": 64, "description": "A stack of the site, or an application of it"})
        }
        _ => number(axis),
    }
}

/// Some values of some axes, as `where` and `exclude` write them.
fn partial(description: &str) -> Value {
    table(&Axis::ALL.map(Axis::name), &[], description, |key| Axis::from_name(key).map_or(json!({}), axis))
}

/// Every metric by name.
fn metrics() -> Vec<String> {
    Metric::all().map(|metric| metric.to_string()).collect()
}

/// A limit that others published: `< 40`, `> 60`.
const LIMIT: &str = "^\\s*[<>]=?\\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\\s*$";

fn drawable(key: &str) -> Value {
    let axis_name = || json!({"enum": Axis::ALL.map(Axis::name)});
    let metric =
        || json!({"enum": metrics(), "description": "A metric: rx_mpps, rx_gbps, rtt_us_mean, loss_ratio, ..."});
    let published = || {
        let number = json!({"anyOf": [{"type": "number"}, {"type": "string", "pattern": LIMIT}]});
        let axes = Axis::ALL.into_iter().map(|other| (other.name().to_string(), axis(other)));
        axes.chain(metrics().into_iter().map(|metric| (metric, number.clone()))).collect::<Map<String, Value>>()
    };
    match key {
        "id" => id("Names its files"),
        "from" => said(one_or_more(id("A group of tests")), "The groups of tests that it is about"),
        "where" => partial("Which of their tests"),
        "x" => said(axis_name(), "The axis along the bottom"),
        "series" => said(axis_name(), "The axis that tells lines, or bars, apart"),
        "rows" => said(axis_name(), "The axis of the rows"),
        "columns" => said(axis_name(), "The axis of the columns"),
        "y" | "value" => metric(),
        "values" => said(one_or_more(metric()), "Several metrics, a column each"),
        "xscale" => json!({"enum": ["linear", "log2", "log10"], "description": "How x is scaled"}),
        "yscale" => json!({"enum": ["linear", "log2", "log10"], "description": "How y is scaled"}),
        "over" => json!({
            "type": "object",
            "description": "Keeps the best or the worst along an axis",
            "propertyNames": axis_name(),
            "additionalProperties": {"enum": ["max", "min"]},
            "minProperties": 1,
            "maxProperties": 1,
        }),
        "published" => json!({
            "type": "array",
            "description": "Numbers that others have published: axes, and one metric with a number or a limit",
            "items": {
                "type": "object",
                "minProperties": 1,
                "properties": published(),
                "additionalProperties": false,
            },
            "minItems": 1,
        }),
        "source" => text("Where they were published"),
        "title" => text("Above it"),
        "caption" => text("Below it"),
        "text" => text("The statement, in words"),
        "test" => text("The statement as an expression: rx_pps[io=udp-mmsg] > rx_pps[io=udp]"),
        _ => json!({}),
    }
}
