//! How a definition is written: the keys of a table `[switches.NAME]` of a site file, each value with its place. One
//! reader for a user's own file and for root's. It must not know files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{Forwards, Piece, Template};
use super::definition::{Amount, Counters, Definition, Sockets, Stop, Tool};
use crate::eal::Memory;
use crate::written::{Problem, Table};

/// Keys of `[switches.NAME]`.
pub const KEYS: [&str; 24] = [
    "program",
    "files",
    "drivers",
    "packages",
    "sockets",
    "forwards",
    "ports_max",
    "ports_even",
    "cores",
    "queues",
    "memory",
    "memory_mib",
    "memory_mib_port",
    "needs_root",
    "start",
    "configuration",
    "started",
    "attach",
    "ready",
    "refused",
    "ready_within_s",
    "counters",
    "version",
    "stop",
];

/// What a switch may have of ports if nothing else is said.
const PORTS_MAX: u64 = 16;
/// How long it may take to become ready if nothing else is said, s.
const READY_S: u64 = 30;

/// Reads the definition in a table of `source`, which is called `file`; with a problem there is none.
pub fn read(
    name: &str,
    table: &DeTable<'_>,
    span: Range<usize>,
    source: &str,
    file: &str,
) -> Result<Definition, Vec<Problem>> {
    let mut table = Table::new(format!("[switches.{name}]"), table, span, source);
    table.only(&KEYS);
    let definition = fill(&mut table, file);
    let mut problems = table.problems;
    if let Some(definition) = &definition {
        for wrong in definition.problems() {
            problems.push(Problem {
                span: table.places.of(wrong.key, wrong.text.as_ref()),
                message: wrong.problem,
                help: wrong.help,
            });
        }
    }
    match definition {
        Some(definition) if problems.is_empty() => Ok(definition),
        _ => Err(problems),
    }
}

fn fill(table: &mut Table<'_, '_>, file: &str) -> Option<Definition> {
    let program = table.required("program", "\"/usr/local/bin/NAME\"").and_then(|node| table.text("program", node));
    let sockets = table.required("sockets", "\"application\", or \"switch\" if the switch makes them");
    let sockets = sockets.and_then(|node| table.word::<Sockets>("sockets", node, "\"application\" or \"switch\""));
    let forwards = table.required("forwards", "\"learning\" or \"pairs\"");
    let forwards = forwards.and_then(|node| table.word::<Forwards>("forwards", node, "\"learning\" or \"pairs\""));
    let start = table.required("start", "a list of arguments").and_then(|node| template(table, "start", node));
    let ready = table.required("ready", "what it says when it forwards: [\"forwarding\"]");
    let ready = ready.and_then(|node| template(table, "ready", node));
    let memory = texts(table, "memory");
    let memory: Vec<Memory> = memory
        .into_iter()
        .filter_map(|(text, span)| {
            let mode = word::<Memory>(&text);
            if mode.is_none() {
                table.problem(span, "memory is \"no-huge\" or \"hugepages-2m\"", None);
            }
            mode
        })
        .collect();
    let plain = |texts: Vec<(String, Range<usize>)>| texts.into_iter().map(|(text, _)| text).collect::<Vec<String>>();
    let files = plain(texts(table, "files")).into_iter().map(PathBuf::from).collect();
    let drivers = plain(texts(table, "drivers"));
    let packages = plain(texts(table, "packages"));
    let refused = plain(texts(table, "refused"));
    let configuration = table.get("configuration").and_then(|node| template(table, "configuration", node));
    let needs_root = table.get("needs_root").and_then(|node| table.text("needs_root", node));
    let started = table.get("started").and_then(|node| table.text("started", node));
    let attach = table.get("attach").and_then(|node| tool(table, "attach", node));
    let version = table.get("version").and_then(|node| tool(table, "version", node));
    let counters = match table.get("counters") {
        None => Some(Counters::None),
        Some(node) if node.get_ref().as_str() == Some("dpdk-telemetry") => Some(Counters::DpdkTelemetry),
        Some(node) if node.get_ref().is_array() => tool(table, "counters", node).map(Counters::Tool),
        Some(node) => {
            let help = "write \"dpdk-telemetry\", or a list: a program and its arguments";
            table.problem(node.span(), "counters says how it is asked what its ports counted", Some(help));
            None
        }
    };
    let cores = amount(table, "cores");
    let queues = amount(table, "queues");
    let stop = match table.get("stop") {
        None => Some(Stop::Kill),
        Some(node) => table.word::<Stop>("stop", node, "\"kill\", \"term\" or \"int\""),
    };
    let ports_even = table.flag("ports_even");
    let number = |table: &mut Table<'_, '_>, key, default, most| {
        table.number(key, most).map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let ports_max = number(table, "ports_max", PORTS_MAX as u32, u32::MAX.into());
    let memory_mib = number(table, "memory_mib", 64, 1 << 20);
    let memory_mib_port = number(table, "memory_mib_port", 0, 1 << 20);
    let ready_within_s = table.number("ready_within_s", u64::MAX >> 1).unwrap_or(READY_S);
    Some(Definition {
        program: program?.into(),
        files,
        drivers,
        packages,
        sockets: sockets?,
        forwards: forwards?,
        ports_max,
        ports_even,
        cores: cores?,
        queues: queues?,
        memory,
        memory_mib,
        memory_mib_port,
        needs_root,
        start: start?,
        configuration,
        started,
        attach,
        ready: ready?,
        refused,
        ready_within_s,
        counters: counters?,
        version,
        stop: stop?,
        places: places(table, file),
    })
}

fn places(table: &Table<'_, '_>, file: &str) -> BTreeMap<String, String> {
    table.places.all(file).collect()
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_string())).ok()
}

/// `1` or `"many"`.
fn amount(table: &mut Table<'_, '_>, key: &'static str) -> Option<Amount> {
    let Some(node) = table.get(key) else { return Some(Amount::One) };
    match node.get_ref() {
        DeValue::String(text) if text == "many" => Some(Amount::Many),
        DeValue::Integer(number) if number.as_str() == "1" => Some(Amount::One),
        _ => {
            table.problem(node.span(), format!("{key} is 1 or \"many\""), None);
            None
        }
    }
}

/// A list of texts, each with its place; empty if it is not there.
fn texts(table: &mut Table<'_, '_>, key: &'static str) -> Vec<(String, Range<usize>)> {
    let Some(node) = table.get(key) else { return Vec::new() };
    let Some(list) = node.get_ref().as_array() else {
        table.problem(node.span(), format!("{key} is a list of texts"), Some("write it as [\"...\"]"));
        return Vec::new();
    };
    list.iter().filter_map(|node| Some((table.text(key, node)?, node.span()))).collect()
}

/// A list of texts and of lists of texts, or one text.
fn template(table: &mut Table<'_, '_>, key: &'static str, node: &Spanned<DeValue<'_>>) -> Option<Template> {
    let help = "write a list of texts; a list in it is there for each port: [\"-v\", [\"--port={socket}\"]]";
    let list = match node.get_ref() {
        DeValue::String(text) => return Some(Template::once(text)),
        DeValue::Array(list) => list,
        _ => {
            table.problem(node.span(), format!("{key} is a list of texts"), Some(help));
            return None;
        }
    };
    let mut pieces = Vec::new();
    for node in list {
        match node.get_ref() {
            DeValue::String(text) => pieces.push(Piece::Once(text.to_string())),
            DeValue::Array(texts) => {
                let texts: Option<Vec<String>> = texts.iter().map(|node| table.text(key, node)).collect();
                pieces.push(Piece::EachPort(texts?));
            }
            _ => {
                table.problem(node.span(), format!("{key} has texts in it and lists of texts"), Some(help));
                return None;
            }
        }
    }
    Some(Template(pieces))
}

/// A program and its arguments.
fn tool(table: &mut Table<'_, '_>, key: &'static str, node: &Spanned<DeValue<'_>>) -> Option<Tool> {
    let mut template = template(table, key, node)?;
    let program = match template.0.first() {
        Some(Piece::Once(program)) => PathBuf::from(program),
        _ => {
            let help = "write a program and its arguments: [\"/usr/bin/NAME\", \"--counters\"]";
            table.problem(node.span(), format!("{key} begins with no program"), Some(help));
            return None;
        }
    };
    template.0.remove(0);
    Some(Tool { program, arguments: template })
}
