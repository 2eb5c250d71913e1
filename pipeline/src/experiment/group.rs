//! `[[tests]]`: one group of tests, with the place of everything that can turn out to be wrong later.
//! It must not know other groups, figures, or how groups become tests.

use reports::spec::Id;
use results::axes::{Axis, Burst, Dimension, Locality, PacketSize, Pairs, Rate, VSwitch};
use results::tuple::{Tuple, Variant};

use super::axis_list::{self, Listed, Spans};
use super::axis_value::AxisValue;
use super::diagnostic::{Span, quoted};
use super::document::{self, Findings, Node, Section};
use super::header;
use super::matrix::{AxisValues, Group, Partial, Times};
use reports::suggest;

/// Most exclusions of a group.
const EXCLUSIONS_MAX: usize = 1_000;

/// The axes that every group must name: a test is that tuple.
const TUPLE: [(Axis, &str); 7] = [
    (Axis::D, "D = \"throughput\""),
    (Axis::L, "L = \"local\""),
    (Axis::S, "S = \"1vs1\""),
    (Axis::V, "V = \"linux-bridge\""),
    (Axis::P, "P = 64"),
    (Axis::R, "R = \"1Mpps\""),
    (Axis::B, "B = 32"),
];

/// Keys of `[[tests]]`.
pub fn keys() -> Vec<&'static str> {
    let mut keys = vec!["id", "exclude", "duration", "warmup", "cooldown"];
    keys.extend(Axis::ALL.map(Axis::name));
    keys
}

/// Where the parts of a group are.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where the group's head stands.
    pub head: Span,
    /// The values of each axis that it names.
    pub axes: Vec<(Axis, Spans)>,
    /// Each exclusion.
    pub exclusions: Vec<Span>,
    /// What gives it its times: its own key, or the head.
    pub times: Span,
}

/// The identifier of a group, with its place.
pub fn id(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<(Id, Span)> {
    let node = section.require("id", "id = \"my-tests\"", findings)?;
    Some((document::id(node, "the id of a group", findings)?, node.span()))
}

/// Reads a group called `id`; `protocol` gives the times that it leaves out.
pub fn read(
    section: Section<'_, '_>,
    id: Id,
    protocol: Option<Times>,
    findings: &mut Findings<'_>,
) -> Option<(Group, Places)> {
    section.only(&keys(), findings);
    for (axis, example) in TUPLE {
        section.require(axis.name(), example, findings);
    }
    let named = Axis::ALL.iter().filter_map(|axis| Some((*axis, section.get(axis.name())?)));
    let named: Vec<(Axis, &Node<'_>)> = named.collect();
    let listed: Vec<(Axis, Listed)> =
        named.iter().filter_map(|(axis, node)| Some((*axis, axis_list::read(*axis, node, findings)?))).collect();
    let exclusions = section.get("exclude").map(|node| exclusions(node, &listed, findings)).unwrap_or_default();
    let times = header::times(section, protocol, findings);
    if listed.len() < named.len() {
        return None;
    }
    for (axis, Listed { values, spans, .. }) in listed.iter().filter(|_| times.is_some_and(|times| times.chosen)) {
        let searched = values.iter().position(|value| *axis == Axis::R && value.is_search());
        if let Some(index) = searched {
            let help = "write duration = \"10s\" in this group: how often a search is repeated is chosen all the same";
            findings.error(spans.of(index), "a search needs windows of a fixed length", Some(help.into()));
            return None;
        }
    }
    let (exclude, exclusions) = exclusions.into_iter().unzip();
    let (mut axes, mut places) = (Vec::new(), Vec::new());
    for (axis, Listed { values, count, spans }) in listed {
        axes.push(AxisValues { axis, values, count });
        places.push((axis, spans));
    }
    let own = ["duration", "warmup", "cooldown"].iter().find_map(|key| section.get(key));
    let group = Group { id, first: first(&axes)?, axes, exclude, times: times? };
    let times = own.map_or(section.span(), |node| node.span());
    Some((group, Places { head: section.span(), axes: places, exclusions, times }))
}

/// The first test of the group: the first value on every axis. None when the tuple is not complete.
fn first(axes: &[AxisValues]) -> Option<Tuple> {
    let (mut d, mut l, mut s, mut v, mut p, mut r, mut b) = Default::default();
    for value in axes.iter().filter_map(|axis| axis.values.first()) {
        match value {
            AxisValue::Dimension(value) => d = Some::<Dimension>(*value),
            AxisValue::Locality(value) => l = Some::<Locality>(*value),
            AxisValue::Pairs(value) => s = Some::<Pairs>(*value),
            AxisValue::VSwitch(value) => v = Some::<VSwitch>(*value),
            AxisValue::Packet(value) => p = Some::<PacketSize>(*value),
            AxisValue::Rate(value) => r = Some::<Rate>(*value),
            AxisValue::Burst(value) => b = Some::<Burst>(*value),
            _ => {}
        }
    }
    let mut tuple = Tuple {
        dimension: d?,
        locality: l?,
        pairs: s?,
        vswitch: v?,
        packet: p?,
        rate: r?,
        burst: b?,
        variant: Variant::default_for(v?),
    };
    axes.iter().filter_map(|axis| axis.values.first()).for_each(|value| value.apply(&mut tuple));
    Some(tuple)
}

fn exclusions(node: &Node<'_>, listed: &[(Axis, Listed)], findings: &mut Findings<'_>) -> Vec<(Partial, Span)> {
    let help = || Some("write exclude = [{ V = \"ovs\", B = 128 }]".to_string());
    let Some(array) = node.get_ref().as_array() else {
        findings.error(node.span(), format!("exclude is a list of tables, not {}", document::kind(node)), help());
        return Vec::new();
    };
    if array.len() > EXCLUSIONS_MAX {
        findings.error(node.span(), format!("there are more than {EXCLUSIONS_MAX} exclusions"), None);
        return Vec::new();
    }
    let mut exclusions = Vec::new();
    for element in array.iter() {
        let Some(section) = Section::of("an exclusion", element, findings) else { continue };
        let Some(parts) = partial(section, findings) else { continue };
        if parts.is_empty() {
            findings.error(element.span(), "an exclusion without any axis would leave out everything", help());
            continue;
        }
        let mut sound = true;
        for (axis, values) in &parts {
            // An axis that the group does not name has its default; what takes no test is told by the matrix.
            let Some((_, group)) = listed.iter().find(|(named, _)| named == axis) else { continue };
            for (index, value) in values.values.iter().enumerate() {
                if !group.values.contains(value) {
                    let known: Vec<String> = group.values.iter().take(16).map(AxisValue::to_string).collect();
                    let message = format!("axis {axis} of this group has no {}", quoted(&value.to_string()));
                    findings.error(values.spans.of(index), message, Some(format!("it has {}", known.join(", "))));
                    sound = false;
                }
            }
        }
        if sound {
            let parts = parts.into_iter().map(|(axis, listed)| (axis, listed.values)).collect();
            exclusions.push((Partial(parts), element.span()));
        }
    }
    exclusions
}

/// Reads `{ P = 64, V = ["ovs", "vpp"] }`, in the order of [`Axis::ALL`].
pub fn partial(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Vec<(Axis, Listed)>> {
    let mut parts = Vec::new();
    let mut sound = true;
    for (key, span, node) in section.entries() {
        let Some(axis) = Axis::from_name(key) else {
            let help = suggest::help(key, Axis::ALL.map(Axis::name));
            findings.error(span, format!("there is no axis {}", quoted(key)), help);
            sound = false;
            continue;
        };
        match axis_list::read(axis, node, findings) {
            Some(listed) => parts.push((axis, listed)),
            None => sound = false,
        }
    }
    parts.sort_by_key(|(axis, _)| *axis);
    sound.then_some(parts)
}
