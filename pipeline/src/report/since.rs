//! `report --since`: what changed between an older generation and the one that is reported, as a page beside
//! the report. Its bytes depend on both generations alone. It must not touch the report itself.

use std::collections::BTreeMap;
use std::path::Path;

use reports::model::TestView;
use reports::render;
use reports::since::{InputChange, changes};

use super::views;
use super::{Drawn, ReportError, Written, overrides};
use crate::key::Key;
use crate::manifest::Field;
use crate::store::{Generation, StoreError, replace_if_different};
use crate::workspace::Workspace;

/// Writes `since-BASE.html` into the folder of the report of `generation`.
pub fn write_since(
    workspace: &Workspace,
    generation: &Generation,
    base: &Generation,
    folder: &Path,
) -> Result<Written, ReportError> {
    let templates = overrides::of(&workspace.file)?;
    let (before, after) = (views::read(workspace, base)?, views::read(workspace, generation)?);
    let (drawn_before, drawn_after) = (Drawn::new(workspace, &before)?, Drawn::new(workspace, &after)?);
    let (meta_before, meta_after) = (before.meta(workspace), after.meta(workspace));
    let tests_before: Vec<&TestView> = before.views.iter().collect();
    let tests_after: Vec<&TestView> = after.views.iter().collect();
    let found = changes(
        base.digest(),
        inputs(workspace, base, generation)?,
        &drawn_before.report(&meta_before, &tests_before),
        &drawn_after.report(&meta_after, &tests_after),
    );
    let page = render::render_since(&templates, &meta_after, &found)
        .map_err(|source| ReportError::Render { what: "since.html".to_string(), source })?;
    let target = folder.join(&page.path);
    let files = usize::from(replace_if_different(&target, &page.bytes)?);
    Ok(Written { folder: target, files, templates: templates.replaced().to_vec() })
}

/// Why keys differ: every input that is not what it was, with the number of tests that it concerns.
fn inputs(workspace: &Workspace, base: &Generation, now: &Generation) -> Result<Vec<InputChange>, StoreError> {
    let old: BTreeMap<&str, Key> = base.tests.iter().filter_map(|test| Some((test.name.as_str(), test.key?))).collect();
    let mut counts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let shown = |field: &Option<Field>| field.as_ref().map(Field::shown).unwrap_or_default();
    for test in &now.tests {
        let (Some(was), Some(is)) = (old.get(test.name.as_str()).copied(), test.key) else { continue };
        if was == is {
            continue;
        }
        let (Some(was), Some(is)) = (workspace.store.manifest(&was)?, workspace.store.manifest(&is)?) else { continue };
        for change in was.changes_to(&is) {
            let input = format!("{}.{}", change.section, change.field);
            *counts.entry((input, shown(&change.was), shown(&change.is))).or_default() += 1;
        }
    }
    let change = |((input, was, is), tests)| InputChange { input, was, is, tests };
    Ok(counts.into_iter().map(change).collect())
}
