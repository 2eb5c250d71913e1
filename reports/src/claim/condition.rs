//! Conditions on axes: which values of an axis a selection or a binder takes, and how values are written. It
//! must not know tests.

use std::ops::Range;

use results::axes::{Axis, Dimension, FrameSize, IO_ALL, Locality, RuntimeChoice, VSwitch, io_name};
use results::tuple::Value;

use super::ClaimError;
use crate::suggest;

/// A condition on one axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub at: Range<usize>,
    pub axis: Axis,
    pub accepts: Accepts,
}

/// Which values it accepts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Accepts {
    Any,
    OneOf(Vec<Value>),
    NoneOf(Vec<Value>),
    Below(u64),
    AtMost(u64),
    Above(u64),
    AtLeast(u64),
}

impl Accepts {
    pub fn takes(&self, value: &Value) -> bool {
        match (self, value) {
            (Accepts::Any, _) => true,
            (Accepts::OneOf(values), value) => values.contains(value),
            (Accepts::NoneOf(values), value) => !values.contains(value),
            (Accepts::Below(limit), Value::Number(number)) => number < limit,
            (Accepts::AtMost(limit), Value::Number(number)) => number <= limit,
            (Accepts::Above(limit), Value::Number(number)) => number > limit,
            (Accepts::AtLeast(limit), Value::Number(number)) => number >= limit,
            (_, Value::Name(_)) => false,
        }
    }

    /// Whether it names exactly one value, and so overrides a binder.
    pub fn pins(&self) -> bool {
        matches!(self, Accepts::OneOf(values) if values.len() == 1)
    }

    /// Values that it names, all of which should occur.
    pub fn named(&self) -> &[Value] {
        match self {
            Accepts::OneOf(values) | Accepts::NoneOf(values) => values,
            _ => &[],
        }
    }
}

/// An axis by name.
pub(super) fn axis(name: &str, at: Range<usize>) -> Result<Axis, ClaimError> {
    Axis::from_name(name).ok_or_else(|| {
        let near = suggest::nearest(name, Axis::ALL.iter().map(|axis| axis.name()));
        ClaimError::new(at, format!("'{name}' is no axis")).suggesting(near)
    })
}

/// A value of an axis, as experiments write it.
pub(super) fn value(axis: Axis, text: &str, at: Range<usize>) -> Result<Value, ClaimError> {
    let names: Vec<&str> = match axis {
        Axis::D => Dimension::ALL.iter().map(|value| value.name()).collect(),
        Axis::L => Locality::ALL.iter().map(|value| value.name()).collect(),
        // Which switches there are is seen when the claim is held against tests.
        Axis::V if VSwitch::new(text).is_some() => return Ok(Value::Name(text.to_string())),
        Axis::V => VSwitch::WELL_KNOWN.to_vec(),
        Axis::Io => IO_ALL.map(io_name).to_vec(),
        Axis::Touch => vec!["false", "true"],
        Axis::Runtime => RuntimeChoice::ALL.iter().map(|value| value.name()).collect(),
        Axis::Frame => FrameSize::ALL.iter().map(|value| value.name()).collect(),
        Axis::Stack => return Ok(Value::Name(text.to_string())),
        Axis::R if text == "ndr" || text.starts_with("pdr") => return Ok(Value::Name(text.to_string())),
        Axis::S | Axis::P | Axis::R | Axis::B | Axis::Queues | Axis::Flows | Axis::SwitchCores => {
            return number(axis, text)
                .map(Value::Number)
                .ok_or_else(|| ClaimError::new(at, format!("'{text}' is no value of {axis}")));
        }
    };
    match names.contains(&text) {
        true => Ok(Value::Name(text.to_string())),
        false => {
            let message = format!("'{text}' is no value of {axis}; it has {}", names.join(", "));
            Err(ClaimError::new(at, message).suggesting(suggest::nearest(text, names)))
        }
    }
}

fn number(axis: Axis, text: &str) -> Option<u64> {
    let text = match axis {
        Axis::S => match text.split_once("vs") {
            Some((left, right)) if left == right => left,
            Some(_) => return None,
            None => text,
        },
        Axis::P => text.strip_suffix('B').unwrap_or(text),
        Axis::R => return rate(text.strip_suffix("pps").unwrap_or(text)),
        _ => text,
    };
    text.parse().ok()
}

/// `2.5M`, `12k`, `1000`: exactly, as whole packets a second.
fn rate(text: &str) -> Option<u64> {
    let (digits, zeros) = match text.strip_suffix('M') {
        Some(digits) => (digits, 6),
        None => text.strip_suffix('k').map_or((text, 0), |digits| (digits, 3)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > zeros
        || whole.len() > 10
        || !(whole.to_string() + fraction).bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let padded = format!("{whole}{fraction}{}", "0".repeat(zeros - fraction.len()));
    padded.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_experiments_write_them() {
        let read = |axis, text| value(axis, text, 0..0).ok();
        assert_eq!(read(Axis::R, "2.5Mpps"), Some(Value::Number(2_500_000)));
        assert_eq!(read(Axis::R, "1000"), Some(Value::Number(1000)));
        assert_eq!(read(Axis::R, "2.5"), None);
        assert_eq!(read(Axis::R, "."), None);
        assert_eq!(read(Axis::S, "4vs4"), Some(Value::Number(4)));
        assert_eq!(read(Axis::S, "4vs2"), None);
        assert_eq!(read(Axis::P, "64B"), Some(Value::Number(64)));
        assert_eq!(read(Axis::Io, "udp-mmsg"), Some(Value::Name("udp-mmsg".into())));
        assert_eq!(read(Axis::V, "custom:mine"), Some(Value::Name("custom:mine".into())));
        assert_eq!(value(Axis::Io, "udp-msg", 0..7).unwrap_err().suggestion.as_deref(), Some("udp-mmsg"));
    }
}
