//! The appendix as Markdown. It must not know what it says.

use reports::text::{self, PROSE_MAX};

use super::{Block, Section};

pub(super) fn write(sections: &[Section]) -> String {
    let mut out = String::from("# Artifact appendix\n");
    for Section { heading, blocks } in sections {
        out.push_str(&format!("\n## {}\n", escaped(heading)));
        for block in blocks {
            out.push('\n');
            match block {
                Block::Text(paragraph) => out.push_str(&format!("{}\n", escaped(paragraph))),
                Block::List(lines) => lines.iter().for_each(|line| out.push_str(&format!("- {}\n", escaped(line)))),
                Block::Facts(facts) => {
                    facts.iter().for_each(|(label, value)| {
                        out.push_str(&format!("- {}: {}\n", escaped(label), escaped(value)));
                    });
                }
                Block::Command(command) => out.push_str(&format!("    {}\n", text::cleaned(command, PROSE_MAX))),
                Block::Table(heads, rows) => {
                    out.push_str(&format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len())));
                    for row in rows {
                        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
                        out.push_str(&format!("| {} |\n", cells.join(" | ")));
                    }
                }
            }
        }
    }
    out
}

/// Text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text::cleaned(text, PROSE_MAX).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#') {
            out.push('\\');
        }
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            other => out.push(other),
        }
    }
    out
}
