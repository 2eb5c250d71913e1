//! The artifact appendix: what a committee asks for, made of the experiment and the records of one generation, so that
//! whoever verifies an archive makes it again. Pure; it must not know files or this host.

mod collect;
mod latex;
mod markdown;

pub use collect::Appendix;

/// The appendix as Markdown, in an archive.
pub const MARKDOWN: &str = "ARTIFACT.md";
/// The appendix as LaTeX, to be input into a paper.
pub const LATEX: &str = "ARTIFACT.tex";

impl Appendix {
    /// The appendix as Markdown.
    pub fn markdown(&self) -> String {
        markdown::write(&self.sections())
    }

    /// The appendix as LaTeX.
    pub fn latex(&self) -> String {
        latex::write(&self.sections())
    }
}

/// A part of the appendix, however it is written.
#[derive(Clone, Debug, PartialEq)]
struct Section {
    heading: String,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
enum Block {
    /// A paragraph.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// Labels with values.
    Facts(Vec<(String, String)>),
    /// What is typed.
    Command(String),
    /// Heads, and rows of as many fields; the first field names the row.
    Table(Vec<&'static str>, Vec<Vec<String>>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Section> {
        vec![Section {
            heading: "Claims & <b>more</b>".to_string(),
            blocks: vec![
                Block::Text("50 % of a_b | `c` \\input{x}".to_string()),
                Block::Table(vec!["Claim", "Command"], vec![vec!["a|b".to_string(), "septet run *x*".to_string()]]),
                Block::Command("septet reproduce a.tar.zst --only 'io=udp|raw'".to_string()),
            ],
        }]
    }

    #[test]
    fn text_of_an_author_is_text_in_either_form() {
        let markdown = markdown::write(&sections());
        assert!(!markdown.contains("<b>") && markdown.contains("a\\|b"), "{markdown}");
        assert!(markdown.contains("    septet reproduce a.tar.zst --only 'io=udp|raw'"), "{markdown}");
        let latex = latex::write(&sections());
        assert!(!latex.contains("\\input{x}") && latex.contains("50 \\% of a\\_b"), "{latex}");
    }
}
