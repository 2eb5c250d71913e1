//! Numbers that others measured, brought in as published values of figures, tables and claims: from a file of iperf3,
//! TRex, CSIT or testpmd, or from any CSV, by a map that says which number is of which tests. What comes of it is text
//! of an experiment, so that reports and archives hold it like any published number; never a result. It must not measure,
//! and knows no store.

mod insert;
mod map;
mod take;

pub use insert::insert;
pub use map::{Map, read};
pub use take::take;

use results::axes::Axis;
use results::metric::Metric;

/// Most bytes of a file of numbers.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a map.
pub const MAP_BYTES_MAX: u64 = 1 << 20;
/// Most numbers that one import brings in.
pub const VALUES_MAX: usize = 1_000;

/// A number of somebody else's.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Which tests it is of.
    pub at: Vec<(Axis, String)>,
    /// What it is.
    pub metric: Metric,
    /// In the metric's unit.
    pub value: f64,
}

/// Why numbers cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum OthersError {
    /// A number is not where the map says.
    #[error("failed to take {what} from {file}: {reason}")]
    Take {
        /// What the map names.
        what: String,
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The values do not fit into the experiment.
    #[error("failed to put published values into {file}: {reason}")]
    Insert {
        /// The experiment.
        file: String,
        /// Why not.
        reason: String,
    },
    /// With them the experiment is wrong.
    #[error(transparent)]
    Invalid(#[from] crate::experiment::Diagnostics),
}

/// The values as keys of a figure, table or claim of an experiment.
pub fn text(source: &str, values: &[Value]) -> String {
    let mut out = "published = [\n".to_string();
    for Value { at, metric, value } in values {
        let axes: String = at.iter().map(|(axis, value)| format!("{axis} = {}, ", literal(*axis, value))).collect();
        out.push_str(&format!("  {{ {axes}{metric} = {} }},\n", number(*value)));
    }
    out.push_str(&format!("]\nsource = {}\n", quoted(source)));
    out
}

/// A value of an axis: a number where it is one.
fn literal(axis: Axis, value: &str) -> String {
    match axis.is_numeric() && value.parse::<u64>().is_ok() {
        true => value.to_string(),
        false => quoted(value),
    }
}

/// Six digits that count, without an exponent: whoever publishes more does not mean them.
fn number(value: f64) -> String {
    let text = reports::number::machine(value);
    // A whole number and a decimal are both numbers of TOML; an exponent needs a decimal before it.
    match text.contains(['e', 'E']) {
        true => format!("{value:.6}"),
        false => text,
    }
}

/// A string of TOML; what cannot be seen is left out.
fn quoted(text: &str) -> String {
    serde_json::Value::from(reports::text::cleaned(text, 300)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_toml_whatever_others_call_things() {
        let metric: Metric = "rx_kpps".parse().expect("a metric");
        let at = vec![(Axis::Io, "a\"]\n[evil]\nx = \"".to_string()), (Axis::P, "64".to_string())];
        let values = [Value { at, metric, value: 338.25 }, Value { at: Vec::new(), metric, value: 1e-9 }];
        let text = text("A \"quoted\" source\u{7f}\u{202e}", &values);
        let table = toml::de::DeTable::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        assert_eq!(table.get_ref().len(), 2, "{text}");
        let list = table.get_ref().get("published").and_then(|list| list.get_ref().as_array()).expect("a list");
        assert_eq!(list.iter().count(), 2, "{text}");
        assert!(text.contains("P = 64, rx_kpps = 338.25 }"), "{text}");
    }
}
