//! The columns of everything that is given away as data: name, type, unit and meaning, said once, for headers of
//! CSV files, data packages and schemas. It must not know files.

use crate::axes::Axis;
use crate::dataset::columns::{COUNT, INTERVAL_FIELDS, KIND, LOST, ROLE, RTT_FIELDS, RTT_NS, SOURCE};
use crate::metric::{Metric, Quantity};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// In the header.
    pub name: String,
    /// Whether it holds text or numbers.
    pub kind: ColumnKind,
    /// The column's unit, if it has one.
    pub unit: Option<&'static str>,
    /// In a sentence.
    pub meaning: String,
}

impl Column {
    /// A column.
    pub fn new(
        name: impl Into<String>,
        kind: ColumnKind,
        unit: Option<&'static str>,
        meaning: impl Into<String>,
    ) -> Column {
        Column { name: name.into(), kind, unit, meaning: meaning.into() }
    }
}

/// The columns of a file of samples, in their order.
pub fn samples() -> Vec<Column> {
    let text = |name: &str, meaning: &str| Column::new(name, ColumnKind::Text, None, meaning);
    let number = |name: &str, unit, meaning: &str| Column::new(name, ColumnKind::Integer, unit, meaning);
    let mut columns = vec![
        text(
            SOURCE,
            "The process that wrote the row: send-0; t007.send-0 in the eighth trial of a search, w001.send-0 in the second of several windows of a set-up.",
        ),
        text(ROLE, "What the process did: send, receive, client or server."),
        text(KIND, "What the row is: interval, rtt (one round trip) or overflow (a bucket of further round trips)."),
    ];
    for field in &INTERVAL_FIELDS {
        columns.push(number(field.name, field.unit, field.meaning));
        if field.name == "missed" {
            let meaning = "Gaps in sequence numbers; a late arrival takes one back. Of interval rows.";
            columns.push(number(LOST, Some("packets"), meaning));
        }
    }
    columns.extend(RTT_FIELDS.iter().map(|field| number(field.name, field.unit, field.meaning)));
    columns.push(number(RTT_NS, Some("ns"), "Round-trip time; of a bucket its highest. Of rtt and overflow rows."));
    columns.push(number(COUNT, Some("round trips"), "Round trips in the bucket. Of overflow rows."));
    columns
}

/// The column of an axis: as the experiment names it, with its unit where it holds numbers.
pub fn axis(axis: Axis, is_numeric: bool) -> Column {
    let (suffix, unit) = match axis {
        Axis::S => ("_pairs", Some("pairs")),
        Axis::P => ("_bytes", Some("bytes")),
        Axis::R => ("_pps", Some("packets/s")),
        Axis::B => ("_packets", Some("packets")),
        _ => ("", None),
    };
    match is_numeric {
        true => {
            Column::new(format!("{axis}{suffix}"), ColumnKind::Integer, unit, format!("{}.", meaning_of_axis(axis)))
        }
        false => Column::new(axis.name(), ColumnKind::Text, None, format!("{}.", meaning_of_axis(axis))),
    }
}

/// What an axis tells apart.
pub fn meaning_of_axis(axis: Axis) -> &'static str {
    match axis {
        Axis::D => "What is measured: throughput or latency",
        Axis::L => "Whether both ends are on one host",
        Axis::S => "Pairs of a sender and a receiver",
        Axis::V => "The virtual switch between them",
        Axis::P => "Size of a packet: the frame, without FCS unless frame says otherwise",
        Axis::R => "Offered rate of each sender; ndr and pdr are searched",
        Axis::B => "Packets that are handed to the port at once",
        Axis::Io => "How packets are handed to the port",
        Axis::Touch => "Whether the payload is written and checked",
        Axis::Queues => "Queues of a port",
        Axis::Flows => "Flows of each sender",
        Axis::Stack => "Where the components come from",
        Axis::SwitchCores => "Cores given to the switch",
        Axis::Runtime => "How containers are made",
        Axis::Frame => "Whether P counts the FCS",
    }
}

/// The column of a metric; its name ends in its unit.
pub fn metric(metric: Metric) -> Column {
    Column::new(metric.to_string(), ColumnKind::Number, unit(metric), format!("{}.", metric.quantity.meaning()))
}

/// The unit of a metric; none for a ratio.
pub fn unit(metric: Metric) -> Option<&'static str> {
    Some(metric.unit.symbol()).filter(|symbol| !symbol.is_empty())
}

/// The name and the base unit of a quantity, as records and summaries have it.
pub fn quantity(quantity: Quantity) -> Column {
    let name = serde_json::to_value(quantity).ok().and_then(|name| name.as_str().map(str::to_string));
    let meaning = format!("{}.", quantity.meaning());
    Column::new(name.unwrap_or_default(), ColumnKind::Number, quantity.base_unit(), meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_everything_means_something() {
        let mut columns = samples();
        columns.extend(Axis::ALL.map(|axis| super::axis(axis, true)));
        columns.extend(Quantity::ALL.map(quantity));
        for column in &columns {
            assert!(column.meaning.len() > 10 && column.meaning.ends_with('.'), "{column:?}");
        }
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), columns.len());
    }
}
