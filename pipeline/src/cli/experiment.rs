//! Commands about an experiment that measure nothing: init, check, plan, status, explain.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::stacks::{self, Known, Where};
use super::{PlanArgs, Target, remark, say, say_json, share};
use crate::beneath;
use crate::conditions::Conditions;
use crate::exit::{Exit, Trouble};
use crate::experiment::{STARTER, Test, schema, select};
use crate::manifest::{Change, Field, Listing};
use crate::plan::Status;
use crate::planned::{Planned, plural};
use crate::workspace::Workspace;

/// Name of the file that `init` writes.
const STARTER_FILE: &str = "experiment.toml";
/// Name of the schema beside it, by which editors check it: its first line says so.
const SCHEMA_FILE: &str = "septet.schema.json";

/// `septet init`.
pub(super) fn init(folder: &Path) -> Result<Exit, Trouble> {
    let path = folder.join(STARTER_FILE);
    match beneath::create_beside(folder, STARTER_FILE, STARTER.as_bytes()) {
        Ok(()) => {
            let schema = format!("{:#}\n", schema::experiment());
            match beneath::create_beside(folder, SCHEMA_FILE, schema.as_bytes()) {
                // One that is there is somebody's, or of an earlier experiment in this folder.
                Err(error) if error.source.kind() != std::io::ErrorKind::AlreadyExists => {
                    Err(Trouble::input(error.to_string()))
                }
                _ => say(&format!("wrote {0}\nnext: septet run {0}", path.display())),
            }
        }
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Trouble::input(format!("{} is there already; it is left as it is", path.display())))
        }
        Err(error) => Err(Trouble::input(error.to_string())),
    }
}

#[derive(Serialize)]
struct CheckJson {
    file: String,
    experiment: String,
    tests: usize,
    tables: usize,
    figures: usize,
    claims: usize,
}

/// `septet check`.
pub(super) fn check(file: &Path, json: bool) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(file, None)?;
    let report = &workspace.experiment.report;
    if json {
        return say_json(&CheckJson {
            file: file.display().to_string(),
            experiment: workspace.experiment.name.to_string(),
            tests: workspace.tests().len(),
            tables: report.tables.len(),
            figures: report.figures.len(),
            claims: report.claims.len(),
        });
    }
    say(&format!(
        "{}: {}, {}, {}, {}",
        file.display(),
        plural(workspace.tests().len(), "test"),
        plural(report.tables.len(), "table"),
        plural(report.figures.len(), "figure"),
        plural(report.claims.len(), "claim"),
    ))
}

/// `septet plan`, and `run -n`.
pub(super) fn plan(
    target: &Target,
    asked: &PlanArgs,
    only: &(dyn Fn(&Test) -> bool + Sync),
    forced: &(dyn Fn(&Test) -> bool + Sync),
    known: Option<Known>,
) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    let (ground, index) = stacks::ground_and_index(&workspace, &asked.on, &asked.assumptions, known)?;
    let conditions = Conditions::new(&ground);
    let planned = share::planned_by(target, &workspace, &conditions, index, forced)?;
    let said = match asked.json {
        true => say_json(&planned.json(only)),
        false => say(&format!("{}{}", stacks::words(&asked.assumptions), planned.text(only))),
    };
    // A plan of many tests is not taken apart piece by piece: the process ends.
    std::mem::forget(planned);
    std::mem::forget(workspace);
    said
}

#[derive(Serialize)]
struct StatusJson {
    tests_total: usize,
    stored: usize,
    stored_by_accepted_changes: usize,
    to_measure: usize,
    skipped: usize,
    generations: usize,
    generation: Option<String>,
    stale: bool,
}

/// `septet status`: the numbers, and exit 4 under `-q` if something is to be measured.
pub(super) fn status(
    target: &Target,
    on: &Where,
    quiet: bool,
    json: bool,
    known: Option<Known>,
) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    let (ground, index) = stacks::ground_and_index(&workspace, on, &[], known)?;
    let conditions = Conditions::new(&ground);
    let planned = share::planned_by(target, &workspace, &conditions, index, &|_| false)?;
    let counts = planned.plan.counts();
    let stale = counts.to_measure > 0;
    if quiet {
        return Ok(if stale { Exit::Answer } else { Exit::Well });
    }
    let line = workspace.store.line(workspace.experiment.name.as_str())?;
    share::tell(&line);
    // Those that cannot be read are there, too.
    let generations = line.names().len() + line.unusable().len();
    let generation = line.latest()?.map(ToString::to_string);
    if json {
        let crate::plan::Counts { total, stored, leaning, to_measure, skipped, .. } = counts;
        return say_json(&StatusJson {
            tests_total: total,
            stored,
            stored_by_accepted_changes: leaning,
            to_measure,
            skipped,
            generations,
            generation,
            stale,
        });
    }
    let latest = match generation {
        Some(name) => format!("{}, the latest is {name}", plural(generations, "generation")),
        None => "no generation yet".to_string(),
    };
    say(&format!("{}: {counts}\n{latest}", workspace.experiment.name))
}

/// The test that a name or a selection means.
pub(super) fn one_test<'a>(workspace: &'a Workspace, text: &str) -> Result<&'a Test, Trouble> {
    let selection = select::parse(text).map_err(|error| Trouble::input(error.to_string()))?;
    let found: Vec<&Test> = workspace.tests().iter().filter(|test| selection.takes(&test.tuple)).collect();
    match found[..] {
        [test] => Ok(test),
        [] => Err(Trouble::input(format!(
            "no test of {} is '{text}'; `septet plan` lists them",
            workspace.file.display()
        ))),
        _ => {
            let names: String = found.iter().take(10).map(|test| format!("\n  {}", test.tuple)).collect();
            Err(Trouble::input(format!("'{text}' takes {}; name one:{names}", plural(found.len(), "test"))))
        }
    }
}

#[derive(Serialize)]
struct ExplainJson {
    test: String,
    key: Option<crate::key::Key>,
    status: Status,
    why: Vec<String>,
    manifest: Option<Listing>,
    changes: Vec<String>,
    /// Files that changed inside of components, by `SECTION COMPONENT`.
    files_changed: BTreeMap<String, Vec<String>>,
}

/// `septet explain`: every input of the key, and what changed against what is stored.
pub(super) fn explain(target: &Target, on: &Where, text: &str, json: bool) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    let test = one_test(&workspace, text)?;
    let ground = stacks::ground(&workspace, on, &[])?;
    let conditions = Conditions::new(&ground);
    let planned = share::planned(target, &workspace, &conditions, &|_| false)?;
    let Some((_, decision)) = planned.tests().find(|(other, _)| std::ptr::eq(*other, test)) else {
        return Err(Trouble::host("the plan has lost the test"));
    };
    let why = planned.words(test, decision);
    let listing = planned.ready(test).map(|ready| ready.manifest.listing());
    let changes = changes(&planned, test, listing.as_ref());
    let inside = inside(&planned, test, &changes);
    if json {
        let changes = changes.iter().map(ToString::to_string).collect();
        let name = test.tuple.to_string();
        return say_json(&ExplainJson {
            test: name,
            key: decision.key,
            status: decision.status,
            why,
            manifest: listing,
            changes,
            files_changed: inside,
        });
    }
    let mut out = format!("test    {}\n", test.tuple);
    if let Some(key) = decision.key {
        out.push_str(&format!("key     {key}\n"));
    }
    let status = match decision.status {
        Status::Stored => "stored",
        Status::ToMeasure => "to measure",
        Status::Skipped => "skipped",
    };
    let because = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    out.push_str(&format!("status  {status}{because}\n"));
    out.push_str(&format!(
        "has     {} of {} wanted\n",
        plural(decision.repetitions.have as usize, "valid repetition"),
        decision.repetitions.min
    ));
    for (name, section) in listing.iter().flat_map(|listing| &listing.sections) {
        out.push_str(&format!("\n{name}\n"));
        for (field, value) in section.fields() {
            let shown = value.shown();
            let mut lines = shown.lines();
            out.push_str(&format!("  {field:<22} {}\n", lines.next().unwrap_or_default()));
            for line in lines {
                out.push_str(&format!("  {:<22} {line}\n", ""));
            }
        }
    }
    if !changes.is_empty() {
        out.push_str("\nchanged since it was last measured\n");
        for change in changes {
            out.push_str(&format!("  {change}\n"));
            for file in inside.get(&format!("{} {}", change.section, change.field)).into_iter().flatten() {
                out.push_str(&format!("    {file}\n"));
            }
        }
    }
    say(&out)
}

/// The files that changed inside of components, by section and component.
fn inside(planned: &Planned, test: &Test, changes: &[Change]) -> BTreeMap<String, Vec<String>> {
    let Some(before) = planned.newest_key(test) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for change in changes {
        let (Some(Field::Text(was)), Some(Field::Text(is))) = (&change.was, &change.is) else { continue };
        match planned.inside(&before, was, is) {
            Ok(files) if files.is_empty() => {}
            Ok(files) => drop(found.insert(format!("{} {}", change.section, change.field), files)),
            Err(error) => remark(&format!("septet: {error}")),
        }
    }
    found
}

/// What changed since the test's newest stored repetition.
fn changes(planned: &Planned, test: &Test, now: Option<&Listing>) -> Vec<Change> {
    let (Some(now), Some(before)) = (now, planned.newest_key(test)) else { return Vec::new() };
    match planned.workspace.store.manifest(&before) {
        Ok(Some(before)) => before.changes_to(now),
        Ok(None) => Vec::new(),
        Err(error) => {
            remark(&format!("septet: {error}"));
            Vec::new()
        }
    }
}
