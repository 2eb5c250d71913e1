//! The experiment file: from text to tests, figures, tables and claims, or to everything that is wrong with
//! it, each thing with its place. Reads one file; it must not know stores, hosts, keys or what is measured.

mod anonymous;
pub mod artifact;
mod axis_list;
pub mod axis_value;
mod check;
pub mod diagnostic;
pub(crate) mod document;
mod group;
mod header;
mod index;
mod limits;
pub mod matrix;
mod published;
mod report;
mod rules;
mod scale;
pub mod schema;
pub mod select;
mod settings;
mod units;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use reports::spec::{Id, ReportSpec};
use toml::de::DeTable;

pub use anonymous::anonymous;
pub use artifact::Artifact;
pub use diagnostic::Diagnostics;
pub use header::{Order, Protocol, Repetitions, SET_UPS_MAX};
pub use matrix::{Group, Matrix, Test, Times};
pub use rules::Fault;

use diagnostic::{Diagnostic, Lines};
use document::{Findings, Section};
use report::{Drawable, Spec};

/// A commented experiment that runs as it is: what `septet init` writes.
pub const STARTER: &str = include_str!("starter.toml");

/// Largest experiment file, bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Keys of the file.
pub(crate) const KEYS: [&str; 7] = ["experiment", "protocol", "artifact", "tests", "table", "figure", "claim"];

/// Most groups of tests, and most figures, tables and claims of each kind.
const SECTIONS_MAX: usize = 1_000;

/// An experiment, checked: every test in it is possible, and everything reported exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Names the report's folder.
    pub name: Id,
    /// The report's title; the name where the file gives none.
    pub title: String,
    /// Authors, in the order to show them.
    pub authors: Vec<String>,
    /// What a reader should know; line breaks are kept.
    pub notes: Option<String>,
    /// How tests are measured.
    pub protocol: Protocol,
    /// What an artifact's appendix says that no store can know.
    pub artifact: Artifact,
    /// In order of declaration; [`Test::groups`] counts from 0 in it.
    pub groups: Vec<Group>,
    /// Figures, tables and claims.
    pub report: ReportSpec,
    /// All tests, already expanded.
    pub matrix: Matrix,
}

/// A file that is no experiment.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("failed to read the experiment {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read, and is wrong; rendered as it is to be printed.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

/// Reads and checks the experiment in a file. Places in diagnostics name `path` as it is given.
pub fn load(path: &Path) -> Result<Experiment, LoadError> {
    Ok(load_with_text(path)?.0)
}

/// Like [`load`], with the bytes that were read: the file may change a moment later.
pub fn load_with_text(path: &Path) -> Result<(Experiment, Vec<u8>), LoadError> {
    let unread = |source| LoadError::Read { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = crate::beneath::open_input(path).map_err(|error| unread(error.source))?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    Ok((parse_bytes(&bytes, &path.display().to_string())?, bytes))
}

/// [`parse`] of what should be UTF-8.
pub fn parse_bytes(bytes: &[u8], file_name: &str) -> Result<Experiment, Diagnostics> {
    match std::str::from_utf8(bytes) {
        Ok(source) => parse(source, file_name),
        Err(error) => {
            let start = error.valid_up_to();
            let byte = bytes.get(start).copied().unwrap_or_default();
            let diagnostic = Diagnostic {
                span: start..start + 1,
                message: format!("not UTF-8: byte 0x{byte:02x}"),
                help: Some("experiment files are text in UTF-8".into()),
            };
            Err(Diagnostics::new(file_name, &String::from_utf8_lossy(bytes), vec![diagnostic]))
        }
    }
}

/// Checks the experiment in `source`; all that is wrong with it comes back together. `file_name` is only
/// what diagnostics call it.
pub fn parse(source: &str, file_name: &str) -> Result<Experiment, Diagnostics> {
    if source.len() as u64 > FILE_BYTES_MAX {
        let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
        return Err(Diagnostics::new(file_name, "", vec![Diagnostic { span: 0..0, message, help: None }]));
    }
    let (root, syntax) = DeTable::parse_recoverable(source);
    let mut findings = Findings::new(source, !syntax.is_empty());
    let experiment = read(root.get_ref(), &mut findings);
    let mut list = findings.list;
    if !syntax.is_empty() {
        let syntax: Vec<Diagnostic> = syntax.iter().map(|error| not_toml(error, source)).collect();
        // What the parser made of a broken line is its guess, not the user's word.
        let lines = Lines::of(source);
        let line = |diagnostic: &Diagnostic| lines.line(diagnostic.span.start);
        let broken: BTreeSet<usize> = syntax.iter().map(line).collect();
        list.retain(|diagnostic| !broken.contains(&line(diagnostic)));
        list.extend(syntax);
    }
    match experiment {
        Some(experiment) if list.is_empty() => Ok(experiment),
        _ => Err(Diagnostics::new(file_name, source, list)),
    }
}

fn not_toml(error: &toml::de::Error, source: &str) -> Diagnostic {
    let span = error.span().unwrap_or(source.len()..source.len());
    Diagnostic { span, message: format!("not TOML: {}", error.message()), help: None }
}

fn read(root: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Experiment> {
    let file = Section::new("the file", root, 0..0);
    file.only(&KEYS, findings);
    let heading = file.require_table("experiment", "[experiment]", findings);
    let heading = heading.and_then(|node| Section::of("[experiment]", node, findings));
    let heading = heading.and_then(|section| header::heading(section, findings));
    let protocol = file.require_table("protocol", "[protocol]", findings);
    let protocol = protocol.and_then(|node| Section::of("[protocol]", node, findings));
    let protocol = protocol.and_then(|section| header::protocol(section, findings));
    let artifact = file.get("artifact").and_then(|node| Section::of("[artifact]", node, findings));
    let artifact = artifact.map(|section| artifact::read(section, findings)).unwrap_or_default();
    let tests = file.require_table("tests", "[[tests]]", findings);
    let groups = document::sections("[[tests]]", tests, SECTIONS_MAX, findings);
    let groups = check::groups(&groups, protocol.map(|protocol| protocol.times), findings);
    let matrix = check::matrix(&groups, findings);

    let mut sections = |name, key| document::sections(name, file.get(key), SECTIONS_MAX, findings);
    let (figures, tables, claims) =
        (sections("[[figure]]", "figure"), sections("[[table]]", "table"), sections("[[claim]]", "claim"));
    let all: Vec<Section<'_, '_>> = [&figures[..], &tables[..], &claims[..]].concat();
    check::ids_are_unique(all.iter().filter_map(|section| report::id_of(*section)), findings);
    let mut drawables: Vec<Drawable> = Vec::new();
    drawables.extend(figures.iter().filter_map(|section| report::figure(*section, findings)));
    drawables.extend(tables.iter().filter_map(|section| report::table(*section, findings)));
    drawables.extend(claims.iter().filter_map(|section| report::claim(*section, findings)));
    check::drawables(&drawables, &groups, matrix.as_ref(), findings);

    let mut report = ReportSpec::default();
    for drawable in drawables {
        match drawable.spec {
            Spec::Figure(figure) => report.figures.push(figure),
            Spec::Table(table) => report.tables.push(table),
            Spec::Claim(claim) => report.claims.push(claim),
        }
    }
    let header::Heading { name, title, authors, notes } = heading?;
    let groups = groups.sound;
    Some(Experiment { name, title, authors, notes, protocol: protocol?, artifact, groups, report, matrix: matrix? })
}
