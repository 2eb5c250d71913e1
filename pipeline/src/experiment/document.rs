//! Reading typed values out of a TOML tree whose every node knows its place, collecting all that is wrong
//! instead of stopping at the first. It must not know what an experiment consists of.

use std::collections::BTreeSet;

use reports::spec::Id;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::axis_value::Scalar;
use super::diagnostic::{Diagnostic, Lines, Span, is_hidden, quoted};
use super::units::{self, QuantityError};
use reports::suggest;

/// A value with its place.
pub type Node<'i> = Spanned<DeValue<'i>>;

/// What was found to be wrong so far.
pub struct Findings<'s> {
    /// The whole file.
    pub source: &'s str,
    lines: Lines,
    /// The diagnostics, in no order.
    pub list: Vec<Diagnostic>,
    /// Keys that unknown ones were taken for, each with the start of its section: they are not told again as
    /// missing.
    pub misspelt: BTreeSet<(usize, &'static str)>,
    /// The file is not TOML throughout: what is missing may only be behind the broken place, so that it is
    /// not told.
    pub broken: bool,
}

impl<'s> Findings<'s> {
    /// No findings yet, in this source.
    pub fn new(source: &'s str, broken: bool) -> Findings<'s> {
        Findings { source, lines: Lines::of(source), list: Vec::new(), misspelt: BTreeSet::new(), broken }
    }

    /// Something is wrong at `span`.
    pub fn error(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.list.push(Diagnostic { span, message: message.into(), help });
    }

    /// Something that must be there is not.
    pub fn missing(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        if !self.broken {
            self.error(span, message, help);
        }
    }

    /// The line of a byte, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.line(offset)
    }
}

/// A table of the file, with what to call it.
#[derive(Clone, Copy)]
pub struct Section<'t, 'i> {
    /// The heading in the file: `[protocol]`.
    pub name: &'static str,
    table: &'t DeTable<'i>,
    start: usize,
    end: usize,
}

impl<'t, 'i> Section<'t, 'i> {
    /// `table`, called `name`, whose head or whole is at `span`.
    pub fn new(name: &'static str, table: &'t DeTable<'i>, span: Span) -> Section<'t, 'i> {
        Section { name, table, start: span.start, end: span.end }
    }

    /// `node` as a table, or an error.
    pub fn of(name: &'static str, node: &'t Node<'i>, findings: &mut Findings<'_>) -> Option<Section<'t, 'i>> {
        let table = node.get_ref().as_table();
        if table.is_none() {
            findings.error(node.span(), format!("{name} is a table, not {}", kind(node)), None);
        }
        table.map(|table| Section::new(name, table, node.span()))
    }

    /// The place in the file.
    pub fn span(&self) -> Span {
        self.start..self.end
    }

    /// Every key that is not in `keys` is an error.
    pub fn only(&self, keys: &[&'static str], findings: &mut Findings<'_>) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                let meant = suggest::nearest(name, keys.iter().copied());
                findings.misspelt.extend(keys.iter().filter(|key| Some(**key) == meant).map(|key| (self.start, *key)));
                let help = suggest::help(name, keys.iter().copied());
                findings.error(key.span(), format!("unknown key {} in {}", quoted(name), self.name), help);
            }
        }
    }

    /// The value of a key that may be absent.
    pub fn get(&self, key: &str) -> Option<&'t Node<'i>> {
        self.table.get(key)
    }

    /// The value of a key that must be there.
    pub fn require(&self, key: &'static str, example: &str, findings: &mut Findings<'_>) -> Option<&'t Node<'i>> {
        let node = self.table.get(key);
        if node.is_none() && !findings.misspelt.contains(&(self.start, key)) {
            findings.missing(self.span(), format!("{} has no {key}", self.name), Some(format!("write {example}")));
        }
        node
    }

    /// The table or tables that must be there under `head`, as users write it.
    pub fn require_table(&self, key: &'static str, head: &str, findings: &mut Findings<'_>) -> Option<&'t Node<'i>> {
        let node = self.table.get(key);
        if node.is_none() && !findings.misspelt.contains(&(self.start, key)) {
            findings.missing(self.span(), format!("{} has no {head}", self.name), None);
        }
        node
    }

    /// Keys and values in the order of the file.
    pub fn entries(&self) -> Vec<(&'t str, Span, &'t Node<'i>)> {
        let entries = self.table.iter().map(|(key, node)| (key.get_ref().as_ref(), key.span(), node));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }
}

/// What a value is, with its article.
pub fn kind(node: &Node<'_>) -> &'static str {
    match node.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The tables of `[[name]]`; at most `count_max` of them are read.
pub fn sections<'t, 'i>(
    name: &'static str,
    node: Option<&'t Node<'i>>,
    count_max: usize,
    findings: &mut Findings<'_>,
) -> Vec<Section<'t, 'i>> {
    let Some(node) = node else { return Vec::new() };
    let Some(array) = node.get_ref().as_array() else {
        findings.error(
            node.span(),
            format!("{name} is a list of tables, not {}", kind(node)),
            Some(format!("write {name}")),
        );
        return Vec::new();
    };
    if let Some(beyond) = array.get(count_max) {
        findings.error(beyond.span(), format!("there are more than {count_max} of {name}"), None);
    }
    array.iter().take(count_max).filter_map(|element| Section::of(name, element, findings)).collect()
}

/// A number, string or flag, as it was written.
pub fn scalar<'t>(node: &'t Node<'_>) -> Option<Scalar<'t>> {
    match node.get_ref() {
        DeValue::String(text) => Some(Scalar::Text(text)),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(Scalar::Whole),
        DeValue::Float(number) => number.as_str().parse().ok().map(Scalar::Decimal),
        DeValue::Boolean(flag) => Some(Scalar::Flag(*flag)),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A string.
pub fn string<'t>(node: &'t Node<'_>, what: &str, findings: &mut Findings<'_>) -> Option<&'t str> {
    let text = node.get_ref().as_str();
    if text.is_none() {
        findings.error(node.span(), format!("{what} is a string, not {}", kind(node)), None);
    }
    text
}

/// A text for readers: not empty, at most `chars_max` long, every character visible (and one line, unless
/// `lines`), so that no report can be made to show something else than what the file shows.
pub fn text(node: &Node<'_>, what: &str, chars_max: usize, lines: bool, findings: &mut Findings<'_>) -> Option<String> {
    let mut text = string(node, what, findings)?.to_string();
    if lines {
        // A file may have been saved with either line end; reports have one.
        text = text.replace("\r\n", "\n");
    }
    let length = text.chars().count();
    let hidden = text.chars().find(|c| is_hidden(*c) && !(lines && *c == '\n'));
    if text.trim().is_empty() {
        findings.error(node.span(), format!("{what} is empty"), None);
    } else if length > chars_max {
        let help = Some(format!("at most {chars_max} are allowed"));
        findings.error(node.span(), format!("{what} has {length} characters"), help);
    } else if let Some(hidden) = hidden {
        let message = format!("{what} contains the invisible character U+{:04X}", u32::from(hidden));
        findings.error(node.span(), message, Some("take it out".into()));
    } else {
        return Some(text);
    }
    None
}

/// An identifier.
pub fn id(node: &Node<'_>, what: &str, findings: &mut Findings<'_>) -> Option<Id> {
    let text = string(node, what, findings)?;
    let id = Id::new(text);
    if id.is_none() {
        let help = match Id::is_reserved(text) {
            true => "it names files, and some file systems take that for a device".to_string(),
            false => {
                format!("it names files: 1 to {} of letters, digits, '.', '_' and '-', no '.' at its end", Id::LEN_MAX)
            }
        };
        findings.error(node.span(), format!("{} cannot be {what}", quoted(text)), Some(help));
    }
    id
}

/// A time in nanoseconds, `least` to `most` nanoseconds, written with its unit.
pub fn duration_ns(node: &Node<'_>, what: &str, least: u64, most: u64, findings: &mut Findings<'_>) -> Option<u64> {
    let example = || Some("write a number and one of ns, us, ms, s, min, h, in quotes: \"10s\", \"200ms\"".to_string());
    let Some(text) = node.get_ref().as_str() else {
        findings.error(node.span(), format!("{what} needs a unit, in quotes"), example());
        return None;
    };
    match units::parse(text, units::DURATION) {
        Ok(time_ns) if (least..=most).contains(&time_ns) => Some(time_ns),
        Ok(time_ns) => {
            let (wrong, bound) = if time_ns < least { ("short", least) } else { ("long", most) };
            let help = format!("at {} it is {}", if time_ns < least { "least" } else { "most" }, seconds(bound));
            findings.error(node.span(), format!("{what} = {} is too {wrong}", quoted(text)), Some(help));
            None
        }
        Err(error) => {
            let help = match &error {
                QuantityError::UnknownUnit(unit) => suggest::nearest(unit, units::names(units::DURATION))
                    .map(|right| format!("did you mean '{right}'?")),
                _ => None,
            };
            findings.error(node.span(), format!("{what} cannot be {}: {error}", quoted(text)), help.or_else(example));
            None
        }
    }
}

fn seconds(time_ns: u64) -> String {
    match time_ns {
        0..1_000_000_000 => format!("{} ms", time_ns / 1_000_000),
        _ => format!("{} s", time_ns / 1_000_000_000),
    }
}

/// A whole number, `least` to `most`.
pub fn whole(node: &Node<'_>, what: &str, least: u64, most: u64, findings: &mut Findings<'_>) -> Option<u64> {
    let number = match scalar(node) {
        Some(Scalar::Whole(number)) => u64::try_from(number).ok().filter(|number| (least..=most).contains(number)),
        _ => None,
    };
    if number.is_none() {
        findings.error(node.span(), format!("{what} is a whole number, {least} to {most}"), None);
    }
    number
}

/// A number strictly between 0 and 1.
pub fn proportion(node: &Node<'_>, what: &str, findings: &mut Findings<'_>) -> Option<f64> {
    let number = match scalar(node) {
        Some(Scalar::Decimal(number)) if number > 0.0 && number < 1.0 => Some(number),
        _ => None,
    };
    if number.is_none() {
        findings.error(node.span(), format!("{what} is a number between 0 and 1, such as 0.02"), None);
    }
    number
}
