//! The appendix as LaTeX: an appendix's section, to be input into a paper of any class; it needs no package. It must not
//! know what it says.

use reports::text::{self, PROSE_MAX, tex};

use super::{Block, Section};

pub(super) fn write(sections: &[Section]) -> String {
    let mut out = String::from(
        "% Artifact appendix, to be input behind \\appendix.\n\
         \\providecommand\\septetletter[2]{#2}\n\
         \\section{Artifact Appendix}\n",
    );
    for Section { heading, blocks } in sections {
        out.push_str(&format!("\n\\subsection{{{}}}\n", shown(heading)));
        blocks.iter().for_each(|block| out.push_str(&block_text(block)));
    }
    out
}

fn block_text(block: &Block) -> String {
    let items = |lines: &mut dyn Iterator<Item = String>| {
        let items: String = lines.map(|line| format!("\\item {line}\n")).collect();
        // A list of nothing is an error in LaTeX.
        if items.is_empty() { items } else { format!("\\begin{{itemize}}\n{items}\\end{{itemize}}\n") }
    };
    match block {
        Block::Text(paragraph) => format!("{}\n\n", shown(paragraph)),
        Block::List(lines) => items(&mut lines.iter().map(|line| shown(line))),
        Block::Facts(facts) => {
            items(&mut facts.iter().map(|(label, value)| format!("{}: {}", shown(label), shown(value))))
        }
        Block::Command(command) => {
            format!("\\begin{{flushleft}}\\ttfamily\\small {}\\end{{flushleft}}\n", shown(command))
        }
        // As a list: a table of commands is wider than any column.
        Block::Table(heads, rows) => {
            let row = |row: &Vec<String>| {
                let rest = heads.iter().zip(row).skip(1).filter(|(_, field)| !field.is_empty());
                let rest: Vec<String> =
                    rest.map(|(head, field)| format!("{}: {}", shown(head), shown(field))).collect();
                let name = row.first().map(|name| shown(name)).unwrap_or_default();
                format!("\\textbf{{{name}}}. {}.", rest.join("; "))
            };
            items(&mut rows.iter().map(row))
        }
    }
}

fn shown(text: &str) -> String {
    tex(&text::cleaned(text, PROSE_MAX))
}
