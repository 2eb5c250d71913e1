//! Commands about what is stored: show, report.

use std::fmt;
use std::path::Path;

use results::reduce::TrialCount;
use serde::Serialize;

use super::{OutputArgs, StoreArgs, Target, pdf, remark, say, say_json, share};
use crate::archive;
use crate::beneath::{self, Destination, Folder, NameError, Odd};
use crate::clock;
use crate::compare;
use crate::exit::{Exit, Trouble};
use crate::key::ResultId;
use crate::planned::plural;
use crate::report::{self, ReportError};
use crate::store::{Generation, Record, Status, Store, judged_by};
use crate::workspace::{Workspace, usual_output};

/// What a report became.
pub(super) struct Written {
    pub(super) folder: Folder,
    pub(super) files: usize,
    /// What the report as a whole is made of.
    pub(super) made_of: Option<report::Inputs>,
    /// Whether something besides was told of it.
    pub(super) is_told: bool,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files {
            0 => f.write_str(&up_to_date(&self.folder)),
            count => {
                let index = self.folder.shown().join("index.html");
                write!(f, "report: {} ({} written)", index.display(), plural(count, "file"))
            }
        }
    }
}

/// What is said of a report that stands as it was written.
pub(super) fn up_to_date(folder: &Folder) -> String {
    format!("the report is up to date: {}", folder.shown().join("index.html").display())
}

impl From<ReportError> for Trouble {
    fn from(error: ReportError) -> Trouble {
        match error {
            ReportError::Drawing { .. } | ReportError::Foreign(_) | ReportError::Template(_) => {
                Trouble::input(error.to_string())
            }
            ReportError::Store(error) => error.into(),
            ReportError::Io { ref source, .. } => Trouble::of_files(&error, source),
            other => Trouble::host(other.to_string()),
        }
    }
}

/// Writes the report of a generation, and its PDF if that was asked for.
pub(super) fn write(workspace: &Workspace, generation: &Generation, output: &OutputArgs) -> Result<Written, Trouble> {
    write_to(workspace, generation, output, workspace.report_folder())
}

/// Writes to the named file, or to `usual` if none was named.
fn write_to(
    workspace: &Workspace,
    generation: &Generation,
    output: &OutputArgs,
    usual: Result<Destination, NameError>,
) -> Result<Written, Trouble> {
    let to = match &output.output {
        Some(named) => Destination::Named(named.clone()),
        None => usual.map_err(|error| Trouble::input(format!("failed to name the report's folder: {error}")))?,
    };
    to.folder_if_there().map_err(not_a_folder)?;
    let written = report::write(workspace, generation, &to)?;
    let is_told = !written.templates.is_empty() || written.forgotten.is_some();
    tell_templates(&written.templates);
    if let Some(why) = written.forgotten {
        remark(&format!("septet: {why}; the report is whole, and will be rendered again next time"));
    }
    let folder = to.make()?;
    if output.pdf {
        pdf::compile(&folder)?;
    }
    Ok(Written { folder, files: written.files, made_of: written.made_of, is_told })
}

/// An error of the report's folder, with what to do about it.
fn not_a_folder(error: beneath::Error) -> Trouble {
    let hint = if Odd::in_error(&error.source).is_some() { "; name another folder by -o" } else { "" };
    Trouble::host(format!("{error}{hint}"))
}

/// Says that a report is not made by Septet's own templates alone.
fn tell_templates(replaced: &[String]) {
    if !replaced.is_empty() {
        remark(&format!("septet: templates beside the experiment are used: {}", replaced.join(", ")));
    }
}

/// `septet report`.
pub(super) fn report(
    target: &Target,
    output: &OutputArgs,
    since: Option<&str>,
    with_origin: Option<&str>,
    json: bool,
) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    if let Some(origin) = with_origin {
        return mixed(workspace, output, origin, json);
    }
    let generation = share::generation(target, &workspace)?;
    let held = workspace.store.acceptances(workspace.experiment.name.as_str())?;
    if generation.statements().iter().any(|id| held.get(id).is_none()) {
        remark("septet: this report relies on a withdrawn acceptance; run again to re-measure");
    }
    let base = since.map(|text| generation_called(&workspace, text)).transpose()?;
    let written = write(&workspace, &generation, output)?;
    let page = base.map(|base| report::write_since(&workspace, &generation, &base, &written.folder)).transpose()?;
    if json {
        return report_json(&workspace, &generation, output, &written, page.as_ref());
    }
    say(&written.to_string())?;
    if let Some(page) = page {
        say(&format!("what changed: {}", page.folder.display()))?;
    }
    strict_claims(&workspace, &generation, output)
}

#[derive(Serialize)]
struct ReportJson {
    folder: String,
    files_written: usize,
    generation: String,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    claims_refuted: Vec<String>,
}

/// What was written, and which claims are refuted; under `--strict-claims` exit 4 if there is one.
fn report_json(
    workspace: &Workspace,
    generation: &Generation,
    output: &OutputArgs,
    written: &Written,
    since: Option<&report::Written>,
) -> Result<Exit, Trouble> {
    let refuted: Vec<String> = report::refuted(workspace, generation)?.iter().map(ToString::to_string).collect();
    let exit = if output.strict_claims && !refuted.is_empty() { Exit::Answer } else { Exit::Well };
    say_json(&ReportJson {
        folder: written.folder.shown().display().to_string(),
        files_written: written.files,
        generation: generation.name().to_string(),
        complete: generation.complete,
        since: since.map(|page| page.folder.display().to_string()),
        claims_refuted: refuted,
    })?;
    Ok(exit)
}

/// A report of one's own results and, where there are none, those of an origin.
fn mixed(workspace: Workspace, output: &OutputArgs, origin: &str, json: bool) -> Result<Exit, Trouble> {
    let name = workspace.experiment.name.to_string();
    let own = workspace.store.latest_generation(&name)?.map(|(_, generation)| generation);
    let origin = archive::Origin::name(origin)?;
    let (workspace, generation) = archive::mix(workspace, own.as_ref(), &origin)?;
    let usual = usual_output(&format!("{name}+{origin}"));
    let written = write_to(&workspace, &generation, output, usual)?;
    if json {
        return report_json(&workspace, &generation, output, &written, None);
    }
    say(&written.to_string())?;
    strict_claims(&workspace, &generation, output)
}

/// Under `--strict-claims`, names the claims that are refuted: exit 4 if there is one.
pub(super) fn strict_claims(
    workspace: &Workspace,
    generation: &Generation,
    output: &OutputArgs,
) -> Result<Exit, Trouble> {
    let refuted = if output.strict_claims { report::refuted(workspace, generation)? } else { Vec::new() };
    for claim in &refuted {
        remark(&format!("septet: the claim '{claim}' is refuted"));
    }
    Ok(if refuted.is_empty() { Exit::Well } else { Exit::Answer })
}

/// The generation that `asked` names, as `compare` takes names.
fn generation_called(workspace: &Workspace, asked: &str) -> Result<Generation, Trouble> {
    let experiment = workspace.experiment.name.as_str();
    let line = workspace.store.line(experiment)?;
    Ok(workspace.store.generation(experiment, &compare::pick(&line, experiment, asked)?)?)
}

/// `septet show`.
pub(super) fn show(text: &str, store: &StoreArgs, json: bool, with_log: bool) -> Result<Exit, Trouble> {
    let store = Store::meant(store.store.as_deref(), Path::new(""))?;
    let digits = text.to_ascii_lowercase();
    if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Trouble::input(format!("'{text}' is no key: give at least 4 hexadecimal digits of one")));
    }
    let index = store.index()?;
    let matching = index
        .entries()
        .iter()
        .filter(|entry| entry.key.to_string().starts_with(&digits) || entry.id.to_string().starts_with(&digits));
    let mut found: Vec<(ResultId, Record)> = Vec::new();
    for entry in matching {
        found.push((entry.id, store.record(&entry.id)?));
    }
    if found.is_empty() {
        return Err(Trouble::input(format!(
            "nothing in {} has a key that begins with {digits}",
            store.root().display()
        )));
    }
    found.sort_by(|a, b| (a.1.key, &a.1.started).cmp(&(b.1.key, &b.1.started)));
    if json {
        let records: Vec<_> = found.iter().map(|(_, record)| record).collect();
        return say_json(&records);
    }
    let mut out = String::new();
    for (id, record) in &found {
        out.push_str(&shown(id, record));
        if with_log {
            out.push_str(&report::log(&store, id, record)?);
        }
        out.push('\n');
    }
    say(out.trim_end())
}

fn shown(id: &ResultId, record: &Record) -> String {
    let status = match &record.status {
        Status::Valid => "valid".to_string(),
        Status::Suspect => "suspect: kept, left out of averages".to_string(),
        Status::Failed { reason, .. } => format!("failed to {reason}"),
    };
    let cost = clock::shown(std::time::Duration::from_millis(record.cost.total_ms));
    let mut out = format!(
        "{}\n  result   {id}\n  key      {}\n  started  {} on {}, took {cost}\n  status   {status}\n",
        record.test,
        record.key,
        record.started,
        record.host_names()
    );
    for (quantity, value) in &record.reduction.values {
        let unit = quantity.units()[0];
        let metric = results::metric::Metric { quantity: *quantity, unit };
        let within = record.reduction.within.get(quantity).map_or(String::new(), |(low, high)| {
            format!(" [{}, {}]", rounded(low / unit.scale()), rounded(high / unit.scale()))
        });
        out.push_str(&format!("  {:<34} {}{within}\n", metric.label(), rounded(value / unit.scale())));
    }
    for (quantity, bursts) in &record.reduction.refused {
        out.push_str(&format!("  {:<34} refused: {bursts} independent bursts are too few\n", quantity.label()));
    }
    for trial in record.search.iter().flat_map(|search| &search.trials) {
        let TrialCount { intended, lost } = trial.count;
        let offered = results::axes::Rate::Pps(trial.rate_pps);
        out.push_str(&format!(
            "  trial    {offered} for {} ms: {lost} of {intended} lost\n",
            trial.duration_ns / 1_000_000
        ));
    }
    for (place, window) in record.windows.iter().enumerate() {
        let quantity = judged_by(record.tuple.dimension);
        let unit = quantity.units()[0];
        let value = window.reduction.values.get(&quantity).map_or("none".into(), |value| rounded(value / unit.scale()));
        let metric = results::metric::Metric { quantity, unit };
        let flags: String =
            window.flags.iter().filter(|flag| flag.suspect()).map(|flag| format!(" {}", flag.name())).collect();
        out.push_str(&format!("  window {:<2} {} {value}{flags}\n", place + 1, metric.label()));
    }
    for flag in &record.flags {
        out.push_str(&format!("  flag     {}: {}\n", flag.name(), flag.meaning()));
        for seen in record.seen.iter().filter(|seen| seen.flag == *flag) {
            out.push_str(&format!("           {}\n", seen.words));
        }
    }
    out
}

/// Six significant digits at most, no exponent.
fn rounded(value: f64) -> String {
    let decimals = match value.abs() {
        0.0..1.0 => 6,
        1.0..100.0 => 4,
        100.0..10_000.0 => 2,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
