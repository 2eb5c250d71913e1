//! One's own results and those of an origin in one report, because the user asks for it: tests that were never
//! measured here are taken from there, and everything that shows one says so. It must not render.

use std::collections::{BTreeSet, HashMap};

use reports::spec::{Id, Selection};

use super::ArchiveError;
use super::origin::Origin;
use crate::planned::plural;
use crate::store::{Generation, GenerationTest};
use crate::workspace::Workspace;

/// Tests that are named in a note.
const NAMED_MAX: usize = 20;

/// Fills in from an origin what a generation does not have. The workspace's notes, captions and claims say so.
pub fn mix(
    mut workspace: Workspace,
    own: Option<&Generation>,
    name: &Id,
) -> Result<(Workspace, Generation), ArchiveError> {
    let missing = || ArchiveError::unfit(format!("results of '{name}'"), "nothing was imported under that name");
    let origin = Origin::workspace(&workspace.store, name)?.ok_or_else(missing)?;
    let theirs = origin.store.latest_generation(origin.experiment.name.as_str())?;
    let (_, theirs) = theirs.ok_or_else(missing)?;
    let by_name = |generation: &Generation| -> HashMap<String, GenerationTest> {
        generation.tests.iter().map(|test| (test.name.clone(), test.clone())).collect()
    };
    let (ours, theirs) = (own.map(by_name).unwrap_or_default(), by_name(&theirs));
    let mut taken = BTreeSet::new();
    let mut tests = Vec::with_capacity(workspace.tests().len());
    for test in workspace.tests() {
        let test_name = test.tuple.to_string();
        let measured = |test: &&GenerationTest| !test.repetitions.is_empty();
        let (here, there) = (ours.get(&test_name), theirs.get(&test_name).filter(measured));
        match (here.filter(measured), there) {
            (None, Some(there)) => {
                tests.push(there.clone());
                taken.insert(test_name);
            }
            _ => tests.extend(here.cloned()),
        }
    }
    say_so(&mut workspace, &taken, name);
    workspace.store = workspace.store.clone().reading_also(&origin.store);
    let complete = tests.len() == workspace.tests().len()
        && tests.iter().all(|test| test.skipped.is_some() || !test.repetitions.is_empty());
    let created = own.map(|own| own.created.clone()).unwrap_or_default();
    let seed = own.map(|own| own.seed.clone()).unwrap_or_default();
    let generation = Generation::new(workspace.experiment.name.as_str(), created, complete, seed, tests);
    Ok((workspace, generation))
}

fn say_so(workspace: &mut Workspace, taken: &BTreeSet<String>, name: &Id) {
    if taken.is_empty() {
        return;
    }
    let imported = |from: &[Id], selection: &Selection| {
        let experiment = &workspace.experiment;
        let count = experiment
            .matrix
            .tests
            .iter()
            .filter(|test| {
                let group = |group: &u16| {
                    experiment.groups.get(usize::from(*group)).is_some_and(|group| from.contains(&group.id))
                };
                test.groups.iter().any(group) && selection.takes(&test.tuple)
            })
            .filter(|test| taken.contains(&test.tuple.to_string()))
            .count();
        (count > 0).then(|| format!("Mixed: {} of it measured elsewhere, imported as {name}.", plural(count, "test")))
    };
    let mut report = workspace.experiment.report.clone();
    let add = |text: &mut Option<String>, more: Option<String>| {
        if let Some(more) = more {
            *text = Some(text.take().map_or(more.clone(), |text| format!("{text} {more}")));
        }
    };
    for figure in &mut report.figures {
        add(&mut figure.caption, imported(&figure.from, &figure.selection));
    }
    for table in &mut report.tables {
        add(&mut table.caption, imported(&table.from, &table.selection));
    }
    for claim in &mut report.claims {
        if let Some(more) = imported(&claim.from, &Selection::default()) {
            claim.text = format!("{} {more}", claim.text);
        }
    }
    workspace.experiment.report = report;
    let mut named: Vec<&str> = taken.iter().take(NAMED_MAX).map(String::as_str).collect();
    if taken.len() > NAMED_MAX {
        named.push("...");
    }
    let note = format!(
        "Mixed: {} not measured here but elsewhere, imported as {name}: {}.",
        plural(taken.len(), "test"),
        named.join(", ")
    );
    let notes = &mut workspace.experiment.notes;
    *notes = Some(notes.take().map_or(note.clone(), |notes| format!("{notes}\n\n{note}")));
}
