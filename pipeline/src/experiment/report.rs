//! `[[figure]]`, `[[table]]` and `[[claim]]`: what is to be made of tests, each with the places of its parts.
//! It must not know tests: whether what is selected exists is found out by `check`.

use reports::spec::{ClaimSpec, FigureSpec, Fold, Id, Published, Scale, Selection, TableSpec};
use results::axes::Axis;
use results::metric::Metric;

use super::axis_list::Listed;
use super::diagnostic::{Span, quoted};
use super::document::{self, Findings, Node, Section, text};
use super::group;
use super::published::{self, Declared};
use reports::suggest;

/// Longest caption, characters.
pub const CAPTION_CHARS_MAX: usize = 2_000;
/// Longest title of a figure, or text of a claim, characters.
pub const TITLE_CHARS_MAX: usize = 500;
/// Longest expression of a claim, characters.
pub const CLAIM_CHARS_MAX: usize = 4_000;
/// Most groups that one drawable is made of, and metrics of one table.
const LIST_MAX: usize = 100;

/// A figure, table or claim as declared.
#[derive(Clone, Debug)]
pub struct Drawable {
    /// The table, figure or claim itself.
    pub spec: Spec,
    /// Where its identifier stands in the file.
    pub id: Span,
    /// Each group that it is made of, with its place.
    pub from: Vec<(Id, Span)>,
    /// Which of their tests.
    pub selection: Vec<(Axis, Listed)>,
    /// The published numbers of it.
    pub published: Option<Declared>,
    /// What stands behind each key.
    pub keys: Vec<(&'static str, Span)>,
}

/// A figure, a table or a claim.
#[derive(Clone, Debug)]
pub enum Spec {
    /// `[[figure]]`.
    Figure(FigureSpec),
    /// `[[table]]`.
    Table(TableSpec),
    /// `[[claim]]`.
    Claim(ClaimSpec),
}

impl Drawable {
    /// Where a key's value is; the identifier where the key is absent.
    pub fn span(&self, key: &str) -> Span {
        self.keys.iter().find(|(name, _)| *name == key).map_or_else(|| self.id.clone(), |(_, span)| span.clone())
    }
}

/// Keys of `[[figure]]`.
pub const FIGURE_KEYS: &[&str] =
    &["id", "from", "where", "x", "y", "series", "over", "xscale", "yscale", "title", "caption", "published", "source"];
/// Keys of `[[table]]`.
pub const TABLE_KEYS: &[&str] =
    &["id", "from", "where", "rows", "columns", "value", "values", "over", "caption", "published", "source"];
/// Keys of `[[claim]]`.
pub const CLAIM_KEYS: &[&str] = &["id", "from", "text", "test", "published", "source"];

/// What the three have in common; the identifier comes back even when something else is wrong.
struct Common {
    id: Option<(Id, Span)>,
    from: Option<Vec<(Id, Span)>>,
    selection: Option<Vec<(Axis, Listed)>>,
    published: Option<Option<Declared>>,
    keys: Vec<(&'static str, Span)>,
}

impl Common {
    fn read(section: Section<'_, '_>, keys: &[&'static str], findings: &mut Findings<'_>) -> Common {
        section.only(keys, findings);
        let node = section.require("id", "id = \"1a\"", findings);
        let id = node.and_then(|node| Some((document::id(node, "an id", findings)?, node.span())));
        let from = section.require("from", "from = \"the id of a group of tests\"", findings);
        let from = from.and_then(|node| ids(node, findings));
        let selection = match section.get("where") {
            None => Some(Vec::new()),
            Some(node) => Section::of("where", node, findings).and_then(|section| group::partial(section, findings)),
        };
        let published = published::read(section, findings);
        let keys = keys.iter().filter_map(|key| Some((*key, section.get(key)?.span())));
        Common { id, from, selection, published, keys: keys.collect() }
    }

    /// The drawable, if all of it could be read.
    fn finish(self, spec: impl FnOnce(Basis) -> Option<Spec>) -> Option<Drawable> {
        let ((id, id_span), from, selection) = (self.id?, self.from?, self.selection?);
        let declared = self.published?;
        let groups = from.iter().map(|(id, _)| id.clone()).collect();
        let values = |listed: &Listed| listed.values.iter().map(|value| value.value()).collect();
        let takes = Selection(selection.iter().map(|(axis, listed)| (*axis, values(listed))).collect());
        let published = declared.as_ref().map(|declared| declared.published.clone());
        let spec = spec(Basis { id, from: groups, selection: takes, published })?;
        Some(Drawable { spec, id: id_span, from, selection, published: declared, keys: self.keys })
    }
}

/// What a specification has in common with others.
struct Basis {
    id: Id,
    from: Vec<Id>,
    selection: Selection,
    published: Option<Published>,
}

/// The identifier of a figure, table or claim, if it is one; says nothing.
pub fn id_of(section: Section<'_, '_>) -> Option<(Id, Span)> {
    let node = section.get("id")?;
    Some((Id::new(node.get_ref().as_str()?)?, node.span()))
}

/// Reads a figure.
pub fn figure(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Drawable> {
    let common = Common::read(section, FIGURE_KEYS, findings);
    let x = section.require("x", "x = \"P\"", findings).and_then(|node| axis(node, "x", findings));
    let y = section.require("y", "y = \"rx_mpps\"", findings).and_then(|node| metric(node, findings));
    let series = optional(section.get("series"), |node| axis(node, "series", findings));
    let over = optional(section.get("over"), |node| fold(node, findings));
    let x_scale = optional(section.get("xscale"), |node| scale(node, "xscale", findings));
    let y_scale = optional(section.get("yscale"), |node| scale(node, "yscale", findings));
    let title = optional(section.get("title"), |node| text(node, "title", TITLE_CHARS_MAX, false, findings));
    let caption = optional(section.get("caption"), |node| text(node, "caption", CAPTION_CHARS_MAX, true, findings));
    distinct(section, x, &[("series", series.flatten()), ("over", over.flatten().map(|over| over.0))], findings);
    common.finish(|basis| {
        let Basis { id, from, selection, published } = basis;
        let x_scale = x_scale?.unwrap_or(Scale::Linear);
        let y_scale = y_scale?.unwrap_or(Scale::Linear);
        let (series, over, title, caption) = (series?, over?, title?, caption?);
        let (x, y) = (x?, y?);
        Some(Spec::Figure(FigureSpec {
            id,
            from,
            selection,
            x,
            x_scale,
            y,
            y_scale,
            series,
            over,
            title,
            caption,
            published,
        }))
    })
}

/// Reads a table.
pub fn table(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Drawable> {
    let common = Common::read(section, TABLE_KEYS, findings);
    let rows = section.require("rows", "rows = \"io\"", findings).and_then(|node| axis(node, "rows", findings));
    let columns = optional(section.get("columns"), |node| axis(node, "columns", findings));
    let values = match (section.get("value"), section.get("values")) {
        (Some(_), Some(node)) => {
            let message = "a table has value or values, not both";
            findings.error(node.span(), message, Some("put all of them into values".into()));
            None
        }
        (Some(node), None) | (None, Some(node)) => metrics(node, findings),
        (None, None) => {
            section.require("value", "value = \"rx_kpps\"", findings);
            None
        }
    };
    if let (Some([_, second, ..]), Some(Some(_))) = (values.as_deref(), columns) {
        let help = Some("take columns out, or all metrics but one".into());
        let span = section.get("values").map_or(section.span(), |node| node.span());
        findings.error(span, format!("a table with columns has one metric; {second} is a second"), help);
    }
    let over = optional(section.get("over"), |node| fold(node, findings));
    let caption = optional(section.get("caption"), |node| text(node, "caption", CAPTION_CHARS_MAX, true, findings));
    distinct(section, rows, &[("columns", columns.flatten()), ("over", over.flatten().map(|over| over.0))], findings);
    common.finish(|basis| {
        let Basis { id, from, selection, published } = basis;
        let (rows, values, columns, over, caption) = (rows?, values?, columns?, over?, caption?);
        Some(Spec::Table(TableSpec { id, from, selection, rows, columns, values, over, caption, published }))
    })
}

/// Reads a claim. Its expression is looked at by `check`.
pub fn claim(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Drawable> {
    let common = Common::read(section, CLAIM_KEYS, findings);
    let example = "text = \"what is claimed, in words\"";
    let words = section.require("text", example, findings);
    let words = words.and_then(|node| text(node, "text", TITLE_CHARS_MAX, true, findings));
    let test = section.require("test", "test = \"rx_pps[io=udp-mmsg] > rx_pps[io=udp]\"", findings);
    let test = test.and_then(|node| text(node, "test", CLAIM_CHARS_MAX, true, findings));
    common.finish(|basis| {
        let Basis { id, from, published, .. } = basis;
        Some(Spec::Claim(ClaimSpec { id, from, text: words?, test: test?, published }))
    })
}

/// An absent key is fine, a wrong one is not: outer `None` for wrong, inner for absent.
fn optional<'t, 'i, T>(node: Option<&'t Node<'i>>, read: impl FnOnce(&'t Node<'i>) -> Option<T>) -> Option<Option<T>> {
    match node {
        None => Some(None),
        Some(node) => read(node).map(Some),
    }
}

/// An axis has one place in a drawable.
fn distinct(
    section: Section<'_, '_>,
    first: Option<Axis>,
    others: &[(&str, Option<Axis>)],
    findings: &mut Findings<'_>,
) {
    let mut used: Vec<Axis> = first.into_iter().collect();
    for (key, axis) in others {
        let (Some(axis), Some(node)) = (axis, section.get(key)) else { continue };
        if used.contains(axis) {
            findings.error(node.span(), format!("axis {axis} is used twice in one {}", section.name), None);
        }
        used.push(*axis);
    }
}

fn ids(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Vec<(Id, Span)>> {
    let what = "the id of a group";
    let Some(array) = node.get_ref().as_array() else {
        return Some(vec![(document::id(node, what, findings)?, node.span())]);
    };
    if array.is_empty() || array.len() > LIST_MAX {
        findings.error(node.span(), format!("from names 1 to {LIST_MAX} groups"), None);
        return None;
    }
    let mut ids: Vec<(Id, Span)> = Vec::new();
    for element in array.iter() {
        let id = document::id(element, what, findings)?;
        if ids.iter().any(|(known, _)| *known == id) {
            findings.error(element.span(), format!("from names '{id}' twice"), None);
            return None;
        }
        ids.push((id, element.span()));
    }
    Some(ids)
}

fn axis(node: &Node<'_>, what: &str, findings: &mut Findings<'_>) -> Option<Axis> {
    let name = document::string(node, what, findings)?;
    let axis = Axis::from_name(name);
    if axis.is_none() {
        let help = suggest::help(name, Axis::ALL.map(Axis::name));
        findings.error(node.span(), format!("there is no axis {}", quoted(name)), help);
    }
    axis
}

fn metric(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Metric> {
    let name = document::string(node, "a metric", findings)?;
    let metric = name.parse().ok();
    if metric.is_none() {
        let all: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
        let nearest = suggest::nearest(name, all.iter().map(String::as_str));
        let help = nearest.map_or_else(
            || "rates are such as rx_mpps, rx_gbps, tx_pps; times rtt_us_mean, rtt_us_p99; ratios loss_ratio".into(),
            |right| format!("did you mean '{right}'?"),
        );
        findings.error(node.span(), format!("there is no metric {}", quoted(name)), Some(help));
    }
    metric
}

fn metrics(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Vec<Metric>> {
    let Some(array) = node.get_ref().as_array() else {
        return metric(node, findings).map(|metric| vec![metric]);
    };
    if array.is_empty() || array.len() > LIST_MAX {
        findings.error(node.span(), format!("a table has 1 to {LIST_MAX} metrics"), None);
        return None;
    }
    let mut metrics = Vec::new();
    for element in array.iter() {
        let metric = metric(element, findings)?;
        if metrics.contains(&metric) {
            findings.error(element.span(), format!("values lists {metric} twice"), None);
            return None;
        }
        metrics.push(metric);
    }
    Some(metrics)
}

fn fold(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<(Axis, Fold)> {
    let section = Section::of("over", node, findings)?;
    let entries = section.entries();
    let [(key, span, value)] = entries.as_slice() else {
        findings.error(node.span(), "over folds one axis", Some("write over = { R = \"max\" }".into()));
        return None;
    };
    let axis = Axis::from_name(key);
    if axis.is_none() {
        let help = suggest::help(key, Axis::ALL.map(Axis::name));
        findings.error(span.clone(), format!("there is no axis {}", quoted(key)), help);
    }
    let fold = match value.get_ref().as_str() {
        Some("max") => Some(Fold::Max),
        Some("min") => Some(Fold::Min),
        _ => {
            findings.error(value.span(), "an axis is folded by \"max\" or \"min\"", None);
            None
        }
    };
    Some((axis?, fold?))
}

fn scale(node: &Node<'_>, what: &str, findings: &mut Findings<'_>) -> Option<Scale> {
    let name = document::string(node, what, findings)?;
    match name {
        "linear" => Some(Scale::Linear),
        "log2" => Some(Scale::Log2),
        "log10" => Some(Scale::Log10),
        _ => {
            let help = suggest::help(name, ["linear", "log2", "log10"]);
            findings.error(node.span(), format!("{what} cannot be {}", quoted(name)), help);
            None
        }
    }
}
