//! What is wrong with a file, and where: byte ranges, messages, help, and their rendering as
//! `FILE:LINE:COLUMN: message` above the line and a caret. It must not know what files mean or print anything.
//!
//! The renderer is our own: annotate-snippets and miette both put a heading of theirs first, and both want a
//! source without control characters, with every place moved to fit.

use std::fmt;
use std::ops::Range;

/// A byte range of the source.
pub type Span = Range<usize>;

/// Most diagnostics that are shown of one file; the number of further ones is told.
pub const SHOWN_MAX: usize = 100;

/// Most characters of a source line that are shown.
const LINE_CHARS_MAX: usize = 120;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The place in the file that is wrong.
    pub span: Span,
    /// What, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A place as editors count it, both from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// All that is wrong with one file, in order of place; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    file_name: String,
    source: String,
    lines: Lines,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Errors in a file called `file_name` with this `source`. Sorts by place and drops repetitions; places
    /// beyond the source or inside a character are moved to where one begins.
    pub fn new(file_name: &str, source: &str, mut list: Vec<Diagnostic>) -> Diagnostics {
        for Diagnostic { span, .. } in &mut list {
            let start = source.floor_char_boundary(span.start);
            *span = start..source.floor_char_boundary(span.end).max(start);
        }
        list.sort_by(|a, b| (a.span.start, a.span.end, &a.message).cmp(&(b.span.start, b.span.end, &b.message)));
        list.dedup();
        Diagnostics { file_name: file_name.to_string(), source: source.to_string(), lines: Lines::of(source), list }
    }

    /// Each thing that is wrong, in order of place.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The file.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Where a diagnostic of this file begins.
    pub fn place(&self, diagnostic: &Diagnostic) -> Place {
        let line = self.lines.line(diagnostic.span.start);
        let start = self.lines.0[line - 1];
        let before = self.source.get(start..diagnostic.span.start).unwrap_or("");
        Place { line, column: before.chars().count() + 1 }
    }

    fn render(&self, diagnostic: &Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place(diagnostic);
        writeln!(f, "{}:{line}:{column}: {}", clean(&self.file_name), clean(&diagnostic.message))?;
        let gutter = " ".repeat(line.to_string().len());
        let text = self.lines.text(&self.source, line);
        let length = text.chars().count();
        let from = if length <= LINE_CHARS_MAX { 0 } else { (column - 1).saturating_sub(LINE_CHARS_MAX / 3) };
        let shown: String = text.chars().skip(from).take(LINE_CHARS_MAX).map(visible).collect();
        let marked = self.source.get(diagnostic.span.clone()).unwrap_or("");
        let marked = marked.lines().next().unwrap_or("").chars().count();
        let room = shown.chars().count().saturating_sub(column - 1 - from);
        let before = if from > 0 { "..." } else { "" };
        let after = if from + LINE_CHARS_MAX < length { "..." } else { "" };
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {before}{}{after}", shown.trim_end())?;
        let indent = " ".repeat(before.len() + column - 1 - from);
        writeln!(f, "{gutter} | {indent}{}", "^".repeat(marked.min(room).max(1)))?;
        if let Some(help) = &diagnostic.help {
            writeln!(f, "{gutter} = help: {}", clean(help))?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().take(SHOWN_MAX).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.render(diagnostic, f)?;
        }
        match self.list.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => writeln!(f, "\n{}: {more} more errors", clean(&self.file_name)),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// Where the lines of a text begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines(Vec<usize>);

impl Lines {
    /// The lines of `source`.
    pub fn of(source: &str) -> Lines {
        Lines(std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line of a byte, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset).max(1)
    }

    /// The bytes of a line of `source`, without its end.
    fn text<'s>(&self, source: &'s str, line: usize) -> &'s str {
        let start = |line: usize| self.0.get(line - 1).copied().unwrap_or(source.len());
        source.get(start(line)..start(line + 1)).unwrap_or("").trim_end_matches(['\n', '\r'])
    }
}

/// `text` of somebody else in single quotes, cut to a length that can be read.
pub fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.chars().count() <= CHARS_MAX {
        format!("'{text}'")
    } else {
        format!("'{}...'", text.chars().take(CHARS_MAX).collect::<String>())
    }
}

/// Whether a character shows nothing, moves the cursor, or changes the direction of what follows.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

fn clean(text: &str) -> String {
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, span: Span) -> String {
        let diagnostic = Diagnostic { span, message: "wrong".into(), help: Some("mend it".into()) };
        Diagnostics::new("a.toml", source, vec![diagnostic]).to_string()
    }

    #[test]
    fn the_line_and_a_caret_stand_below_the_place() {
        assert_eq!(
            rendered("x = 1\n\tyy = 2\n", 7..9),
            "a.toml:2:2: wrong\n  |\n2 |  yy = 2\n  |  ^^\n  = help: mend it\n"
        );
    }

    #[test]
    fn a_place_at_the_end_or_beyond_it_is_shown() {
        assert_eq!(rendered("x =", 3..3), "a.toml:1:4: wrong\n  |\n1 | x =\n  |    ^\n  = help: mend it\n");
        assert!(rendered("x =\n", 4..4).starts_with("a.toml:2:1: wrong\n"));
        assert!(rendered("", 9..20).starts_with("a.toml:1:1: wrong\n"));
        assert!(rendered("é", 1..1).starts_with("a.toml:1:1: wrong\n"));
    }

    #[test]
    fn quoted_input_cannot_command_the_terminal() {
        let text = rendered("x = '\u{1b}[2J\u{202e}'", 0..1);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let source = "y".repeat(1_000);
        let text = rendered(&source, 500..503);
        assert!(text.lines().all(|line| line.chars().count() < 140), "{text}");
        let caret = text.lines().nth(3).and_then(|line| line.find('^')).unwrap();
        assert_eq!(&text.lines().nth(3).unwrap()[caret..], "^^^");
    }
}
