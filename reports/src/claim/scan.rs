//! Reads a claim's text word by word. What a word is depends on where it stands (`udp-mmsg` is one value,
//! `a-b` a difference), so the parser says what it expects. It must not know the grammar.

use std::ops::Range;

use results::axes::VSwitch;

use super::ClaimError;

/// A position in an expression.
pub(super) struct Scanner<'a> {
    source: &'a str,
    position: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(source: &'a str) -> Scanner<'a> {
        Scanner { source, position: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    pub fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    /// Where the next word starts.
    pub fn start(&mut self) -> usize {
        self.skip_blanks();
        self.position
    }

    /// Where the last word ended.
    pub fn end(&self) -> usize {
        self.position
    }

    pub fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    /// The extent of the next character, or the end of the text.
    pub fn here(&mut self) -> Range<usize> {
        let start = self.start();
        start..start + self.rest().chars().next().map_or(0, char::len_utf8)
    }

    /// Takes `symbol` if it comes next.
    pub fn symbol(&mut self, symbol: &str) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len();
        }
        found
    }

    pub fn expect(&mut self, symbol: &str, after: &str) -> Result<(), ClaimError> {
        match self.symbol(symbol) {
            true => Ok(()),
            false => Err(ClaimError::new(self.here(), format!("expected '{symbol}' {after}"))),
        }
    }

    fn while_matching(&self, from: usize, matches: impl Fn(char) -> bool) -> usize {
        let text = &self.source[from..];
        from + text.find(|character| !matches(character)).unwrap_or(text.len())
    }

    /// The name that comes next, not taken: letters, digits and underscores, a letter first.
    pub fn peek_name(&mut self) -> Option<(&'a str, Range<usize>)> {
        let start = self.start();
        if !self.rest().starts_with(|character: char| character.is_ascii_alphabetic()) {
            return None;
        }
        let end = self.while_matching(start, |character| character.is_ascii_alphanumeric() || character == '_');
        Some((&self.source[start..end], start..end))
    }

    pub fn name(&mut self) -> Option<(&'a str, Range<usize>)> {
        let found = self.peek_name()?;
        self.position = found.1.end;
        Some(found)
    }

    /// Takes the name `keyword` if it comes next.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        match self.peek_name() {
            Some((name, at)) if name == keyword => {
                self.position = at.end;
                true
            }
            _ => false,
        }
    }

    /// A value of an axis as experiments write it.
    pub fn value(&mut self) -> Option<(&'a str, Range<usize>)> {
        let start = self.start();
        // Elsewhere a colon ends what stands before it.
        let from = if self.rest().starts_with(VSwitch::CUSTOM) { start + VSwitch::CUSTOM.len() } else { start };
        let end = self.while_matching(from, |character| character.is_ascii_alphanumeric() || "._-".contains(character));
        self.position = end;
        (end > start).then(|| (&self.source[start..end], start..end))
    }

    /// A number without its unit.
    pub fn number(&mut self) -> Result<Option<(f64, Range<usize>)>, ClaimError> {
        let start = self.start();
        if !self.rest().starts_with(|character: char| character.is_ascii_digit()) {
            return Ok(None);
        }
        let end = self.while_matching(start, |character| character.is_ascii_digit() || character == '.');
        self.position = end;
        match self.source[start..end].parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some((value, start..end))),
            _ => Err(ClaimError::new(start..end, format!("'{}' is no number", &self.source[start..end]))),
        }
    }
}
