//! An experiment's text without who wrote it: authors, contact, addresses and comments. It must
//! not know hosts.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// What stands for something that is left out.
const WITHHELD: &str = "\"withheld for review\"";

/// The text with `authors` empty, what `[artifact]` says of whom and where withheld, and no comments. It parses as
/// the text did.
pub fn anonymous(source: &str) -> String {
    let Ok(root) = DeTable::parse(source) else { return source.to_string() };
    let root = root.get_ref();
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    let of = |table: &str, key: &str| {
        let DeValue::Table(table) = root.get(table)?.get_ref() else { return None };
        Some(table.get(key)?.span())
    };
    edits.extend(of("experiment", "authors").map(|span| (span, "[]")));
    edits.extend(["doi", "url", "contact"].into_iter().filter_map(|key| Some((of("artifact", key)?, WITHHELD))));
    let mut texts = Vec::new();
    root.values().for_each(|value| texts_of(value, &mut texts));
    let left_out: Vec<Range<usize>> = edits.iter().map(|(edit, _)| edit.clone()).collect();
    let mut free = 0;
    for (at, _) in source.match_indices('#') {
        let is_in = |spans: &[Range<usize>]| spans.iter().any(|span| span.contains(&at));
        if at < free || is_in(&texts) || is_in(&left_out) {
            continue;
        }
        free = source[at..].find('\n').map_or(source.len(), |end| at + end);
        edits.push((at..free, ""));
    }
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = source.to_string();
    for (span, new) in edits {
        text.replace_range(span, new);
    }
    text
}

/// Where texts lie: a `#` in one begins no comment.
fn texts_of(value: &toml::Spanned<DeValue>, found: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(_) => found.push(value.span()),
        DeValue::Array(values) => values.iter().for_each(|value| texts_of(value, found)),
        DeValue::Table(table) => table.values().for_each(|value| texts_of(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{STARTER, parse};
    use super::*;

    #[test]
    fn who_wrote_it_is_gone_and_what_it_measures_is_not() {
        let with =
            "[experiment]\nauthors = [\n  \"Ada Lovelace\", # of London\n]\nnotes = \"\"\"\n# no comment\n\"\"\"\n";
        let text = STARTER.replacen("[experiment]\n", &format!("# by Ada\n{with}"), 1);
        let text = text.replacen("[protocol]", "[artifact]\ncontact = \"ada@example.org\"\n[protocol]", 1);
        let whole = parse(&text, "a.toml").unwrap_or_else(|errors| panic!("{errors}"));
        let left = anonymous(&text);
        assert!(!left.contains("Ada") && !left.contains("ada@") && !left.contains("London"), "{left}");
        assert!(left.contains("# no comment"), "what is text is no comment: {left}");
        assert!(!left.contains("# by"), "{left}");
        let without = parse(&left, "a.toml").unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!((&whole.matrix, &whole.report, &whole.notes), (&without.matrix, &without.report, &without.notes));
        assert!(without.authors.is_empty());
        assert_eq!(without.artifact.contact.as_deref(), Some("withheld for review"));
    }
}
