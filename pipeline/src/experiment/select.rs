//! Selections of tests on the command line: `V=ovs,P=64|1500`, or a test's full name. It must not know
//! files, stores, or which tests exist.

use host_setup::switch;
use reports::spec::Selection;
use results::axes::Axis;
use results::tuple::{Tuple, Value, Variant};

use super::axis_value::{AxisValue, Scalar};
use super::diagnostic::quoted;
use reports::suggest;

/// Longest expression, bytes.
const EXPRESSION_BYTES_MAX: usize = 4_096;

/// A text that selects nothing because it cannot be understood. Completes "failed to understand EXPR: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct SelectError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl SelectError {
    fn new(message: impl Into<String>, help: Option<String>) -> SelectError {
        SelectError { message: message.into(), help }
    }
}

/// The selection that `text` writes: `AXIS=VALUE` or `AXIS=VALUE|VALUE`, joined by commas, or the name of a
/// test. Whether any test is in it is for the caller to find out.
pub fn parse(text: &str) -> Result<Selection, SelectError> {
    let text = text.trim();
    let example = || Some("write V=ovs,P=64 or a test's name".to_string());
    if text.is_empty() {
        return Err(SelectError::new("it is empty", example()));
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(SelectError::new(format!("it is longer than {EXPRESSION_BYTES_MAX} bytes"), None));
    }
    if text.contains('/') {
        let tuple = name(text)?;
        let values = Axis::ALL.into_iter().map(|axis| (axis, vec![tuple.value(axis)]));
        return Ok(Selection(values.collect()));
    }
    let mut selection: Vec<(Axis, Vec<Value>)> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let Some((name, values)) = part.split_once('=') else {
            return Err(SelectError::new(format!("{} has no '='", quoted(part)), example()));
        };
        let axis = axis(name.trim())?;
        if selection.iter().any(|(known, _)| *known == axis) {
            let help = format!("write {axis}=ONE|OTHER for either");
            return Err(SelectError::new(format!("axis {axis} is named twice"), Some(help)));
        }
        let values = values.split('|').map(|text| value(axis, text.trim()).map(|value| value.value()));
        selection.push((axis, values.collect::<Result<_, _>>()?));
    }
    selection.sort_by_key(|(axis, _)| *axis);
    Ok(Selection(selection))
}

/// The coordinates that a test's name writes; the inverse of a tuple's `Display`.
pub fn name(text: &str) -> Result<Tuple, SelectError> {
    let (tuple, variant) = text.split_once('+').map_or((text, None), |(tuple, variant)| (tuple, Some(variant)));
    let parts: Vec<&str> = tuple.split('/').collect();
    let &[d, l, s, v, p, r, b] = parts.as_slice() else {
        let help = "a name is D/L/S/V/P/R/B, as in throughput/local/1vs1/linux-bridge/64B/1Mpps/b64";
        return Err(SelectError::new(format!("{} is no test's name", quoted(text)), Some(help.into())));
    };
    let Some(b) = b.strip_prefix('b') else {
        let help = Some("the burst stands last in the tuple, as in b64".into());
        return Err(SelectError::new(format!("{} is no burst", quoted(b)), help));
    };
    let first = |axis, text| value(axis, text);
    let AxisValue::VSwitch(vswitch) = first(Axis::V, v)? else { return Err(no_value(Axis::V, v)) };
    let AxisValue::Dimension(dimension) = first(Axis::D, d)? else { return Err(no_value(Axis::D, d)) };
    let AxisValue::Locality(locality) = first(Axis::L, l)? else { return Err(no_value(Axis::L, l)) };
    let AxisValue::Pairs(pairs) = first(Axis::S, s)? else { return Err(no_value(Axis::S, s)) };
    let AxisValue::Packet(packet) = first(Axis::P, p)? else { return Err(no_value(Axis::P, p)) };
    let AxisValue::Rate(rate) = first(Axis::R, r)? else { return Err(no_value(Axis::R, r)) };
    let AxisValue::Burst(burst) = first(Axis::B, b)? else { return Err(no_value(Axis::B, b)) };
    let mut tuple =
        Tuple { dimension, locality, pairs, vswitch, packet, rate, burst, variant: Variant::default_for(vswitch) };
    for part in variant.into_iter().flat_map(|variant| variant.split('+')) {
        let Some((name, text)) = part.split_once('=') else {
            return Err(SelectError::new(format!("{} has no '='", quoted(part)), None));
        };
        let axis = axis(name)?;
        if axis <= Axis::B {
            return Err(SelectError::new(format!("axis {axis} stands before the '+'"), None));
        }
        value(axis, text)?.apply(&mut tuple);
    }
    Ok(tuple)
}

fn axis(name: &str) -> Result<Axis, SelectError> {
    Axis::from_name(name).ok_or_else(|| {
        let help = match switch::descriptor(name) {
            Some(descriptor) => Some(format!("write V={}", descriptor.name)),
            None => suggest::help(name, Axis::ALL.map(Axis::name)),
        };
        SelectError::new(format!("there is no axis {}", quoted(name)), help)
    })
}

fn value(axis: Axis, text: &str) -> Result<AxisValue, SelectError> {
    AxisValue::parse(axis, Scalar::Text(text)).map_err(|error| SelectError::new(error.message, error.help))
}

fn no_value(axis: Axis, text: &str) -> SelectError {
    SelectError::new(format!("{axis} cannot be {}", quoted(text)), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_and_values_are_selected() {
        let selection = parse("P=64|1500, V=ovs,R=1M,S=1vs1,touch=true").unwrap();
        assert_eq!(
            selection.0,
            [
                (Axis::S, vec![Value::Number(1)]),
                (Axis::V, vec![Value::Name("ovs".into())]),
                (Axis::P, vec![Value::Number(64), Value::Number(1500)]),
                (Axis::R, vec![Value::Number(1_000_000)]),
                (Axis::Touch, vec![Value::Name("true".into())]),
            ]
        );
    }

    #[test]
    fn a_name_selects_its_test_and_no_other() {
        for text in [
            "throughput/local/1vs1/linux-bridge/64B/1Mpps/b64",
            "throughput/local/1vs1/linux-bridge/64B/1.5Mpps/b64+io=raw-mmsg+touch=true",
            "throughput/local/4vs4/ovs/1500B/ndr/b32+queues=2+flows=4+stack=new-3.1+switch_cores=2",
            "throughput/local/1vs1/custom:my.switch_2/64B/1Mpps/b64+switch_cores=2",
            "throughput/remote/1vs1/vpp/1518B/pdr5000ppm/b32+runtime=lxc+frame=with-fcs",
        ] {
            let tuple = name(text).unwrap();
            assert_eq!(tuple.to_string(), text);
            let selection = parse(text).unwrap();
            assert!(selection.takes(&tuple));
            let mut other = tuple.clone();
            other.variant.flows += 1;
            assert!(!selection.takes(&other));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_write() {
        let told = |text| parse(text).unwrap_err().to_string();
        assert_eq!(told(""), "it is empty; write V=ovs,P=64 or a test's name");
        assert_eq!(told("ovs"), "'ovs' has no '='; write V=ovs,P=64 or a test's name");
        assert_eq!(told("V=osv"), "V cannot be 'osv'; did you mean 'ovs'?");
        assert!(told("V=custom:").starts_with("V cannot be 'custom:'; after 'custom:' stand letters"));
        assert_eq!(told("p=64"), "there is no axis 'p'; did you mean 'P'?");
        assert_eq!(told("V=ovs,V=vpp"), "axis V is named twice; write V=ONE|OTHER for either");
        assert!(told("throughput/local").contains("a name is D/L/S/V/P/R/B"));
        assert!(told("P=63").contains("outside what is possible"));
    }
}
