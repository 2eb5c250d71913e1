//! The place in a site file that a failure names (`ready of [switches.NAME], site.toml:13:9`), as it is shown to whoever
//! wrote it. What is kept of a failure has the place alone. It must not know what the file says.

use std::path::Path;

use super::{FILE_BYTES_MAX, SITE_FILE, folder, masked};
use crate::beneath;
use crate::experiment::diagnostic::{Diagnostic, Diagnostics};

/// Root's own file, which says what names mean to an agent of root's.
const ROOTS: &str = "/etc/septet/host.toml";

/// The line that a reason names, with a mark below it: of a site file beside an experiment, of the user's own, or of
/// root's. None for a reason without a place, or where the file has changed since.
pub fn excerpt(reason: &str, beside: &Path) -> Option<String> {
    let (before, place) = reason.rsplit_once("], ")?;
    let words = before.rsplit_once('(').map_or(before, |(_, words)| words);
    let mut numbers = place.split(')').next()?.rsplitn(3, ':');
    let (column, line, file): (usize, usize, &str) =
        (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?);
    let key = words.split(' ').next()?;
    let own = folder().map(|folder| folder.join(SITE_FILE));
    let candidates = match file {
        ROOTS => vec![ROOTS.into()],
        SITE_FILE => std::iter::once(beside.join(SITE_FILE)).chain(own).collect(),
        _ => return None,
    };
    candidates.into_iter().find_map(|path| {
        let bytes = beneath::plain_file(&path, FILE_BYTES_MAX).ok()?;
        let source = masked(&String::from_utf8_lossy(&bytes));
        let start = match line {
            1 => 0,
            line => source.match_indices('\n').nth(line.checked_sub(2)?)?.0 + 1,
        };
        let text = source[start..].lines().next()?;
        let at = text.char_indices().nth(column.checked_sub(1)?)?.0;
        let span = start + at..start + text.trim_end().len();
        let is_of_key = text.trim_start().starts_with(key) && !span.is_empty();
        let message = format!("{words}]");
        let diagnostic = Diagnostic { span, message, help: None };
        is_of_key.then(|| Diagnostics::new(&path.display().to_string(), &source, vec![diagnostic]).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_that_a_reason_names_is_shown_and_nothing_else_is() {
        let beside = tempfile::tempdir().expect("a folder");
        let text = "[switches.a]\nprogram = \"/bin/sh\"\nready = [\"x\"]\n";
        std::fs::write(beside.path().join(SITE_FILE), text).expect("a file");
        let reason =
            |place: &str| format!("join ports of custom:a: it has not said it (ready of [switches.a], {place})");
        let shown = excerpt(&reason("site.toml:3:9"), beside.path()).expect("a place");
        assert!(
            shown.ends_with("site.toml:3:9: ready of [switches.a]\n  |\n3 | ready = [\"x\"]\n  |         ^^^^^\n"),
            "{shown}"
        );
        for place in ["site.toml:2:9", "site.toml:9:9", "site.toml:3:99", "site.toml:0:0", "/etc/passwd:1:1", "x", ""] {
            assert_eq!(excerpt(&reason(place), beside.path()), None, "{place}");
        }
        assert_eq!(excerpt("go on", beside.path()), None);
    }
}
