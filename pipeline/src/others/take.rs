//! Numbers out of a file, as a map says. The file may be anybody's: it is data of bounded size, and what is not as the
//! map says is told with its place. It must not know where numbers go.

use std::collections::BTreeMap;

use results::axes::Axis;
use serde_json::Value as Json;

use super::map::{Format, From, Map, MapValue, Pick};
use super::{OthersError, VALUES_MAX, Value};
use crate::experiment::axis_value::{AxisValue, Scalar};

/// Takes every number of a map out of the file's text. `file` is only what errors call it.
///
/// # Errors
/// The first number that is not there.
pub fn take(map: &Map, text: &str, file: &str) -> Result<Vec<Value>, OthersError> {
    let failed = |wanted: &MapValue, reason: String| OthersError::Take {
        what: format!("{} at '{}'", wanted.metric, wanted.place),
        file: file.to_string(),
        reason,
    };
    let whole = |reason: String| OthersError::Take { what: "numbers".to_string(), file: file.to_string(), reason };
    let (mut json, mut sheet) = (Json::Null, Vec::new());
    match map.format {
        Format::Json => json = serde_json::from_str(text).map_err(|error| whole(format!("it is no JSON: {error}")))?,
        Format::Csv => sheet = rows(text).map_err(whole)?,
        Format::Text => {}
    }
    let mut values = Vec::new();
    for wanted in &map.values {
        let taken = match map.format {
            Format::Json => one(wanted, at_path(&json, &wanted.place)),
            Format::Text => one(wanted, behind(text, &wanted.place)),
            Format::Csv => of_rows(wanted, &sheet),
        };
        values.extend(taken.map_err(|reason| failed(wanted, reason))?);
        if values.len() > VALUES_MAX {
            return Err(whole(format!("it gives more than {VALUES_MAX} values")));
        }
    }
    Ok(values)
}

/// The one value of numbers at a place.
fn one(wanted: &MapValue, numbers: Result<Vec<f64>, String>) -> Result<Vec<Value>, String> {
    let fixed = wanted.at.iter().filter_map(|(axis, from)| match from {
        From::Fixed(value) => Some((*axis, value.clone())),
        From::Column(..) => None,
    });
    Ok(vec![made(wanted, fixed.collect(), picked(wanted.pick, &numbers?)?)?])
}

fn made(wanted: &MapValue, at: Vec<(Axis, String)>, number: f64) -> Result<Value, String> {
    let value = number * wanted.scale / wanted.metric.unit.scale();
    match value.is_finite() && (0.0..1e15).contains(&value) {
        true => Ok(Value { at, metric: wanted.metric, value }),
        false => Err(format!("{number} is no number that can be published")),
    }
}

fn picked(pick: Pick, numbers: &[f64]) -> Result<f64, String> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return Err("there is no number".to_string());
    };
    match pick {
        Pick::Only if numbers.len() > 1 => Err(format!(
            "there are {} numbers; say which by pick = \"mean\", \"max\", \"min\" or \"last\"",
            numbers.len()
        )),
        Pick::Only => Ok(*first),
        Pick::Last => Ok(*last),
        Pick::Mean => Ok(numbers.iter().sum::<f64>() / numbers.len() as f64),
        Pick::Max => Ok(numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        Pick::Min => Ok(numbers.iter().copied().fold(f64::INFINITY, f64::min)),
    }
}

/// A step of a path.
#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Element(i64),
    All,
}

/// `a.b[0]."c.d"[*]`.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']').ok_or("a '[' has no ']'")?;
            steps.push(match index.trim() {
                "*" => Step::All,
                number => Step::Element(number.parse().map_err(|_| format!("'[{number}]' is no element"))?),
            });
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('"') {
            let (key, after) = inside.split_once('"').ok_or("a '\"' has no other")?;
            steps.push(Step::Key(key.to_string()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err("a key is empty".to_string());
            }
            steps.push(Step::Key(rest[..end].to_string()));
            rest = &rest[end..];
        }
    }
    Ok(steps)
}

fn at_path(json: &Json, path: &str) -> Result<Vec<f64>, String> {
    let mut at = vec![json];
    for step in steps(path)? {
        let mut next = Vec::new();
        for value in at {
            match &step {
                Step::Key(key) => {
                    next.push(value.get(key).ok_or_else(|| format!("there is no '{key}'{}", keys(value)))?)
                }
                Step::All => next.extend(value.as_array().ok_or("[*] is of a list, and there is none")?),
                Step::Element(number) => {
                    let list = value.as_array().ok_or_else(|| format!("[{number}] is of a list, and there is none"))?;
                    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                    let place = if *number < 0 { length.saturating_add(*number) } else { *number };
                    let element = usize::try_from(place).ok().and_then(|place| list.get(place));
                    next.push(element.ok_or_else(|| format!("the list has {length} elements, and no [{number}]"))?);
                }
            }
        }
        at = next;
    }
    let number = |value: &Json| match value {
        Json::Number(number) => number.as_f64().ok_or("a number is too large".to_string()),
        // Some write numbers as texts.
        Json::String(text) => text.trim().parse::<f64>().map_err(|_| "it is a text, and no number".to_string()),
        _ => Err("it is no number".to_string()),
    };
    at.into_iter().map(number).collect()
}

/// What keys there are, for who wrote a path.
fn keys(value: &Json) -> String {
    const SHOWN_MAX: usize = 8;
    let Some(object) = value.as_object() else { return "; it is no object".to_string() };
    let shown: Vec<&str> = object.keys().take(SHOWN_MAX).map(String::as_str).collect();
    format!("; there is {}{}", shown.join(", "), if object.len() > SHOWN_MAX { ", ..." } else { "" })
}

/// Numbers behind each place of a text.
fn behind(text: &str, mark: &str) -> Result<Vec<f64>, String> {
    let number = |(at, _): (usize, &str)| {
        let after = text[at + mark.len()..].trim_start_matches([' ', '\t', ':', '=']);
        let end = after.find(|character: char| !(character.is_ascii_digit() || ".eE+-".contains(character)));
        after[..end.unwrap_or(after.len())].parse::<f64>().ok()
    };
    let found: Vec<f64> = text.match_indices(mark).filter_map(number).collect();
    if found.is_empty() { Err("no number follows it anywhere".to_string()) } else { Ok(found) }
}

/// Rows of a CSV (RFC 4180), each by the names of the head.
fn rows(text: &str) -> Result<Vec<BTreeMap<String, String>>, String> {
    let mut lines = records(text.strip_prefix('\u{feff}').unwrap_or(text))?.into_iter();
    let head = lines.next().ok_or("it is empty")?;
    let row = |(number, fields): (usize, Vec<String>)| match fields.len() == head.len() {
        true => Ok(head.iter().map(|name| name.trim().to_string()).zip(fields).collect()),
        false => Err(format!("row {} has {} fields, the head has {}", number + 2, fields.len(), head.len())),
    };
    lines.enumerate().map(row).collect()
}

fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut records, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut is_quoted, mut characters) = (false, text.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.is_empty() => is_quoted = true,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            '\r' if !is_quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !is_quoted => {
                fields.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut fields));
            }
            other => field.push(other),
        }
    }
    if is_quoted {
        return Err("a quoted field has no end".to_string());
    }
    if !field.is_empty() || !fields.is_empty() {
        fields.push(field);
        records.push(fields);
    }
    records.retain(|fields| fields.iter().any(|field| !field.trim().is_empty()));
    Ok(records)
}

/// A value for each set of axis values that rows have.
fn of_rows(wanted: &MapValue, sheet: &[BTreeMap<String, String>]) -> Result<Vec<Value>, String> {
    let cell = |row: &BTreeMap<String, String>, name: &str| -> Result<String, String> {
        let there = || row.keys().cloned().collect::<Vec<_>>().join(", ");
        row.get(name)
            .map(|cell| cell.trim().to_string())
            .ok_or_else(|| format!("there is no column '{name}'; there is {}", there()))
    };
    let mut places: BTreeMap<Vec<(Axis, String)>, Vec<f64>> = BTreeMap::new();
    'rows: for row in sheet {
        for (name, text) in &wanted.rows {
            if cell(row, name)? != *text {
                continue 'rows;
            }
        }
        let mut at = Vec::new();
        for (axis, from) in &wanted.at {
            at.push((
                *axis,
                match from {
                    From::Fixed(value) => value.clone(),
                    From::Column(name, names) => {
                        let theirs = cell(row, name)?;
                        let ours = names.iter().find(|(other, _)| *other == theirs).map(|(_, ours)| ours.clone());
                        // What the map has names for, it has all of: others are of nobody's interest here.
                        match (ours, names.is_empty()) {
                            (Some(ours), _) => ours,
                            (None, true) => theirs,
                            (None, false) => continue 'rows,
                        }
                    }
                },
            ));
        }
        for (axis, value) in &at {
            AxisValue::parse(*axis, Scalar::Text(value)).map_err(|error| error.message)?;
        }
        let text = cell(row, &wanted.place)?;
        let number = text.parse::<f64>().map_err(|_| format!("'{text}' is no number"))?;
        places.entry(at).or_default().push(number);
    }
    if places.is_empty() {
        return Err("no row is as the map says".to_string());
    }
    places.into_iter().map(|(at, numbers)| made(wanted, at, picked(wanted.pick, &numbers)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::map::read;
    use super::*;
    use proptest::prelude::*;

    fn taken(map: &str, text: &str) -> Result<Vec<Value>, String> {
        let map = read(map, "map.toml").unwrap_or_else(|errors| panic!("{errors}"));
        take(&map, text, "file").map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_leads_to_numbers() {
        let json = r#"{"end": {"sum.of": [{"bps": 8e6}, {"bps": "4e6"}]}}"#;
        let map = |path: &str, more: &str| {
            format!(
                "source = \"x\"\nformat = \"json\"\n[[value]]\nmetric = \"rx_mbps\"\nunit = \"bps\"\npath = '{path}'\n{more}"
            )
        };
        let first = taken(&map("end.\"sum.of\"[0].bps", "at = { io = \"udp\" }"), json).expect("it is there");
        assert_eq!((first[0].value, &first[0].at), (8.0, &vec![(Axis::Io, "udp".to_string())]));
        assert_eq!(taken(&map("end.\"sum.of\"[-1].bps", ""), json).expect("there")[0].value, 4.0);
        assert_eq!(taken(&map("end.\"sum.of\"[*].bps", "pick = \"mean\""), json).expect("there")[0].value, 6.0);
        assert!(taken(&map("end.\"sum.of\"[*].bps", ""), json).unwrap_err().contains("there are 2 numbers"));
        assert!(taken(&map("end.sum", ""), json).unwrap_err().contains("there is no 'sum'; there is sum.of"));
        assert!(taken(&map("end[0]", ""), json).unwrap_err().contains("is of a list"));
        assert!(taken(&map("end", ""), json).unwrap_err().contains("it is no number"));
    }

    #[test]
    fn what_a_program_printed_and_rows_of_a_sheet() {
        let text = "  Rx-pps:       120000          Rx-bps: 1\n  Rx-pps:  130000   x\n";
        let map = "source = \"x\"\nformat = \"text\"\n[[value]]\nmetric = \"rx_kpps\"\nunit = \"pps\"\nafter = \"Rx-pps:\"\npick = \"last\"\n";
        assert_eq!(taken(map, text).expect("it is there")[0].value, 130.0);
        let csv = "switch,size,mpps,note\r\n\"OVS\",64,1.5,\"a, \"\"b\"\"\"\nVPP,64,3.5,\nother,64,9,\nOVS,1500,0.8,\n";
        let map = "source = \"x\"\nformat = \"csv\"\n[[value]]\nmetric = \"rx_mpps\"\ncolumn = \"mpps\"\n\
                   at = { V = { column = \"switch\", names = { OVS = \"ovs\", VPP = \"vpp\" } }, P = { column = \"size\" } }\n\
                   where = { size = \"64\" }\n";
        let values = taken(map, csv).expect("they are there");
        let of = |value: &Value| (value.at[0].1.clone(), value.at[1].1.clone(), value.value);
        assert_eq!(
            values.iter().map(of).collect::<Vec<_>>(),
            [("ovs".to_string(), "64".to_string(), 1.5), ("vpp".to_string(), "64".to_string(), 3.5)]
        );
        assert!(taken(map, "switch,size\nOVS,64\n").unwrap_err().contains("there is no column 'mpps'"));
        assert!(taken(map, "switch,size,mpps\nOVS,64\n").unwrap_err().contains("row 2 has 2 fields"));
    }

    #[test]
    fn what_is_wrong_with_a_map_is_told_with_its_place() {
        let told = |text: &str| read(text, "map.toml").expect_err("it is wrong").to_string();
        assert!(told("format = \"jsn\"\nsource = \"x\"\n").contains("map.toml:1:10: there is no format 'jsn'"));
        let value = "source = \"x\"\nformat = \"csv\"\n[[value]]\n";
        assert!(told(&format!("{value}metric = \"rx_mpp\"\ncolumn = \"x\"\n")).contains("map.toml:4:10"));
        assert!(
            told(&format!("{value}metric = \"rx_mpps\"\nunit = \"ns\"\ncolumn = \"x\"\n"))
                .contains("is no unit of rx_mpps")
        );
        assert!(told(&format!("{value}metric = \"rx_mpps\"\npath = \"x\"\n")).contains("path is of another format"));
        assert!(
            told(&format!("{value}metric = \"rx_mpps\"\ncolumn = \"x\"\nat = {{ P = 63 }}\n")).contains("map.toml:6:")
        );
    }

    proptest! {
        #[test]
        fn no_file_and_no_path_is_too_odd(text in "\\PC{0,80}", path in "[a-z.\\[\\]\"*0-9-]{0,20}") {
            let at = vec![(Axis::P, From::Column("a".to_string(), Vec::new()))];
            let metric: results::metric::Metric = "rx_pps".parse().expect("a metric");
            let wanted = MapValue { at, metric, scale: 1.0, place: path, rows: Vec::new(), pick: Pick::Last };
            for format in [Format::Json, Format::Csv, Format::Text] {
                let map = Map { source: "x".to_string(), format, ids: Vec::new(), values: vec![wanted.clone()] };
                drop(take(&map, &text, "file"));
                drop(take(&map, &format!("[{{\"a\": {text:?}}}]"), "file"));
            }
        }
    }
}
