//! Text of users made harmless: what cannot be seen is removed, what is too long is cut visibly, and TeX's
//! special characters lose their meaning. HTML is escaped by the templates. It must not know where text goes.

use std::fmt::Write as _;

/// Longest caption shown, characters: more does not fit beside a figure on a page.
pub const CAPTION_MAX: usize = 1_000;
/// Longest statement or note shown, characters.
pub const PROSE_MAX: usize = 2_000;
/// Longest title or label shown, characters.
pub const LABEL_MAX: usize = 200;

/// Text with line breaks, tabs and runs of blanks as single blanks, without characters that are invisible or
/// change the order of others (controls, zero-width, bidirectional overrides, tags), cut after `chars_max`.
pub fn cleaned(text: &str, chars_max: usize) -> String {
    if is_clean(text.as_bytes(), chars_max) {
        return text.to_string();
    }
    cleaned_by_character(text, chars_max)
}

fn cleaned_by_character(text: &str, chars_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(4 * chars_max));
    let mut length = 0;
    let mut blank = false;
    for character in text.chars() {
        if character.is_whitespace() {
            blank = true;
            continue;
        }
        if is_invisible(character) {
            continue;
        }
        if length >= chars_max {
            clean.push_str(" [cut]");
            break;
        }
        if blank && length > 0 {
            clean.push(' ');
            length += 1;
        }
        blank = false;
        clean.push(character);
        length += 1;
    }
    clean
}

/// Whether a text, as most are, is short and of letters, digits and signs of ASCII with single blanks between them.
fn is_clean(bytes: &[u8], bytes_max: usize) -> bool {
    let is_blank = |byte: Option<&u8>| byte == Some(&b' ');
    bytes.len() <= bytes_max
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && !is_blank(bytes.first())
        && !is_blank(bytes.last())
        && !bytes.windows(2).any(|pair| pair == b"  ")
}

/// A log's text: lines kept, controls and invisible characters removed.
pub fn cleaned_lines(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return text.to_string();
    }
    text.chars().filter(|&character| character == '\n' || !is_invisible(character)).collect()
}

/// Characters that a reader cannot see, or that make him see others in another order.
fn is_invisible(character: char) -> bool {
    // Nearly all of them are.
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || matches!(u32::from(character),
            0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0xFDD0..=0xFDEF | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF | 0xE000..=0xF8FF | 0xF0000..=0x10FFFF)
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Longer words may be broken by TeX behind so many characters, and then every [`BREAK_EVERY`], so that no
/// word overfills a column.
const UNBROKEN_MAX: usize = 24;
/// Distance of breaks in words that are too long.
const BREAK_EVERY: usize = 6;

/// Text for TeX: prints as it reads, executes nothing, in any paper beside `septet-report.sty`. Expects [`cleaned`]
/// text; what Computer Modern in T1 encoding lacks is written as its code point, such as `[U+4F60]`. Symbols are
/// those of mathematics where text has them only in fonts that few have in a form that scales.
pub fn tex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut unbroken = 0;
    for character in text.chars() {
        unbroken = if character == ' ' { 0 } else { unbroken + 1 };
        if unbroken > UNBROKEN_MAX {
            escaped.push_str("\\allowbreak{}");
            unbroken = UNBROKEN_MAX + 1 - BREAK_EVERY;
        }
        tex_character(character, &mut escaped);
        if matches!(character, '/' | '+' | '=') {
            escaped.push_str("\\allowbreak{}");
            unbroken = 0;
        }
    }
    escaped
}

/// A string of a PDF's own description: big-endian UTF-16 as hexadecimal digits, with its mark before it, in angles.
pub fn pdf(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
    format!("<FEFF{units}>")
}

fn tex_character(character: char, escaped: &mut String) {
    let command = match character {
        '\\' => "textbackslash",
        '^' => "textasciicircum",
        '~' => "textasciitilde",
        '<' => "textless",
        '>' => "textgreater",
        '|' => "textbar",
        '"' | '“' | '”' | '„' => "textquotedblright",
        '€' => "texteuro",
        '©' => "textcopyright",
        '®' => "textregistered",
        '…' => "textellipsis",
        '–' => "textendash",
        '—' => "textemdash",
        _ => "",
    };
    match character {
        _ if !command.is_empty() => {
            let _ = write!(escaped, "\\{command}{{}}");
        }
        '{' | '}' | '$' | '&' | '#' | '%' | '_' => {
            escaped.push('\\');
            escaped.push(character);
        }
        // Two of these would join into another character.
        '-' | ',' | '\'' | '?' | '!' => {
            escaped.push(character);
            escaped.push_str("{}");
        }
        '\n' => escaped.push(' '),
        '‘' | '’' => escaped.push_str("'{}"),
        'µ' | 'μ' => escaped.push_str("\\septetletter{\\textmu}{\\ensuremath{\\mu}}"),
        '`' => escaped.push_str("\\`{}"),
        '§' => escaped.push_str("\\ensuremath{\\mathsection}"),
        '•' => escaped.push_str("\\ensuremath{\\bullet}"),
        '°' => escaped.push_str("\\septetletter{\\textdegree}{\\ensuremath{\\circ}}"),
        '×' => escaped.push_str("\\ensuremath{\\times}"),
        '±' => escaped.push_str("\\ensuremath{\\pm}"),
        '≤' => escaped.push_str("\\ensuremath{\\leq}"),
        '≥' => escaped.push_str("\\ensuremath{\\geq}"),
        '≈' => escaped.push_str("\\ensuremath{\\approx}"),
        '→' => escaped.push_str("\\ensuremath{\\rightarrow}"),
        // Not in Knuth's fonts, which a paper may be set in.
        'Ð' | 'ð' | 'Þ' | 'þ' | '\u{104}' | '\u{105}' | '\u{110}' | '\u{111}' | '\u{118}' | '\u{119}' => {
            let _ = write!(escaped, "\\septetletter{{{character}}}{{[U+{:04X}]}}", u32::from(character));
        }
        '\u{C0}'..='\u{FF}'
        | '\u{100}'..='\u{107}'
        | '\u{10C}'..='\u{111}'
        | '\u{118}'..='\u{11B}'
        | '\u{141}'..='\u{144}'
        | '\u{147}'..='\u{148}'
        | '\u{150}'..='\u{153}'
        | '\u{158}'..='\u{15B}'
        | '\u{15E}'..='\u{165}'
        | '\u{16E}'..='\u{171}'
        | '\u{178}'..='\u{17E}'
            if character != '÷' =>
        {
            escaped.push(character)
        }
        ' '..='~' => escaped.push(character),
        _ => {
            let _ = write!(escaped, "[U+{:04X}]", u32::from(character));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_is_only_text() {
        assert_eq!(
            tex("\\input{/etc/passwd}").replace("\\allowbreak{}", ""),
            "\\textbackslash{}input\\{/etc/passwd\\}"
        );
        assert_eq!(tex("$\\write18{x}$"), "\\$\\textbackslash{}write18\\{x\\}\\$");
        assert_eq!(
            tex("50% of a_b #1 ^^41 ~"),
            "50\\% of a\\_b \\#1 \\textasciicircum{}\\textasciicircum{}41 \\textasciitilde{}"
        );
        assert_eq!(tex("5 µs 你 é"), "5 \\septetletter{\\textmu}{\\ensuremath{\\mu}}s [U+4F60] é");
        assert_eq!(cleaned("a\u{202E}b\u{200B}c\u{0}\td \n e", 99), "abc d e");
        assert_eq!(cleaned("abcdef", 3), "abc [cut]");
    }

    #[test]
    fn a_megabyte_is_cut() {
        assert!(cleaned(&"x".repeat(1 << 20), PROSE_MAX).len() < PROSE_MAX + 10);
    }

    proptest! {
        #[test]
        fn what_is_clean_stays_as_it_is(text in "[a ~é\\t]{0,8}", chars_max in 0usize..9) {
            prop_assert_eq!(cleaned(&text, chars_max), cleaned_by_character(&text, chars_max));
        }

        #[test]
        fn tex_never_carries_a_bare_special(text in "\\PC*") {
            let escaped = tex(&cleaned(&text, 500));
            let mut previous = ' ';
            for character in escaped.chars() {
                if "$&#%_".contains(character) { prop_assert_eq!(previous, '\\'); }
                prop_assert!(!"^~\n".contains(character));
                previous = character;
            }
            let open = escaped.matches('{').count() - escaped.matches("\\{").count();
            let close = escaped.matches('}').count() - escaped.matches("\\}").count();
            prop_assert_eq!(open, close);
        }
    }
}
