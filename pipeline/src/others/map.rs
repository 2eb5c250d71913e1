//! The map: which number of a file is of which tests. Every place of what is wrong in it is told. It must not read the
//! file of numbers.
//!
//! ```toml
//! source = "Doe et al., Table 3"        # as readers know it
//! format = "json"                       # or "csv", "text"
//! for = ["throughput"]                  # figures, tables and claims that hold them (--into)
//! [[value]]
//! at = { io = "udp", P = 64 }           # axes as in an experiment; of CSV also { column = "size" }
//! metric = "rx_mbps"
//! unit = "bps"                          # of the file; absent: the metric's own
//! path = "end.sum_received.bits_per_second"   # of JSON; [0], [-1], [*] for elements
//! column = "mpps"                       # of CSV
//! where = { scenario = "p2p" }          # of CSV: only these rows
//! after = "Rx-pps:"                     # of text: the number behind the last place of this
//! pick = "mean"                         # of several numbers: mean, max, min, or last
//! ```

use reports::spec::Id;
use results::axes::Axis;
use results::metric::Metric;
use toml::de::{DeTable, DeValue};

use crate::experiment::axis_value::{AxisValue, Scalar};
use crate::experiment::diagnostic::{Diagnostic, Diagnostics, quoted};
use crate::experiment::document::{self, Findings, Node, Section, text};
use reports::suggest;

const KEYS: [&str; 4] = ["source", "format", "for", "value"];
const VALUE_KEYS: [&str; 8] = ["at", "metric", "unit", "path", "column", "where", "after", "pick"];
/// Units of files, each with base units in one of it, and what it is a unit of.
const UNITS: [(&str, f64, &str); 13] = [
    ("pps", 1.0, "packets/s"),
    ("kpps", 1e3, "packets/s"),
    ("Mpps", 1e6, "packets/s"),
    ("bps", 1.0, "bits/s"),
    ("kbps", 1e3, "bits/s"),
    ("Mbps", 1e6, "bits/s"),
    ("Gbps", 1e9, "bits/s"),
    ("ns", 1.0, "ns"),
    ("us", 1e3, "ns"),
    ("ms", 1e6, "ns"),
    ("s", 1e9, "ns"),
    ("ratio", 1.0, ""),
    ("%", 0.01, ""),
];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON: iperf3's, TRex's, CSIT's.
    Json,
    /// Comma-separated, with a head.
    Csv,
    /// What a program printed: testpmd's.
    Text,
}

/// Which of several numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// There must be one.
    Only,
    /// The mean of several.
    Mean,
    /// The largest.
    Max,
    /// The least.
    Min,
    /// The last.
    Last,
}

/// Where a value of an axis comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// From the map.
    Fixed(String),
    /// From a column of each row; what it calls things there, and here.
    Column(String, Vec<(String, String)>),
}

/// One `[[value]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MapValue {
    /// The tests that the values belong to.
    pub at: Vec<(Axis, From)>,
    /// What.
    pub metric: Metric,
    /// Base units in one of the file's.
    pub scale: f64,
    /// Where in the file: a path, a column, or a text before it.
    pub place: String,
    /// For CSV: columns with the text that rows must have.
    pub rows: Vec<(String, String)>,
    /// Which of several values to take.
    pub pick: Pick,
}

/// A map.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Where the numbers were published.
    pub source: String,
    /// What the file is.
    pub format: Format,
    /// Figures, tables and claims that hold them.
    pub ids: Vec<Id>,
    /// In order.
    pub values: Vec<MapValue>,
}

/// Reads a map; all that is wrong with it comes back together.
///
/// # Errors
/// What is wrong, place by place.
pub fn read(source: &str, file_name: &str) -> Result<Map, Diagnostics> {
    let (root, syntax) = DeTable::parse_recoverable(source);
    let mut findings = Findings::new(source, !syntax.is_empty());
    let map = whole(root.get_ref(), &mut findings);
    let mut list = findings.list;
    list.extend(syntax.iter().map(|error| Diagnostic {
        span: error.span().unwrap_or(source.len()..source.len()),
        message: format!("not TOML: {}", error.message()),
        help: None,
    }));
    match map {
        Some(map) if list.is_empty() => Ok(map),
        _ => Err(Diagnostics::new(file_name, source, list)),
    }
}

fn whole(root: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Map> {
    let file = Section::new("the map", root, 0..0);
    file.only(&KEYS, findings);
    let source = file.require("source", "source = \"Author et al., Table 2\"", findings);
    let source = source.and_then(|node| text(node, "source", 300, false, findings));
    let format = file.require("format", "format = \"json\"", findings);
    let format = format.and_then(|node| {
        word(node, "format", &[("json", Format::Json), ("csv", Format::Csv), ("text", Format::Text)], findings)
    });
    let ids = file.get("for").map(|node| ids(node, findings)).unwrap_or_default();
    let values = document::sections(
        "[[value]]",
        file.require_table("value", "[[value]]", findings),
        super::VALUES_MAX,
        findings,
    );
    let format = format?;
    let read: Vec<Option<MapValue>> = values.iter().map(|section| wanted(*section, format, findings)).collect();
    let values = read.into_iter().collect::<Option<Vec<MapValue>>>()?;
    Some(Map { source: source?, format, ids, values })
}

fn ids(node: &Node<'_>, findings: &mut Findings<'_>) -> Vec<Id> {
    let Some(array) = node.get_ref().as_array() else {
        let help = Some("write for = [\"figure-1\"]".to_string());
        findings.error(node.span(), format!("for is a list of ids, not {}", document::kind(node)), help);
        return Vec::new();
    };
    array.iter().filter_map(|node| document::id(node, "an id", findings)).collect()
}

/// One of some words.
fn word<T: Copy>(node: &Node<'_>, what: &str, words: &[(&'static str, T)], findings: &mut Findings<'_>) -> Option<T> {
    let asked = document::string(node, what, findings)?;
    let found = words.iter().find(|(name, _)| *name == asked).map(|(_, value)| *value);
    if found.is_none() {
        let help = suggest::help(asked, words.iter().map(|(name, _)| *name));
        findings.error(node.span(), format!("there is no {what} {}", quoted(asked)), help);
    }
    found
}

fn wanted(section: Section<'_, '_>, format: Format, findings: &mut Findings<'_>) -> Option<MapValue> {
    section.only(&VALUE_KEYS, findings);
    let (key, example) = match format {
        Format::Json => ("path", "path = \"end.sum_received.bits_per_second\""),
        Format::Csv => ("column", "column = \"mpps\""),
        Format::Text => ("after", "after = \"Rx-pps:\""),
    };
    for other in ["path", "column", "after"].into_iter().filter(|other| *other != key) {
        if let Some(node) = section.get(other) {
            findings.error(node.span(), format!("{other} is of another format"), Some(format!("write {example}")));
        }
    }
    let place = section.require(key, example, findings).and_then(|node| text(node, key, 300, false, findings));
    let metric = section.require("metric", "metric = \"rx_mpps\"", findings).and_then(|node| {
        let name = document::string(node, "metric", findings)?;
        let metric = name.parse::<Metric>().ok();
        if metric.is_none() {
            let names: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
            let help = suggest::help(name, names.iter().map(String::as_str));
            findings.error(node.span(), format!("there is no metric {}", quoted(name)), help);
        }
        metric
    });
    let scale = match (section.get("unit"), metric) {
        (Some(node), Some(metric)) => unit(node, metric, findings),
        (None, Some(metric)) => Some(metric.unit.scale()),
        (_, None) => None,
    };
    let picks = [("mean", Pick::Mean), ("max", Pick::Max), ("min", Pick::Min), ("last", Pick::Last)];
    let pick = section.get("pick").map_or(Some(Pick::Only), |node| word(node, "pick", &picks, findings));
    let at = section.get("at").and_then(|node| Section::of("at", node, findings));
    let at = at.map_or(Some(Vec::new()), |at| axes(at, format, findings));
    let rows = section.get("where").and_then(|node| Section::of("where", node, findings));
    let rows = rows.map(|rows| {
        rows.entries()
            .into_iter()
            .filter_map(|(name, _, node)| {
                Some((name.to_string(), document::string(node, "a cell", findings)?.to_string()))
            })
            .collect::<Vec<_>>()
    });
    Some(MapValue {
        at: at?,
        metric: metric?,
        scale: scale?,
        place: place?,
        rows: rows.unwrap_or_default(),
        pick: pick?,
    })
}

fn unit(node: &Node<'_>, metric: Metric, findings: &mut Findings<'_>) -> Option<f64> {
    let base = metric.quantity.base_unit().unwrap_or_default();
    let asked = document::string(node, "unit", findings)?;
    let found = UNITS.iter().find(|(name, _, of)| *name == asked && *of == base);
    if found.is_none() {
        let fitting: Vec<&str> = UNITS.iter().filter(|(_, _, of)| *of == base).map(|(name, ..)| *name).collect();
        let help = Some(format!("write one of {}", fitting.join(", ")));
        findings.error(node.span(), format!("{} is no unit of {metric}", quoted(asked)), help);
    }
    found.map(|(_, scale, _)| *scale)
}

fn axes(section: Section<'_, '_>, format: Format, findings: &mut Findings<'_>) -> Option<Vec<(Axis, From)>> {
    let mut axes = Vec::new();
    for (name, span, node) in section.entries() {
        let Some(axis) = Axis::from_name(name) else {
            let help = suggest::help(name, Axis::ALL.map(Axis::name));
            findings.error(span, format!("there is no axis {}", quoted(name)), help);
            return None;
        };
        let from = match node.get_ref() {
            DeValue::Table(_) if format == Format::Csv => column(node, findings)?,
            _ => From::Fixed(value(axis, node, findings)?),
        };
        axes.push((axis, from));
    }
    axes.sort_by_key(|(axis, _)| *axis);
    Some(axes)
}

/// `{ column = "switch", names = { OVS = "ovs" } }`.
fn column(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<From> {
    let section = Section::of("an axis", node, findings)?;
    section.only(&["column", "names"], findings);
    let column = section.require("column", "column = \"size\"", findings)?;
    let column = document::string(column, "column", findings)?.to_string();
    let names = section.get("names").and_then(|node| Section::of("names", node, findings));
    let names = names.map(|names| {
        let pairs = names.entries().into_iter();
        pairs
            .filter_map(|(theirs, _, node)| {
                Some((theirs.to_string(), document::string(node, "a name", findings)?.to_string()))
            })
            .collect()
    });
    Some(From::Column(column, names.unwrap_or_default()))
}

fn value(axis: Axis, node: &Node<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let text = match document::scalar(node) {
        Some(Scalar::Text(text)) => text.to_string(),
        Some(Scalar::Whole(number)) => number.to_string(),
        Some(Scalar::Flag(flag)) => flag.to_string(),
        _ => {
            findings.error(node.span(), format!("{axis} is one value here, not {}", document::kind(node)), None);
            return None;
        }
    };
    match AxisValue::parse(axis, Scalar::Text(&text)) {
        Ok(_) => Some(text),
        Err(error) => {
            findings.error(node.span(), error.message, error.help);
            None
        }
    }
}
