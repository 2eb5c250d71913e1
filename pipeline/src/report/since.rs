//! `report --since`: what changed between an older generation and the one that is reported, as a page beside
//! the report. Its bytes depend on both generations alone. It must not touch the report itself.

use std::collections::{BTreeMap, HashMap};

use reports::model::TestView;
use reports::render;
use reports::since::{InputChange, changes};

use super::views;
use super::{Drawn, ReportError, Written, overrides};
use crate::beneath::Folder;
use crate::conditions::test_section;
use crate::difference::{Manifests, Tally};
use crate::key::Key;
use crate::manifest::{Manifest, Sealed};
use crate::store::{Generation, StoreError};
use crate::workspace::Workspace;

/// Writes `since-BASE.html` into the folder of the report of `generation`.
pub fn write_since(
    workspace: &Workspace,
    generation: &Generation,
    base: &Generation,
    folder: &Folder,
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
    let target = folder.name([&page.path])?;
    let files = usize::from(folder.replace_if_different(&target, &page.bytes)?);
    let folder = folder.path_of(&target);
    Ok(Written { folder, files, templates: templates.replaced().to_vec(), made_of: None, forgotten: None })
}

/// Why keys differ: every input that is not what it was, with the number of tests that it concerns.
fn inputs(workspace: &Workspace, base: &Generation, now: &Generation) -> Result<Vec<InputChange>, StoreError> {
    let by_name = |generation: &Generation| -> HashMap<String, Vec<Key>> {
        generation.tests.iter().map(|test| (test.name.clone(), test.keys().collect())).collect()
    };
    let (old, new) = (by_name(base), by_name(now));
    let mut manifests = Manifests::of(&workspace.store);
    let mut tally = Tally::default();
    for test in workspace.tests() {
        let name = test.tuple.to_string();
        let (Some(was), Some(is)) = (old.get(&name), new.get(&name)) else { continue };
        if was == is {
            continue;
        }
        let own = Sealed::new(test_section(&test.tuple));
        let mut of = |keys: &[Key]| -> Result<Vec<Manifest>, StoreError> {
            // Under a key by which older results count nothing may ever have been measured.
            keys.iter().filter_map(|key| manifests.get(&own, key).transpose()).collect()
        };
        tally.add(&of(was)?, &of(is)?);
    }
    Ok(tally.inputs(&BTreeMap::new()))
}
