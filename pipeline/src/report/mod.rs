//! Reports: from a generation in the store to a folder of pages, rewriting only what changed. Reads the
//! store, writes the folder and the stamps that say what was rendered from what. It must not measure, and
//! needs no host: the same store gives the same bytes anywhere.

mod details;
mod overrides;
mod shared;
mod since;
mod stamps;
mod verdicts;
mod views;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

use rayon::prelude::*;
use reports::figure::{Figure, build_figure};
use reports::model::{Meta, TestView};
use reports::render::{self, OutputFile};
use reports::report::{ClaimView, Report};
use reports::select::SpecError;
use reports::spec::{FigureSpec, Id, TableSpec};
use reports::table::{Table, build_table};
use reports::templates::{RENDERER_VERSION, RenderError, TemplateError, Templates};
use results::summary::REDUCTION_VERSION;

use crate::beneath::{self, Below, Destination, FileKind, Folder, Look, UNFINISHED};
use crate::store::{Generation, Store, StoreError};
use crate::workspace::Workspace;
pub use details::log;
pub use overrides::FOLDER as TEMPLATES;
use shared::Shared;
pub use since::write_since;
pub use stamps::Inputs;
use stamps::Stamps;
pub use verdicts::refuted;
use views::ViewedTests;
pub(crate) use views::{components, host_facts, repetition as repetition_of, summarised};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template.
    #[error("failed to render {what}: {source}")]
    Render {
        /// The figure, table or page that failed.
        what: String,
        /// Why it cannot be rendered.
        source: RenderError,
    },
    /// What lies beside the experiment is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A figure or table cannot be drawn from these tests.
    #[error("failed to draw {id}: {reason}")]
    Drawing {
        /// The figure or table.
        id: Id,
        /// Why it cannot be drawn.
        reason: String,
    },
    /// The folder is not one of ours.
    #[error("failed to write the report into {0}: it holds files that are not of a report; name another folder by -o")]
    Foreign(PathBuf),
    /// The folder refuses.
    #[error("failed to {doing} {path}: {source}")]
    Io {
        /// What was done.
        doing: &'static str,
        /// Where the link points.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<beneath::Error> for ReportError {
    fn from(error: beneath::Error) -> ReportError {
        let beneath::Error { doing, path, source } = error;
        ReportError::Io { doing, path, source }
    }
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The report's folder.
    pub folder: PathBuf,
    /// Files written, removed ones counted.
    pub files: usize,
    /// Names of the templates beside the experiment that took the place of built-in ones.
    pub templates: Vec<String>,
    /// What the report as a whole is made of; none for a page that is made each time.
    pub made_of: Option<Inputs>,
    /// Why what was rendered from what could not be read or kept, where it could not: the next report is rendered
    /// again.
    pub forgotten: Option<String>,
}

/// Writes the report of a generation into a folder, by the templates beside the experiment where there are any.
pub fn write(workspace: &Workspace, generation: &Generation, to: &Destination) -> Result<Written, ReportError> {
    let stamps = |folder: &Folder| Ok(Stamps::open(&workspace.store, folder, workspace.experiment.name.as_str())?);
    write_with(workspace, generation, to, &overrides::of(&workspace.file)?, &stamps)
}

/// The folder of a report that stands as it was written, if it is made of this.
pub fn stands(store: &Store, experiment: &str, to: &Destination, made_of: Inputs) -> Option<Folder> {
    let folder = to.folder_if_there().ok()??;
    refuse_foreign(&folder).ok()?;
    Stamps::open(store, &folder, experiment).ok()?.all_fresh(made_of).then_some(folder)
}

/// Writes a report into a folder that is read once, such as an archive's; nothing is kept in the store. Built-in
/// templates only: what an archive's report says must not depend on files that are not in it.
pub fn write_apart(workspace: &Workspace, generation: &Generation, folder: &Folder) -> Result<Written, ReportError> {
    let to = Destination::Open(folder.clone());
    write_with(workspace, generation, &to, Templates::built_in()?, &|folder| Ok(Stamps::none(folder)))
}

fn write_with(
    workspace: &Workspace,
    generation: &Generation,
    to: &Destination,
    templates: &Templates,
    stamps_of: &dyn Fn(&Folder) -> Result<Stamps, ReportError>,
) -> Result<Written, ReportError> {
    let inputs = inputs_of_all(workspace, generation, templates);
    let written = |folder: &Folder, files, forgotten| Written {
        folder: folder.shown().to_path_buf(),
        files,
        templates: templates.replaced().to_vec(),
        made_of: Some(inputs),
        forgotten,
    };
    if let Some(folder) = to.folder_if_there()? {
        refuse_foreign(&folder)?;
        if stamps_of(&folder)?.all_fresh(inputs) {
            return Ok(written(&folder, 0, None));
        }
    }
    // What cannot be read leaves no folder behind.
    let measured = views::read(workspace, generation)?;
    let folder = &to.make()?;
    let mut stamps = stamps_of(folder)?;
    stamps.load();
    let mut output = Output { folder, stamps: &mut stamps, templates, files: 0 };
    for file in render::render_static(templates) {
        output.put(file, None)?;
    }
    let meta = measured.meta(workspace);
    let drawn = Drawn::new(workspace, &measured)?;
    drawables(&drawn, &mut output)?;
    // What holds all tests is rendered beside their pages: one after the other, most of the time is one thread's.
    let (front, pages) = rayon::join(
        || front(&drawn, &meta, &measured, templates),
        || test_pages(workspace, &meta, &measured, &mut output),
    );
    for file in front? {
        output.put(file, None)?;
    }
    pages?;
    let files = output.files;
    let finished = stamps.finish(inputs)?;
    Ok(written(folder, files + finished.removed, finished.forgotten))
}

/// What a report of a generation would show.
pub(crate) struct Seen {
    /// Tests with their summaries, in the matrix's order.
    pub(crate) views: Vec<TestView>,
    /// Title, authors and hosts.
    pub(crate) meta: Meta,
}

/// Reads what a report of a generation would show, and renders nothing.
pub(crate) fn seen(workspace: &Workspace, generation: &Generation) -> Result<Seen, ReportError> {
    let measured = views::read(workspace, generation)?;
    let meta = measured.meta(workspace);
    Ok(Seen { views: measured.views, meta })
}

/// Everything that the report as a whole is made of.
fn inputs_of_all(workspace: &Workspace, generation: &Generation, templates: &Templates) -> Inputs {
    let experiment = &workspace.experiment;
    let head = (&experiment.name, &experiment.title, &experiment.authors, &experiment.notes, experiment.protocol);
    let groups: Vec<_> = experiment.groups.iter().map(|group| &group.id).collect();
    let file = workspace.file.file_name();
    let mut hasher = blake3::Hasher::new();
    hasher.update(templates.digest_input());
    hasher.update(format!("{RENDERER_VERSION} {REDUCTION_VERSION} {file:?} {head:?} {groups:?}").as_bytes());
    hasher.update(format!("{:?}", experiment.report).as_bytes());
    hasher.update(workspace.tests_digest().as_bytes());
    for test in workspace.tests() {
        hasher.update(&(test.groups.len() as u64).to_le_bytes());
        for group in test.groups.iter() {
            hasher.update(&group.to_le_bytes());
        }
    }
    hasher.update(generation.digest().as_bytes());
    Inputs::of(hasher)
}

/// The figures, tables and claims of a generation.
struct Drawn {
    figures: Vec<Figure>,
    tables: Vec<Table>,
    claims: Vec<ClaimView>,
}

impl Drawn {
    fn new(workspace: &Workspace, measured: &ViewedTests) -> Result<Drawn, ReportError> {
        let spec = &workspace.experiment.report;
        let by_group = ByGroup::new(&measured.views);
        let drawing = |id: &Id| {
            let id = id.clone();
            move |error: SpecError| ReportError::Drawing { id, reason: error.to_string() }
        };
        let mut figures = Vec::new();
        for figure in &spec.figures {
            let FigureSpec { id, from, .. } = figure;
            figures.push(build_figure(figure, &by_group.of(from)).map_err(drawing(id))?);
        }
        let mut tables = Vec::new();
        for table in &spec.tables {
            let TableSpec { id, from, .. } = table;
            tables.push(build_table(table, &by_group.of(from)).map_err(drawing(id))?);
        }
        let views: Vec<&TestView> = measured.views.iter().collect();
        let claims = spec.claims.iter().map(|claim| ClaimView::judged(claim, &views)).collect();
        Ok(Drawn { figures, tables, claims })
    }

    /// All of it as a report of `tests`.
    fn report<'a>(&'a self, meta: &'a Meta, tests: &'a [&'a TestView]) -> Report<'a> {
        Report { meta, figures: &self.figures, tables: &self.tables, claims: &self.claims, tests }
    }
}

/// Figures and tables.
fn drawables(drawn: &Drawn, output: &mut Output) -> Result<(), ReportError> {
    let templates = output.templates;
    for figure in &drawn.figures {
        output.put_all(&figure.id, figure, || render::render_figure(templates, figure))?;
    }
    for table in &drawn.tables {
        output.put_all(&table.id, table, || render::render_table(templates, table))?;
    }
    Ok(())
}

/// The files that hold everything.
fn front(
    drawn: &Drawn,
    meta: &Meta,
    measured: &ViewedTests,
    templates: &Templates,
) -> Result<Vec<OutputFile>, ReportError> {
    let views: Vec<&TestView> = measured.views.iter().collect();
    let report = drawn.report(meta, &views);
    let rendering = |what: &str| {
        let what = what.to_string();
        move |source| ReportError::Render { what, source }
    };
    let mut files = vec![render::render_index(templates, &report).map_err(rendering("index.html"))?];
    files.extend(render::render_claims(templates, &report).map_err(rendering("claims.html"))?);
    files.push(render::render_latex_document(templates, &report).map_err(rendering("report.tex"))?);
    files.push(render::render_package(&report));
    files.push(render::render_summary(&report));
    Ok(files)
}

/// A page a test; rendered and written side by side, since each reads its own samples.
fn test_pages(
    workspace: &Workspace,
    meta: &Meta,
    measured: &ViewedTests,
    output: &mut Output,
) -> Result<(), ReportError> {
    /// So many pages are written before they are stamped.
    const BATCH: usize = 4096;
    let templates = output.templates;
    let header = Inputs::of_debug(templates, &page_header(workspace, meta));
    let all: Vec<(usize, Inputs, String)> = (0..measured.views.len())
        .into_par_iter()
        .filter_map(|place| {
            let view = &measured.views[place];
            let path = format!("tests/{}.html", view.key.as_ref()?);
            Some((place, header.with(&(view, measured.ids(place))), path))
        })
        .collect();
    // Tests that share a result share its page, which is about the first of them: two that were written side by side
    // would be one or the other.
    let mut stale = all;
    let mut named = HashSet::new();
    stale.retain(|(place, _, _)| named.insert(measured.views[*place].key.as_deref()));
    stale.retain(|(_, inputs, path)| !output.stamps.keep_if_fresh(path, *inputs));
    if stale.is_empty() {
        return Ok(());
    }
    let folder = output.folder;
    let tests = folder.make_folder(&folder.name(["tests"])?)?;
    let shared = Shared::new(templates);
    for batch in stale.chunks(BATCH) {
        let pages: Vec<Result<Option<Put>, ReportError>> = batch
            .par_iter()
            .map(|(place, _, path)| {
                let view = &measured.views[*place];
                let details = details::of(workspace, measured, *place, &shared)?;
                let page = render::render_test_page(templates, meta, view, &details)
                    .map_err(|source| ReportError::Render { what: path.clone(), source })?;
                page.map(|page| Put::page(folder, &tests, &page)).transpose()
            })
            .collect();
        for (page, (_, inputs, _)) in pages.into_iter().zip(batch) {
            if let Some(page) = page? {
                output.note(page, *inputs);
            }
        }
    }
    Ok(())
}

/// What of the report's head stands on every test's page: its title, and the file that commands name.
fn page_header(workspace: &Workspace, meta: &Meta) -> (u32, String, Option<String>, Option<OsString>) {
    let file = workspace.file.file_name().map(ToOwned::to_owned);
    (RENDERER_VERSION, meta.name.to_string(), meta.title.clone(), file)
}

/// Tests by group, in the matrix's order.
struct ByGroup<'a> {
    views: &'a [TestView],
    places: HashMap<&'a Id, Vec<usize>>,
}

impl<'a> ByGroup<'a> {
    fn new(views: &'a [TestView]) -> ByGroup<'a> {
        let mut places: HashMap<&Id, Vec<usize>> = HashMap::new();
        for (place, view) in views.iter().enumerate() {
            for group in &view.groups {
                places.entry(group).or_default().push(place);
            }
        }
        ByGroup { views, places }
    }

    /// The tests that are in any of the groups, each once.
    fn of(&self, groups: &[Id]) -> Vec<&'a TestView> {
        let mut places: Vec<usize> =
            groups.iter().filter_map(|group| self.places.get(group)).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| &self.views[place]).collect()
    }
}

/// A file that is in its place.
struct Put {
    target: Below,
    look: Option<Look>,
    /// Whether it was written, and did not have these bytes already.
    written: bool,
}

impl Put {
    fn place(folder: &Folder, file: &OutputFile) -> Result<Put, ReportError> {
        let target = folder.name([&file.path])?;
        let written = folder.replace_if_different(&target, &file.bytes)?;
        let look = folder.look(&target).ok().flatten();
        Ok(Put { target, look, written })
    }

    /// A page of a test, in the folder of all of them, which is open.
    fn page(folder: &Folder, tests: &Folder, file: &OutputFile) -> Result<Put, ReportError> {
        let target = folder.name([&file.path])?;
        let name = tests.name([target.last()])?;
        let written = tests.replace_if_different(&name, &file.bytes)?;
        let look = tests.look(&name).ok().flatten();
        Ok(Put { target, look, written })
    }
}

/// The folder being written.
struct Output<'a> {
    folder: &'a Folder,
    stamps: &'a mut Stamps,
    templates: &'a Templates,
    files: usize,
}

impl Output<'_> {
    /// Writes a file unless it has these bytes already.
    fn put(&mut self, file: OutputFile, inputs: Option<Inputs>) -> Result<(), ReportError> {
        let put = Put::place(self.folder, &file)?;
        self.note(put, inputs.unwrap_or_else(|| Inputs::of_bytes(&file.bytes)));
        Ok(())
    }

    /// Takes note of what a file that is in its place was made of.
    fn note(&mut self, put: Put, inputs: Inputs) {
        self.files += usize::from(put.written);
        if let Some(look) = put.look {
            self.stamps.keep(&put.target, look, inputs);
        }
    }

    /// Renders the files of a drawable unless all of them are there and made of the same inputs.
    fn put_all(
        &mut self,
        id: &Id,
        drawable: &impl Debug,
        render: impl Fn() -> Result<Vec<OutputFile>, RenderError>,
    ) -> Result<(), ReportError> {
        let inputs = Inputs::of_debug(self.templates, &(RENDERER_VERSION, drawable));
        if self.stamps.keep_drawable_if_fresh(id.as_str(), inputs) {
            return Ok(());
        }
        let files = render().map_err(|source| ReportError::Render { what: id.to_string(), source })?;
        for file in files {
            self.put(file, Some(inputs))?;
        }
        Ok(())
    }
}

/// A folder that has files but no report in it is left alone. A first file that was never finished is nobody's.
fn refuse_foreign(folder: &Folder) -> Result<(), ReportError> {
    let style = folder.name(["septet.css"])?;
    if folder.look(&style)?.is_some_and(|look| look.kind == FileKind::File) {
        return Ok(());
    }
    let is_unfinished = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(UNFINISHED);
    match folder.list()?.iter().all(|entry| is_unfinished(&entry.name)) {
        true => Ok(()),
        false => Err(ReportError::Foreign(folder.shown().to_path_buf())),
    }
}
