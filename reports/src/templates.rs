//! The templates and static files that are part of this library, ready to render. HTML and SVG are escaped
//! by tera itself, TeX by [`crate::text::tex`]. It must not know what is rendered.

use std::sync::LazyLock;

use serde::Serialize;
use tera::{Context, Delimiters, Tera};

use crate::text;

/// Version of everything between a figure and its bytes that is not a template: raise it when code changes
/// what is written, so that stored reports are written again.
pub const RENDERER_VERSION: u32 = 1;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

/// Templates of pages and drawings.
const MARKUP: [(&str, &str); 7] =
    embedded!["plot.svg", "figure.svg", "legend-item.svg", "legend.svg", "index.html", "test.html", "table.html"];
/// Templates of LaTeX.
const LATEX: [(&str, &str); 3] = embedded!["figure.tex", "table.tex", "report.tex"];
/// Files that are used as they are.
const STATIC: [(&str, &str); 4] = embedded!["plot.css", "page.css", "septet.js", "septet-report.sty"];

/// Failed to render: the template and the data do not fit. Not reachable from user input.
#[derive(Debug, thiserror::Error)]
#[error("failed to render {template}; this is a fault of the program, not of the experiment")]
pub struct RenderError {
    template: &'static str,
    #[source]
    source: tera::Error,
}

static MARKUP_ENGINE: LazyLock<Result<Tera, String>> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.autoescape_on([".html", ".svg"]);
    tera.add_raw_templates(MARKUP.map(|(name, text)| (name, trimmed(text)))).map_err(|error| error.to_string())?;
    Ok(tera)
});

static LATEX_ENGINE: LazyLock<Result<Tera, String>> = LazyLock::new(|| {
    let mut tera = Tera::new();
    let delimiters = Delimiters {
        block_start: "<%".into(),
        block_end: "%>".into(),
        variable_start: "<<".into(),
        variable_end: ">>".into(),
        comment_start: "<#".into(),
        comment_end: "#>".into(),
    };
    tera.set_delimiters(delimiters).map_err(|error| error.to_string())?;
    tera.set_escape_fn(|input, output| output.write_all(text::tex(input).as_bytes()));
    tera.autoescape_on([".tex"]);
    tera.add_raw_templates(LATEX.map(|(name, text)| (name, trimmed(text)))).map_err(|error| error.to_string())?;
    Ok(tera)
});

/// Templates may be indented; what they write is not, so that pages stay small.
fn trimmed(template: &str) -> String {
    template.lines().map(str::trim_start).collect::<Vec<_>>().join("\n") + "\n"
}

fn render(
    engine: &'static LazyLock<Result<Tera, String>>,
    template: &'static str,
    data: &impl Serialize,
) -> Result<String, RenderError> {
    let failed = |source| RenderError { template, source };
    let tera = engine.as_ref().map_err(|message| failed(tera::Error::message(message.clone())))?;
    let context = Context::from_serialize(data).map_err(failed)?;
    tera.render(template, &context).map_err(failed)
}

/// A page or drawing from its template; every text in `data` is escaped unless the template says otherwise.
pub(crate) fn markup(template: &'static str, data: &impl Serialize) -> Result<String, RenderError> {
    render(&MARKUP_ENGINE, template, data)
}

/// A LaTeX file from its template; likewise.
pub(crate) fn latex(template: &'static str, data: &impl Serialize) -> Result<String, RenderError> {
    render(&LATEX_ENGINE, template, data)
}

/// A static file by name; empty for an unknown one.
pub(crate) fn static_text(name: &str) -> &'static str {
    STATIC.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

/// Everything embedded, in a fixed order, each with its name and length: what a key of rendered files has
/// to include besides [`RENDERER_VERSION`].
pub fn digest_input() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in MARKUP.iter().chain(&LATEX).chain(&STATIC) {
        for part in [name, content] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        for engine in [&MARKUP_ENGINE, &LATEX_ENGINE] {
            assert_eq!(engine.as_ref().err(), None);
        }
    }
}
