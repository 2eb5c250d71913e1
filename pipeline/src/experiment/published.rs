//! `published = [{ io = "udp", rx_kpps = 338 }]` with its `source`: numbers that others have published of
//! the tests that a figure, table or claim is made of. It must not know whether such tests exist.

use reports::spec::{Bound, Published, PublishedValue, Selection};
use results::axes::Axis;
use results::metric::Metric;

use super::axis_list::{self, Listed};
use super::axis_value::Scalar;
use super::diagnostic::{Span, quoted};
use super::document::{self, Findings, Node, Section, text};
use reports::suggest;

/// Longest reference, characters.
const SOURCE_CHARS_MAX: usize = 300;
/// Most numbers of one figure, table or claim.
const VALUES_MAX: usize = 1_000;

/// Published numbers as declared.
#[derive(Clone, Debug)]
pub struct Declared {
    /// What they are.
    pub published: Published,
    /// The axes of each number with the places of their values, and the number's own place.
    pub places: Vec<(Vec<(Axis, Listed)>, Span)>,
}

/// Reads both keys. Outer `None` for wrong, inner for absent.
pub fn read(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Option<Declared>> {
    let source = section.get("source").map(|node| text(node, "source", SOURCE_CHARS_MAX, false, findings));
    let Some(node) = section.get("published") else {
        if let Some(node) = section.get("source") {
            let help = Some("write published = [{ io = \"udp\", rx_kpps = 338 }]".into());
            findings.error(node.span(), "there is a source of published numbers, and no number", help);
            return None;
        }
        return Some(None);
    };
    if source.is_none() {
        let help = Some("write source = \"Author et al., Table 2\"".into());
        findings.error(node.span(), "published numbers have no source", help);
    }
    let Some(array) = node.get_ref().as_array().filter(|array| (1..=VALUES_MAX).contains(&array.len())) else {
        let help = Some("write published = [{ io = \"udp\", rx_kpps = 338 }]".into());
        findings.error(node.span(), format!("published is a list of 1 to {VALUES_MAX} tables"), help);
        return None;
    };
    let (mut values, mut places, mut sound) = (Vec::new(), Vec::new(), true);
    for element in array.iter() {
        match number(element, findings) {
            Some((value, axes)) => {
                values.push(value);
                places.push((axes, element.span()));
            }
            None => sound = false,
        }
    }
    let source = source.flatten()?;
    sound.then_some(Some(Declared { published: Published { source, values }, places }))
}

/// Reads `{ V = "snabb", rtt_us_mean = "> 60" }`: axes, and one metric.
fn number(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<(PublishedValue, Vec<(Axis, Listed)>)> {
    let section = Section::of("a published number", node, findings)?;
    let (mut axes, mut sound) = (Vec::new(), true);
    let mut metric: Option<(Metric, Bound, f64)> = None;
    for (key, span, value) in section.entries() {
        if let Some(axis) = Axis::from_name(key) {
            match axis_list::read(axis, value, findings) {
                Some(listed) => axes.push((axis, listed)),
                None => sound = false,
            }
        } else if let Ok(named) = key.parse::<Metric>() {
            let read = amount(value, findings);
            sound &= read.is_some();
            if let Some((held, ..)) = metric {
                findings.error(span, format!("one published number is of {held} and of {named}"), None);
                sound = false;
            }
            metric = read.map(|(bound, amount)| (named, bound, amount)).or(metric);
        } else {
            let help = suggest::help(key, Axis::ALL.map(Axis::name));
            findings.error(span, format!("there is no axis and no metric {}", quoted(key)), help);
            sound = false;
        }
    }
    if metric.is_none() && sound {
        let help = Some("write { io = \"udp\", rx_kpps = 338 }".into());
        findings.error(node.span(), "the published number has no metric", help);
    }
    let (metric, bound, value) = metric.filter(|_| sound)?;
    axes.sort_by_key(|(axis, _)| *axis);
    let values = |listed: &Listed| listed.values.iter().map(|value| value.value()).collect();
    let selection = Selection(axes.iter().map(|(axis, listed)| (*axis, values(listed))).collect());
    Some((PublishedValue { selection, metric, bound, value }, axes))
}

/// A number, or a limit in quotes: `338`, `"< 40"`, `"> 60"`.
fn amount(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<(Bound, f64)> {
    let read = match document::scalar(node) {
        Some(Scalar::Whole(number)) => Some((Bound::Exactly, number as f64)),
        Some(Scalar::Decimal(number)) => Some((Bound::Exactly, number)),
        Some(Scalar::Text(text)) => {
            let text = text.trim();
            let limit = |prefix: &str| text.strip_prefix(prefix)?.trim_start_matches('=').trim().parse::<f64>().ok();
            let at_most = limit("<").map(|number| (Bound::AtMost, number));
            at_most.or_else(|| limit(">").map(|number| (Bound::AtLeast, number)))
        }
        _ => None,
    };
    let read = read.filter(|(_, number)| number.is_finite() && (0.0..1e15).contains(number));
    if read.is_none() {
        let message = "a published number is a number, or a limit in quotes";
        findings.error(node.span(), message, Some("write 338, \"< 40\" or \"> 60\"".into()));
    }
    read
}
