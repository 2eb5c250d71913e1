//! Text as a terminal is to have it: what somebody else wrote moves no cursor, sets no title and turns no direction. It
//! must not know what the text says.

use std::fmt::Write;

use crate::experiment::diagnostic::is_hidden;

/// Text of several lines, in which nothing but their ends and tabs is unseen.
pub fn shown(text: &str) -> String {
    let seen = |c: char| match c {
        '\n' | '\t' => c,
        c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(seen).collect()
}

/// JSON that says the same without such characters.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            // They can only be in strings, where each may be written so.
            c if is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unseen_is_left() {
        let hostile = "a\u{1b}]0;b\u{7}\r\u{9b}31m\u{202e}c\u{0}\u{7f}\u{e0041}";
        assert_eq!(shown(&format!("{hostile}\n\tplain é 漢")).matches(char::REPLACEMENT_CHARACTER).count(), 8);
        assert!(!shown(hostile).chars().any(is_hidden));
        let value = serde_json::json!({"text": hostile, "more": [hostile]});
        let told = json(&serde_json::to_string_pretty(&value).expect("it is JSON"));
        assert!(!told.chars().any(|c| c != '\n' && is_hidden(c)), "{told:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).expect("it is JSON"), value);
    }
}
