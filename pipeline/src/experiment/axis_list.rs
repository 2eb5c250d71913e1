//! What can stand behind an axis: one value, a list, a range `{ from, to, step }`, or for R a search; each
//! value with its place. It must not know groups or figures.

use std::collections::HashMap;

use results::axes::{Axis, Rate};

use super::axis_value::{self, AxisValue, Bounds, Scalar, ValueError};
use super::diagnostic::{Span, quoted};
use super::document::{self, Findings, Node, Section};
use super::matrix::TESTS_MAX;

/// The values of an axis, distinct, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// In the order of the file; only the first of a range of more than [`TESTS_MAX`].
    pub values: Vec<AxisValue>,
    /// How many there are.
    pub count: u64,
    /// The places of the values in the file.
    pub spans: Spans,
}

/// The places of values: of each, or the one place of the range that all of them came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// The place of a value.
    pub fn of(&self, index: usize) -> Span {
        self.0.get(index).or_else(|| self.0.first()).cloned().unwrap_or_default()
    }
}

/// Reads what stands behind `axis`.
pub fn read(axis: Axis, node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Listed> {
    let value = node.get_ref();
    if let Some(array) = value.as_array() {
        if array.is_empty() {
            findings.error(node.span(), format!("axis {axis} is empty"), Some("give it at least one value".into()));
            return None;
        }
        let mut listed = Listed { values: Vec::new(), count: array.len() as u64, spans: Spans(Vec::new()) };
        let mut known: HashMap<AxisValue, usize> = HashMap::new();
        let mut sound = true;
        for element in array.iter() {
            let Some(value) = one(axis, element, findings) else {
                sound = false;
                continue;
            };
            if let Some(&first) = known.get(&value) {
                let message = format!("axis {axis} lists {value} twice");
                let help = format!(
                    "it is already on line {}; take one of them out",
                    findings.line(listed.spans.of(first).start)
                );
                findings.error(element.span(), message, Some(help));
                sound = false;
                continue;
            }
            known.insert(value.clone(), listed.values.len());
            listed.values.push(value);
            listed.spans.0.push(element.span());
        }
        return sound.then_some(listed);
    }
    if value.as_table().is_some_and(|table| !(axis == Axis::R && table.contains_key("search"))) {
        return range(axis, node, findings);
    }
    let value = one(axis, node, findings)?;
    Some(Listed { values: vec![value], count: 1, spans: Spans(vec![node.span()]) })
}

fn one(axis: Axis, node: &Node<'_>, findings: &mut Findings<'_>) -> Option<AxisValue> {
    if axis == Axis::R && node.get_ref().is_table() {
        return search(node, findings).map(AxisValue::Rate);
    }
    let parsed = match document::scalar(node) {
        Some(scalar) => AxisValue::parse(axis, scalar),
        None => {
            let message = format!("a value of {axis} cannot be {}", document::kind(node));
            Err(ValueError { message, help: Some(Bounds(axis).to_string()) })
        }
    };
    parsed.map_err(|error| findings.error(node.span(), error.message, error.help)).ok()
}

fn search(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Rate> {
    let section = Section::of("a search for R", node, findings)?;
    section.only(&["search", "loss"], findings);
    let example = "R = { search = \"ndr\" } or R = { search = \"pdr\", loss = 0.005 }";
    let kind = section.require("search", example, findings)?;
    match (kind.get_ref().as_str(), section.get("loss")) {
        (Some("ndr"), None) => Some(Rate::Ndr),
        (Some("ndr"), Some(loss)) => {
            findings.error(
                loss.span(),
                "a search for the rate without loss has no loss",
                Some(format!("write {example}")),
            );
            None
        }
        (Some("pdr"), _) => {
            let node = section.require("loss", example, findings)?;
            let loss = document::proportion(node, "loss", findings)?;
            let millionths = (loss * 1e6).round();
            if !(1.0..1e6).contains(&millionths) || (loss * 1e6 - millionths).abs() > 1e-6 {
                findings.error(node.span(), "loss is counted in millionths, 0.000001 to 0.999999", None);
                return None;
            }
            Some(Rate::Pdr(millionths as u32))
        }
        _ => {
            findings.error(kind.span(), "a search is \"ndr\" or \"pdr\"", Some(format!("write {example}")));
            None
        }
    }
}

fn range(axis: Axis, node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Listed> {
    if !axis.is_numeric() {
        findings.error(node.span(), format!("axis {axis} has names, which have no range"), Some("write a list".into()));
        return None;
    }
    let section = Section::of("a range", node, findings)?;
    section.only(&["from", "to", "step"], findings);
    let example = format!("{axis} = {{ from = ..., to = ..., step = ... }}");
    let mut bound = |key: &'static str| {
        let node = section.require(key, &example, findings)?;
        Some((one(axis, node, findings)?.number()?, node.span()))
    };
    let (from, to) = (bound("from"), bound("to"));
    let step = section.require("step", &example, findings);
    let step = step.and_then(|node| step_of(axis, node, findings));
    let ((from, _), (to, to_span), (step, step_span)) = (from?, to?, step?);
    if from > to {
        findings.error(to_span, format!("the range of {axis} ends before it begins"), None);
        return None;
    }
    let last = from + (to - from) / step * step;
    if last != to {
        let help = format!("its last value would be {last}: write to = {last}, or another step");
        findings.error(step_span, format!("the range of {axis} does not reach its end"), Some(help));
        return None;
    }
    let count = (to - from) / step + 1;
    let made = if u128::from(count) > TESTS_MAX { 1 } else { count };
    let values = (0..made).map(|index| AxisValue::from_number(axis, from + index * step));
    match values.collect::<Result<Vec<_>, _>>() {
        Ok(values) => Some(Listed { values, count, spans: Spans(vec![node.span()]) }),
        Err(error) => {
            findings.error(node.span(), error.message, error.help);
            None
        }
    }
}

/// A step has the units of its axis, but not its bounds: P may go up by 4 bytes.
fn step_of(axis: Axis, node: &Node<'_>, findings: &mut Findings<'_>) -> Option<(u64, Span)> {
    let step = document::scalar(node).map(|scalar| match scalar {
        // Steps of S are numbers of pairs.
        Scalar::Text(text) if axis == Axis::S => Err(ValueError {
            message: format!("the step of S cannot be {}", quoted(text)),
            help: Some("write step = 1".into()),
        }),
        scalar => axis_value::number(axis, scalar),
    });
    match step {
        Some(Ok(step @ 1..)) => Some((step, node.span())),
        Some(Err(error)) => {
            findings.error(node.span(), error.message, error.help);
            None
        }
        Some(Ok(0)) | None => {
            findings.error(node.span(), format!("the step of {axis} is a number above 0"), None);
            None
        }
    }
}
