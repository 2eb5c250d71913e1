//! Tables of a site file, read with the place of every value, so that what is wrong can be shown where it is. It must
//! not know what the values are for.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the file.
    pub span: Range<usize>,
    /// What, in words.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// `LINE:COLUMN: message; help`, both counted from 1.
    pub(crate) fn words(&self, source: &str) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let (line, column) = line_and_column(source, self.span.start);
        format!("{line}:{column}: {}{help}", self.message)
    }
}

fn line_and_column(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Where the values of a table are.
#[derive(Clone, Debug)]
pub(crate) struct Places<'s> {
    source: &'s str,
    table: Range<usize>,
    keys: BTreeMap<String, Range<usize>>,
}

impl Places<'_> {
    /// Where a key's value is, or a part of a text in it.
    pub(crate) fn of(&self, key: &str, text: Option<&(String, Range<usize>)>) -> Range<usize> {
        let Some(span) = self.keys.get(key) else { return self.table.clone() };
        let found = text.and_then(|(text, at)| {
            let value = self.source.get(span.clone())?;
            let part = text.get(at.clone())?;
            // As it is written, unless by escapes.
            let start = value.find(text.as_str()).map(|start| start + at.start).or_else(|| value.find(part))?;
            Some(span.start + start..span.start + start + part.len())
        });
        found.unwrap_or_else(|| span.clone())
    }

    /// Every key with its place as `FILE:LINE:COLUMN`.
    pub(crate) fn all(&self, file: &str) -> impl Iterator<Item = (String, String)> {
        self.keys.iter().map(move |(key, span)| {
            let (line, column) = line_and_column(self.source, span.start);
            (key.clone(), format!("{file}:{line}:{column}"))
        })
    }
}

/// A table of a file, and what is wrong with it so far.
pub(crate) struct Table<'t, 'i> {
    name: String,
    table: &'t DeTable<'i>,
    span: Range<usize>,
    pub(crate) places: Places<'t>,
    pub(crate) problems: Vec<Problem>,
}

/// Longest text, bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;

impl<'t, 'i> Table<'t, 'i> {
    pub(crate) fn new(name: String, table: &'t DeTable<'i>, span: Range<usize>, source: &'t str) -> Table<'t, 'i> {
        let keys = table.iter().map(|(key, value)| (key.get_ref().to_string(), value.span())).collect();
        let places = Places { source, table: span.clone(), keys };
        Table { name, table, span, places, problems: Vec::new() }
    }

    pub(crate) fn problem(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<&str>) {
        self.problems.push(Problem { span, message: message.into(), help: help.map(str::to_owned) });
    }

    /// Every key that is not in `keys` is a problem.
    pub(crate) fn only(&mut self, keys: &[&str]) {
        let table = self.table;
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let name: String = key.get_ref().chars().take(64).collect();
            let message = format!("unknown key {name:?} in {}", self.name);
            self.problem(key.span(), message, Some(&format!("its keys are {}", keys.join(", "))));
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.table.get(key)
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&mut self, key: &str, example: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        let node = self.table.get(key);
        if node.is_none() {
            let message = format!("{} has no {key}", self.name);
            self.problem(self.span.clone(), message, Some(&format!("write {key} = {example}")));
        }
        node
    }

    /// A value as a text.
    pub(crate) fn text(&mut self, key: &str, node: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = node.get_ref().as_str().filter(|text| text.len() <= TEXT_BYTES_MAX);
        if text.is_none() {
            self.problem(node.span(), format!("{key} is a text in quotes"), None);
        }
        text.map(str::to_owned)
    }

    /// A value as one of a few words.
    pub(crate) fn word<T: DeserializeOwned>(
        &mut self,
        key: &str,
        node: &Spanned<DeValue<'_>>,
        words: &str,
    ) -> Option<T> {
        let text = node.get_ref().as_str().map(|text| serde_json::Value::String(text.to_string()));
        let word = text.and_then(|text| serde_json::from_value(text).ok());
        if word.is_none() {
            self.problem(node.span(), format!("{key} is {words}"), None);
        }
        word
    }

    /// A whole number that may be absent.
    pub(crate) fn number(&mut self, key: &str, most: u64) -> Option<u64> {
        let node = self.get(key)?;
        let number = match node.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| *number <= most);
        if number.is_none() {
            self.problem(node.span(), format!("{key} is a whole number of at most {most}"), None);
        }
        number
    }

    /// `true` or `false`; the latter if it is absent.
    pub(crate) fn flag(&mut self, key: &str) -> bool {
        match self.get(key).map(|node| (node.get_ref().as_bool(), node.span())) {
            None => false,
            Some((Some(flag), _)) => flag,
            Some((None, span)) => {
                self.problem(span, format!("{key} is true or false"), None);
                false
            }
        }
    }
}
