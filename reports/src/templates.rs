//! The templates and static files that are part of this library, ready to render. HTML and SVG are escaped
//! by tera itself, TeX by [`crate::text::tex`]. It must not know what is rendered.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};
use tera::{Context, Delimiters, Tera, Value};

use crate::text;

/// Version of everything between a figure and its bytes that is not a template: raise it when code changes
/// what is written, so that stored reports are written again.
pub const RENDERER_VERSION: u32 = 7;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

/// Templates of pages and drawings.
const MARKUP: [(&str, &str); 22] = embedded![
    "plot.svg",
    "hatch.svg",
    "figure.svg",
    "legend-item.svg",
    "legend.svg",
    "topology.svg",
    "head.html",
    "foot.html",
    "facts.html",
    "fact-list.html",
    "input-list.html",
    "components.html",
    "flags.html",
    "index.html",
    "claims.html",
    "since.html",
    "reproduction.html",
    "values.html",
    "value-cell.html",
    "comparison.html",
    "test.html",
    "table.html",
];
/// Templates of LaTeX.
const LATEX: [(&str, &str); 5] = embedded!["figure.tex", "table.tex", "comparison.tex", "layout.tex", "report.tex"];
/// Files that are used as they are.
const STATIC: [(&str, &str); 4] = embedded!["plot.css", "page.css", "septet.js", "septet-report.sty"];

/// Data as templates take it, made ready once for all pages that show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared(Value);

impl Prepared {
    pub(crate) fn new(data: &impl Serialize) -> Result<Prepared, RenderError> {
        let failed = |source| RenderError { template: "a page".to_string(), whose: FAULT, source: Box::new(source) };
        Value::try_from_serializable(data).map(Prepared).map_err(failed)
    }
}

impl Serialize for Prepared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A template and its data do not fit. With the built-in templates not reachable from user input.
#[derive(Debug, thiserror::Error)]
#[error("failed to render {template}; {whose}")]
pub struct RenderError {
    template: String,
    whose: &'static str,
    #[source]
    source: Box<tera::Error>,
}

/// A template of a user's that is none.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the templates beside the experiment: {message}")]
pub struct TemplateError {
    message: String,
}

impl From<TemplateError> for RenderError {
    fn from(error: TemplateError) -> RenderError {
        let source = Box::new(tera::Error::message(error.message));
        RenderError { template: "a drawing".to_string(), whose: FAULT, source }
    }
}

/// Said of what no user can cause.
const FAULT: &str = "this is a fault of the program, not of the experiment";

/// What files are rendered from: the built-in templates, some of them replaced.
#[derive(Debug)]
pub struct Templates {
    markup: Tera,
    latex: Tera,
    statics: BTreeMap<String, String>,
    replaced: Vec<String>,
    digest_input: Vec<u8>,
}

static BUILT_IN: LazyLock<Result<Templates, String>> =
    LazyLock::new(|| Templates::new(&BTreeMap::new()).map_err(|error| error.message));

impl Templates {
    /// The built-in ones with those of `own` instead of, or besides, them: name to text. Names that end in
    /// `.html`, `.svg` or `.tex` are templates and can be included by others; `page.css`, `plot.css`,
    /// `septet.js` and `septet-report.sty` are used as they are; other names are not looked at.
    ///
    /// # Errors
    /// A text that is no template.
    pub fn new(own: &BTreeMap<String, String>) -> Result<Templates, TemplateError> {
        let failed = |error: tera::Error| TemplateError { message: error.to_string() };
        let mut markup = Tera::new();
        markup.set_escape_fn(escape);
        markup.autoescape_on([".html", ".svg"]);
        let mut latex = Tera::new();
        let delimiters = Delimiters {
            block_start: "<%".into(),
            block_end: "%>".into(),
            variable_start: "<<".into(),
            variable_end: ">>".into(),
            comment_start: "<#".into(),
            comment_end: "#>".into(),
        };
        latex.set_delimiters(delimiters).map_err(failed)?;
        latex.set_escape_fn(|input, output| output.write_all(text::tex(input).as_bytes()));
        latex.autoescape_on([".tex"]);

        let chosen = |built_in: &[(&'static str, &'static str)], ends: &[&str]| {
            let mut texts: BTreeMap<String, String> =
                built_in.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
            let fits = |name: &str| texts.contains_key(name) || ends.iter().any(|end| name.ends_with(end));
            let own: Vec<_> = own.iter().filter(|(name, _)| fits(name)).collect();
            texts.extend(own.into_iter().map(|(name, text)| (name.clone(), text.clone())));
            texts
        };
        let of_markup = chosen(&MARKUP, &[".html", ".svg"]);
        let of_latex = chosen(&LATEX, &[".tex"]);
        let statics = chosen(&STATIC, &[]);
        markup.add_raw_templates(of_markup.iter().map(|(name, text)| (name, trimmed(text)))).map_err(failed)?;
        latex.add_raw_templates(of_latex.iter().map(|(name, text)| (name, trimmed(text)))).map_err(failed)?;

        let all = || of_markup.iter().chain(&of_latex).chain(&statics);
        let digest_input = prefixed(all().map(|(name, text)| (name.as_str(), text.as_str())));
        let replaced = all().filter(|(name, _)| own.contains_key(*name)).map(|(name, _)| name.clone()).collect();
        Ok(Templates { markup, latex, statics, replaced, digest_input })
    }

    /// The built-in ones.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn built_in() -> Result<&'static Templates, TemplateError> {
        BUILT_IN.as_ref().map_err(|message| TemplateError { message: message.clone() })
    }

    /// Names of those that are not built in.
    pub fn replaced(&self) -> &[String] {
        &self.replaced
    }

    /// Every text, in a fixed order, each with its name and length: what a key of rendered files has to
    /// include besides [`RENDERER_VERSION`].
    pub fn digest_input(&self) -> &[u8] {
        &self.digest_input
    }

    /// A page or drawing from its template; every text in `data` is escaped unless the template says
    /// otherwise.
    pub(crate) fn markup(&self, template: &str, data: &impl Serialize) -> Result<String, RenderError> {
        self.render(&self.markup, template, data)
    }

    /// A piece of a page from its template, without the line break behind it.
    pub(crate) fn piece(&self, template: &str, data: &impl Serialize) -> Result<String, RenderError> {
        let mut piece = self.markup(template, data)?;
        piece.truncate(piece.trim_end_matches('\n').len());
        Ok(piece)
    }

    /// A LaTeX file from its template; likewise.
    pub(crate) fn latex(&self, template: &str, data: &impl Serialize) -> Result<String, RenderError> {
        self.render(&self.latex, template, data)
    }

    /// A static file by name; empty for an unknown one.
    pub(crate) fn static_text(&self, name: &str) -> &str {
        self.statics.get(name).map_or("", String::as_str)
    }

    fn render(&self, engine: &Tera, template: &str, data: &impl Serialize) -> Result<String, RenderError> {
        let whose = match self.replaced.is_empty() {
            true => FAULT,
            false => "look at the templates beside the experiment",
        };
        let failed = |source| RenderError { template: template.to_string(), whose, source: Box::new(source) };
        let context = Context::from_serialize(data).map_err(failed)?;
        engine.render(template, &context).map_err(failed)
    }
}

/// Escapes as the library does by itself, which does it byte by byte.
fn escape(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let mut rest = text.as_bytes();
    let special = |byte: u8| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&#39;"),
        _ => None,
    };
    while let Some((place, escaped)) = rest.iter().enumerate().find_map(|(at, byte)| Some((at, special(*byte)?))) {
        out.write_all(&rest[..place])?;
        out.write_all(escaped.as_bytes())?;
        rest = &rest[place + 1..];
    }
    out.write_all(rest)
}

/// [`Templates::digest_input`] of the built-in ones.
pub fn digest_input() -> Vec<u8> {
    let built_in: [BTreeMap<&str, &str>; 3] =
        [MARKUP.into_iter().collect(), LATEX.into_iter().collect(), STATIC.into_iter().collect()];
    prefixed(built_in.iter().flatten().map(|(name, text)| (*name, *text)))
}

/// Names and texts, each with its length before it.
fn prefixed<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in texts.flat_map(|(name, text)| [name, text]) {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Templates may be indented; what they write is not, so that pages stay small.
fn trimmed(template: &str) -> String {
    template.lines().map(str::trim_start).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        let templates = Templates::built_in().expect("templates");
        assert!(templates.replaced().is_empty());
        assert_eq!(templates.digest_input(), digest_input());
    }

    #[test]
    fn text_is_escaped_as_the_library_does_it() {
        for text in ["", "a", "<b>&\"c\" 'd'", "&&", "é<ü", "&amp;", "plain text without any"] {
            let (mut own, mut its) = (Vec::new(), Vec::new());
            escape(text, &mut own).expect("it is memory");
            tera::escape_html(text, &mut its).expect("it is memory");
            assert_eq!(own, its, "{text}");
        }
    }

    #[test]
    fn a_template_of_the_same_name_replaces_the_built_in_one() {
        let own = |name: &str, text: &str| BTreeMap::from([(name.to_string(), text.to_string())]);
        let templates = Templates::new(&own("claims.html", "mine: {{ title }}")).expect("a template");
        assert_eq!(templates.replaced(), ["claims.html"]);
        let data = BTreeMap::from([("title", "<b>")]);
        assert_eq!(templates.markup("claims.html", &data).expect("a page"), "mine: &lt;b&gt;\n");
        assert_ne!(templates.digest_input(), Templates::built_in().expect("templates").digest_input());
        assert!(Templates::new(&own("index.html", "{% if %}")).is_err());
        assert!(Templates::new(&own("readme.txt", "{% if %}")).is_ok_and(|templates| templates.replaced().is_empty()));
    }
}
