//! From drawables to files: one function for each kind of output, so that whoever calls skips those whose
//! inputs did not change. It must not know where files are written, nor whether they are.

use crate::figure::Figure;
use crate::model::{Details, Meta, TestView};
use crate::report::Report;
use crate::reproduction::{self, Reproduction};
use crate::since::Changes;
use crate::table::Table;
use crate::templates::{RenderError, Templates};
use crate::{csv, html, json, latex, package, svg};

/// A file of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Below the report's folder, with `/` between parts.
    pub path: String,
    /// The file's content.
    pub bytes: Vec<u8>,
}

impl OutputFile {
    fn new(path: impl Into<String>, text: String) -> OutputFile {
        OutputFile { path: path.into(), bytes: text.into_bytes() }
    }
}

/// `figures/ID.svg`, `figures/ID.tex`, `figures/ID.csv`.
pub fn render_figure(templates: &Templates, figure: &Figure) -> Result<Vec<OutputFile>, RenderError> {
    let path = |extension: &str| format!("figures/{}.{extension}", figure.id);
    Ok(vec![
        OutputFile::new(path("svg"), svg::figure_file(templates, figure)?),
        OutputFile::new(path("tex"), latex::figure(templates, figure)?),
        OutputFile::new(path("csv"), csv::figure(figure)),
    ])
}

/// `tables/ID.tex`, `tables/ID.csv`.
pub fn render_table(templates: &Templates, table: &Table) -> Result<Vec<OutputFile>, RenderError> {
    let path = |extension: &str| format!("tables/{}.{extension}", table.id);
    Ok(vec![
        OutputFile::new(path("tex"), latex::table(templates, table)?),
        OutputFile::new(path("csv"), csv::table(table)),
    ])
}

/// `index.html`.
pub fn render_index(templates: &Templates, report: &Report) -> Result<OutputFile, RenderError> {
    Ok(OutputFile::new("index.html", html::index(templates, report)?))
}

/// `claims.html`; none for a report without claims.
pub fn render_claims(templates: &Templates, report: &Report) -> Result<Option<OutputFile>, RenderError> {
    match report.claims {
        [] => Ok(None),
        _ => Ok(Some(OutputFile::new("claims.html", html::claims(templates, report)?))),
    }
}

/// `since-BASE.html`; BASE is what names the older generation, of which only letters and digits are taken.
pub fn render_since(templates: &Templates, meta: &Meta, changes: &Changes) -> Result<OutputFile, RenderError> {
    let base: String = changes.base.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    Ok(OutputFile::new(format!("since-{base}.html"), html::since(templates, meta, changes)?))
}

/// Every file of a reproduction but the two sides' own reports: `index.html`, `reproduction.json`, `figures/ID.svg`,
/// `figures/ID.csv`, `tables/ID.csv`, and the static ones of its page.
pub fn render_reproduction(templates: &Templates, reproduction: &Reproduction) -> Result<Vec<OutputFile>, RenderError> {
    let mut files = render_static(templates);
    files.push(OutputFile::new("index.html", html::reproduction(templates, reproduction)?));
    files.push(OutputFile::new("reproduction.json", reproduction::json(reproduction)));
    for pair in reproduction.figures {
        let path = |extension: &str| format!("figures/{}.{extension}", pair.figure.id);
        files.push(OutputFile::new(path("svg"), svg::figure_file(templates, &pair.figure)?));
        files.push(OutputFile::new(path("csv"), reproduction::rows_csv(&pair.axes, &pair.rows)));
    }
    for pair in reproduction.tables {
        let csv = reproduction::rows_csv(&pair.axes, &pair.rows);
        files.push(OutputFile::new(format!("tables/{}.csv", pair.id), csv));
    }
    Ok(files)
}

/// `tests/KEY.html`; none for a test without a key.
pub fn render_test_page(
    templates: &Templates,
    meta: &Meta,
    test: &TestView,
    details: &Details,
) -> Result<Option<OutputFile>, RenderError> {
    let Some(path) = svg::test_page(test.key.as_deref()) else { return Ok(None) };
    Ok(Some(OutputFile::new(path, html::test_page(templates, meta, test, details)?)))
}

/// `report.tex`, which inputs the files of figures and tables.
pub fn render_latex_document(templates: &Templates, report: &Report) -> Result<OutputFile, RenderError> {
    Ok(OutputFile::new("report.tex", latex::document(templates, report)?))
}

/// `summary.json`: what the report shows, for programs.
pub fn render_summary(report: &Report) -> OutputFile {
    OutputFile::new("summary.json", json::summary(report))
}

/// `datapackage.json`: what each column of the report's data means.
pub fn render_package(report: &Report) -> OutputFile {
    OutputFile::new("datapackage.json", package::package(report))
}

/// Files that depend on nothing but this library: `septet.css`, `septet.js`, `septet-report.sty`.
pub fn render_static(templates: &Templates) -> Vec<OutputFile> {
    let css = format!("{}{}", templates.static_text("page.css"), svg::style(templates));
    let sty = templates.static_text("septet-report.sty").replace("%PALETTE%\n", &latex::palette());
    vec![
        OutputFile::new("septet.css", css),
        OutputFile::new("septet.js", templates.static_text("septet.js").to_string()),
        OutputFile::new("septet-report.sty", sty),
    ]
}
